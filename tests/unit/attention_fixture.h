#ifndef HOLDFAST_TESTS_ATTENTION_FIXTURE_H
#define HOLDFAST_TESTS_ATTENTION_FIXTURE_H

/* Attention over packed documents, and its definition in double. */

#include "tests/unit/operations_fixture.h"

/* A packed batch of documents with everything that attention reads and writes. */
struct batch {
    struct attention_shape shape;
    int64_t T;
    int64_t count;
    int32_t *starts; /* [count + 1] */
    struct tensor qkv, out, log_sum, d_out, d_qkv;
    /* the reference, in double */
    double *qkv_exact, *upstream, *out_exact, *log_sum_exact;
};

static inline void batch_init(struct batch *b, const int64_t *lengths, int64_t count,
                              int64_t H, int64_t G, int64_t D)
{
    /* Three times the usual scale: peaked rows, so that maxima move between tiles. */
    *b =
        (struct batch){.shape = {H, G, D, 3.0f / sqrtf((float)D), 0, 0.0f}, .count = count};
    b->starts = memory_allocate_array((size_t)count + 1, sizeof *b->starts);
    for (int64_t n = 0; n < count; n++)
        b->starts[n + 1] = b->starts[n] + (int32_t)lengths[n];
    b->T = b->starts[count];
    b->qkv = matrix(b->T, (H + 2 * G) * D);
    b->d_qkv = matrix(b->T, (H + 2 * G) * D);
    b->out = matrix(b->T, H * D);
    b->d_out = matrix(b->T, H * D);
    b->log_sum = matrix(H, b->T);
    b->qkv_exact = doubles_of(&b->qkv);
    b->upstream = doubles_of(&b->d_out);
    b->out_exact = doubles_of(&b->out);
    b->log_sum_exact = doubles_of(&b->log_sum);
}

static inline void batch_release(struct batch *b)
{
    struct tensor *tensors[] = {&b->qkv, &b->out, &b->log_sum, &b->d_out, &b->d_qkv};

    for (int i = 0; i < 5; i++)
        tensor_free(tensors[i]);
    free(b->starts);
    free(b->qkv_exact);
    free(b->upstream);
    free(b->out_exact);
    free(b->log_sum_exact);
}

static inline void batch_forward(struct batch *b)
{
    const struct documents documents = {b->starts, b->count, b->T};
    attention_forward(backend, &b->out, &b->log_sum, &b->qkv, &documents, &b->shape);
}

static inline void batch_backward(struct batch *b)
{
    const struct documents documents = {b->starts, b->count, b->T};
    attention_backward(backend, &b->d_qkv, &b->d_out, &b->qkv, &b->out, &b->log_sum,
                       &documents, &b->shape);
}

/* One row of the definition: softmax(cap(scale q k)) v over keys (t - window, t] of one
 * head, from `start` on. */
static inline void reference_row(struct batch *b, int64_t head, int64_t start, int64_t t)
{
    const int64_t H = b->shape.heads, G = b->shape.key_value_heads, D = b->shape.head_size;
    const int64_t width = (H + 2 * G) * D, key_head = H + head / (H / G);
    const double *q = b->qkv_exact + t * width + head * D;
    double *out = b->out_exact + t * H * D + head * D, sum = 0;

    for (int64_t i = 0; i < D; i++)
        out[i] = 0;
    if (b->shape.window > 0)
        start = maximum(start, t - b->shape.window + 1);
    for (int64_t j = start; j <= t; j++) {
        const double *k = b->qkv_exact + j * width + key_head * D, *v = k + G * D;
        double score = 0;
        for (int64_t i = 0; i < D; i++)
            score += q[i] * k[i];
        score *= (double)b->shape.scale; /* stays below 250 */
        if (b->shape.cap > 0)
            score = (double)b->shape.cap * tanh(score / (double)b->shape.cap);
        const double p = exp(score);
        sum += p;
        for (int64_t i = 0; i < D; i++)
            out[i] += p * v[i];
    }
    for (int64_t i = 0; i < D; i++)
        out[i] /= sum;
    b->log_sum_exact[head * b->T + t] = log(sum);
}

static inline double reference_loss(void *context)
{
    struct batch *b = context;
    double loss = 0;

    for (int64_t n = 0; n < b->count; n++)
        for (int64_t t = b->starts[n]; t < b->starts[n + 1]; t++)
            for (int64_t head = 0; head < b->shape.heads; head++)
                reference_row(b, head, b->starts[n], t);
    for (int64_t i = 0; i < b->T * b->shape.heads * b->shape.head_size; i++)
        loss += b->out_exact[i] * b->upstream[i];
    return loss;
}

/*
 * In units of FLT_EPSILON: a score is a sum of D products below 1, times scale, so off by
 * D * D * scale at most (on average a quarter of that: the products are); the softmax and
 * the mix add a term a key.
 */
static inline int64_t reduction_of(const struct batch *b, int64_t longest)
{
    const double size = (double)b->shape.head_size;

    return (int64_t)(size * size * (double)b->shape.scale / 4) + longest + 16;
}

#endif
