#include "backend/cuda/cuda_gemm_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GPU_NUMBERS = 3,
    KEY_NUMBERS = 13,
    ALGORITHM_WORDS = 8,
    LINE_NUMBERS = GPU_NUMBERS + KEY_NUMBERS + ALGORITHM_WORDS,
    LINE_BYTES = 1024,
    TIMED_RUNS = 5
};

/* Below this a choice by heuristic costs little. */
static const double TUNED_OPERATIONS_LEAST = 1e9;

/* The numbers of one line, in the order of the file. */
struct tuning_line {
    uint64_t gpu[GPU_NUMBERS];
    uint64_t key[KEY_NUMBERS];
    uint64_t algorithm[ALGORITHM_WORDS];
};
static_assert(sizeof(struct tuning_line) == LINE_NUMBERS * sizeof(uint64_t),
              "numbers only");
static_assert(sizeof(cublasLtMatmulAlgo_t) == ALGORITHM_WORDS * sizeof(uint64_t), "words");

static void line_describe_gpu(const struct cuda_backend *cuda, struct tuning_line *line)
{
    line->gpu[0] = cublasLtGetVersion();
    line->gpu[1] = static_cast<uint64_t>(cuda->compute_capability);
    line->gpu[2] = static_cast<uint64_t>(cuda->multiprocessor_count);
}

static void line_from_key(struct tuning_line *line, const struct gemm_key *key)
{
    const int64_t sizes[] = {key->rows,     key->columns,  key->depth,   key->a_stride,
                             key->b_stride, key->c_stride, key->d_stride};
    const uint32_t rest[] = {key->a_alignment, key->b_alignment,    key->c_alignment,
                             key->d_alignment, key->bias_alignment, key->form};
    int at = 0;

    for (const int64_t size : sizes)
        line->key[at++] = static_cast<uint64_t>(size);
    for (const uint32_t number : rest)
        line->key[at++] = number;
}

static struct gemm_key line_key(const struct tuning_line *line)
{
    struct gemm_key key;
    int64_t *sizes[] = {&key.rows,     &key.columns,  &key.depth,   &key.a_stride,
                        &key.b_stride, &key.c_stride, &key.d_stride};
    uint32_t *rest[] = {&key.a_alignment, &key.b_alignment,    &key.c_alignment,
                        &key.d_alignment, &key.bias_alignment, &key.form};
    int at = 0;

    for (int64_t *size : sizes)
        *size = static_cast<int64_t>(line->key[at++]);
    for (uint32_t *number : rest)
        *number = static_cast<uint32_t>(line->key[at++]);
    return key;
}

/* ---- The file ---- */

/* Exactly LINE_NUMBERS numbers and nothing else. */
static bool line_parse(const char *text, struct tuning_line *line)
{
    uint64_t numbers[LINE_NUMBERS];

    for (int i = 0; i < LINE_NUMBERS; i++) {
        char *end;
        numbers[i] = strtoull(text, &end, 0);
        if (end == text)
            return false;
        text = end;
    }
    memcpy(line, numbers, sizeof *line);
    return text[strspn(text, " \r\n")] == '\0';
}

/* Keeps the line's algorithm if it was measured on such a GPU with this cuBLASLt. */
static void line_keep(struct cuda_backend *cuda, const struct tuning_line *line)
{
    struct tuning_line here;
    struct gemm_plan plan;

    line_describe_gpu(cuda, &here);
    if (memcmp(here.gpu, line->gpu, sizeof here.gpu) != 0)
        return;
    memset(&plan, 0, sizeof plan);
    plan.key = line_key(line);
    plan.kind = GEMM_LIBRARY;
    memcpy(&plan.algorithm, line->algorithm, sizeof plan.algorithm);
    gemm_cache_insert(cuda->gemm_cache, &plan);
}

void gemm_tuning_read(struct cuda_backend *cuda)
{
    const char *path = cuda->gemm_cache->tuning_path;
    FILE *file = fopen(path, "r");
    struct tuning_line line;
    char text[LINE_BYTES];

    cuda->gemm_cache->tuning_read = true;
    if (!file && errno != ENOENT)
        cuda_fail(cuda, STATUS_IO, "HOLDFAST_GEMM_TUNE: %s: %s", path, strerror(errno));
    for (int number = 1; file && fgets(text, sizeof text, file); number++) {
        if (text[0] == '#' || text[strspn(text, " \r\n")] == '\0')
            continue;
        if (!line_parse(text, &line)) {
            cuda_fail(cuda, STATUS_FORMAT,
                      "HOLDFAST_GEMM_TUNE: %s: line %d: not %d numbers: delete the file to "
                      "measure again",
                      path, number, LINE_NUMBERS);
            break;
        }
        line_keep(cuda, &line);
    }
    if (file)
        fclose(file);
}

