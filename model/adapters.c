#include "model/adapters.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/text_buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const target_names[LORA_TARGET_COUNT] = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
};

static const struct {
    enum lora_target first;
    int count;
    const char *module; /* that the targets belong to */
} groups[ADAPTER_GROUP_COUNT] = {
    [GROUP_QUERY_KEY_VALUE] = {LORA_Q, 3, "self_attn"},
    [GROUP_ATTENTION_OUT] = {LORA_O, 1, "self_attn"},
    [GROUP_GATE_UP] = {LORA_GATE, 2, "mlp"},
    [GROUP_DOWN] = {LORA_DOWN, 1, "mlp"},
};

const char *lora_target_name(enum lora_target target)
{
    CHECK((unsigned)target < LORA_TARGET_COUNT);
    return target_names[target];
}

static bool target_set(struct lora_options *options, const char *name, size_t length)
{
    for (int target = 0; target < LORA_TARGET_COUNT; target++)
        if (strlen(target_names[target]) == length &&
            strncmp(target_names[target], name, length) == 0) {
            options->targets[target] = true;
            return true;
        }
    return false;
}

enum status lora_targets_parse(struct lora_options *options, const char *names,
                               struct error *error)
{
    memset(options->targets, 0, sizeof options->targets);
    if (strcmp(names, "all-linear") == 0) {
        for (int target = 0; target < LORA_TARGET_COUNT; target++)
            options->targets[target] = true;
        return STATUS_OK;
    }
    for (const char *name = names;; name++) {
        const size_t length = strcspn(name, ",");
        if (!target_set(options, name, length))
            return error_set(error, STATUS_USAGE,
                             "LoRA target \"%.*s\": it is all-linear, or some of q_proj, "
                             "k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
                             (int)length, name);
        name += length;
        if (*name == '\0')
            return STATUS_OK;
    }
}

struct matrix_shape lora_target_shape(const struct architecture *a, enum lora_target target)
{
    const int64_t query = a->heads * a->head_size;
    const int64_t key_value = a->key_value_heads * a->head_size;
    const struct matrix_shape shapes[LORA_TARGET_COUNT] = {
        [LORA_Q] = {query, a->channels},
        [LORA_K] = {key_value, a->channels},
        [LORA_V] = {key_value, a->channels},
        [LORA_O] = {a->channels, query},
        [LORA_GATE] = {a->feed_forward, a->channels},
        [LORA_UP] = {a->feed_forward, a->channels},
        [LORA_DOWN] = {a->channels, a->feed_forward},
    };
    return shapes[target];
}

int adapter_group_targets(enum adapter_group_name group, enum lora_target *first)
{
    *first = groups[group].first;
    return groups[group].count;
}

int64_t adapter_hidden_width(const struct lora_options *options,
                             enum adapter_group_name group)
{
    int64_t count = 0;
    for (int i = 0; i < groups[group].count; i++)
        count += options->targets[(int)groups[group].first + i];
    return count * options->rank;
}

int64_t adapters_parameter_count(const struct architecture *architecture,
                                 const struct lora_options *options)
{
    int64_t count = 0;
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        const struct matrix_shape shape =
            lora_target_shape(architecture, (enum lora_target)target);
        if (options->targets[target])
            count += options->rank * (shape.rows + shape.columns);
    }
    return count * architecture->layer_count;
}

/* The names of PEFT's files; 'A' or 'B'. */
static void add_entry(struct adapters *adapters, int64_t layer, const char *module,
                      enum lora_target target, char which, struct matrix_shape shape)
{
    char name[128];
    snprintf(name, sizeof name, "base_model.model.model.layers.%lld.%s.%s.lora_%c.weight",
             (long long)layer, module, target_names[target], which);
    parameter_block_add(&adapters->parameters, name, shape.rows, shape.columns);
}

/* First the A of all, which are one matrix, then each B: adapters_view() relies on it. */
static void add_group(struct adapters *adapters, const struct architecture *a,
                      int64_t layer, enum adapter_group_name name)
{
    const int64_t rank = adapters->options.rank;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < groups[name].count; i++) {
            const enum lora_target target = (enum lora_target)((int)groups[name].first + i);
            const struct matrix_shape of = lora_target_shape(a, target);
            if (!adapters->options.targets[target])
                continue;
            if (pass == 0)
                add_entry(adapters, layer, groups[name].module, target, 'A',
                          (struct matrix_shape){rank, of.columns});
            else
                add_entry(adapters, layer, groups[name].module, target, 'B',
                          (struct matrix_shape){of.rows, rank});
        }
}

