#include "model/pass_operations.h"

#include <math.h>

static float norm_offset(const struct transformer *model)
{
    return model->architecture.norm == NORM_RMS_ONE_PLUS ? 1.0f : 0.0f;
}

void norm_forward(const struct transformer *model, struct tensor *out, struct tensor *rstd,
                  const struct tensor *in, const struct norm_parameters *norm)
{
    const float epsilon = (float)model->architecture.norm_epsilon;
    if (model->architecture.norm == NORM_LAYER)
        layer_norm_forward(model->backend, out, rstd, in, &norm->weight, &norm->bias,
                           epsilon);
    else
        rms_norm_forward(model->backend, out, rstd, in, &norm->weight, norm_offset(model),
                         epsilon);
}

void norm_backward(const struct transformer *model, struct tensor *d_in,
                   struct norm_parameters *gradients, const struct tensor *d_out,
                   const struct tensor *in, const struct norm_parameters *norm,
                   const struct tensor *rstd)
{
    struct tensor *d_weight = gradients ? &gradients->weight : NULL;
    if (model->architecture.norm == NORM_LAYER)
        layer_norm_backward(model->backend, d_in, d_weight,
                            gradients ? &gradients->bias : NULL, d_out, in, &norm->weight,
                            rstd);
    else
        rms_norm_backward(model->backend, d_in, d_weight, d_out, in, &norm->weight,
                          norm_offset(model), rstd);
}

static enum gelu_kind gelu_kind_of(const struct transformer *model)
{
    return model->architecture.activation == ACTIVATION_GELU_TANH ? GELU_TANH : GELU_EXACT;
}

void activation_forward(const struct transformer *model, struct tensor *out,
                        const struct tensor *gate_up)
{
    if (model->architecture.activation == ACTIVATION_SILU)
        swiglu_forward(model->backend, out, gate_up);
    else
        gelu_forward(model->backend, out, gate_up, gelu_kind_of(model));
}

void activation_backward(const struct transformer *model, struct tensor *d_gate_up,
                         struct tensor *out, const struct tensor *d_out,
                         const struct tensor *gate_up)
{
    if (model->architecture.activation == ACTIVATION_SILU)
        swiglu_backward(model->backend, d_gate_up, out, d_out, gate_up);
    else
        gelu_backward(model->backend, d_gate_up, out, d_out, gate_up, gelu_kind_of(model));
}

void turn_forward(const struct transformer *model, int64_t layer,
                  struct tensor *query_key_value, const int32_t *turns,
                  const struct attention_shape *shape)
{
    const struct tensor *table = rope_table_of(&model->rope, &model->architecture, layer);
    if (table)
        rope_forward(model->backend, query_key_value, table, turns, shape);
}

void turn_backward(const struct transformer *model, int64_t layer,
                   struct tensor *d_query_key_value, const int32_t *turns,
                   const struct attention_shape *shape)
{
    const struct tensor *table = rope_table_of(&model->rope, &model->architecture, layer);
    if (table)
        rope_backward(model->backend, d_query_key_value, table, turns, shape);
}

/* Rounded to the compute type, as transformers rounds it. */
static float embedding_scale(const struct transformer *model)
{
    const float factor = sqrtf((float)model->architecture.channels);
    return model->base.dtype == DTYPE_BF16 ? bf16_to_float(bf16_from_float(factor))
                                           : factor;
}

void embed_forward(const struct transformer *model, struct tensor *stream,
                   struct tensor *scratch, const int32_t *tokens, const int32_t *positions)
{
    embedding_forward(model->backend, stream, &model->views.embedding, tokens);
    if (model->architecture.scaled_embedding)
        scale(model->backend, stream, embedding_scale(model));
    if (!model->architecture.learned_positions)
        return;
    embedding_forward(model->backend, scratch, &model->views.positions, positions);
    add(model->backend, stream, stream, scratch);
}

void embed_backward(struct transformer *model, struct tensor *d_stream,
                    const int32_t *tokens, const int32_t *positions)
{
    struct model_parameters *gradients = &model->gradient_views;
    if (model->architecture.learned_positions)
        embedding_backward(model->backend, &gradients->positions, d_stream, positions);
    if (model->architecture.scaled_embedding)
        scale(model->backend, d_stream, embedding_scale(model));
    embedding_backward(model->backend, &gradients->embedding, d_stream, tokens);
}

void logits_cap(const struct transformer *model, struct tensor *logits)
{
    if (model->architecture.logit_cap > 0)
        soft_cap(model->backend, logits, (float)model->architecture.logit_cap);
}
