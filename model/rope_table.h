#ifndef HOLDFAST_MODEL_ROPE_TABLE_H
#define HOLDFAST_MODEL_ROPE_TABLE_H

#include "backend/backend.h"
#include "model/architecture.h"

/*
 * Cosines and sines of positions, [P, R] f32 each: a row a position, R / 2 cosines and then
 * R / 2 sines. With ROPE_LONG there are two parts: the positions below the original limit
 * by the short factors, and behind them, once a sequence may be longer, all by the long
 * ones. Both tables have the same rows.
 */
struct rope_tables {
    struct tensor plain;  /* without data: nothing turns, or nothing is reserved */
    struct tensor window; /* by window_rope_theta; without data: no layer has that */
};

/* Makes the tables hold positions [0, position_count), if they do not; they may move. */
enum status rope_tables_reserve(struct rope_tables *tables, struct backend *backend,
                                const struct architecture *architecture,
                                int64_t position_count, struct error *error);
void rope_tables_release(struct rope_tables *tables, struct backend *backend);
size_t rope_tables_bytes(const struct rope_tables *tables);
/* What a layer turns by; NULL: nothing turns there. */
const struct tensor *rope_table_of(const struct rope_tables *tables,
                                   const struct architecture *architecture, int64_t layer);
/* The row of a position, in a sequence that has the long factors (`longer`) or not. */
int32_t rope_table_row(const struct architecture *architecture, int32_t position,
                       bool longer);

#endif
