#ifndef HOLDFAST_BACKEND_CPU_CPU_TARGET_H
#define HOLDFAST_BACKEND_CPU_CPU_TARGET_H

/*
 * A function marked TARGET_CLONES is compiled for AVX-512, for AVX2 and for the baseline,
 * and the loader takes the best one for the processor at hand.
 *
 * It belongs on the inner function that is called from a parallel loop, never on one that
 * holds an OpenMP region: the outlined body of a region is compiled for the baseline only.
 * Clones and `vector_size` types do not mix either: gcc lowers the vectors for the
 * baseline before it clones. Plain loops are vectorised after that, as one wants.
 */
#if defined(NO_TARGET_CLONES) || defined(__clang__) || !defined(__x86_64__)
#define TARGET_CLONES
#else
#define TARGET_CLONES                                                                      \
    __attribute__((noinline, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif

#endif
