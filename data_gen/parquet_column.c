#include "data_gen/parquet_column.h"

#include "base/memory.h"
#include "data_gen/parquet_thrift.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    FORGET_STEP_BYTES = 4 << 20,
    PAGE_BYTES_LIMIT = 1 << 30,
    LIST_LIMIT = 1 << 24 /* values of a page that are decoded at once */
};
enum page_type { PAGE_DATA, PAGE_INDEX, PAGE_DICTIONARY, PAGE_DATA_2 };
enum encoding {
    ENCODING_PLAIN = 0,
    ENCODING_PLAIN_DICTIONARY = 2,
    ENCODING_RLE = 3,
    ENCODING_DELTA_BINARY = 5,
    ENCODING_DELTA_LENGTH = 6,
    ENCODING_DELTA_BYTES = 7,
    ENCODING_DICTIONARY = 8,
    ENCODING_SPLIT = 9
};

static void fail(struct parquet_column *column, const char *problem)
{
    if (!column->status)
        column->status = error_set(
            column->error, STATUS_FORMAT,
            "%s: byte %zu: the Parquet column '%s' is damaged (%s): fetch the file "
            "again",
            column->where, column->at, column->leaf->name, problem);
    column->done = true;
}

/* --- headers --- */

struct page_header {
    int64_t type;
    int64_t unpacked_bytes;
    int64_t packed_bytes;
    int64_t value_count;
    int64_t encoding;
    int64_t definition_bytes; /* of version 2 */
    int64_t repetition_bytes;
    bool is_packed;
    bool has_checksum;
    int64_t checksum; /* CRC-32 of the page as it is in the file */
};

/* DataPageHeader, DictionaryPageHeader or DataPageHeaderV2. */
static void page_kind_read(struct thrift_reader *reader, struct page_header *header,
                           bool is_version_2)
{
    struct thrift_field field = {0};
    const int encoding_id = is_version_2 ? 4 : 2;
    while (thrift_field_next(reader, &field)) {
        const bool is_bool = field.type == THRIFT_TRUE || field.type == THRIFT_FALSE;
        if (field.id == 1)
            header->value_count = thrift_integer(reader, field.type);
        else if (field.id == encoding_id)
            header->encoding = thrift_integer(reader, field.type);
        else if (is_version_2 && field.id == 5)
            header->definition_bytes = thrift_integer(reader, field.type);
        else if (is_version_2 && field.id == 6)
            header->repetition_bytes = thrift_integer(reader, field.type);
        else if (is_version_2 && field.id == 7 && is_bool)
            header->is_packed = field.type == THRIFT_TRUE;
        else
            thrift_skip(reader, field.type);
    }
}

static bool page_header_read(struct parquet_column *column, struct page_header *header)
{
    struct thrift_field field = {0};
    struct thrift_reader reader = {.bytes = column->map->data + column->at,
                                   .count = column->end - column->at};
    *header = (struct page_header){.type = -1, .is_packed = true};
    int64_t *numbers[] = {[1] = &header->type,
                          [2] = &header->unpacked_bytes,
                          [3] = &header->packed_bytes,
                          [4] = &header->checksum};
    while (thrift_field_next(&reader, &field)) {
        header->has_checksum = header->has_checksum || field.id == 4;
        if (field.id >= 1 && field.id <= 4)
            *numbers[field.id] = thrift_integer(&reader, field.type);
        else if ((field.id == 5 || field.id == 7 || field.id == 8) &&
                 thrift_struct(&reader, field.type))
            page_kind_read(&reader, header, field.id == 8);
        else
            thrift_skip(&reader, field.type);
    }
    column->at += reader.at;
    return !reader.failed && header->unpacked_bytes >= 0 &&
           header->unpacked_bytes <= PAGE_BYTES_LIMIT && header->packed_bytes >= 0 &&
           (uint64_t)header->packed_bytes <= column->end - column->at &&
           header->value_count >= 0 && header->value_count <= INT32_MAX;
}

/* Unpacks `packed` bytes to `out`. */
static bool page_part(struct parquet_column *column, const unsigned char *packed,
                      size_t packed_count, unsigned char *out, size_t count, bool is_packed)
{
    struct error why;
    const int codec = is_packed ? column->codec : CODEC_PLAIN;
    if (!parquet_unpack(codec, packed, packed_count, out, count, &why))
        return true;
    if (why.status == STATUS_UNSUPPORTED && !column->status)
        column->status =
            error_set(column->error, STATUS_UNSUPPORTED, "%s: the Parquet column '%s' %s",
                      column->where, column->leaf->name, why.message);
    fail(column, why.message);
    return false;
}

