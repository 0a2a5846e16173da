#include "model/architecture_internal.h"

#include <math.h>

const char *architecture_class_name(const struct architecture *architecture)
{
    return family_find(architecture->model_type)->class_name;
}

int64_t architecture_window(const struct architecture *a, int64_t layer)
{
    return a->windowed[layer / 64] >> (layer % 64) & 1 ? a->window : 0;
}

enum turn architecture_turn(const struct architecture *a, int64_t layer)
{
    if (a->learned_positions || (a->unturned[layer / 64] >> (layer % 64) & 1))
        return TURN_NONE;
    return a->window_rope_theta > 0 && architecture_window(a, layer) > 0 ? TURN_WINDOW
                                                                         : TURN_PLAIN;
}

int64_t architecture_rotary_size(const struct architecture *a)
{
    if (a->learned_positions)
        return 0;
    return a->rotary_size > 0 ? a->rotary_size : a->head_size;
}

double architecture_query_scale(const struct architecture *a)
{
    if (a->attention_multiplier > 0)
        return a->attention_multiplier;
    return 1.0 / sqrt(a->query_scalar > 0 ? a->query_scalar : (double)a->head_size);
}

const char *architecture_limit_name(const struct architecture *architecture)
{
    return architecture->learned_positions ? "n_positions" : "max_position_embeddings";
}

/* gate and up, or up alone */
static int64_t gate_up_width(const struct architecture *a)
{
    return (a->gateless ? 1 : 2) * a->feed_forward;
}

/* Of one layer. */
static int64_t bias_count(const struct architecture *a)
{
    const int64_t query_key_value = (a->heads + 2 * a->key_value_heads) * a->head_size;
    return (a->query_key_value_bias ? query_key_value : 0) +
           (a->attention_out_bias ? a->channels : 0) +
           (a->feed_forward_bias ? gate_up_width(a) + a->channels : 0);
}

/* Of the norms of queries and keys of one layer. */
static int64_t head_norm_count(const struct architecture *a)
{
    if (!a->head_norms)
        return 0;
    return (a->row_norms ? a->heads + a->key_value_heads : 2) * a->head_size;
}

int64_t architecture_parameter_count(const struct architecture *a)
{
    const int64_t query = a->heads * a->head_size;
    const int64_t key_value = a->key_value_heads * a->head_size;
    const int64_t norm = (a->norm == NORM_LAYER ? 2 : 1) * a->channels;
    const int64_t layer = 2 * a->channels * (query + key_value) +
                          a->channels * (gate_up_width(a) + a->feed_forward) +
                          ((a->no_pre_norms ? 0 : 2) + (a->post_norms ? 2 : 0)) * norm +
                          head_norm_count(a) + bias_count(a);
    return a->layer_count * layer + norm +
           a->vocabulary * a->channels * (a->tied_embeddings ? 1 : 2) +
           (a->learned_positions ? a->position_limit * a->channels : 0);
}
