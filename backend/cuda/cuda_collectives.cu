#include "backend/cuda/cuda_backend.h"

extern "C" {
#include "backend/collective_transport.h"
#include "base/log.h"
#include "base/memory.h"
}

/*
 * Collectives over NCCL, as exchanges of each with each (ncclSend, ncclRecv) on the
 * back-end's stream, on which a rank copies its own part by itself; sums are our own
 * kernel's, so that their order does not depend on how NCCL connects the GPUs. The library
 * is looked for when it is needed: one GPU needs none.
 *
 * NCCL waits for ever for a rank that is gone. Hence the communicator does not block: the
 * host asks whether it is done, looks at the lifelines of the process group in between
 * (base/process_group.h), and aborts NCCL's work when somebody is lost, or when it is not
 * done for as long as a silent rank may be waited for: whose fault that is NCCL cannot say.
 */
#if __has_include(<nccl.h>)

#include <dlfcn.h>
#include <nccl.h>
#include <unistd.h>

enum {
    STAGING_BYTES = 128 << 20,
    SUM_THREADS = 256,
    NCCL_VERSION_LEAST = 21800, /* non-blocking communicators that can be relied on */
    NAP_US = 50,
    LOST_SECONDS = 1 /* in which all know that a rank is lost, when one does */
};

#define NCCL_FUNCTIONS(X)                                                                  \
    X(ncclGetVersion)                                                                      \
    X(ncclGetUniqueId)                                                                     \
    X(ncclCommInitRankConfig)                                                              \
    X(ncclCommGetAsyncError)                                                               \
    X(ncclCommAbort)                                                                       \
    X(ncclGetErrorString)                                                                  \
    X(ncclGetLastError)                                                                    \
    X(ncclGroupStart)                                                                      \
    X(ncclGroupEnd)                                                                        \
    X(ncclSend)                                                                            \
    X(ncclRecv)

struct nccl_library {
    void *handle;
#define NCCL_MEMBER(name) decltype(&::name) name;
    NCCL_FUNCTIONS(NCCL_MEMBER)
#undef NCCL_MEMBER
};

struct cuda_collectives {
    struct collectives base; /* first */
    struct nccl_library nccl;
    ncclComm_t comm; /* NULL: none, or aborted */
};

static struct cuda_collectives *nccl_of(struct collectives *collectives)
{
    return reinterpret_cast<struct cuda_collectives *>(collectives);
}

static enum status library_open(struct nccl_library *nccl, struct error *error)
{
    int version = 0;

    nccl->handle = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!nccl->handle)
        return error_set(error, STATUS_UNSUPPORTED,
                         "several GPUs need NCCL: %s (install libnccl2, or name its folder "
                         "in LD_LIBRARY_PATH)",
                         dlerror());
