#include "model/adapters.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/text_buffer.h"
#include "model/parameter_names.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* [0]: a matrix each, [1]: fused (lora_target_present). */
static const struct {
    enum lora_target first[2];
    int count[2];
} groups[ADAPTER_GROUP_COUNT] = {
    [GROUP_QUERY_KEY_VALUE] = {{LORA_Q, LORA_QKV}, {3, 1}},
    [GROUP_ATTENTION_OUT] = {{LORA_O, LORA_O}, {1, 1}},
    [GROUP_GATE_UP] = {{LORA_GATE, LORA_GATE_UP}, {2, 1}},
    [GROUP_DOWN] = {{LORA_DOWN, LORA_DOWN}, {1, 1}},
};

int adapter_group_targets(const struct architecture *architecture,
                          enum adapter_group_name group, enum lora_target *first)
{
    *first = groups[group].first[architecture->fused_projections];
    return groups[group].count[architecture->fused_projections];
}

int64_t adapter_group_width(const struct architecture *architecture,
                            enum adapter_group_name group)
{
    enum lora_target first;
    const int count = adapter_group_targets(architecture, group, &first);
    int64_t width = 0;
    for (int i = 0; i < count; i++)
        width += lora_target_shape(architecture, (enum lora_target)((int)first + i)).rows;
    return width;
}

int64_t adapter_hidden_width(const struct lora_options *options,
                             const struct architecture *architecture,
                             enum adapter_group_name group)
{
    enum lora_target first;
    const int count = adapter_group_targets(architecture, group, &first);
    int64_t adapted = 0;
    for (int i = 0; i < count; i++)
        adapted += options->targets[(int)first + i];
    return adapted * options->rank;
}

/* As the model's files call the matrix: "self_attn.q_proj". */
static const char *module_of(const struct architecture *a, enum lora_target target)
{
    const struct parameter_names *names = parameter_names_of(a);
    const char *const modules[LORA_TARGET_COUNT] = {
        [LORA_Q] = names->query_key_value[0],
        [LORA_K] = names->query_key_value[1],
        [LORA_V] = names->query_key_value[2],
        [LORA_O] = names->attention_out,
        [LORA_GATE] = names->gate_up[0],
        [LORA_UP] = names->gate_up[1],
        [LORA_DOWN] = names->down,
        [LORA_QKV] = names->query_key_value[0],
        [LORA_GATE_UP] = names->gate_up[0],
    };
    return modules[target];
}

/* The names of PEFT's files. columns 0: a vector. */
static void add_entry(struct adapters *adapters, const struct architecture *a,
                      int64_t layer, enum lora_target target, const char *kind,
                      int64_t rows, int64_t columns)
{
    char name[128];
    const struct parameter_names *names = parameter_names_of(a);
    snprintf(name, sizeof name, "base_model.model.%s%s.%lld.%s.%s", names->prefix,
             names->block, (long long)layer, module_of(a, target), kind);
    parameter_block_add(&adapters->parameters, name, rows, columns);
}

/* First the A of all, which are one matrix, then each B, then the magnitudes: group_view()
 * relies on it. */
static void add_group(struct adapters *adapters, const struct architecture *a,
                      int64_t layer, enum adapter_group_name name)
{
    const int64_t rank = adapters->options.rank;
    enum lora_target first;
    const int count = adapter_group_targets(a, name, &first);
    for (int pass = 0; pass < (adapters->options.dora ? 3 : 2); pass++)
        for (int i = 0; i < count; i++) {
            const enum lora_target target = (enum lora_target)((int)first + i);
            const struct matrix_shape of = lora_target_shape(a, target);
            if (!adapters->options.targets[target])
                continue;
            if (pass == 0)
                add_entry(adapters, a, layer, target, "lora_A.weight", rank, of.columns);
            else if (pass == 1)
                add_entry(adapters, a, layer, target, "lora_B.weight", of.rows, rank);
            else
                add_entry(adapters, a, layer, target, "lora_magnitude_vector", of.rows, 0);
        }
}

static struct adapter_group group_view(const struct adapters *adapters,
                                       const struct architecture *a,
                                       enum adapter_group_name name,
                                       struct parameter_cursor *cursor)
{
    const int64_t rank = adapters->options.rank;
    struct adapter_group group = {
        .count = adapter_hidden_width(&adapters->options, a, name) / rank};
    enum lora_target first;
    const int count = adapter_group_targets(a, name, &first);
    int64_t column = 0, used = 0;
    if (group.count == 0)
        return group;
    group.a =
        parameter_take(cursor, group.count * rank, lora_target_shape(a, first).columns);
    for (int i = 0; i < count; i++) {
        const enum lora_target target = (enum lora_target)((int)first + i);
        const int64_t rows = lora_target_shape(a, target).rows;
        if (adapters->options.targets[target]) {
            group.target[used] = target;
            group.column[used] = column;
            group.b[used++] = parameter_take(cursor, rows, rank);
        }
        column += rows;
    }
    for (int64_t i = 0; adapters->options.dora && i < used; i++)
        group.magnitude[i] = parameter_take(cursor, group.b[i].shape[0], 0);
    return group;
}

