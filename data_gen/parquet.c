#include "data_gen/parquet.h"

#include "base/json.h"
#include "base/memory.h"
#include "data_gen/parquet_column.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 1 << 20 };

/* A row group on its way to lines. */
struct row_writer {
    const struct parquet_schema *schema;
    struct parquet_column *columns; /* [leaf_count] */
    const char *where;
    struct json_writer json;
    struct error *error;
    enum status status;
};

static const struct parquet_node *node_at(const struct row_writer *writer, size_t at)
{
    return &writer->schema->nodes[at];
}

static struct parquet_column *first_column(struct row_writer *writer, size_t at)
{
    return &writer->columns[node_at(writer, at)->first_leaf];
}

/* Whether all is well and the column has an entry at hand. */
static bool is_ready(struct row_writer *writer, const struct parquet_column *column)
{
    if (writer->status)
        return false;
    if (column->status)
        writer->status = column->status;
    else if (column->done)
        writer->status = error_set(writer->error, STATUS_FORMAT,
                                   "%s: the Parquet column '%s' ends before its row group: "
                                   "the file is damaged: fetch it again",
                                   writer->where, column->leaf->name);
    return !writer->status;
}

/* --- values --- */

static uint64_t bits_of_value(const struct parquet_value *value)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < value->count && i < 8; i++)
        bits |= (uint64_t)value->bytes[i] << 8 * i;
    return bits;
}

static double number_of(const struct parquet_value *value, bool is_double)
{
    const uint64_t bits = bits_of_value(value);
    const uint32_t low = (uint32_t)bits;
    double number;
    float single;
    memcpy(&number, &bits, sizeof number);
    memcpy(&single, &low, sizeof single);
    return is_double ? number : (double)single;
}

/* Above 2^63 the nearest double, as JSON readers take it anyway. */
static void unsigned_write(struct json_writer *json, const char *key, uint64_t number)
{
    if (number <= INT64_MAX)
        json_integer(json, key, (int64_t)number);
    else
        json_number(json, key, (double)number);
}

static void value_write(struct row_writer *writer, const struct parquet_column *column,
                        const char *key)
{
    struct json_writer *json = &writer->json;
    const struct parquet_value *value = &column->value;
    const uint64_t bits = bits_of_value(value);
    switch (column->leaf->form) {
    case PARQUET_BOOLEAN:
        json_bool(json, key, bits != 0);
        break;
    case PARQUET_INTEGER:
        json_integer(json, key, value->count == 4 ? (int32_t)bits : (int64_t)bits);
        break;
    case PARQUET_UNSIGNED:
        unsigned_write(json, key, bits);
        break;
    case PARQUET_FLOAT:
    case PARQUET_DOUBLE:
        json_number(json, key, number_of(value, column->leaf->form == PARQUET_DOUBLE));
        break;
    case PARQUET_TEXT:
        json_string_bytes(json, key, (const char *)value->bytes, value->count);
        break;
    default:
        json_null(json, key);
    }
}

/* --- nesting --- */

static void node_write(struct row_writer *writer, size_t at, const char *key);
static void content_write(struct row_writer *writer, size_t at, const char *key);

/* An entry of each leaf below, which says that nothing is there. */
static void node_pass(struct row_writer *writer, size_t at)
{
    const struct parquet_node *node = node_at(writer, at);
    for (size_t i = 0; i < node->leaf_count; i++) {
        struct parquet_column *column = &writer->columns[node->first_leaf + i];
        if (is_ready(writer, column))
            parquet_column_next(column);
    }
}

/* Whether the node is there, by the first leaf's word. */
static bool is_there(struct row_writer *writer, size_t at)
{
    const struct parquet_column *column = first_column(writer, at);
    return is_ready(writer, column) &&
           column->definition >= node_at(writer, at)->definition;
}

/* Whether the repeated node has one more in this list. */
static bool has_more(struct row_writer *writer, size_t at)
{
    const struct parquet_column *column = first_column(writer, at);
    return !writer->status && !column->done &&
           column->repetition >= node_at(writer, at)->repetition;
}

/* The element of a list's repeated child: of old writers it is the child itself. */
static void element_write(struct row_writer *writer, size_t list, size_t at)
{
    const struct parquet_node *node = node_at(writer, at);
    const char *list_name = node_at(writer, list)->name;
    const size_t length = strlen(list_name);
    const bool is_tuple = strncmp(node->name, list_name, length) == 0 &&
                          strcmp(node->name + length, "_tuple") == 0;
    if (node->children == 1 && strcmp(node->name, "array") != 0 && !is_tuple)
        node_write(writer, at + 1, NULL);
    else
        content_write(writer, at, NULL);
}

static void list_write(struct row_writer *writer, size_t list, size_t at, const char *key)
{
    json_array_begin(&writer->json, key);
    if (!is_there(writer, at))
        node_pass(writer, at);
    else
        do {
            if (list == at)
                content_write(writer, at, NULL);
            else
                element_write(writer, list, at);
        } while (has_more(writer, at));
    json_array_end(&writer->json);
}

static void pair_write(struct row_writer *writer, size_t at)
{
    struct parquet_column *keys = first_column(writer, at);
    if (!is_ready(writer, keys))
        return;
    char *key =
        keys->definition == keys->leaf->definition
            ? memory_duplicate_bytes((const char *)keys->value.bytes, keys->value.count)
            : memory_duplicate_string("");
    parquet_column_next(keys);
    node_write(writer, node_at(writer, at + 1)->next, key);
    free(key);
}

