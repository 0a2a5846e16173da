#ifndef HOLDFAST_BACKEND_BACKEND_H
#define HOLDFAST_BACKEND_BACKEND_H

#include "backend/tensor.h"
#include "base/error.h"

#include <stddef.h>

/*
 * A device that can hold tensors and run the operations of backend/operations.h.
 * Each implementation fills one const table of function pointers by field name
 * (backend/operation_table.h); shapes and dtypes are checked once, in operations.c, in
 * front of the table. A failure of the device is sticky: operations after it do nothing,
 * and backend_sync() reports it, so that model code reads as mathematics.
 */
struct backend; /* opaque outside backend/ */

/*
 * `name` is "cpu" or "cuda" (not built in: a clear error). `thread_count` 0 takes all
 * cores. The same count gives bitwise the same results on the same machine.
 */
enum status backend_open(struct backend **backend, const char *name, int thread_count,
                         struct error *error);
void backend_close(struct backend *backend);

const char *backend_name(const struct backend *backend);
int backend_thread_count(const struct backend *backend);

/* One line on the device and the libraries used, for the log (borrowed). */
const char *backend_description(const struct backend *backend);

/* Device memory, zeroed, aligned to 64 bytes. NULL with `error` set if there is none left.
 */
void *backend_allocate(struct backend *backend, size_t bytes, struct error *error);
void backend_free(struct backend *backend, void *memory);
void backend_copy_in(struct backend *backend, void *device, const void *host, size_t bytes);
void backend_copy_out(struct backend *backend, void *host, const void *device,
                      size_t bytes);

/* Waits for the device and returns its sticky error, if any. */
enum status backend_sync(struct backend *backend, struct error *error);

#endif
