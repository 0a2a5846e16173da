#include "model/transformer_internal.h"

/* The frozen matrix of a group, as block_weight() wants it. */
static const struct tensor *group_weight(const struct block_parameters *block,
                                         enum adapter_group_name group)
{
    const struct tensor *const weights[ADAPTER_GROUP_COUNT] = {
        [GROUP_QUERY_KEY_VALUE] = &block->query_key_value.weight,
        [GROUP_ATTENTION_OUT] = &block->attention_out.weight,
        [GROUP_GATE_UP] = &block->gate_up.weight,
        [GROUP_DOWN] = &block->down.weight,
    };
    return weights[group];
}

/* Group `index` of L ADAPTER_GROUP_COUNT; *weight is what the call borrows. */
static struct adapter_call group_call(const struct transformer *model, int64_t index,
                                      struct tensor *weight)
{
    const struct adapter_call call = {
        .backend = model->backend,
        .adapters = model->adapters,
        .layer = index / ADAPTER_GROUP_COUNT,
        .group = (enum adapter_group_name)(index % ADAPTER_GROUP_COUNT),
        .weight = weight,
    };
    if (adapter_call_adapts(&call))
        *weight = block_weight(model, call.layer, call.group,
                               group_weight(&model->views.blocks[call.layer], call.group));
    return call;
}

void transformer_gains_update(const struct transformer *model)
{
    struct tensor weight;
    const int64_t count = model->architecture.layer_count * ADAPTER_GROUP_COUNT;
    if (!model->adapters || !model->adapters->options.dora)
        return;
    for (int64_t index = 0; index < count; index++) {
        const struct adapter_call call = group_call(model, index, &weight);
        if (adapter_call_adapts(&call))
            adapter_gains(&call);
    }
}

enum status transformer_magnitudes_begin(struct transformer *model, struct error *error)
{
    struct tensor weight;
    const int64_t count = model->architecture.layer_count * ADAPTER_GROUP_COUNT;
    for (int64_t index = 0; index < count; index++) {
        const struct adapter_call call = group_call(model, index, &weight);
        if (adapter_call_adapts(&call) &&
            adapter_magnitudes_begin(&call, &model->adapters->parameters, error))
            return error->status;
    }
    return backend_sync(model->backend, error);
}