/* --- values --- */

/* The next value of a plain list at *at; false at its end. */
static bool plain_take(const unsigned char *bytes, size_t count, size_t *at, int width,
                       struct parquet_value *value)
{
    size_t length = (size_t)width;
    if (width == 0) { /* its length stands in front of it */
        if (*at > count || count - *at < 4)
            return false;
        length = (size_t)bytes[*at] | (size_t)bytes[*at + 1] << 8 |
                 (size_t)bytes[*at + 2] << 16 | (size_t)bytes[*at + 3] << 24;
        *at += 4;
    }
    if (length > count - *at)
        return false;
    *value = (struct parquet_value){bytes + *at, length};
    *at += length;
    return true;
}

static void list_reset(struct parquet_column *column)
{
    free(column->list);
    free(column->made);
    column->list = NULL;
    column->made = NULL;
    column->list_count = 0;
}

/* Integers: their bytes are made. */
static bool delta_binary_list(struct parquet_column *column, size_t limit)
{
    int64_t *numbers;
    size_t count;
    const size_t width = (size_t)column->leaf->width;
    bool good = delta_unpack(column->values, column->values_bytes, limit, &numbers, &count);
    good = good && (width == 4 || width == 8);
    column->list = memory_allocate_array(count + 1, sizeof *column->list);
    column->made = memory_allocate_array(count + 1, sizeof *numbers);
    column->list_count = good ? count : 0;
    for (size_t i = 0; i < column->list_count; i++) {
        memcpy(column->made + i * width, &numbers[i], width); /* little-endian machines */
        column->list[i] = (struct parquet_value){column->made + i * width, width};
    }
    free(numbers);
    return good;
}

/* Lengths, then all texts one after the other; *used: the bytes of the lengths. */
static bool delta_length_list(struct parquet_column *column, const unsigned char *bytes,
                              size_t byte_count, size_t limit)
{
    int64_t *lengths;
    size_t count;
    size_t at = delta_unpack(bytes, byte_count, limit, &lengths, &count);
    bool good = at > 0 && column->leaf->width == 0;
    column->list = memory_allocate_array(count + 1, sizeof *column->list);
    for (size_t i = 0; i < count && good; i++) {
        good = lengths[i] >= 0 && (uint64_t)lengths[i] <= byte_count - at;
        if (!good)
            break;
        column->list[i] = (struct parquet_value){bytes + at, (size_t)lengths[i]};
        at += (size_t)lengths[i];
    }
    column->list_count = good ? count : 0;
    free(lengths);
    return good;
}

/* What each text shares with the one before it, then the rests as above. */
static bool delta_bytes_list(struct parquet_column *column, size_t limit)
{
    int64_t *shared;
    size_t count, total = 0, at = 0;
    const size_t used =
        delta_unpack(column->values, column->values_bytes, limit, &shared, &count);
    bool good = used &&
                delta_length_list(column, column->values + used,
                                  column->values_bytes - used, limit) &&
                column->list_count == count;
    for (size_t i = 0; i < count && good; i++) {
        const size_t before = i ? column->list[i - 1].count : 0;
        good = shared[i] >= 0 && (uint64_t)shared[i] <= before && total < PAGE_BYTES_LIMIT;
        column->list[i].count += good ? (size_t)shared[i] : 0;
        total += column->list[i].count;
    }
    column->made = good ? memory_allocate(total + 1) : NULL;
    for (size_t i = 0; i < count && good; i++) {
        struct parquet_value *value = &column->list[i];
        const size_t kept = (size_t)shared[i];
        if (kept)
            memcpy(column->made + at, value[-1].bytes, kept);
        memcpy(column->made + at + kept, value->bytes, value->count - kept);
        value->bytes = column->made + at;
        at += value->count;
    }
    free(shared);
    return good;
}

static bool places_begin(struct parquet_column *column, size_t from, int width)
{
    column->places = (struct hybrid_reader){.bytes = column->values + from,
                                            .count = column->values_bytes - from,
                                            .width = width};
    return width <= 32;
}

