#include "backend/collective_transport.h"
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

/* Without a CUDA back-end there is none to open collectives of. */
enum status cuda_collectives_open(struct collectives **collectives,
                                  const struct collectives *base, struct error *error)
{
    (void)base;
    *collectives = NULL;
    return error_set(error, STATUS_UNSUPPORTED, "this holdfast was built without CUDA");
}
