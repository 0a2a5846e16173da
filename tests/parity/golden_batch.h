#ifndef HOLDFAST_TESTS_GOLDEN_BATCH_H
#define HOLDFAST_TESTS_GOLDEN_BATCH_H

#include "base/json.h"
#include "base/memory.h"
#include "model/transformer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Batches as the golden.json files of tests/golden/model hold them. */

static inline void check(enum status status, const struct error *error)
{
    if (status)
        fail_msg("%s", error->message);
}

/* At least one; heap. */
static inline int32_t *read_integers(const cJSON *object, const char *key, int64_t *count)
{
    const cJSON *list = json_get(object, key), *item;
    int32_t *integers =
        memory_allocate_array((size_t)cJSON_GetArraySize(list) + 1, sizeof *integers);
    *count = 0;
    cJSON_ArrayForEach(item, list) integers[(*count)++] = (int32_t)item->valuedouble;
    assert_true(*count > 0);
    return integers;
}

static inline struct packed_batch batch_read(const cJSON *object)
{
    struct packed_batch batch = {0};
    int64_t positions, targets;
    batch.positions = read_integers(object, "positions", &positions);
    batch.targets = read_integers(object, "targets", &targets);
    batch.tokens = read_integers(object, "tokens", &batch.token_count);
    batch.document_starts = read_integers(object, "document_starts", &batch.document_count);
    batch.document_count--;
    for (int64_t i = 0; i < targets; i++)
        batch.target_count += batch.targets[i] >= 0;
    assert_int_equal(positions, batch.token_count);
    assert_int_equal(targets, batch.token_count);
    return batch;
}

static inline void batch_free(struct packed_batch *batch)
{
    free(batch->positions);
    free(batch->targets);
    free(batch->tokens);
    free(batch->document_starts);
}

#endif
