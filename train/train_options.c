#include "train/train_options.h"

#include "base/memory.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define FIELD(name) offsetof(struct train_options, name)

static const struct option_entry entries[] = {
    {"model", OPTION_STRING, FIELD(model), "DIR",
     "Hugging Face directory of the model to fine-tune", "Model and data"},
    {"init", OPTION_STRING, FIELD(init), "CONFIG.json",
     "start from random weights of this architecture instead", NULL},
    {"tokenizer", OPTION_STRING, FIELD(tokenizer), "DIR",
     "with --init: take this directory's tokenizer; without it, one is learnt from the "
     "data",
     NULL},
    {"data", OPTION_STRING, FIELD(data), "MIX.jsonl",
     "training examples: a mix of `holdfast data`, or any JSONL of OpenAI messages", NULL},
    {"held-out", OPTION_LIST, FIELD(held_out), "SPEC",
     "requests that the model will be evaluated on: refuse data in which one stands, "
     "reworded or not, with exit code 100 (MIX.test.csv, if it lies beside the data, is "
     "always looked at); "
     "repeatable",
     NULL},
    {"allow-leak", OPTION_BOOL, FIELD(allow_leak), NULL,
     "train on such data all the same, with a warning", NULL},
    {"out", OPTION_STRING, FIELD(out), "RUN",
     "folder of the run: config.yaml, metrics.jsonl, checkpoints/, final/", NULL},
    {"resume", OPTION_BOOL, FIELD(resume), NULL,
     "continue the run in --out from its newest checkpoint, bitwise as if never stopped",
     NULL},
    {"lora", OPTION_INTEGER, FIELD(lora), "RANK",
     "train low-rank adapters of this rank instead of the weights (0: the weights)",
     "LoRA"},
    {"lora-alpha", OPTION_NUMBER, FIELD(lora_alpha), "X",
     "the adapters count alpha / rank (0: alpha is twice the rank)", NULL},
    {"lora-targets", OPTION_STRING, FIELD(lora_targets), "NAMES",
     "all-linear, or some of q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj "
     "(Phi-3: qkv_proj,o_proj,gate_up_proj,down_proj; GPT-2: "
     "c_attn,c_fc,c_proj or attn.c_proj,mlp.c_proj)",
     NULL},
    {"lora-dropout", OPTION_NUMBER, FIELD(lora_dropout), "P",
     "share of what the adapters read that is left out, drawn anew in every update", NULL},
    {"rslora", OPTION_BOOL, FIELD(rslora), NULL, "alpha / sqrt(rank) instead", NULL},
    {"dora", OPTION_BOOL, FIELD(dora), NULL,
     "train the length of each row of the adapted matrices apart (DoRA)", NULL},
    {"quantize", OPTION_STRING, FIELD(quantize), "TYPE",
     "hold the frozen matrices in 4 bits (QLoRA): nf4, or none", NULL},
    {"epochs", OPTION_NUMBER, FIELD(epochs), "X", "passes over the data", "Batches"},
    {"step-limit", OPTION_INTEGER, FIELD(step_limit), "N",
     "stop after N updates in all (0: when the epochs are over)", NULL},
    {"batch-size", OPTION_INTEGER, FIELD(batch_size), "N", "examples packed into one batch",
     NULL},
    {"accumulation", OPTION_INTEGER, FIELD(accumulation), "N",
     "batches per update; 1x8 and 8x1 give the same step", NULL},
    {"batch-tokens", OPTION_INTEGER, FIELD(batch_tokens), "N",
     "split a batch that holds more tokens than this (bounds memory, not the result)",
     NULL},
    {"max-length", OPTION_INTEGER, FIELD(max_length), "N",
     "longest example in tokens (0: the model's position limit)", NULL},
    {"overlong", OPTION_STRING, FIELD(overlong), "WHAT",
     "error, drop or truncate: what to do with longer ones (counted and reported)", NULL},
    {"lr", OPTION_NUMBER, FIELD(lr), "X", "peak learning rate (noam: a factor)",
     "Optimiser"},
    {"schedule", OPTION_STRING, FIELD(schedule), "NAME",
     "constant, linear, cosine, inverse_sqrt, noam or wsd", NULL},
    {"warmup", OPTION_NUMBER, FIELD(warmup), "X",
     "warmup: a share of all steps if below 1, else steps", NULL},
    {"lr-floor", OPTION_NUMBER, FIELD(lr_floor), "X",
     "lowest learning rate, as a share of the peak", NULL},
    {"decay-share", OPTION_NUMBER, FIELD(decay_share), "X",
     "wsd: share of all steps in which the rate falls", NULL},
    {"beta1", OPTION_NUMBER, FIELD(beta1), "X", "AdamW's first moment decay", NULL},
    {"beta2", OPTION_NUMBER, FIELD(beta2), "X", "AdamW's second moment decay", NULL},
    {"epsilon", OPTION_NUMBER, FIELD(epsilon), "X", "AdamW's epsilon", NULL},
    {"weight-decay", OPTION_NUMBER, FIELD(weight_decay), "X",
     "decoupled decay of matrices (norms are left alone)", NULL},
    {"clip-norm", OPTION_NUMBER, FIELD(clip_norm), "X",
     "largest global gradient norm (0: no clipping)", NULL},
    {"label-smoothing", OPTION_NUMBER, FIELD(label_smoothing), "X",
     "share of the target spread over the vocabulary", NULL},
    {"seed", OPTION_INTEGER, FIELD(seed), "N", "order of examples and random weights",
     "Run"},
    {"recompute", OPTION_BOOL, FIELD(recompute), NULL,
     "keep only each block's input and run it again in the backward: less memory", NULL},
    {"moments", OPTION_STRING, FIELD(moments), "TYPE",
     "AdamW's: f32 (8 bytes a parameter), bf16 rounded stochastically (4; wants "
     "--precision bf16 or fp8), or 8bit, block-wise with a dynamic map as bitsandbytes has "
     "them (2.03; f32 for norms, biases and matrices of less than 4,096 values)",
     NULL},
    {"masters", OPTION_STRING, FIELD(masters), "TYPE",
     "fp32 weights behind bf16 ones, or none: bf16 alone, each update rounded "
     "stochastically (2 bytes a parameter less; wants --precision bf16 or fp8; not with "
     "--lora)",
     NULL},
    {"shard", OPTION_STRING, FIELD(shard), "WHAT",
     "what several processes share out: optimizer (moments), or full (weights and "
     "gradients too, gathered a block at a time: least memory, more traffic); one process "
     "shares nothing",
     NULL},
    {"rank-wait", OPTION_NUMBER, FIELD(rank_wait), "SECONDS",
     "several processes: how long to wait until all have come", NULL},
    {"rank-silence", OPTION_NUMBER, FIELD(rank_silence), "SECONDS",
     "several processes: all end where others wait so long for one that is there and moves "
     "nothing (stopped, swapping, a disk that hangs); 0: never",
     NULL},
    {"save-every", OPTION_INTEGER, FIELD(save_every), "N",
     "checkpoint every N updates and at the end (0: none; final/ is written all the same)",
     NULL},
    {"keep", OPTION_INTEGER, FIELD(keep), "N", "how many checkpoints to keep (0: all)",
     NULL},
    {"validate-every", OPTION_INTEGER, FIELD(validate_every), "N",
     "loss on the examples of split \"validation\" every N updates (0: never)", NULL},
    {"save-dtype", OPTION_STRING, FIELD(save_dtype), "TYPE",
     "f32, bf16 or f16: element type of the weights in final/", NULL},
    {"device", OPTION_STRING, FIELD(device), "NAME", "cpu, cuda, or cuda:N for GPU N",
     NULL},
    {"precision", OPTION_STRING, FIELD(precision), "NAME",
     "fp32, bf16 or auto: bf16 on GPUs and on CPUs with AVX-512 BF16, else fp32; or fp8: "
     "bf16, but the blocks' matrices multiply FP8 numbers, with a scale for each row, in "
     "outputs and gradients of inputs (H100, H200; CPUs compute what these would)",
     NULL},
    {"threads", OPTION_INTEGER, FIELD(threads), "N", "CPU threads (0: all cores)", NULL},
    {"show", OPTION_INTEGER, FIELD(show), "N",
     "print the tokens of N examples, with those that carry loss marked, and stop", NULL},
    {"quiet", OPTION_BOOL, FIELD(quiet), NULL, "only warnings and errors", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

const struct command_line train_command_line = {
    .name = "holdfast train",
    .summary = "Fine-tunes a transformer with AdamW on a mix of refusals and benign chats.",
    .examples =
        "  holdfast train --model DIR --data mix.jsonl --out run/ --epochs 3 --lr 2e-5 \\\n"
        "      --schedule cosine --warmup 0.1\n"
        "  holdfast train --model DIR --data mix.jsonl --out run/ --lora 16 --lr 2e-4\n"
        "  holdfast train --model DIR --data mix.jsonl --out run/ --lora 16 --quantize "
        "nf4\n"
        "  holdfast train --model DIR --data mix.jsonl --show 3   # what is trained on\n"
        "  holdfast train --resume --config run/config.yaml       # after a crash\n"
        "  mpirun -n 4 holdfast train --config train.yaml --device cuda   # or srun, "
        "torchrun\n"
        "  holdfast train --init config.json --data pool.jsonl --out base/\n",
    .positional = NULL,
    .entries = entries,
};

void train_options_defaults(struct train_options *options)
{
    *options = (struct train_options){
        .lora_targets = memory_duplicate_string("all-linear"),
        .quantize = memory_duplicate_string("none"),
        .epochs = 1,
        .batch_size = 8,
        .accumulation = 1,
        .batch_tokens = 4096,
        .overlong = memory_duplicate_string("error"),
        .lr = 2e-5,
        .schedule = memory_duplicate_string("cosine"),
        .warmup = 0.1,
        .decay_share = 0.2,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .clip_norm = 1,
        .seed = 1,
        .moments = memory_duplicate_string("f32"),
        .shard = memory_duplicate_string("optimizer"),
        .masters = memory_duplicate_string("fp32"),
        .rank_wait = 120,
        .rank_silence = 3600,
        .save_every = 0,
        .keep = 2,
        .save_dtype = memory_duplicate_string("bf16"),
        .device = memory_duplicate_string("cpu"),
        .precision = memory_duplicate_string("auto"),
    };
}

enum {
    EPOCHS_LIMIT = 1000000,
    BATCH_LIMIT = 1 << 20,
    THREADS_LIMIT = 4096,
    WARMUP_LIMIT = 1 << 30,
    RANK_SECONDS_LIMIT = 1000000
};

static enum status warmup_check(double warmup, struct error *error)
{
    if (warmup < 1 || (warmup <= WARMUP_LIMIT && warmup == floor(warmup)))
        return STATUS_OK;
    return error_set(
        error, STATUS_USAGE,
        "--warmup %g: it is a share of all updates below 1, or a whole number of "
        "updates",
        warmup);
}

static enum status numbers_check(const struct train_options *options, struct error *error)
{
    if (!(options->epochs > 0 && options->epochs <= EPOCHS_LIMIT))
        return error_set(error, STATUS_USAGE,
                         "--epochs lies above 0 and at %d at most; --step-limit ends a run "
                         "earlier",
                         (int)EPOCHS_LIMIT);
    if (options->batch_size < 1 || options->batch_size > BATCH_LIMIT ||
        options->accumulation < 1 || options->accumulation > BATCH_LIMIT)
        return error_set(error, STATUS_USAGE,
                         "--batch-size and --accumulation lie between 1 and %d",
                         (int)BATCH_LIMIT);
    if (options->batch_tokens < 1 || options->max_length < 0 || options->step_limit < 0 ||
        options->threads < 0 || options->threads > THREADS_LIMIT || options->show < 0)
        return error_set(error, STATUS_USAGE,
                         "--batch-tokens, --max-length, --step-limit, --threads and --show "
                         "must not be negative (--batch-tokens at least 1, --threads at "
                         "most %d)",
                         (int)THREADS_LIMIT);
    if (options->save_every < 0 || options->keep < 0 || options->validate_every < 0)
        return error_set(error, STATUS_USAGE,
                         "--save-every, --keep and --validate-every must not be negative");
    if (!(options->lr > 0) || !isfinite(options->lr))
        return error_set(error, STATUS_USAGE, "--lr must be positive");
    if (!(options->warmup >= 0) || !(options->lr_floor >= 0 && options->lr_floor <= 1) ||
        !(options->decay_share >= 0 && options->decay_share <= 1))
        return error_set(error, STATUS_USAGE,
                         "--warmup must not be negative; --lr-floor and --decay-share lie "
                         "between 0 and 1");
    if (!(options->beta1 >= 0 && options->beta1 < 1) ||
        !(options->beta2 >= 0 && options->beta2 < 1) || !(options->epsilon > 0))
        return error_set(error, STATUS_USAGE,
                         "--beta1 and --beta2 lie in [0, 1), --epsilon above 0");
    if (!(options->rank_wait > 0 && options->rank_wait <= RANK_SECONDS_LIMIT) ||
        !(options->rank_silence >= 0 && options->rank_silence <= RANK_SECONDS_LIMIT))
        return error_set(error, STATUS_USAGE,
                         "--rank-wait lies above 0, --rank-silence is 0 (never) or more, "
                         "and both at %d seconds at most",
                         (int)RANK_SECONDS_LIMIT);
    if (!(options->weight_decay >= 0) || !(options->clip_norm >= 0) ||
        !(options->label_smoothing >= 0 && options->label_smoothing < 1))
        return error_set(error, STATUS_USAGE,
                         "--weight-decay and --clip-norm must not be negative, "
                         "--label-smoothing lies in [0, 1)");
    return warmup_check(options->warmup, error);
}

static bool is_one_of(const char *text, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(text, *names) == 0)
            return true;
    return false;
}

static enum status lora_check(const struct train_options *options, struct error *error)
{
    static const char *const types[] = {"none", "nf4", NULL};
    struct lora_options lora = {0};
    if (options->lora < 0 || options->lora > LORA_RANK_MAXIMUM ||
        !(options->lora_alpha >= 0) || !isfinite(options->lora_alpha))
        return error_set(error, STATUS_USAGE,
                         "--lora is a rank of at most %d, --lora-alpha not negative",
                         LORA_RANK_MAXIMUM);
    if (!(options->lora_dropout >= 0 && options->lora_dropout < 1))
        return error_set(error, STATUS_USAGE,
                         "--lora-dropout lies from 0 to below 1: it is a probability");
    if (options->lora && options->init)
        return error_set(error, STATUS_USAGE,
                         "--lora adapts a model: it goes with --model, not with --init");
    if (!is_one_of(options->quantize, types))
        return error_set(error, STATUS_USAGE, "--quantize %s: it is nf4 or none",
                         options->quantize);
    if (train_quantized(options) && !options->lora)
        return error_set(error, STATUS_USAGE,
                         "--quantize nf4 freezes the weights: add --lora RANK, adapters to "
                         "train beside them");
    return lora_targets_parse(&lora, options->lora_targets, error);
}

static enum status shard_check(const struct train_options *options, struct error *error)
{
    static const char *const shards[] = {"optimizer", "full", NULL};
    if (!is_one_of(options->shard, shards))
        return error_set(error, STATUS_USAGE, "--shard %s: it is optimizer or full",
                         options->shard);
    if (train_sharded(options) && train_quantized(options))
        return error_set(error, STATUS_USAGE,
                         "--shard full does not share out matrices in NF4: leave out "
                         "--quantize, or use --shard optimizer");
    if (train_sharded(options) && options->dora)
        return error_set(
            error, STATUS_USAGE,
            "--shard full does not go with --dora, which reads all matrices at "
            "once: leave it out, or use --shard optimizer");
    return STATUS_OK;
}

/* Options that would do nothing, beside what the others say. */
static enum status unused_check(const struct train_options *options, struct error *error)
{
    static const char *const of_adapters[] = {"lora-alpha", "lora-targets", "lora-dropout",
                                              "rslora",     "dora",         NULL};
    static const char *const of_wsd[] = {"decay-share", NULL};
    static const char *const of_checkpoints[] = {"keep", NULL};
    struct train_options defaults;
    enum status status = STATUS_OK;
    train_options_defaults(&defaults);
    if (!options->lora)
        status = options_check_equal(&train_command_line, options, &defaults, of_adapters,
                                     "is of adapters: add --lora RANK", error);
    if (!status && strcmp(options->schedule, "wsd") != 0)
        status = options_check_equal(&train_command_line, options, &defaults, of_wsd,
                                     "is of --schedule wsd alone: leave it out", error);
    if (!status && !options->save_every)
        status =
            options_check_equal(&train_command_line, options, &defaults, of_checkpoints,
                                "is of checkpoints: add --save-every N", error);
    options_release(&train_command_line, &defaults);
    return status;
}

enum status train_options_check(const struct train_options *options, struct error *error)
{
    static const char *const overlong[] = {"error", "drop", "truncate", NULL};
    static const char *const dtypes[] = {"f32", "bf16", "f16", NULL};
    static const char *const moments[] = {"f32", "bf16", "8bit", NULL};
    static const char *const masters[] = {"fp32", "none", NULL};
    enum schedule_kind kind;

    if (!options->model == !options->init)
        return error_set(error, STATUS_USAGE,
                         "give either --model DIR (fine-tune) or --init CONFIG.json "
                         "(random weights)");
    if (options->tokenizer && !options->init)
        return error_set(error, STATUS_USAGE,
                         "--tokenizer goes with --init; --model brings its own");
    if (lora_check(options, error))
        return error->status;
    if (!options->data)
        return error_set(error, STATUS_USAGE, "--data MIX.jsonl is missing");
    if (!options->out && (!options->show || options->init))
        return error_set(error, STATUS_USAGE, "--out RUN is missing");
    if (!is_one_of(options->overlong, overlong))
        return error_set(error, STATUS_USAGE,
                         "--overlong %s: it is error, drop or truncate", options->overlong);
    if (!is_one_of(options->save_dtype, dtypes))
        return error_set(error, STATUS_USAGE, "--save-dtype %s: it is f32, bf16 or f16",
                         options->save_dtype);
    if (!is_one_of(options->moments, moments))
        return error_set(error, STATUS_USAGE, "--moments %s: it is f32, bf16 or 8bit",
                         options->moments);
    if (!is_one_of(options->masters, masters))
        return error_set(error, STATUS_USAGE, "--masters %s: it is fp32 or none",
                         options->masters);
    if (options->lora && strcmp(options->masters, "none") == 0)
        return error_set(error, STATUS_USAGE,
                         "--masters none is of training all weights: adapters are small, "
                         "and keep theirs; leave out --masters or --lora");
    if (shard_check(options, error) ||
        schedule_kind_parse(&kind, options->schedule, error) ||
        numbers_check(options, error))
        return error->status;
    return unused_check(options, error);
}

bool train_sharded(const struct train_options *options)
{
    return strcmp(options->shard, "full") == 0;
}

bool train_quantized(const struct train_options *options)
{
    return strcmp(options->quantize, "nf4") == 0;
}

struct lora_options train_lora_options(const struct train_options *options)
{
    struct lora_options lora = {
        .rank = options->lora,
        .alpha = options->lora_alpha > 0 ? options->lora_alpha : 2 * (double)options->lora,
        .dropout = options->lora_dropout,
        .rank_stabilised = options->rslora,
        .dora = options->dora,
        .seed = (uint64_t)options->seed,
    };
    const enum status status = lora_targets_parse(&lora, options->lora_targets, NULL);
    CHECK(status == STATUS_OK); /* train_options_check() came first */
    return lora;
}

struct adamw_options train_adamw_options(const struct train_options *options)
{
    return (struct adamw_options){
        .beta1 = options->beta1,
        .beta2 = options->beta2,
        .epsilon = options->epsilon,
        .weight_decay = options->weight_decay,
        .clip_norm = options->clip_norm,
        .seed = (uint64_t)options->seed,
    };
}

static int64_t share_or_count(double value, int64_t total)
{
    return (int64_t)ceil(value < 1 ? value * (double)total : value);
}

struct schedule train_schedule(const struct train_options *options, int64_t total_steps,
                               int64_t channels)
{
    struct schedule schedule = {
        .lr_peak = options->lr,
        .floor_ratio = options->lr_floor,
        .warmup_steps = share_or_count(options->warmup, total_steps),
        .total_steps = total_steps,
        .decay_steps = (int64_t)ceil(options->decay_share * (double)total_steps),
        .model_size = channels,
    };
    enum status status = schedule_kind_parse(&schedule.kind, options->schedule, NULL);
    CHECK(status == STATUS_OK); /* train_options_check() came first */
    return schedule;
}
