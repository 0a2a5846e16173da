#include "eval/classifier_table.h"

#include "base/error.h"

#include <endian.h>
#include <string.h>

/* C11 cannot embed a file; the assembler can. The path is that of make's folder. */
__asm__(".section .rodata\n"
        ".balign 8\n"
        "classifier_file:\n"
        ".incbin \"eval/classifier/weights.bin\"\n"
        "classifier_file_end:\n"
        ".previous\n");

extern const unsigned char classifier_file[];
extern const unsigned char classifier_file_end[];

enum {
    HEADER_BYTES = 8,
    FIRST_COUNT = 257,
    FIRST_BYTES = 2,
    HASH_BYTES = 8,
    WEIGHT_BYTES = 2
};

static uint64_t read_u64(const unsigned char *from)
{
    uint64_t number;
    memcpy(&number, from, sizeof number);
    return le64toh(number);
}

static uint32_t read_u32(const unsigned char *from)
{
    uint32_t number;
    memcpy(&number, from, sizeof number);
    return le32toh(number);
}

static uint16_t read_u16(const unsigned char *from)
{
    uint16_t number;
    memcpy(&number, from, sizeof number);
    return le16toh(number);
}

static const unsigned char *hashes_begin(void)
{
    return classifier_file + HEADER_BYTES + FIRST_COUNT * FIRST_BYTES;
}

int32_t classifier_bias(void)
{
    return (int32_t)read_u32(classifier_file);
}

int classifier_weight_count(void)
{
    const uint64_t count = read_u32(classifier_file + 4);
    const int64_t left = classifier_file_end - hashes_begin();
    CHECK(count <= CLASSIFIER_WEIGHT_LIMIT);
    CHECK((int64_t)count * (HASH_BYTES + WEIGHT_BYTES) == left);
    return (int)count;
}

int classifier_weight_first(int top)
{
    return read_u16(classifier_file + HEADER_BYTES + top * FIRST_BYTES);
}

uint64_t classifier_weight_hash(int index)
{
    return read_u64(hashes_begin() + index * HASH_BYTES);
}

int32_t classifier_weight(int index)
{
    const unsigned char *weights = hashes_begin() + classifier_weight_count() * HASH_BYTES;
    return (int16_t)read_u16(weights + index * WEIGHT_BYTES);
}

int classifier_weight_find(uint64_t hash)
{
    const int top = (int)(hash >> 56), end = classifier_weight_first(top + 1);
    for (int i = classifier_weight_first(top); i < end; i++)
        if (classifier_weight_hash(i) == hash)
            return i;
    return -1;
}