/* Views into a block laid out as the weights are. */
static struct block_adapters *adapters_view(const struct adapters *adapters,
                                            const struct architecture *a, void *block,
                                            enum dtype dtype)
{
    struct parameter_cursor cursor = {block, dtype};
    struct block_adapters *views =
        memory_allocate_array((size_t)a->layer_count, sizeof *views);
    for (int64_t layer = 0; layer < a->layer_count; layer++)
        for (int name = 0; name < ADAPTER_GROUP_COUNT; name++)
            views[layer].groups[name] =
                group_view(adapters, a, (enum adapter_group_name)name, &cursor);
    CHECK(cursor.next ==
          (unsigned char *)block + (size_t)adapters->parameters.count * dtype_bytes(dtype));
    return views;
}

static void draw_a(struct adapters *adapters, const struct parameter *parameter)
{
    struct random random =
        random_stream(adapters->options.seed, random_stream_of(parameter->name, 0, 0));
    const double bound = 1.0 / sqrt((double)parameter->shape[1]);
    float *values = memory_allocate_array((size_t)parameter->count, sizeof *values);
    for (int64_t i = 0; i < parameter->count; i++)
        values[i] = (float)(bound * (2.0 * random_double(&random) - 1.0));
    parameter_block_put(&adapters->parameters, parameter->offset, values, parameter->count);
    free(values);
}

static void draw_all_a(struct adapters *adapters)
{
    static const char suffix[] = "lora_A.weight";
    for (size_t i = 0; i < adapters->parameters.entry_count; i++) {
        const struct parameter *parameter = &adapters->parameters.entries[i];
        if (text_ends_with(parameter->name, suffix))
            draw_a(adapters, parameter);
    }
}

static int64_t gains_of_layer(const struct architecture *a)
{
    int64_t width = 0;
    for (int group = 0; group < ADAPTER_GROUP_COUNT; group++)
        width += adapter_group_width(a, (enum adapter_group_name)group);
    return width;
}

size_t adapters_gains_bytes(const struct architecture *architecture,
                            const struct lora_options *options)
{
    const int64_t count = architecture->layer_count * gains_of_layer(architecture);
    return options->dora ? 2 * sizeof(float) * (size_t)count : 0;
}

/* Gains and norms of all groups; ones, where a matrix has no adapter they stay so. */
static enum status gains_create(struct adapters *adapters, const struct architecture *a,
                                struct error *error)
{
    struct backend *backend = adapters->parameters.backend;
    const size_t bytes = adapters_gains_bytes(a, &adapters->options);
    if (bytes == 0)
        return STATUS_OK;
    adapters->gains_memory = backend_allocate(backend, bytes, error);
    if (!adapters->gains_memory)
        return error->status;
    struct tensor all =
        tensor_view_1d(adapters->gains_memory, DTYPE_F32, (int64_t)(bytes / sizeof(float)));
    struct parameter_cursor cursor = {adapters->gains_memory, DTYPE_F32};
    adapters->gains =
        memory_allocate_array((size_t)a->layer_count, sizeof *adapters->gains);
    fill(backend, &all, 1.0f);
    for (int64_t i = 0; i < a->layer_count * ADAPTER_GROUP_COUNT; i++) {
        const enum adapter_group_name name =
            (enum adapter_group_name)(i % ADAPTER_GROUP_COUNT);
        struct group_gains *of = &adapters->gains[i / ADAPTER_GROUP_COUNT].groups[name];
        of->gains = parameter_take(&cursor, adapter_group_width(a, name), 0);
        of->norms = parameter_take(&cursor, adapter_group_width(a, name), 0);
    }
    return STATUS_OK;
}

enum status adapters_create(struct adapters **adapters, struct backend *backend,
                            const struct architecture *architecture,
                            const struct lora_options *options, enum master_weights masters,
                            struct error *error)
{
    struct adapters *made = memory_allocate(sizeof *made);
    const double rank = (double)options->rank;
    CHECK(options->rank > 0);
    made->options = *options;
    made->scale = (float)(options->alpha / (options->rank_stabilised ? sqrt(rank) : rank));
    parameter_block_init(&made->parameters, backend);
    for (int64_t layer = 0; layer < architecture->layer_count; layer++)
        for (int name = 0; name < ADAPTER_GROUP_COUNT; name++)
            add_group(made, architecture, layer, (enum adapter_group_name)name);
    *adapters = made;
    /* bf16 alone is too coarse for a length that a whole row is multiplied by. */
    if (parameter_block_allocate(&made->parameters, options->dora ? MASTERS_KEPT : masters,
                                 error) ||
        gains_create(made, architecture, error)) {
        adapters_free(made);
        *adapters = NULL;
        return error_prefix(error, "the adapters");
    }
    made->weights =
        adapters_view(made, architecture, made->parameters.weights, made->parameters.dtype);
    draw_all_a(made);
    return STATUS_OK;
}

