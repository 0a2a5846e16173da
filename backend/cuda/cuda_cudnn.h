#ifndef HOLDFAST_BACKEND_CUDA_CUDA_CUDNN_H
#define HOLDFAST_BACKEND_CUDA_CUDA_CUDNN_H

#include "backend/cuda/cuda_backend.h"

/*
 * How a packed batch is laid before cuDNN (cuda_cudnn.cpp), and the small kernels that
 * bring our form of it into cuDNN's (cuda_cudnn_offsets.cu).
 *
 * uniform: every document has `length` tokens, and the batch is a dense tensor of
 * [documents, heads, length, D]. Otherwise documents are ragged: `length` bounds them, and
 * a launch of `batch` documents reads where they lie from an index in device memory. The
 * last launch may hold fewer; the entries that are left over have no tokens.
 */
struct cuda_cudnn_layout {
    bool uniform;
    int64_t tokens;     /* T */
    int64_t documents;  /* N */
    int64_t length;     /* S */
    int64_t batch;      /* documents of one launch */
    int64_t heads;      /* H */
    int64_t qkv_stride; /* elements from one token to the next: (H + 2G) D */
    int64_t out_stride; /* H D */
};

/* Whether documents, `tokens` in all, are uniform: of one length, a multiple of the rows
 * that cuDNN's kernels take at a time. */
bool cuda_cudnn_uniform(const struct documents *documents, int64_t tokens);

/*
 * The index of one launch: the first element of each document, and one past the last, in
 * qkv, in out and in the statistics, then the tokens of each document. Parts are aligned to
 * 16 bytes.
 */
struct cuda_cudnn_index {
    int64_t *qkv;     /* [batch + 1] */
    int64_t *out;     /* [batch + 1] */
    int64_t *stats;   /* [batch + 1] */
    int32_t *lengths; /* [batch] */
};

/* Launches that it takes to see all documents. */
static inline int64_t cuda_cudnn_launches(const struct cuda_cudnn_layout *layout)
{
    return (layout->documents + layout->batch - 1) / layout->batch;
}

/* Bytes of the index of one launch; index number `launch` of those that lie at `memory`. */
size_t cuda_cudnn_index_bytes(const struct cuda_cudnn_layout *layout);
struct cuda_cudnn_index
cuda_cudnn_index_at(void *memory, const struct cuda_cudnn_layout *layout, int64_t launch);

/* Writes the indices of all launches. `starts` as in struct documents. */
void cuda_cudnn_index_write(struct cuda_backend *cuda, void *memory,
                            const struct cuda_cudnn_layout *layout, const int32_t *starts);

/*
 * cuDNN's softmax statistics are our log_sum (the log of the sum of exponentials of a row's
 * scaled scores, natural log) in another order: [N, H, S] where documents are uniform, else
 * [T, H]. These bring one into the other; not needed where cuda_cudnn_stats_in_place().
 * Both hold H T floats.
 */
bool cuda_cudnn_stats_in_place(const struct cuda_cudnn_layout *layout);
void cuda_cudnn_stats_read(struct cuda_backend *cuda, float *log_sum, const float *stats,
                           const struct cuda_cudnn_layout *layout);
void cuda_cudnn_stats_write(struct cuda_backend *cuda, float *stats, const float *log_sum,
                            const struct cuda_cudnn_layout *layout);

/* What a plan (a graph compiled for the device) depends on: the tensors of one launch. */
struct cuda_cudnn_plan_key {
    int64_t batch;
    int64_t length;
    int64_t heads, key_value_heads; /* of one launch: may be fewer than the tensors have */
    int64_t head_size;
    int64_t qkv_stride, out_stride;
    float scale;
    bool uniform;
    bool backward;
};

/* The operands of a plan. The last seven are parts of the index, for ragged documents. */
enum cuda_cudnn_operand {
    CUDNN_QUERY,
    CUDNN_KEY,
    CUDNN_VALUE,
    CUDNN_OUT,
    CUDNN_STATS,
    CUDNN_D_OUT,
    CUDNN_D_QUERY,
    CUDNN_D_KEY,
    CUDNN_D_VALUE,
    CUDNN_OFFSET_QUERY,
    CUDNN_OFFSET_KEY,
    CUDNN_OFFSET_VALUE,
    CUDNN_OFFSET_OUT,
    CUDNN_OFFSET_STATS,
    CUDNN_LENGTH_QUERY,
    CUDNN_LENGTH_KEY,
    CUDNN_OPERAND_COUNT
};
struct cuda_cudnn_operands {
    void *pointers[CUDNN_OPERAND_COUNT]; /* NULL: the plan has no such operand */
};

/*
 * The plan of a key (cuda_cudnn_plan.cpp), NULL where cuDNN does not serve it. It costs
 * about half a second the first time, and is kept. None is made while recording, nor after
 * the first 4,096: then only known keys are served.
 */
struct cuda_cudnn_plan;
const struct cuda_cudnn_plan *cuda_cudnn_plan_get(struct cuda_backend *cuda,
                                                  const struct cuda_cudnn_plan_key *key);
size_t cuda_cudnn_plan_workspace(const struct cuda_cudnn_plan *plan);
/* False sets the sticky error. `workspace` is not NULL, even where it has no bytes. */
bool cuda_cudnn_plan_run(struct cuda_backend *cuda, const struct cuda_cudnn_plan *plan,
                         const struct cuda_cudnn_operands *operands, void *workspace);
/* Why the last key that was refused was refused; "" where none was. */
const char *cuda_cudnn_refusal(const struct cuda_attention_plans *plans);

#endif
