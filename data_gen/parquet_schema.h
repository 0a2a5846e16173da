#ifndef HOLDFAST_DATA_GEN_PARQUET_SCHEMA_H
#define HOLDFAST_DATA_GEN_PARQUET_SCHEMA_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the end of a Parquet file says of it:
 *
 *     "PAR1"  pages of the columns …  FileMetaData  its size, 4 bytes  "PAR1"
 *
 * FileMetaData (data_gen/parquet_thrift.h) has the schema, as a tree laid out parents
 * first, and for each row group where the pages of each leaf stand ("column chunk").
 *
 * Source: Apache Parquet's parquet.thrift; lists and maps: its LogicalTypes.md.
 */
enum parquet_form {
    PARQUET_GROUP, /* an object */
    PARQUET_LIST,  /* an array: of the only child, which is repeated */
    PARQUET_MAP,   /* an object: of keys and values */
    PARQUET_BOOLEAN,
    PARQUET_INTEGER,
    PARQUET_UNSIGNED,
    PARQUET_FLOAT,
    PARQUET_DOUBLE,
    PARQUET_TEXT,
    PARQUET_OTHER /* INT96, decimals, half floats, …: null */
};

struct parquet_node {
    char *name;
    enum parquet_form form;
    bool is_optional;
    bool is_repeated;
    int width;         /* bytes of a value of a leaf; 0: byte arrays; -1: a bit */
    int definition;    /* level of a value that is there */
    int repetition;    /* level at which it is repeated */
    size_t children;   /* how many; 0: a leaf */
    size_t next;       /* the node behind this one and its descendants */
    size_t first_leaf; /* among all leaves; its own, if it is one */
    size_t leaf_count;
};

struct parquet_chunk {
    int codec;
    size_t offset; /* of its first page */
    size_t bytes;
    int64_t value_count; /* with those that are null */
};

struct parquet_group {
    int64_t row_count;
    struct parquet_chunk *chunks; /* [leaf_count] */
};

struct parquet_schema {
    struct parquet_node *nodes; /* nodes[0] is the row */
    size_t node_count;
    size_t node_capacity;
    size_t leaf_count;
    struct parquet_group *groups;
    size_t group_count;
};

/* Whether the bytes begin and end as a Parquet file does. */
bool parquet_is(const void *bytes, size_t count);

/* Errors name `where`. The caller releases in any case. */
enum status parquet_schema_read(struct parquet_schema *schema, const void *bytes,
                                size_t count, const char *where, struct error *error);
void parquet_schema_release(struct parquet_schema *schema);

#endif
