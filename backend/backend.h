#ifndef HOLDFAST_BACKEND_BACKEND_H
#define HOLDFAST_BACKEND_BACKEND_H

#include "backend/tensor.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A device that can hold tensors and run the operations of backend/operations.h.
 * Each implementation fills one const table of function pointers by field name
 * (backend/operation_table.h); shapes and dtypes are checked once, in operations.c, in
 * front of the table. A failure of the device is sticky: operations after it do nothing,
 * and backend_sync() reports it, so that model code reads as mathematics.
 */
struct backend; /* opaque outside backend/ */

struct backend_options {
    const char *device;    /* "cpu", "cuda", "cuda:1"; NULL: "cpu" */
    const char *precision; /* "auto": bf16 where the device multiplies it, "fp32", "bf16",
                              "fp8" (see backend_fp8()). NULL: fp32 on CPUs, else "auto" */
    int thread_count;      /* 0: all cores */
};

/*
 * A device that is not there, or not built in, is a clear error. The same thread count
 * gives bitwise the same results on the same machine.
 */
enum status backend_open(struct backend **backend, const struct backend_options *options,
                         struct error *error);
void backend_close(struct backend *backend);

const char *backend_name(const struct backend *backend);
/* Whether the host computes: device memory is the host's. */
bool backend_on_host(const struct backend *backend);
int backend_thread_count(const struct backend *backend);
/* Element type of weights: DTYPE_F32 or DTYPE_BF16. */
enum dtype backend_compute_dtype(const struct backend *backend);
/* Of activations and their gradients: the same, or DTYPE_F32 beside bf16 weights (cpu). */
enum dtype backend_activation_dtype(const struct backend *backend);
/* Of activations and gradients that only products read: the same, or DTYPE_BF16 where
 * products round such an operand to bf16 anyway. */
enum dtype backend_operand_dtype(const struct backend *backend);
/* Whether all is as in bf16, but products with weights that are marked `fp8` multiply FP8
 * numbers (backend/fp8.h): for training. */
bool backend_fp8(const struct backend *backend);

/* One line on the device and the libraries used, for the log (borrowed). */
const char *backend_description(const struct backend *backend);

/* Bytes of device memory that are free, and in all; false where nobody can say. */
bool backend_memory(struct backend *backend, size_t *free_bytes, size_t *total_bytes);

/* Device memory, zeroed, aligned to 64 bytes (cuda: 256). NULL with `error` set if there is
 * none left. */
void *backend_allocate(struct backend *backend, size_t bytes, struct error *error);
void backend_free(struct backend *backend, void *memory);
/* `host` may be used again at once; operations that follow see the copy. */
void backend_copy_in(struct backend *backend, void *device, const void *host, size_t bytes);
/* `host` holds the copy after backend_sync(). */
void backend_copy_out(struct backend *backend, void *host, const void *device,
                      size_t bytes);

/* What failed beside the device (a rank is lost) becomes its sticky error, unless there is
 * one. */
void backend_fail(struct backend *backend, const struct error *error);

/* Waits for the device and returns its sticky error, if any. */
enum status backend_sync(struct backend *backend, struct error *error);

/*
 * Recording. Between begin and end operations are not run but recorded; launch runs the
 * recording, with whatever the same memory then holds. Only operations and copies between
 * begin and end whose shapes and addresses stay the same can be replayed. A back-end that
 * cannot record returns false: run the operations as they are.
 */
struct recording; /* opaque */
bool backend_record_begin(struct backend *backend);
struct recording *backend_record_end(struct backend *backend);
void backend_record_launch(struct backend *backend, struct recording *recording);
void backend_record_free(struct backend *backend, struct recording *recording);

#endif
