#include "backend/cuda/cuda_record.h"

#include "backend/cuda/cuda_transfers.h"

extern "C" {
#include "base/memory.h"
}

#include <stdlib.h>

enum { RESULTS_MOST = 64, RESULT_ALIGNMENT = 64 };

struct result {
    void *host;
    size_t first; /* byte of `pinned` */
    size_t bytes;
};

struct recording {
    cudaGraphExec_t graph;
    unsigned char *pinned; /* [CUDA_RESULT_BYTES] */
    size_t used;
    struct result results[RESULTS_MOST];
    int result_count;
};

static void recording_release(struct recording *recording)
{
    if (recording->graph)
        cudaGraphExecDestroy(recording->graph);
    cudaFreeHost(recording->pinned);
    free(recording);
}

bool cuda_record_begin(struct backend *backend)
{
    struct cuda_backend *cuda = cuda_of(backend);
    struct recording *recording =
        static_cast<struct recording *>(memory_allocate(sizeof *recording));
    void *pinned = NULL;

    CHECK(!cuda->recording);
    if (!cuda_good(cuda, cudaHostAlloc(&pinned, CUDA_RESULT_BYTES, cudaHostAllocDefault),
                   "pinned memory for a recording") ||
        !cuda_good(cuda,
                   cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal),
                   "start of a recording")) {
        cudaFreeHost(pinned);
        free(recording);
        return false;
    }
    recording->pinned = static_cast<unsigned char *>(pinned);
    cuda->recorded = recording;
    cuda->recording = true;
    return true;
}

struct recording *cuda_record_end(struct backend *backend)
{
    struct cuda_backend *cuda = cuda_of(backend);
    struct recording *recording = cuda->recorded;
    cudaGraph_t graph = NULL;

    CHECK(cuda->recording);
    cuda->recording = false;
    cuda->recorded = NULL;
    /* Ended in any case: a stream that is still capturing is of no use. */
    const cudaError_t code = cudaStreamEndCapture(cuda->stream, &graph);
    if (cuda_good(cuda, code, "end of a recording"))
        cuda_good(cuda, cudaGraphInstantiate(&recording->graph, graph, 0), "recording");
    if (graph)
        cudaGraphDestroy(graph);
    if (cuda->backend.error.status) {
        recording_release(recording);
        return NULL;
    }
    cuda->recording_count++;
    return recording;
}

void cuda_record_launch(struct backend *backend, struct recording *recording)
{
    struct cuda_backend *cuda = cuda_of(backend);

    CHECK(!cuda->recording);
    if (!cuda_good(cuda, cudaGraphLaunch(recording->graph, cuda->stream),
                   "launch of a recording"))
        return;
    for (int i = 0; i < recording->result_count; i++) {
        const struct result *result = &recording->results[i];
        cuda_transfers_expect(cuda, result->host, recording->pinned + result->first,
                              result->bytes);
    }
}

void cuda_record_free(struct backend *backend, struct recording *recording)
{
    struct cuda_backend *cuda = cuda_of(backend);

    CHECK(!cuda->recording);
    cuda_transfers_wait(cuda); /* it may be running, and its results are to be delivered */
    recording_release(recording);
    cuda->recording_count--;
    cuda_scratch_release_retired(cuda);
}

void *cuda_record_result(struct cuda_backend *cuda, void *host, size_t bytes)
{
    struct recording *recording = cuda->recorded;
    const size_t whole =
        (bytes + RESULT_ALIGNMENT - 1) / RESULT_ALIGNMENT * RESULT_ALIGNMENT;

    if (whole > CUDA_RESULT_BYTES - recording->used ||
        recording->result_count == RESULTS_MOST) {
        cuda_fail(cuda, STATUS_LIMIT,
                  "a recording copies out at most %d bytes in %d pieces", CUDA_RESULT_BYTES,
                  RESULTS_MOST);
        return NULL;
    }
    struct result *result = &recording->results[recording->result_count++];
    *result = {host, recording->used, bytes};
    recording->used += whole;
    return recording->pinned + result->first;
}