#define NCCL_FIND(name)                                                                    \
    nccl->name = reinterpret_cast<decltype(&::name)>(dlsym(nccl->handle, #name));          \
    if (!nccl->name)                                                                       \
        return error_set(error, STATUS_UNSUPPORTED, "libnccl.so.2 has no %s", #name);
    NCCL_FUNCTIONS(NCCL_FIND)
#undef NCCL_FIND
    if (nccl->ncclGetVersion(&version) == ncclSuccess && version >= NCCL_VERSION_LEAST)
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED,
                     "libnccl.so.2 is version %d.%d: 2.18 or later is needed",
                     version / 10000, version / 100 % 100);
}

/* Ends what NCCL still waits for; the stream goes on. */
static void abandon(struct cuda_collectives *c)
{
    if (c->comm)
        c->nccl.ncclCommAbort(c->comm);
    c->comm = NULL;
}

static enum status nccl_failed(struct cuda_collectives *c, ncclResult_t result,
                               const char *what, struct error *error)
{
    const double begun = clock_seconds();
    enum status lost = process_group_check(c->base.group, error);

    /* Where somebody is lost, that is the cause; NCCL may know it earlier. */
    for (; !lost && clock_seconds() - begun < LOST_SECONDS; usleep(NAP_US))
        lost = process_group_check(c->base.group, error);
    if (!lost)
        error_set(error, STATUS_DEVICE, "NCCL: %s: %s: %.300s", what,
                  c->nccl.ncclGetErrorString(result), c->nccl.ncclGetLastError(c->comm));
    abandon(c);
    return error->status;
}

/* Whether it has been waited for too long, for others who are all there. */
static enum status overdue(struct cuda_collectives *c, double begun, struct error *error)
{
    const double limit = process_group_silence_seconds(c->base.group);
    const double waited = clock_seconds() - begun;

    if (limit == 0 || waited < limit)
        return STATUS_OK;
    abandon(c);
    return error_set(error, STATUS_LIMIT,
                     "NCCL has waited for %.0f s, and all ranks are there: is one stopped, "
                     "or its GPU stuck? --rank-silence gives it longer",
                     waited);
}

/* Until NCCL has begun what `result` is about. Others may take their time, but must be
 * there. */
static enum status settle(struct cuda_collectives *c, ncclResult_t result, const char *what,
                          struct error *error)
{
    const double begun = clock_seconds();

    while (result == ncclInProgress) {
        if (process_group_check(c->base.group, error)) {
            abandon(c);
            return error->status;
        }
        if (overdue(c, begun, error))
            return error->status;
        const ncclResult_t asked = c->nccl.ncclCommGetAsyncError(c->comm, &result);
        if (asked != ncclSuccess)
            result = asked;
    }
    return result == ncclSuccess ? STATUS_OK : nccl_failed(c, result, what, error);
}

/* The device's own error comes first: then nothing more is sent. */
static enum status usable(struct cuda_collectives *c, struct error *error)
{
    const struct error *sticky = &c->base.backend->error;

    if (sticky->status)
        return error_set(error, sticky->status, "%s", sticky->message);
    if (!c->comm)
        return error_set(error, STATUS_DEVICE, "NCCL was aborted");
    return STATUS_OK;
}

static bool refused(ncclResult_t result)
{
    return result != ncclSuccess && result != ncclInProgress;
}

/* Both directions with one rank; the first refusal. */
static ncclResult_t transfer_queue(struct cuda_collectives *c,
                                   const struct process_transfer *transfer, int rank)
{
    cudaStream_t stream = cuda_of(c->base.backend)->stream;
    ncclResult_t result = ncclSuccess;

    if (transfer->out_bytes > 0)
        result = c->nccl.ncclSend(transfer->out, transfer->out_bytes, ncclInt8, rank,
                                  c->comm, stream);
    if (transfer->in_bytes > 0 && !refused(result))
        result = c->nccl.ncclRecv(transfer->in, transfer->in_bytes, ncclInt8, rank, c->comm,
                                  stream);
    return result;
}

/* What a rank has for itself, from one place to another. */
static enum status own_copy(struct cuda_collectives *c,
                            const struct process_transfer *transfer, struct error *error)
{
    struct cuda_backend *cuda = cuda_of(c->base.backend);

    CHECK(transfer->in_bytes == transfer->out_bytes);
    if (transfer->in_bytes > 0)
        cuda_good(cuda,
                  cudaMemcpyAsync(transfer->in, transfer->out, transfer->in_bytes,
                                  cudaMemcpyDeviceToDevice, cuda->stream),
                  "a rank's own part");
    return usable(c, error);
}

static enum status nccl_exchange(struct collectives *collectives,
                                 const struct process_transfer *transfers,
                                 struct error *error)
{
    struct cuda_collectives *c = nccl_of(collectives);
    ncclResult_t result;

    if (usable(c, error) || own_copy(c, &transfers[collectives->rank], error))
        return error->status;
    if (collectives->size == 1)
        return STATUS_OK;
    result = c->nccl.ncclGroupStart();
    for (int i = 0; i < collectives->size && !refused(result); i++)
        if (i != collectives->rank)
            result = transfer_queue(c, &transfers[i], i);
    const ncclResult_t ended = c->nccl.ncclGroupEnd();
    return settle(c, refused(result) ? result : ended, "exchange", error);
}

template <typename T>
__global__ void sum_parts_kernel(T *__restrict__ out, const T *__restrict__ parts, int size,
                                 int64_t stride, int64_t count)
{
    const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
    int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;

    for (; i < count; i += step) {
        T sum = parts[i];
        for (int rank = 1; rank < size; rank++)
            sum += parts[rank * stride + i];
        out[i] = sum;
    }
}

static enum status nccl_sum_parts(struct collectives *collectives, void *out,
                                  const void *parts, int64_t stride, int64_t count,
                                  enum dtype dtype, struct error *error)
{
    struct cuda_backend *cuda = cuda_of(collectives->backend);
    const int64_t most = 16 * static_cast<int64_t>(cuda->multiprocessor_count);
    const int64_t wanted = (count + SUM_THREADS - 1) / SUM_THREADS;
    const unsigned blocks = static_cast<unsigned>(wanted < most ? wanted : most);

    if (count == 0)
        return STATUS_OK;
    if (dtype == DTYPE_F32)
        sum_parts_kernel<<<blocks, SUM_THREADS, 0, cuda->stream>>>(
            static_cast<float *>(out), static_cast<const float *>(parts), collectives->size,
            stride, count);
    else
        sum_parts_kernel<<<blocks, SUM_THREADS, 0, cuda->stream>>>(
            static_cast<double *>(out), static_cast<const double *>(parts),
            collectives->size, stride, count);
    cuda_launched(cuda, "sum over ranks");
    return usable(nccl_of(collectives), error);
}

static enum status nccl_wait(struct collectives *collectives, struct error *error)
{
    struct cuda_collectives *c = nccl_of(collectives);
    struct cuda_backend *cuda = cuda_of(collectives->backend);

    if (usable(c, error))
        return error->status;
    const double begun = clock_seconds();
    for (;;) {
        ncclResult_t result = ncclSuccess;
        const cudaError_t code = cudaStreamQuery(cuda->stream);
        if (code == cudaSuccess)
            return STATUS_OK;
        if (code != cudaErrorNotReady) {
            cuda_good(cuda, code, "collectives");
            return usable(c, error);
        }
        c->nccl.ncclCommGetAsyncError(c->comm, &result);
        if (refused(result))
            return nccl_failed(c, result, "collectives", error);
        if (process_group_check(collectives->group, error)) {
            abandon(c);
            return error->status;
        }
        if (overdue(c, begun, error))
            return error->status;
        usleep(NAP_US);
    }
}

/* Aborting does not wait for others, which may be gone; all work has ended, or is void. The
 * library stays: threads of its own may still be leaving it. */
static void nccl_close(struct collectives *collectives)
{
    abandon(nccl_of(collectives));
}

static const struct collective_transport nccl_transport = {
    nccl_exchange,
    nccl_sum_parts,
    nccl_wait,
    nccl_close,
};

static enum status communicator_open(struct cuda_collectives *c, struct error *error)
{
    ncclUniqueId id = {};
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;

    config.blocking = 0;
    if (c->base.rank == 0) {
        const ncclResult_t result = c->nccl.ncclGetUniqueId(&id);
        if (result != ncclSuccess)
            return error_set(error, STATUS_DEVICE, "NCCL: %s",
                             c->nccl.ncclGetErrorString(result));
    }
    if (process_group_broadcast(c->base.group, &id, sizeof id, error))
        return error->status;
    return settle(
        c,
        c->nccl.ncclCommInitRankConfig(&c->comm, c->base.size, id, c->base.rank, &config),
        "connecting the GPUs", error);
}

enum status cuda_collectives_open(struct collectives **collectives,
                                  const struct collectives *base, struct error *error)
{
    struct cuda_collectives *c =
        static_cast<struct cuda_collectives *>(memory_allocate(sizeof *c));

    c->base = *base;
    c->base.transport = &nccl_transport;
    c->base.staging_bytes = STAGING_BYTES;
    *collectives = &c->base;
    enum status status = library_open(&c->nccl, error);
    if (!status)
        status = communicator_open(c, error);
    if (status) {
        collectives_close(&c->base);
        *collectives = NULL;
    }
    return status;
}

#else

enum status cuda_collectives_open(struct collectives **collectives,
                                  const struct collectives *base, struct error *error)
{
    (void)base;
    *collectives = NULL;
    return error_set(error, STATUS_UNSUPPORTED,
                     "several GPUs need NCCL, and this holdfast was built without it: "
                     "install nccl.h (libnccl-dev) and build again");
}

#endif
