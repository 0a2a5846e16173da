#ifndef HOLDFAST_TESTS_GPU_ATTENTION_REFERENCE_H
#define HOLDFAST_TESTS_GPU_ATTENTION_REFERENCE_H

#include "tests/gpu/gpu_fixture.h"

#include "backend/cpu/cpu_target.h"

/*
 * Attention of one query by the definition, in double, with bounds of what fp32 arithmetic
 * (and bf16 where the tensor cores want it) may make of it.
 *
 *     s_j = scale q k_j            p_j = exp(s_j - max s)            out = sum p v / sum p
 */
struct attention_row {
    const double *query;  /* [D] */
    const double *keys;   /* key j at keys + j stride */
    const double *values; /* value j at values + j stride */
    int64_t stride;
    int64_t count; /* keys */
    int64_t size;  /* D */
    double scale;
    bool rounds_p; /* p is rounded to bf16 to be multiplied with v */
};

/* a b, and |a| |b|; several sums side by side make vectors of it. */
TARGET_CLONES
static struct bounded dot_with_size(const double *a, const double *b, int64_t count)
{
    double sum = 0, size = 0;

#pragma omp simd reduction(+ : sum, size)
    for (int64_t i = 0; i < count; i++) {
        const double term = a[i] * b[i];
        sum += term;
        size += fabs(term);
    }
    return (struct bounded){sum, size};
}

/* to += factor x, and its error by `error` |x|. */
TARGET_CLONES
static void add_scaled(struct bounded *to, double factor, double error, const double *x,
                       int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        to[i].value += factor * x[i];
        to[i].error += error * fabs(x[i]);
    }
}

/* scale q k: a sum of D products, and two roundings. */
static inline struct bounded score_of(const double *query, const double *key, int64_t size,
                                      double scale)
{
    const struct bounded dot = dot_with_size(query, key, size);

    return (struct bounded){
        scale * dot.value,
        scale * (sum_error(size) * dot.error + 2 * (double)FLT_EPSILON * fabs(dot.value))};
}

/*
 * By how much of itself exp(s - offset) may be off: by the error of s, by that of the
 * difference (computed in powers of two, so with a product more: three roundings of both
 * sides), and by 2 + 1.2 |s - offset| units of the fast exponential.
 */
static inline double weight_error(struct bounded s, double offset)
{
    return s.error + (double)FLT_EPSILON * (4 + 3 * (fabs(s.value) + fabs(offset)) +
                                            1.2 * fabs(s.value - offset));
}

/*
 * out [D] is written, and log_sum. The sums over keys shrink to a new maximum now and then:
 * 16 roundings for that. `scores` is scratch [count].
 */
static inline void reference_forward(const struct attention_row *row,
                                     struct bounded *scores, struct bounded *out,
                                     struct bounded *log_sum)
{
    const double sums = sum_error(row->count) + 16 * (double)FLT_EPSILON;
    double most = -INFINITY, sum = 0, off = 0;

    for (int64_t j = 0; j < row->count; j++) {
        scores[j] =
            score_of(row->query, row->keys + j * row->stride, row->size, row->scale);
        most = fmax(most, scores[j].value);
    }
    for (int64_t i = 0; i < row->size; i++)
        out[i] = (struct bounded){0};
    for (int64_t j = 0; j < row->count; j++) {
        const double p = exp(scores[j].value - most);
        const double error = p * weight_error(scores[j], most);
        sum += p;
        off += error;
        add_scaled(out, p, error + p * (sums + (row->rounds_p ? bf16_error : 0)),
                   row->values + j * row->stride, row->size);
    }
    const double sum_off = off / sum + sums;
    for (int64_t i = 0; i < row->size; i++) {
        out[i].value /= sum;
        out[i].error = out[i].error / sum + fabs(out[i].value) * sum_off;
    }
    const double lse = most + log(sum);
    *log_sum =
        (struct bounded){lse, sum_off + 3 * (double)FLT_EPSILON * (fabs(most) + fabs(lse))};
}

/* Freed with the case. */
static inline double *doubles_of(const float *values, int64_t count)
{
    double *copy = keep(double, count);

    for (int64_t i = 0; i < count; i++)
        copy[i] = (double)values[i];
    return copy;
}

#endif
