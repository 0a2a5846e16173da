#ifndef HOLDFAST_MODEL_LORA_H
#define HOLDFAST_MODEL_LORA_H

#include "base/error.h"
#include "base/text_buffer.h"

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
 */
enum lora_target {
    LORA_Q,
    LORA_K,
    LORA_V,
    LORA_O,
    LORA_GATE,
    LORA_UP,
    LORA_DOWN,
    LORA_TARGET_COUNT
};

struct lora_options {
    int64_t rank; /* r; 0: no adapters */
    double alpha;
    bool rank_stabilised;
    bool targets[LORA_TARGET_COUNT];
    uint64_t seed; /* of A */
};

enum { LORA_RANK_MAXIMUM = 4096 };

/* As Hugging Face names the modules: "q_proj", …, "down_proj". */
const char *lora_target_name(enum lora_target target);
/* Sets the targets from "q_proj,v_proj", …; "all-linear" sets all. */
enum status lora_targets_parse(struct lora_options *options, const char *names,
                               struct error *error);

/*
 * PEFT's adapter_config.json, from bytes (`where` names them in messages) and to text. What
 * would change the result and is not computed (DoRA, biases, patterns, …) is refused by
 * name. `seed` is left 0.
 */
enum status lora_config_parse(struct lora_options *options, const char *bytes, size_t count,
                              const char *where, struct error *error);
void lora_config_print(const struct lora_options *options, const char *base_name,
                       struct text_buffer *out);

#endif
