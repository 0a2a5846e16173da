#include "data_gen/parquet_schema.h"

#include "base/memory.h"
#include "data_gen/parquet_thrift.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_LIMIT = 24, FOOTER_BYTES = 8, MAGIC_BYTES = 4 };
enum physical { BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED };
enum converted { UTF8, MAP, MAP_KEY_VALUE, LIST, ENUM, DECIMAL, UINT_8 = 11, UINT_64 = 14 };
enum logical { LOGICAL_MAP = 2, LOGICAL_LIST, LOGICAL_DECIMAL = 5, LOGICAL_INTEGER = 10 };
enum repetition { REQUIRED, OPTIONAL, REPEATED };

bool parquet_is(const void *bytes, size_t count)
{
    const char *at = bytes;
    return count >= MAGIC_BYTES + FOOTER_BYTES && memcmp(at, "PAR1", MAGIC_BYTES) == 0 &&
           memcmp(at + count - MAGIC_BYTES, "PAR1", MAGIC_BYTES) == 0;
}

/* --- the schema --- */

/* As the file has it. */
struct element {
    int64_t physical; /* -1: a group */
    int64_t width;
    int64_t repetition;
    int64_t children;
    int64_t converted; /* -1: none */
    int logical;       /* 0: none */
    bool is_unsigned;
};

static void integer_type_read(struct thrift_reader *reader, struct element *element)
{
    struct thrift_field field = {0};
    while (thrift_field_next(reader, &field)) {
        if (field.id == 2)
            element->is_unsigned = field.type == THRIFT_FALSE; /* isSigned */
        if (field.type != THRIFT_TRUE && field.type != THRIFT_FALSE)
            thrift_skip(reader, field.type);
    }
}

/* A union: the number of the field that is there. */
static void logical_read(struct thrift_reader *reader, int type, struct element *element)
{
    struct thrift_field field = {0};
    if (!thrift_struct(reader, type))
        return;
    while (thrift_field_next(reader, &field)) {
        element->logical = field.id;
        if (field.id == LOGICAL_INTEGER && thrift_struct(reader, field.type))
            integer_type_read(reader, element);
        else
            thrift_skip(reader, field.type);
    }
}

static void element_field_read(struct thrift_reader *reader,
                               const struct thrift_field *field, struct element *element,
                               char **name)
{
    int64_t *numbers[] = {[1] = &element->physical,
                          [2] = &element->width,
                          [3] = &element->repetition,
                          [5] = &element->children,
                          [6] = &element->converted};
    size_t length;
    if (field->id == 4) {
        const unsigned char *text = thrift_binary(reader, field->type, &length);
        free(*name);
        *name = memory_duplicate_bytes(text ? (const char *)text : "", length);
    } else if (field->id == 10) {
        logical_read(reader, field->type, element);
    } else if (field->id >= 1 && field->id <= 6) {
        *numbers[field->id] = thrift_integer(reader, field->type);
    } else {
        thrift_skip(reader, field->type);
    }
}

static enum parquet_form group_form(const struct element *element)
{
    if (element->logical == LOGICAL_LIST || element->converted == LIST)
        return PARQUET_LIST;
    const bool is_map = element->logical == LOGICAL_MAP || element->converted == MAP ||
                        element->converted == MAP_KEY_VALUE;
    return is_map ? PARQUET_MAP : PARQUET_GROUP;
}

static enum parquet_form leaf_form(const struct element *element)
{
    const bool is_unsigned = element->is_unsigned || (element->converted >= UINT_8 &&
                                                      element->converted <= UINT_64);
    if (element->logical == LOGICAL_DECIMAL || element->converted == DECIMAL)
        return PARQUET_OTHER;
    switch (element->physical) {
    case BOOLEAN:
        return PARQUET_BOOLEAN;
    case INT32:
    case INT64:
        return is_unsigned ? PARQUET_UNSIGNED : PARQUET_INTEGER;
    case FLOAT:
        return PARQUET_FLOAT;
    case DOUBLE:
        return PARQUET_DOUBLE;
    case BYTE_ARRAY:
        return PARQUET_TEXT;
    default:
        return PARQUET_OTHER;
    }
}