static void map_write(struct row_writer *writer, size_t at, const char *key)
{
    json_object_begin(&writer->json, key);
    if (!is_there(writer, at))
        node_pass(writer, at);
    else
        do
            pair_write(writer, at);
        while (has_more(writer, at));
    json_object_end(&writer->json);
}

/* Of a leaf: its value, and on to the next entry. */
static void leaf_write(struct row_writer *writer, size_t at, const char *key)
{
    struct parquet_column *column = first_column(writer, at);
    if (!is_ready(writer, column))
        return;
    if (column->definition == column->leaf->definition)
        value_write(writer, column, key);
    else
        json_null(&writer->json, key);
    parquet_column_next(column);
}

/* Of a node that is there. */
static void content_write(struct row_writer *writer, size_t at, const char *key)
{
    const struct parquet_node *node = node_at(writer, at);
    size_t child = at + 1;
    if (node->children == 0) {
        leaf_write(writer, at, key);
    } else if (node->form == PARQUET_LIST) {
        list_write(writer, at, child, key);
    } else if (node->form == PARQUET_MAP) {
        map_write(writer, child, key);
    } else {
        json_object_begin(&writer->json, key);
        for (size_t i = 0; i < node->children && !writer->status; i++) {
            node_write(writer, child, node_at(writer, child)->name);
            child = node_at(writer, child)->next;
        }
        json_object_end(&writer->json);
    }
}

static void node_write(struct row_writer *writer, size_t at, const char *key)
{
    const struct parquet_node *node = node_at(writer, at);
    if (node->is_repeated) { /* outside of a list: one without a wrapper */
        list_write(writer, at, at, key);
    } else if (node->is_optional && node->children && !is_there(writer, at)) {
        json_null(&writer->json, key);
        node_pass(writer, at);
    } else {
        content_write(writer, at, key);
    }
}

/* --- rows --- */

/* Every column stands at its next row, or at its end. */
static void row_check(struct row_writer *writer)
{
    for (size_t i = 0; i < writer->schema->leaf_count && !writer->status; i++) {
        const struct parquet_column *column = &writer->columns[i];
        if (!column->done && column->repetition != 0)
            writer->status =
                error_set(writer->error, STATUS_FORMAT,
                          "%s: the rows of the Parquet column '%s' do not go "
                          "with the others: the file is damaged: fetch it again",
                          writer->where, column->leaf->name);
    }
}

static enum status group_end(struct row_writer *writer)
{
    for (size_t i = 0; i < writer->schema->leaf_count && !writer->status; i++) {
        const struct parquet_column *column = &writer->columns[i];
        if (column->status)
            writer->status = column->status;
        else if (!column->done)
            writer->status = error_set(writer->error, STATUS_FORMAT,
                                       "%s: the Parquet column '%s' has more than its row "
                                       "group: the file is damaged: fetch it again",
                                       writer->where, column->leaf->name);
    }
    return writer->status;
}

struct line_sink {
    unpack_sink *sink;
    void *context;
    size_t consumed;
};

static enum status lines_flush(struct row_writer *writer, const struct line_sink *to)
{
    struct text_buffer *out = writer->json.out;
    if (!writer->status && out->length)
        writer->status =
            to->sink(to->context, out->data, out->length, to->consumed, writer->error);
    text_buffer_clear(out);
    return writer->status;
}

static enum status group_write(struct row_writer *writer, const struct parquet_group *group,
                               const struct line_sink *to)
{
    for (int64_t row = 0; row < group->row_count && !writer->status; row++) {
        content_write(writer, 0, NULL);
        row_check(writer);
        text_buffer_append_char(writer->json.out, '\n');
        if (writer->json.out->length >= PIECE_BYTES && lines_flush(writer, to))
            return writer->status;
    }
    return writer->status ? writer->status : group_end(writer);
}

static enum status group_read(struct row_writer *writer, const struct parquet_group *group,
                              const struct file_map *map, struct line_sink *to)
{
    const struct parquet_schema *schema = writer->schema;
    size_t leaf = 0;
    for (size_t i = 0; i < schema->node_count; i++)
        if (schema->nodes[i].children == 0) {
            parquet_column_open(&writer->columns[leaf], &schema->nodes[i],
                                &group->chunks[leaf], map, writer->where, writer->error);
            leaf++;
        }
    group_write(writer, group, to);
    lines_flush(writer, to);
    for (size_t i = 0; i < schema->leaf_count; i++) {
        if (writer->columns[i].end > to->consumed)
            to->consumed = writer->columns[i].end;
        parquet_column_close(&writer->columns[i]);
    }
    return writer->status;
}

enum status parquet_to_lines(const struct file_map *map, const char *where,
                             unpack_sink *sink, void *context, struct error *error)
{
    struct parquet_schema schema;
    struct text_buffer out = {0};
    struct line_sink to = {.sink = sink, .context = context, .consumed = 4};
    enum status status = parquet_schema_read(&schema, map->data, map->bytes, where, error);
    if (!status) {
        struct row_writer writer = {
            .schema = &schema,
            .columns = memory_allocate_array(schema.leaf_count, sizeof *writer.columns),
            .where = where,
            .json = {.out = &out},
            .error = error};
        for (size_t i = 0; i < schema.group_count && !status; i++)
            status = group_read(&writer, &schema.groups[i], map, &to);
        free(writer.columns);
    }
    text_buffer_release(&out);
    parquet_schema_release(&schema);
    return status;
}
