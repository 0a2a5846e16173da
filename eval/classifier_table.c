#include "eval/classifier_table.h"

#include "base/error.h"

/* C11 cannot embed a file; the assembler can. The path is that of make's folder. */
__asm__(".section .rodata\n"
        ".balign 8\n"
        "classifier_file:\n"
        ".incbin \"eval/classifier/weights.bin\"\n"
        "classifier_file_end:\n"
        ".previous\n");

extern const unsigned char classifier_file[];
extern const unsigned char classifier_file_end[];

enum { HEADER_BYTES = 8, HASH_BYTES = 8, WEIGHT_BYTES = 2 };

static uint64_t read_number(const unsigned char *from, int bytes)
{
    uint64_t number = 0;
    for (int i = bytes - 1; i >= 0; i--)
        number = number << 8 | from[i];
    return number;
}

int32_t classifier_bias(void)
{
    return (int32_t)(uint32_t)read_number(classifier_file, 4);
}

int classifier_weight_count(void)
{
    const uint64_t count = read_number(classifier_file + 4, 4);
    const uint64_t bytes = HEADER_BYTES + count * (HASH_BYTES + WEIGHT_BYTES);
    CHECK(count <= CLASSIFIER_WEIGHT_LIMIT);
    CHECK(bytes == (uint64_t)(classifier_file_end - classifier_file));
    return (int)count;
}

uint64_t classifier_weight_hash(int index)
{
    return read_number(classifier_file + HEADER_BYTES + (int64_t)index * HASH_BYTES,
                       HASH_BYTES);
}

int32_t classifier_weight(int index)
{
    const int64_t hashes = (int64_t)classifier_weight_count() * HASH_BYTES;
    const int64_t at = HEADER_BYTES + hashes + (int64_t)index * WEIGHT_BYTES;
    return (int16_t)(uint16_t)read_number(classifier_file + at, WEIGHT_BYTES);
}

int classifier_weight_find(uint64_t hash)
{
    int low = 0, high = classifier_weight_count();
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const uint64_t found = classifier_weight_hash(middle);
        if (found == hash)
            return middle;
        if (found < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
