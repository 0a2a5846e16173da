#ifndef HOLDFAST_BACKEND_CUDA_CUDA_TRANSFERS_H
#define HOLDFAST_BACKEND_CUDA_CUDA_TRANSFERS_H

#include "backend/cuda/cuda_backend.h"

/*
 * Copies between host and device. The host's memory is pageable, so that everything goes
 * through pinned memory of our own: only then does a copy run beside the host.
 *
 *     staging   16 slots of 1 MiB, each with an event that says when its last copy has
 *               ended. Small copies to the device follow one another in a slot. Large
 *               copies, either way, are cut into slots and moved by several threads, each
 *               of which fills (or empties) one of its two slots while the other travels.
 *     results   1 MiB for small copies to the host; cuda_transfers_wait() brings them to
 *               where the caller wants them.
 */

/* Small copies to the host are at most this large; greater ones wait for the stream. */
enum { CUDA_RESULT_BYTES = 64 << 10 };

/* Sets the sticky error where there is no pinned memory. */
void cuda_transfers_open(struct cuda_backend *cuda);
void cuda_transfers_close(struct cuda_backend *cuda);

void cuda_copy_in(struct backend *backend, void *device, const void *host, size_t bytes);
void cuda_copy_out(struct backend *backend, void *host, const void *device, size_t bytes);

/* Waits for the stream, then brings every small copy to its `host`; false with the sticky
 * error set. */
bool cuda_transfers_wait(struct cuda_backend *cuda);
/* The next cuda_transfers_wait() copies `bytes` from `pinned` to `host`. */
void cuda_transfers_expect(struct cuda_backend *cuda, void *host, const void *pinned,
                           size_t bytes);

#endif