static bool values_begin(struct parquet_column *column, int64_t value_count)
{
    const size_t limit =
        (size_t)value_count < LIST_LIMIT ? (size_t)value_count : LIST_LIMIT;
    column->value_at = 0;
    column->places = (struct hybrid_reader){0};
    list_reset(column);
    switch (column->encoding) {
    case ENCODING_PLAIN:
        return true;
    case ENCODING_PLAIN_DICTIONARY:
    case ENCODING_DICTIONARY:
        return column->values_bytes == 0 || places_begin(column, 1, column->values[0]);
    case ENCODING_RLE: /* booleans; 4 bytes of length in front */
        return column->leaf->form == PARQUET_BOOLEAN && column->values_bytes >= 4 &&
               places_begin(column, 4, 1);
    case ENCODING_DELTA_BINARY:
        return delta_binary_list(column, limit);
    case ENCODING_DELTA_LENGTH:
        return delta_length_list(column, column->values, column->values_bytes, limit);
    case ENCODING_DELTA_BYTES:
        return delta_bytes_list(column, limit);
    case ENCODING_SPLIT:
        return column->leaf->width > 0 && column->leaf->width <= 16;
    default:
        return false;
    }
}

static bool bit_take(struct parquet_column *column)
{
    const size_t at = column->value_at++;
    if (at / 8 >= column->values_bytes)
        return false;
    column->scratch[0] = column->values[at / 8] >> at % 8 & 1;
    column->value = (struct parquet_value){column->scratch, 1};
    return true;
}

/* The first bytes of all values stand together, then the second ones, … */
static bool split_take(struct parquet_column *column)
{
    const size_t width = (size_t)column->leaf->width;
    const size_t count = column->values_bytes / width;
    const size_t at = column->value_at++;
    for (size_t i = 0; i < width && at < count; i++)
        column->scratch[i] = column->values[i * count + at];
    column->value = (struct parquet_value){column->scratch, width};
    return at < count;
}

static bool place_take(struct parquet_column *column)
{
    uint32_t place;
    if (!hybrid_next(&column->places, &place))
        return false;
    if (column->encoding == ENCODING_RLE) {
        column->scratch[0] = (unsigned char)place;
        column->value = (struct parquet_value){column->scratch, 1};
        return true;
    }
    if (place >= column->dictionary_count)
        return false;
    column->value = column->dictionary[place];
    return true;
}

static bool value_take(struct parquet_column *column)
{
    switch (column->encoding) {
    case ENCODING_PLAIN:
        return column->leaf->width < 0
                   ? bit_take(column)
                   : plain_take(column->values, column->values_bytes, &column->value_at,
                                column->leaf->width, &column->value);
    case ENCODING_PLAIN_DICTIONARY:
    case ENCODING_DICTIONARY:
    case ENCODING_RLE:
        return place_take(column);
    case ENCODING_SPLIT:
        return split_take(column);
    default:
        if (column->value_at >= column->list_count)
            return false;
        column->value = column->list[column->value_at++];
        return true;
    }
}

/* --- pages --- */

static bool dictionary_read(struct parquet_column *column, const struct page_header *header)
{
    const size_t count = (size_t)header->unpacked_bytes;
    size_t at = 0, capacity = 0;
    struct parquet_value value;
    if (column->dictionary_page || column->leaf->width < 0)
        return false;
    column->dictionary_page = memory_allocate(count + 1);
    if (!page_part(column, column->map->data + column->at, (size_t)header->packed_bytes,
                   column->dictionary_page, count, true))
        return false;
    while ((int64_t)column->dictionary_count < header->value_count &&
           plain_take(column->dictionary_page, count, &at, column->leaf->width, &value)) {
        array_reserve(column->dictionary, capacity, column->dictionary_count + 1);
        column->dictionary[column->dictionary_count++] = value;
    }
    return (int64_t)column->dictionary_count == header->value_count;
}

static int bits_of(int level)
{
    int bits = 0;
    while (level >> bits)
        bits++;
    return bits;
}

/* Levels that stand at *at: with their length in front, or of `bytes` (version 2). */
static bool levels_begin(struct hybrid_reader *levels, const unsigned char *page,
                         size_t count, size_t *at, int most, int64_t bytes)
{
    struct parquet_value value = {0};
    *levels = (struct hybrid_reader){.width = bits_of(most)};
    if (bytes > 0 && (uint64_t)bytes <= count - *at) {
        value = (struct parquet_value){page + *at, (size_t)bytes};
        *at += (size_t)bytes;
    } else if (bytes > 0 ||
               (bytes < 0 && most > 0 && !plain_take(page, count, at, 0, &value)))
        return false;
    levels->bytes = value.bytes;
    levels->count = value.count;
    return true;
}

