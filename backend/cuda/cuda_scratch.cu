#include "backend/cuda/cuda_backend.h"

extern "C" {
#include "base/memory.h"
}

#include <stdlib.h>

/* Sizes are rounded up to what cudaMalloc hands out, so that a slot grows seldom. */
enum { SCRATCH_ROUND_BYTES = 2 << 20 };

/*
 * A recording holds the addresses of the scratch that its operations used. What is
 * outgrown while one lives is therefore kept, until no recording is left.
 */
struct cuda_retired {
    void *memory;
    struct cuda_retired *next;
};

static void scratch_retire(struct cuda_backend *cuda, void *memory)
{
    if (memory && cuda->recording_count > 0) {
        struct cuda_retired *retired =
            static_cast<struct cuda_retired *>(memory_allocate(sizeof *retired));
        *retired = {memory, cuda->retired};
        cuda->retired = retired;
    } else if (memory) {
        cuda_good(cuda, cudaStreamSynchronize(cuda->stream), "scratch");
        cuda_good(cuda, cudaFree(memory), "scratch");
    }
}

static void scratch_grow(struct cuda_backend *cuda, enum cuda_scratch_slot slot,
                         size_t bytes)
{
    const size_t whole =
        (bytes / SCRATCH_ROUND_BYTES + 1) * static_cast<size_t>(SCRATCH_ROUND_BYTES);
    void *memory = NULL;

    scratch_retire(cuda, cuda->scratch[slot].memory);
    cuda->scratch[slot] = {NULL, 0};
    if (cudaMalloc(&memory, whole) != cudaSuccess) {
        cudaGetLastError(); /* reported here, not at the next launch */
        cuda_fail(cuda, STATUS_MEMORY,
                  "no memory for %zu bytes of scratch: take fewer tokens or replies at a "
                  "time, or a GPU that nothing else uses",
                  whole);
        return;
    }
    cuda->scratch[slot] = {memory, whole};
}

void *cuda_scratch(struct cuda_backend *cuda, enum cuda_scratch_slot slot, size_t bytes)
{
    const bool fits = cuda->scratch[slot].memory && bytes <= cuda->scratch[slot].bytes;

    if (!fits && cuda->recording) {
        cuda_fail(cuda, STATUS_DEVICE,
                  "scratch has to grow to %zu bytes while recording: run the same "
                  "operations once before they are recorded",
                  bytes);
        return NULL;
    }
    if (!fits)
        scratch_grow(cuda, slot, bytes);
    return cuda->scratch[slot].memory;
}

void cuda_scratch_release_retired(struct cuda_backend *cuda)
{
    while (cuda->recording_count == 0 && cuda->retired) {
        struct cuda_retired *retired = cuda->retired;
        cuda->retired = retired->next;
        cudaFree(retired->memory);
        free(retired);
    }
}

void cuda_scratch_release(struct cuda_backend *cuda)
{
    cuda->recording_count = 0;
    cuda_scratch_release_retired(cuda);
    for (int i = 0; i < CUDA_SCRATCH_SLOT_COUNT; i++) {
        cudaFree(cuda->scratch[i].memory);
        cuda->scratch[i] = {NULL, 0};
    }
}