static struct adapter_group group_view(const struct adapters *adapters,
                                       const struct architecture *a,
                                       enum adapter_group_name name,
                                       struct parameter_cursor *cursor)
{
    const int64_t rank = adapters->options.rank;
    struct adapter_group group = {.count = adapter_hidden_width(&adapters->options, name) /
                                           rank};
    int64_t column = 0, used = 0;
    if (group.count == 0)
        return group;
    group.a = parameter_take(cursor, group.count * rank,
                             lora_target_shape(a, groups[name].first).columns);
    for (int i = 0; i < groups[name].count; i++) {
        const enum lora_target target = (enum lora_target)((int)groups[name].first + i);
        const int64_t rows = lora_target_shape(a, target).rows;
        if (adapters->options.targets[target]) {
            group.column[used] = column;
            group.b[used++] = parameter_take(cursor, rows, rank);
        }
        column += rows;
    }
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
    if (parameter_block_allocate(&made->parameters, masters, error)) {
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

enum status adapters_merge(const struct adapters *adapters,
                           const struct parameter_block *base, float *weights,
                           struct error *error)
{
    const struct parameter_block *block = &adapters->parameters;
    float *values = memory_allocate_array((size_t)block->count, sizeof *values);
    const enum status status = parameter_block_get(block, values, error);
    for (size_t i = 0; i < block->entry_count && !status; i++) {
        const struct parameter *a = &block->entries[i];
        char name[160];
        if (!text_ends_with(a->name, ".lora_A.weight"))
            continue;
        const struct parameter *weight = adapted_weight(base, a->name);
        snprintf(name, sizeof name, "%s", a->name);
        name[strlen(name) - strlen("A.weight")] = 'B';
        const struct parameter *b = entry_find(block, name);
        CHECK(weight && b);
        merge_one(weights + weight->offset, values + a->offset, values + b->offset,
                  (struct matrix_shape){weight->shape[0], weight->shape[1]},
                  adapters->options.rank, (double)adapters->scale);
    }
    free(values);
    return status;
}

static struct tensor part(const struct tensor *hidden, int64_t index, int64_t rank)
{
    return tensor_columns(hidden, index * rank, rank);
}

/* linear_forward(), or with the promise on rows linear_decode(). */
static void linear(struct backend *backend, struct tensor *out, const struct tensor *in,
                   const struct tensor *weight, const struct tensor *residual,
                   bool rows_alone)
{
    if (rows_alone)
        linear_decode(backend, out, in, weight, NULL, residual);
    else
        linear_forward(backend, out, in, weight, NULL, residual);
}

void adapter_hidden(struct backend *backend, const struct adapters *adapters,
                    const struct adapter_group *group, struct tensor *hidden,
                    const struct tensor *in, bool rows_alone)
{
    if (group->count == 0)
        return;
    linear(backend, hidden, in, &group->a, NULL, rows_alone);
    scale(backend, hidden, adapters->scale);
}

void adapter_forward(struct backend *backend, const struct adapters *adapters,
                     const struct adapter_group *group, struct tensor *out,
                     struct tensor *hidden, const struct tensor *in, bool rows_alone)
{
    adapter_hidden(backend, adapters, group, hidden, in, rows_alone);
    for (int64_t i = 0; i < group->count; i++) {
        const struct tensor from = part(hidden, i, adapters->options.rank);
        struct tensor to = tensor_columns(out, group->column[i], group->b[i].shape[0]);
        linear(backend, &to, &from, &group->b[i], &to, rows_alone);
    }
}

void adapter_backward(struct backend *backend, const struct adapters *adapters,
                      const struct adapter_group *group, struct adapter_group *gradients,
                      struct tensor *d_in, struct tensor *d_hidden,
                      const struct tensor *d_out, const struct tensor *hidden,
                      const struct tensor *in)
{
    const int64_t rank = adapters->options.rank;
    if (group->count == 0)
        return;
    for (int64_t i = 0; i < group->count; i++) {
        const struct tensor from =
            tensor_columns(d_out, group->column[i], group->b[i].shape[0]);
        const struct tensor kept = part(hidden, i, rank);
        struct tensor to = part(d_hidden, i, rank);
        linear_backward_weight(backend, &gradients->b[i], NULL, &from, &kept);
        linear_backward_input(backend, &to, &from, &group->b[i], false);
    }
    scale(backend, d_hidden, adapters->scale);
    linear_backward_weight(backend, &gradients->a, NULL, d_hidden, in);
    linear_backward_input(backend, d_in, d_hidden, &group->a, true);
}
