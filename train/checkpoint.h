#ifndef HOLDFAST_TRAIN_CHECKPOINT_H
#define HOLDFAST_TRAIN_CHECKPOINT_H

#include "base/error.h"
#include "checkpoints/training_data.h"
#include "model/transformer.h"
#include "optim/adamw.h"

#include <stdint.h>

/*
 * What a run needs to go on exactly where it stopped:
 *
 *     RUN/checkpoints/step-000120/
 *         config.json, tokenizer.json, …   so that it is a model directory like any other
 *         model.safetensors                weights, f32 (bf16 where there are no masters);
 *                                          of a LoRA run PEFT's two files
 *         training_data.json               what it was trained on, whole passes or not
 *         optimizer.safetensors            moment1, moment2, f32 or bf16, one block each;
 *                                          with --moments 8bit U8 codes, beside f32 scales
 *                                          and small moments (optim/adamw.h)
 *         state.json                       {"step":120,"identity":"…sha256…",
 *                                          "moments":"f32","masters":"fp32"}
 *
 * The order of examples is a function of seed and step (train/dataset.h), so the step is
 * all there is to say about the data. `identity` is a hash over everything that decides
 * the result (settings, data, start weights): resuming with another is refused.
 *
 * Written as step-000120.tmp and renamed when all of it is on the disk: a folder
 * without .tmp is whole.
 */
struct checkpoint_place {
    const char *run;      /* folder of the run */
    const char *metadata; /* folder with config.json and the tokenizer */
    const char *base;     /* with adapters: the model that they are put on */
    const struct training_data *trained_on;
    const char *identity;
    const char *moments; /* --moments and --masters */
    const char *masters;
};

/* Of several processes all call this, and rank 0 writes: the files do not say how many
 * there were, and another number of them may go on. */
enum status checkpoint_write(const struct checkpoint_place *place,
                             const struct transformer *model, struct adamw *adamw,
                             int64_t step, struct error *error);

/* The newest whole checkpoint's step, 0 if there is none; *path (heap) names it, or NULL.
 */
enum status checkpoint_find(const char *run, int64_t *step, char **path,
                            struct error *error);

/* Reads the own moments and the step into `adamw`; the weights are read by opening `path`
 * as a model. Other settings than `place` has are STATUS_USAGE.
 */
enum status checkpoint_read(const char *path, const struct checkpoint_place *place,
                            struct adamw *adamw, struct error *error);

/* Removes all but the newest `keep` checkpoints (0 keeps all) and torn ones. */
enum status checkpoint_prune(const char *run, int64_t keep, struct error *error);

#endif