static int leaf_width(const struct element *element)
{
    static const int widths[] = {
        [BOOLEAN] = -1, [INT32] = 4,  [INT64] = 8,     [INT96] = 12,
        [FLOAT] = 4,    [DOUBLE] = 8, [BYTE_ARRAY] = 0};
    return element->physical == FIXED ? (int)element->width : widths[element->physical];
}

static bool element_is_good(const struct element *element, bool is_root)
{
    if (!is_root && (element->repetition < REQUIRED || element->repetition > REPEATED))
        return false;
    if (element->children != 0)
        return element->children > 0;
    return !is_root && element->physical >= BOOLEAN && element->physical <= FIXED &&
           (element->physical != FIXED || (element->width > 0 && element->width < 1 << 20));
}

/* Adds a node with what is known of it alone; false if it is none. */
static bool node_read(struct parquet_schema *schema, struct thrift_reader *reader)
{
    struct thrift_field field = {0};
    struct element element = {.physical = -1, .converted = -1};
    array_reserve(schema->nodes, schema->node_capacity, schema->node_count + 1);
    struct parquet_node *node = &schema->nodes[schema->node_count++];
    *node = (struct parquet_node){0};
    while (thrift_field_next(reader, &field))
        element_field_read(reader, &field, &element, &node->name);
    const bool is_root = schema->node_count == 1;
    if (reader->failed || !element_is_good(&element, is_root))
        return false;
    node->children = (size_t)element.children;
    node->is_optional = !is_root && element.repetition == OPTIONAL;
    node->is_repeated = !is_root && element.repetition == REPEATED;
    node->form = node->children ? group_form(&element) : leaf_form(&element);
    node->width = node->children ? 0 : leaf_width(&element);
    if (!node->name)
        node->name = memory_duplicate_string("");
    return true;
}

/* A list has a repeated child, a map one of keys and values; others are plain groups. */
static void form_check(const struct parquet_schema *schema, size_t at)
{
    struct parquet_node *node = &schema->nodes[at];
    const struct parquet_node *child = &schema->nodes[at + 1];
    const bool is_wrapper = node->children == 1 && child->is_repeated;
    if (node->form == PARQUET_LIST && !is_wrapper)
        node->form = PARQUET_GROUP;
    if (node->form == PARQUET_MAP &&
        (!is_wrapper || child->children != 2 || schema->nodes[at + 2].form != PARQUET_TEXT))
        node->form = PARQUET_GROUP;
}

/* Levels, leaves and what follows, for the node at `at` and below; 0 if the tree is wrong,
 * else the node behind it. */
static size_t tree_lay(struct parquet_schema *schema, size_t at, int definition,
                       int repetition, int depth)
{
    if (at >= schema->node_count || depth > DEPTH_LIMIT)
        return 0;
    struct parquet_node *node = &schema->nodes[at];
    node->definition = definition + (node->is_optional || node->is_repeated);
    node->repetition = repetition + node->is_repeated;
    node->first_leaf = schema->leaf_count;
    schema->leaf_count += node->children == 0;
    size_t next = at + 1;
    for (size_t i = 0; i < node->children && next; i++)
        next = tree_lay(schema, next, node->definition, node->repetition, depth + 1);
    node->next = next;
    node->leaf_count = schema->leaf_count - node->first_leaf;
    if (next && node->children)
        form_check(schema, at);
    return next;
}

static bool nodes_read(struct parquet_schema *schema, struct thrift_reader *reader,
                       int type)
{
    int element_type;
    const size_t count = thrift_list(reader, type, &element_type);
    if (schema->node_count || !thrift_struct(reader, element_type))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!node_read(schema, reader))
            return false;
    return tree_lay(schema, 0, 0, 0, 0) == schema->node_count;
}

/* --- row groups --- */

/* ColumnMetaData. */
static void chunk_meta_read(struct thrift_reader *reader, struct parquet_chunk *chunk)
{
    struct thrift_field field = {0};
    int64_t codec = 0, values = 0, bytes = 0, data = 0, dictionary = 0;
    int64_t *numbers[] = {
        [4] = &codec, [5] = &values, [7] = &bytes, [9] = &data, [11] = &dictionary};
    while (thrift_field_next(reader, &field)) {
        if (field.id >= 0 && field.id <= 11 && numbers[field.id])
            *numbers[field.id] = thrift_integer(reader, field.type);
        else
            thrift_skip(reader, field.type);
    }
    const bool has_data = data >= MAGIC_BYTES; /* else no value at all, 0 is written */
    const int64_t offset =
        dictionary > 0 && (dictionary < data || !has_data) ? dictionary : data;
    reader->failed = reader->failed || offset < 0 || bytes < 0 || values < 0;
    *chunk = (struct parquet_chunk){.codec = (int)codec,
                                    .offset = (size_t)offset,
                                    .bytes = (size_t)bytes,
                                    .value_count = values};
}

