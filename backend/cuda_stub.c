#include "backend/operation_table.h"

/* Takes the place of backend/cuda/ where there is no nvcc. */
enum status cuda_backend_open(struct backend **backend, int device,
                              const struct backend_options *options, struct error *error)
{
    (void)options;
    *backend = NULL;
    return error_set(
        error, STATUS_UNSUPPORTED,
        "device \"cuda:%d\": this holdfast was built without CUDA: install the "
        "CUDA toolkit (nvcc) and build again, or use --device cpu",
        device);
}