static void line_print(FILE *file, const struct tuning_line *line)
{
    for (const uint64_t number : line->gpu)
        fprintf(file, "%" PRIu64 " ", number);
    for (const uint64_t number : line->key)
        fprintf(file, "%" PRIu64 " ", number);
    for (int i = 0; i < ALGORITHM_WORDS; i++)
        fprintf(file, "0x%016" PRIx64 "%s", line->algorithm[i],
                i + 1 < ALGORITHM_WORDS ? " " : "\n");
}

static void tuning_append(struct cuda_backend *cuda, const struct gemm_key *key,
                          const cublasLtMatmulAlgo_t *algorithm)
{
    const char *path = cuda->gemm_cache->tuning_path;
    FILE *file = fopen(path, "a");
    struct tuning_line line;
    bool good = file != NULL;

    line_describe_gpu(cuda, &line);
    line_from_key(&line, key);
    memcpy(line.algorithm, algorithm, sizeof line.algorithm);
    if (file && ftell(file) == 0)
        fprintf(file, "# holdfast: cuBLASLt's fastest algorithms, one product a line\n");
    if (file)
        line_print(file, &line);
    if (file && fclose(file) != 0)
        good = false;
    if (!good)
        cuda_fail(cuda, STATUS_IO, "HOLDFAST_GEMM_TUNE: %s: %s", path, strerror(errno));
}

/* ---- Measuring ---- */

bool gemm_tuning_wanted(const struct cuda_backend *cuda, const struct cuda_gemm *gemm)
{
    const double operations = 2.0 * static_cast<double>(gemm->rows) *
                              static_cast<double>(gemm->columns) *
                              static_cast<double>(gemm->depth);

    /* A recording cannot be waited for. */
    return cuda->gemm_cache->tuning_path && !cuda->recording && !gemm->row_invariant &&
           operations >= TUNED_OPERATIONS_LEAST;
}

/* Milliseconds of TIMED_RUNS runs into `d`, after one to warm up; negative on failure. */
static float candidate_time(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                            struct gemm_product *product,
                            const cublasLtMatmulAlgo_t *algorithm, void *d,
                            cudaEvent_t start, cudaEvent_t stop)
{
    float milliseconds = -1;
    bool good = gemm_launch(cuda, gemm, product, algorithm, d) &&
                cuda_good(cuda, cudaEventRecord(start, cuda->stream), "event");

    for (int run = 0; good && run < TIMED_RUNS; run++)
        good = gemm_launch(cuda, gemm, product, algorithm, d);
    good = good && cuda_good(cuda, cudaEventRecord(stop, cuda->stream), "event") &&
           cuda_good(cuda, cudaEventSynchronize(stop), "event") &&
           cuda_good(cuda, cudaEventElapsedTime(&milliseconds, start, stop), "event");
    return good ? milliseconds : -1;
}

static int fastest(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                   struct gemm_product *product,
                   const cublasLtMatmulHeuristicResult_t *candidates, int count, void *d)
{
    cudaEvent_t start = NULL, stop = NULL;
    float best = -1;
    int chosen = 0;

    if (cuda_good(cuda, cudaEventCreate(&start), "event") &&
        cuda_good(cuda, cudaEventCreate(&stop), "event"))
        for (int i = 0; i < count && !cuda->backend.error.status; i++) {
            const float time =
                candidate_time(cuda, gemm, product, &candidates[i].algo, d, start, stop);
            if (time >= 0 && (best < 0 || time < best)) {
                best = time;
                chosen = i;
            }
        }
    if (start)
        cudaEventDestroy(start);
    if (stop)
        cudaEventDestroy(stop);
    return chosen;
}

/* Into memory of its own: d may be what the product adds to. */
int gemm_tuning_choose(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                       struct gemm_product *product, const struct gemm_key *key,
                       const cublasLtMatmulHeuristicResult_t *candidates, int count)
{
    const size_t bytes = static_cast<size_t>(gemm->rows) *
                         static_cast<size_t>(gemm->d_stride) * dtype_bytes(gemm->out);
    void *d = NULL;

    if (cudaMalloc(&d, bytes) != cudaSuccess) {
        cudaGetLastError();
        return 0; /* no room to measure: as without HOLDFAST_GEMM_TUNE */
    }
    const int chosen = fastest(cuda, gemm, product, candidates, count, d);
    cuda_good(cuda, cudaStreamSynchronize(cuda->stream), "measuring");
    cudaFree(d);
    if (!cuda->backend.error.status)
        tuning_append(cuda, key, &candidates[chosen].algo);
    return chosen;
}