void adapters_free(struct adapters *adapters)
{
    if (!adapters)
        return;
    free(adapters->weights);
    free(adapters->gradients);
    free(adapters->gains);
    if (adapters->gains_memory)
        backend_free(adapters->parameters.backend, adapters->gains_memory);
    parameter_block_release(&adapters->parameters);
    free(adapters);
}

enum status adapters_reserve_gradients(struct adapters *adapters,
                                       const struct architecture *architecture,
                                       struct error *error)
{
    const enum status status =
        parameter_block_reserve_gradients(&adapters->parameters, error);
    if (!status && !adapters->gradients)
        adapters->gradients = adapters_view(adapters, architecture,
                                            adapters->parameters.gradients, DTYPE_F32);
    return status;
}

void adapters_drop_gradients(struct adapters *adapters)
{
    parameter_block_drop_gradients(&adapters->parameters);
    free(adapters->gradients);
    adapters->gradients = NULL;
}

static const struct parameter *entry_find(const struct parameter_block *block,
                                          const char *name)
{
    for (size_t i = 0; i < block->entry_count; i++)
        if (strcmp(block->entries[i].name, name) == 0)
            return &block->entries[i];
    return NULL;
}

/* base_model.model.NAME.lora_A.weight -> NAME.weight in the model's own block */
static const struct parameter *adapted_weight(const struct parameter_block *base,
                                              const char *adapter_name)
{
    static const char prefix[] = "base_model.model.", suffix[] = ".lora_A.weight";
    char name[160];
    const char *stem = adapter_name + strlen(prefix);
    const size_t length = strlen(stem) - strlen(suffix);
    snprintf(name, sizeof name, "%.*s.weight", (int)length, stem);
    return entry_find(base, name);
}

/* w [M, K] += scale b [M, r] a [r, K], the products summed in double. */
static void merge_one(float *w, const float *a, const float *b, struct matrix_shape of,
                      int64_t rank, double scale)
{
#pragma omp parallel for
    for (int64_t i = 0; i < of.rows; i++)
        for (int64_t j = 0; j < of.columns; j++) {
            double sum = 0;
            for (int64_t r = 0; r < rank; r++)
                sum += (double)b[i * rank + r] * (double)a[r * of.columns + j];
            w[i * of.columns + j] = (float)((double)w[i * of.columns + j] + scale * sum);
        }
}

/* Each row of w [M, K] brought to the length magnitude[row]. */
static void scale_rows(float *w, const float *magnitude, int64_t rows, int64_t columns)
{
#pragma omp parallel for
    for (int64_t i = 0; i < rows; i++) {
        double squares = 0;
        for (int64_t j = 0; j < columns; j++)
            squares += (double)w[i * columns + j] * (double)w[i * columns + j];
        const double gain = (double)magnitude[i] / fmax(sqrt(squares), (double)FLT_MIN);
        for (int64_t j = 0; j < columns; j++)
            w[i * columns + j] = (float)(gain * (double)w[i * columns + j]);
    }
}

/* The entry that is beside lora_A of the same matrix. */
static const struct parameter *entry_beside(const struct parameter_block *block,
                                            const struct parameter *a, const char *kind)
{
    char name[160];
    const size_t stem = strlen(a->name) - strlen("lora_A.weight");
    snprintf(name, sizeof name, "%.*s%s", (int)stem, a->name, kind);
    return entry_find(block, name);
}

enum status adapters_merge(const struct adapters *adapters,
                           const struct parameter_block *base, float *weights,
                           struct error *error)
{
    const struct parameter_block *block = &adapters->parameters;
    float *values = memory_allocate_array((size_t)block->count, sizeof *values);
    const enum status status = parameter_block_get(block, values, error);
    for (size_t i = 0; i < block->entry_count && !status; i++) {
        const struct parameter *a = &block->entries[i];
        if (!text_ends_with(a->name, ".lora_A.weight"))
            continue;
        const struct parameter *weight = adapted_weight(base, a->name);
        const struct parameter *b = entry_beside(block, a, "lora_B.weight");
        const struct parameter *m = entry_beside(block, a, "lora_magnitude_vector");
        CHECK(weight && b && !m == !adapters->options.dora);
        float *w = weights + weight->offset;
        merge_one(w, values + a->offset, values + b->offset,
                  (struct matrix_shape){weight->shape[0], weight->shape[1]},
                  adapters->options.rank, (double)adapters->scale);
        if (m)
            scale_rows(w, values + m->offset, weight->shape[0], weight->shape[1]);
    }
    free(values);
    return status;
}