/* ColumnChunk. Another file's (file_path) are refused. */
static void chunk_read(struct thrift_reader *reader, struct parquet_chunk *chunk)
{
    struct thrift_field field = {0};
    while (thrift_field_next(reader, &field)) {
        reader->failed = reader->failed || field.id == 1;
        if (field.id == 3 && thrift_struct(reader, field.type))
            chunk_meta_read(reader, chunk);
        else
            thrift_skip(reader, field.type);
    }
}

static void group_read(struct thrift_reader *reader, struct parquet_group *group,
                       size_t leaf_count)
{
    struct thrift_field field = {0};
    size_t count = 0;
    int type;
    while (thrift_field_next(reader, &field)) {
        if (field.id == 3)
            group->row_count = thrift_integer(reader, field.type);
        if (field.id != 1 && field.id != 3)
            thrift_skip(reader, field.type);
        if (field.id != 1)
            continue;
        count = thrift_list(reader, field.type, &type);
        reader->failed = reader->failed || count != leaf_count || type != THRIFT_STRUCT;
        for (size_t i = 0; i < count && !reader->failed; i++)
            chunk_read(reader, &group->chunks[i]);
    }
    reader->failed = reader->failed || count != leaf_count || group->row_count < 0;
}

static bool groups_read(struct parquet_schema *schema, struct thrift_reader *reader,
                        int type)
{
    int element_type;
    const size_t count = thrift_list(reader, type, &element_type);
    if (schema->groups || schema->leaf_count == 0 ||
        (count && !thrift_struct(reader, element_type)))
        return false;
    schema->groups = memory_allocate_array(count + 1, sizeof *schema->groups);
    for (size_t i = 0; i < count && !reader->failed; i++) {
        schema->groups[i].chunks =
            memory_allocate_array(schema->leaf_count, sizeof *schema->groups[i].chunks);
        schema->group_count++;
        group_read(reader, &schema->groups[i], schema->leaf_count);
    }
    return !reader->failed;
}

/* FileMetaData. */
static bool file_meta_read(struct parquet_schema *schema, struct thrift_reader *reader)
{
    struct thrift_field field = {0};
    bool good = true;
    while (good && thrift_field_next(reader, &field)) {
        if (field.id == 2)
            good = nodes_read(schema, reader, field.type);
        else if (field.id == 4)
            good = groups_read(schema, reader, field.type);
        else
            thrift_skip(reader, field.type);
    }
    return good && !reader->failed && schema->groups;
}

enum status parquet_schema_read(struct parquet_schema *schema, const void *bytes,
                                size_t count, const char *where, struct error *error)
{
    *schema = (struct parquet_schema){0};
    const unsigned char *end = (const unsigned char *)bytes + count - FOOTER_BYTES;
    const size_t size =
        (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
    if (size > count - MAGIC_BYTES - FOOTER_BYTES)
        return error_set(
            error, STATUS_FORMAT,
            "%s: the Parquet file's end names %zu bytes of metadata, more than "
            "there are: was it fetched whole?",
            where, size);
    struct thrift_reader reader = {.bytes = end - size, .count = size};
    if (file_meta_read(schema, &reader))
        return STATUS_OK;
    return error_set(
        error, STATUS_FORMAT,
        "%s: the Parquet file's metadata are damaged, or of a kind that is not "
        "known (byte %zu of them)",
        where, reader.at);
}

void parquet_schema_release(struct parquet_schema *schema)
{
    for (size_t i = 0; i < schema->node_count; i++)
        free(schema->nodes[i].name);
    free(schema->nodes);
    for (size_t i = 0; i < schema->group_count; i++)
        free(schema->groups[i].chunks);
    free(schema->groups);
    *schema = (struct parquet_schema){0};
}
