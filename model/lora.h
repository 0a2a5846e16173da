#ifndef HOLDFAST_MODEL_LORA_H
#define HOLDFAST_MODEL_LORA_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "model/architecture.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * LoRA, Hu et al. 2021, arXiv:2106.09685: the matrices of a model stay as they are, and
 * each adapted one, W [M, K], gets two small ones, A [r, K] and B [M, r]:
 *
 *     out = in W^T + scale (in A^T) B^T
 *
 * with scale alpha / r, or alpha / sqrt(r) (rsLoRA, Kalajdzievski 2023, arXiv:2312.03732).
 * B begins at zero: the adapted model begins as the model.
 *
 * DoRA, Liu et al. 2024, arXiv:2402.09353, trains direction and length of each row of the
 * adapted matrix apart, the lengths m [M] beginning as those of the rows of W:
 *
 *     out = in V^T,  V_j = m_j / ||W_j + scale B_j A|| (W_j + scale B_j A)
 *
 * the norm being held fixed in the backward (section 4.3), as PEFT does it.
 *
 * Dropout, in training only, is on what A reads. (With DoRA, PEFT in training also drops a
 * share of what W reads in the part (m / norm - 1) W; the mean is the same.)
 *
 * Files of some families have q, k and v as one matrix, qkv_proj, and gate and up as
 * gate_up_proj (architecture.fused_projections): then that matrix has one adapter. GPT-2
 * names the four c_attn, c_proj (two of them, attn.c_proj and mlp.c_proj) and c_fc.
 */
enum lora_target {
    LORA_Q,
    LORA_K,
    LORA_V,
    LORA_O,
    LORA_GATE,
    LORA_UP,
    LORA_DOWN,
    LORA_QKV,     /* fused q, k, v */
    LORA_GATE_UP, /* fused gate, up */
    LORA_TARGET_COUNT
};

/* What targets were named by: both together are of no model. */
enum lora_names { LORA_NAMES_ANY, LORA_NAMES_LONG, LORA_NAMES_GPT2, LORA_NAMES_MIXED };

struct lora_options {
    int64_t rank; /* r; 0: no adapters */
    double alpha;
    double dropout; /* probability, in [0, 1) */
    bool rank_stabilised;
    bool dora;
    bool targets[LORA_TARGET_COUNT]; /* all: "all-linear", those that the model has */
    enum lora_names names;
    uint64_t seed; /* of A */
};

enum { LORA_RANK_MAXIMUM = 4096 };

/* As Hugging Face names the modules: "q_proj", …, "gate_up_proj"; "c_attn", …; of GPT-2's
 * two c_proj, if it is the only one of the targets, "attn.c_proj" or "mlp.c_proj". */
const char *lora_target_name(const struct lora_options *options, enum lora_target target);
/*
 * Sets the target of one name, alone ("q_proj"; "c_proj" is both of GPT-2) or at the end of
 * a path ("self_attn.q_proj", "transformer.h.0.mlp.c_proj": that one); false: there is none
 * of that name.
 */
bool lora_target_set(struct lora_options *options, const char *name, size_t length);
/* Sets the targets from "q_proj,v_proj", …; "all-linear" sets all. */
enum status lora_targets_parse(struct lora_options *options, const char *names,
                               struct error *error);
/* Whether models of this architecture have a matrix of that name. */
bool lora_target_present(const struct architecture *architecture, enum lora_target target);
/*
 * Leaves the targets that the architecture has of all-linear; a target that was named and
 * is not there is an error, as is what adapters cannot be combined with.
 */
enum status lora_options_resolve(struct lora_options *options,
                                 const struct architecture *architecture,
                                 struct error *error);

/* M and K of a target's W. */
struct matrix_shape {
    int64_t rows;
    int64_t columns;
};
struct matrix_shape lora_target_shape(const struct architecture *architecture,
                                      enum lora_target target);

/* How many numbers the adapters of all layers have. */
int64_t lora_parameter_count(const struct architecture *architecture,
                             const struct lora_options *options);

/*
 * PEFT's adapter_config.json, from bytes (`where` names them in messages) and to text. What
 * would change the result and is not computed (biases, patterns, …) is refused by
 * name. `seed` is left 0. `text_part`: of a model of images too, whose other parts are left
 * alone.
 */
enum status lora_config_parse(struct lora_options *options, const char *bytes, size_t count,
                              const char *where, struct error *error);
void lora_config_print(const struct lora_options *options, const char *base_name,
                       bool text_part, struct text_buffer *out);

#endif