/* Version 1 packs all of it, version 2 only what is behind the levels. */
static bool page_fill(struct parquet_column *column, const struct page_header *header,
                      int64_t plain_bytes)
{
    const unsigned char *packed = column->map->data + column->at;
    const size_t count = (size_t)header->unpacked_bytes;
    const size_t plain = (size_t)plain_bytes;
    if (plain_bytes < 0 || plain > count || plain > (size_t)header->packed_bytes)
        return false;
    free(column->page);
    column->page = memory_allocate(count + 1);
    memcpy(column->page, packed, plain);
    return page_part(column, packed + plain, (size_t)header->packed_bytes - plain,
                     column->page + plain, count - plain, header->is_packed);
}

static bool data_read(struct parquet_column *column, const struct page_header *header)
{
    const bool is_2 = header->type == PAGE_DATA_2;
    const size_t count = (size_t)header->unpacked_bytes;
    const int64_t repetition_bytes = is_2 ? header->repetition_bytes : -1;
    const int64_t definition_bytes = is_2 ? header->definition_bytes : -1;
    size_t at = 0;
    if (is_2 &&
        (repetition_bytes < 0 || definition_bytes < 0 ||
         repetition_bytes > PAGE_BYTES_LIMIT || definition_bytes > PAGE_BYTES_LIMIT))
        return false;
    if (!page_fill(column, header, is_2 ? repetition_bytes + definition_bytes : 0) ||
        !levels_begin(&column->repetitions, column->page, count, &at,
                      column->leaf->repetition, repetition_bytes) ||
        !levels_begin(&column->definitions, column->page, count, &at,
                      column->leaf->definition, definition_bytes))
        return false;
    column->values = column->page + at;
    column->values_bytes = count - at;
    column->encoding = (int)header->encoding;
    column->page_left = header->value_count;
    return values_begin(column, header->value_count);
}

static bool page_next(struct parquet_column *column)
{
    struct page_header header;
    bool good = page_header_read(column, &header);
    if (good && header.has_checksum &&
        crc32(0, column->map->data + column->at, (uInt)header.packed_bytes) !=
            (uint32_t)header.checksum) {
        fail(column, "its checksum");
        return false;
    }
    if (good && header.type == PAGE_DICTIONARY)
        good = dictionary_read(column, &header);
    else if (good && (header.type == PAGE_DATA || header.type == PAGE_DATA_2))
        good = data_read(column, &header);
    if (!good) {
        fail(column, "a page");
        return false;
    }
    column->at += (size_t)header.packed_bytes;
    if (column->at - column->forgotten >= FORGET_STEP_BYTES) { /* all of it was copied */
        file_map_forget(column->map, column->map->data + column->forgotten,
                        column->at - column->forgotten);
        column->forgotten = column->at;
    }
    return true;
}

static bool level_take(struct hybrid_reader *levels, int most, int *level)
{
    uint32_t value = 0;
    const bool good = most == 0 || (hybrid_next(levels, &value) && value <= (uint32_t)most);
    *level = (int)value;
    return good;
}

void parquet_column_next(struct parquet_column *column)
{
    while (!column->done && column->page_left == 0) {
        if (column->at >= column->end)
            column->done = true;
        else if (!page_next(column))
            return;
    }
    if (column->done)
        return;
    column->page_left--;
    if (!level_take(&column->repetitions, column->leaf->repetition, &column->repetition) ||
        !level_take(&column->definitions, column->leaf->definition, &column->definition))
        fail(column, "levels");
    else if (column->definition == column->leaf->definition && !value_take(column))
        fail(column, "values");
}

void parquet_column_open(struct parquet_column *column, const struct parquet_node *leaf,
                         const struct parquet_chunk *chunk, const struct file_map *map,
                         const char *where, struct error *error)
{
    *column = (struct parquet_column){.leaf = leaf,
                                      .map = map,
                                      .at = chunk->offset,
                                      .forgotten = chunk->offset,
                                      .where = where,
                                      .codec = chunk->codec,
                                      .error = error};
    if (chunk->offset > map->bytes || chunk->bytes > map->bytes - chunk->offset) {
        fail(column, "it is not within the file");
        return;
    }
    column->end = chunk->offset + chunk->bytes;
    parquet_column_next(column);
}

void parquet_column_close(struct parquet_column *column)
{
    list_reset(column);
    free(column->page);
    free(column->dictionary_page);
    free(column->dictionary);
    *column = (struct parquet_column){.done = true};
}
