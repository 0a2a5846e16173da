#ifndef HOLDFAST_BACKEND_CUDA_CUDA_RECORD_H
#define HOLDFAST_BACKEND_CUDA_CUDA_RECORD_H

#include "backend/cuda/cuda_backend.h"

/*
 * Recordings are CUDA graphs, captured from the stream. What a recording copies to the
 * host lands in pinned memory of its own, from where cuda_sync() delivers it after each
 * launch. Scratch that is outgrown while a recording lives is kept for it
 * (cuda_scratch.cu).
 */
bool cuda_record_begin(struct backend *backend);
struct recording *cuda_record_end(struct backend *backend);
void cuda_record_launch(struct backend *backend, struct recording *recording);
void cuda_record_free(struct backend *backend, struct recording *recording);

/* While recording: pinned memory that each launch delivers to `host`; NULL sets the sticky
 * error. */
void *cuda_record_result(struct cuda_backend *cuda, void *host, size_t bytes);

#endif
