#include "model/pass_operations.h"

#include <math.h>

static float norm_offset(const struct transformer *model)
{
    return model->architecture.norm == NORM_RMS_ONE_PLUS ? 1.0f : 0.0f;
}

static double or_one(double multiplier)
{
    return multiplier > 0 ? multiplier : 1.0;
}

/* The stream that is normed is divided by residual_multiplier, its square by this one's. */
static float stream_epsilon(const struct transformer *model)
{
    const double divided_by = or_one(model->architecture.residual_multiplier);
    return (float)(model->architecture.norm_epsilon / (divided_by * divided_by));
}

void norm_forward(const struct transformer *model, struct tensor *out, struct tensor *rstd,
                  const struct tensor *in, const struct norm_parameters *norm)
{
    const float epsilon = stream_epsilon(model);
    if (model->architecture.norm == NORM_LAYER)
        layer_norm_forward(model->backend, out, rstd, in, &norm->weight, &norm->bias,
                           epsilon);
    else
        rms_norm_forward(model->backend, out, rstd, in, &norm->weight, norm_offset(model),
                         epsilon);
}

struct tensor pre_norm_forward(const struct transformer *model, struct tensor *normed,
                               struct tensor *rstd, const struct tensor *in,
                               const struct norm_parameters *norm)
{
    if (model->architecture.no_pre_norms)
        return *in;
    norm_forward(model, normed, rstd, in, norm);
    return *normed;
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

/* Gemma's is rounded to the compute type, as transformers rounds it. */
static float embedding_scale(const struct transformer *model)
{
    const struct architecture *a = &model->architecture;
    const float factor = sqrtf((float)a->channels);
    if (!a->scaled_embedding)
        return (float)(or_one(a->embedding_multiplier) / or_one(a->residual_multiplier));
    return model->base.dtype == DTYPE_BF16 ? bf16_to_float(bf16_from_float(factor))
                                           : factor;
}

void embed_forward(const struct transformer *model, struct tensor *stream,
                   struct tensor *scratch, const int32_t *tokens, const int32_t *positions)
{
    embedding_forward(model->backend, stream, &model->views.embedding, tokens);
    if (embedding_scale(model) != 1.0f)
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
    if (embedding_scale(model) != 1.0f)
        scale(model->backend, d_stream, embedding_scale(model));
    embedding_backward(model->backend, &gradients->embedding, d_stream, tokens);
}

static void over_logits_scaling(const struct transformer *model, struct tensor *tensor)
{
    const double scaling = or_one(model->architecture.logits_scaling);
    if (scaling != 1.0)
        scale(model->backend, tensor, (float)(1.0 / scaling));
}

void head_loss(const struct transformer *model, struct cross_entropy_sums *sums,
               struct tensor *d_normed, struct tensor *d_head, struct tensor *normed,
               const struct targets *targets, float label_smoothing, float factor)
{
    over_logits_scaling(model, normed);
    linear_cross_entropy(model->backend, sums, d_normed, d_head, normed, &model->views.head,
                         targets, (float)model->architecture.logit_cap, label_smoothing,
                         factor);
    if (d_normed)
        over_logits_scaling(model, d_normed);
}

void logits_finish(const struct transformer *model, struct tensor *logits)
{
    over_logits_scaling(model, logits);
    if (model->architecture.logit_cap > 0)
        soft_cap(model->backend, logits, (float)model->architecture.logit_cap);
}
