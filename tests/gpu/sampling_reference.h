#ifndef HOLDFAST_TESTS_GPU_SAMPLING_REFERENCE_H
#define HOLDFAST_TESTS_GPU_SAMPLING_REFERENCE_H

#include "tests/gpu/gpu_fixture.h"

/*
 * Drawing tokens by the definition of backend/operations.h, in double, with bounds of what
 * fp32 weights may make of it.
 */

/* Rows of logits, how to draw from them, and what was drawn. */
struct draws {
    int64_t S, V;
    struct operand logits, temperature, top_p;
    double *draw, *draw_on_device;
    int32_t *tokens[2];
};

static inline struct draws draws_make(int64_t S, int64_t V)
{
    struct draws d = {.S = S,
                      .V = V,
                      .logits = random_matrix(DTYPE_F32, S, V),
                      .temperature = random_vector(DTYPE_F32, S),
                      .top_p = random_vector(DTYPE_F32, S),
                      .draw = keep(double, S),
                      .draw_on_device = device_memory((size_t)S * sizeof(double), 0)};

    for (int side = DEVICE; side <= HOST; side++)
        d.tokens[side] = keep(int32_t, S);
    return d;
}

static inline void draws_send(struct draws *d)
{
    operand_send(&d->logits);
    operand_send(&d->temperature);
    operand_send(&d->top_p);
    backend_copy_in(backends[DEVICE], d->draw_on_device, d->draw,
                    (size_t)d->S * sizeof *d->draw);
}

/* Rows [first, first + rows) on the device; the tokens arrive on the host. */
static inline void draw_on_device(struct draws *d, int64_t first, int64_t rows)
{
    const struct sampling_rows how = {(const float *)d->temperature.on[DEVICE].data + first,
                                      (const float *)d->top_p.on[DEVICE].data + first,
                                      d->draw_on_device + first};
    struct tensor part = tensor_rows(&d->logits.on[DEVICE], first, rows);
    const size_t bytes = (size_t)rows * sizeof(int32_t);
    int32_t *tokens = device_memory(bytes, 0);

    sample_tokens(backends[DEVICE], tokens, &part, &how);
    backend_copy_out(backends[DEVICE], d->tokens[DEVICE] + first, tokens, bytes);
    device_sync();
}

/* Uses the logits up. */
static inline void draw_on_host(struct draws *d)
{
    const struct sampling_rows how = {host_data(&d->temperature), host_data(&d->top_p),
                                      d->draw};

    sample_tokens(backends[HOST], d->tokens[HOST], &d->logits.on[HOST], &how);
}

/*
 * The exact weights of a row, p_i = exp((z_i - max z) / temperature), and by how much of
 * the mass running sums of fp32 weights may be off: an argument a is off by two roundings
 * of itself, its exponential by 2 units in the last place more. The nucleus may end at
 * another token where the mass above comes that close to top_p.
 */
struct nucleus {
    double *weights;
    double off;           /* of a running mass, as a share of the whole */
    double least, lowest; /* exact threshold; the least weight that may be in it */
    double mass;          /* of the exact nucleus */
    double doubtful;      /* mass of the tokens that may be in it or not */
};

static inline int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* The greatest threshold whose tokens hold at least `wanted`, from sorted weights. */
static inline double threshold(const double *sorted, int64_t count, double wanted)
{
    double mass = 0;

    for (int64_t i = 0; i < count; i++) {
        mass += sorted[i];
        if (mass >= wanted)
            return sorted[i];
    }
    return 0;
}

/* Of the weights in [least, most]. */
static inline double mass_of(const double *weights, int64_t count, double least,
                             double most)
{
    double mass = 0;

    for (int64_t i = 0; i < count; i++)
        mass += weights[i] >= least && weights[i] <= most ? weights[i] : 0;
    return mass;
}

/* The thresholds, exact and doubtful, from the sorted weights. */
static inline void nucleus_cut(struct nucleus *n, const double *sorted, int64_t V,
                               double total, double top_p)
{
    double most_doubtful = 0;

    if (top_p < 1) {
        n->least = threshold(sorted, V, top_p * total);
        n->lowest = threshold(sorted, V, (top_p + n->off) * total);
        most_doubtful = threshold(sorted, V, (top_p - n->off) * total);
        /* Different weights this close to each other may be equal in fp32. */
        const double near = (8 - 4 * log(n->least + DBL_MIN)) * (double)FLT_EPSILON;
        if (mass_of(sorted, V, most_doubtful * (1 - near), most_doubtful * (1 + near)) >
            mass_of(sorted, V, most_doubtful, most_doubtful))
            most_doubtful *= 1 + near;
        n->lowest *= 1 - near;
    }
    n->mass = mass_of(sorted, V, n->least, 1);
    n->doubtful = mass_of(sorted, V, n->lowest, 1) - mass_of(sorted, V, most_doubtful, 1);
}

static inline struct nucleus nucleus_of(const float *logits, int64_t V, double temperature,
                                        double top_p)
{
    struct nucleus n = {.weights = memory_allocate_array((size_t)V, sizeof(double))};
    double *sorted = memory_allocate_array((size_t)V, sizeof *sorted);
    double most = -INFINITY, total = 0, off = 0;

    for (int64_t i = 0; i < V; i++)
        most = fmax(most, (double)logits[i]);
    for (int64_t i = 0; i < V; i++) {
        const double argument = ((double)logits[i] - most) / temperature;
        const double p = exp(argument);
        n.weights[i] = p;
        total += p;
        off += p > 0 ? p * (4 + 2 * fabs(argument)) * (double)FLT_EPSILON : 0;
    }
    n.off = 2 * off / total + (double)V * 0x1p-44; /* cuda counts masses in 2^-44 */
    memcpy(sorted, n.weights, (size_t)V * sizeof *sorted);
    qsort(sorted, (size_t)V, sizeof *sorted, descending);
    nucleus_cut(&n, sorted, V, total, top_p);
    free(sorted);
    return n;
}

/* What may be drawn: DRAWN_WRONG, one of several because the draw falls close to the
 * border of two tokens, or the only one. */
enum verdict { DRAWN_WRONG, DRAWN_NEAR_BORDER, DRAWN_RIGHT };

static inline enum verdict judge(const struct nucleus *n, int64_t V, double draw,
                                 int32_t token)
{
    const double target = draw * n->mass, slack = n->off * n->mass + n->doubtful;
    double before = 0;

    if (token < 0 || token >= V || n->weights[token] < n->lowest)
        return DRAWN_WRONG;
    for (int64_t i = 0; i < token; i++)
        before += n->weights[i] >= n->least ? n->weights[i] : 0;
    const double after = before + (n->weights[token] >= n->least ? n->weights[token] : 0);
    if (target > before + slack && target < after - slack)
        return DRAWN_RIGHT;
    return target >= before - slack && target <= after + slack ? DRAWN_NEAR_BORDER
                                                               : DRAWN_WRONG;
}

#endif
