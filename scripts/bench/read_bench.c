/*
 * GB/s at which all threads together read a buffer, once from its first byte to its last:
 * what producing one token, for which every weight is read, cannot be faster than.
 * Arguments: bytes, threads. Prints the best and the median of ROUNDS readings.
 */
#include <omp.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ROUNDS = 15, SUMS = 32, PAGE = 2 << 20 };

/* Several sums, so that loads do not wait for one another; the whole is read by vectors. */
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3",
                             "default"))) static uint64_t
read_words(const uint64_t *words, size_t count)
{
    uint64_t sums[SUMS] = {0}, all = 0;

    for (size_t i = 0; i + SUMS <= count; i += SUMS)
        for (int j = 0; j < SUMS; j++)
            sums[j] ^= words[i + (size_t)j];
    for (int j = 0; j < SUMS; j++)
        all ^= sums[j];
    return all;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const size_t bytes = (argc > 1 ? strtoull(argv[1], NULL, 10) : 0) / PAGE * PAGE;
    const int threads = argc > 2 ? atoi(argv[2]) : 1;
    uint64_t *words = bytes > 0 ? aligned_alloc(PAGE, bytes) : NULL;
    double seconds[ROUNDS];
    uint64_t all = 0;

    if (!words || threads < 1) {
        fprintf(stderr, "usage: read_bench BYTES (2 MiB or more) THREADS\n");
        return 2;
    }
    (void)madvise(words, bytes, MADV_HUGEPAGE); /* as the weights have them */
    memset(words, 1, bytes);
    const size_t share = bytes / sizeof *words / (size_t)threads;
    for (int round = 0; round < ROUNDS; round++) {
        const double begin = omp_get_wtime();
#pragma omp parallel num_threads(threads) reduction(^ : all)
        all ^= read_words(words + share * (size_t)omp_get_thread_num(), share);
        seconds[round] = omp_get_wtime() - begin;
    }
    qsort(seconds, ROUNDS, sizeof *seconds, ascending);
    printf("%.1f %.1f\n", (double)bytes / seconds[0] * 1e-9,
           (double)bytes / seconds[ROUNDS / 2] * 1e-9);
    free(words);
    return all == 42; /* so that the reading is not left out */
}
