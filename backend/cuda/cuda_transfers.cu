#include "backend/cuda/cuda_transfers.h"

#include "backend/cuda/cuda_record.h"

extern "C" {
#include "base/memory.h"
}

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOT_COUNT = 16,
    SLOT_BYTES = 1 << 20,
    WORKER_SLOTS = 2, /* of a thread, one being copied while the other travels */
    WORKERS_MOST = SLOT_COUNT / WORKER_SLOTS,
    WORKER_BYTES_LEAST = 4 << 20, /* starting a thread costs about as much as 1 MiB */
    SMALL_ALIGNMENT = 64,
    RESULTS_BYTES = 1 << 20,
    DELIVERIES_MOST = 1024
};

struct delivery {
    void *host;
    const void *pinned;
    size_t bytes;
};

struct cuda_transfers {
    unsigned char *staging; /* [SLOT_COUNT][SLOT_BYTES] */
    cudaEvent_t slot_free[SLOT_COUNT];
    int slot; /* where small copies to the device go */
    size_t slot_used;
    unsigned char *results; /* [RESULTS_BYTES] */
    size_t results_used;
    struct delivery deliveries[DELIVERIES_MOST];
    int delivery_count;
};

void cuda_transfers_open(struct cuda_backend *cuda)
{
    struct cuda_transfers *transfers =
        static_cast<struct cuda_transfers *>(memory_allocate(sizeof *transfers));
    void *staging = NULL, *results = NULL;

    cuda->transfers = transfers;
    cuda_good(cuda,
              cudaHostAlloc(&staging, static_cast<size_t>(SLOT_COUNT) * SLOT_BYTES,
                            cudaHostAllocDefault),
              "pinned memory");
    cuda_good(cuda, cudaHostAlloc(&results, RESULTS_BYTES, cudaHostAllocDefault),
              "pinned memory");
    transfers->staging = static_cast<unsigned char *>(staging);
    transfers->results = static_cast<unsigned char *>(results);
    for (int i = 0; i < SLOT_COUNT; i++)
        cuda_good(
            cuda,
            cudaEventCreateWithFlags(&transfers->slot_free[i], cudaEventDisableTiming),
            "event");
}

void cuda_transfers_close(struct cuda_backend *cuda)
{
    struct cuda_transfers *transfers = cuda->transfers;

    if (!transfers)
        return;
    for (int i = 0; i < SLOT_COUNT; i++)
        if (transfers->slot_free[i])
            cudaEventDestroy(transfers->slot_free[i]);
    cudaFreeHost(transfers->staging);
    cudaFreeHost(transfers->results);
    free(transfers);
    cuda->transfers = NULL;
}

static unsigned char *slot_memory(const struct cuda_transfers *transfers, int slot)
{
    return transfers->staging + static_cast<size_t>(slot) * SLOT_BYTES;
}

/* ---- Large copies: pieces of a slot, taken in turn by several threads ---- */

struct transfer {
    struct cuda_backend *cuda;
    unsigned char *device;
    unsigned char *host;
    size_t bytes;
    size_t next; /* atomic: where the next piece begins */
    int code;    /* atomic: the first cudaError_t */
};

struct worker {
    struct transfer *transfer;
    void (*run)(struct worker *);
    int first_slot;
    pthread_t thread;
};

struct piece {
    size_t first;
    size_t bytes; /* 0: none */
    int slot;
};

static bool transfer_good(struct transfer *transfer, cudaError_t code)
{
    int none = cudaSuccess;

    if (code != cudaSuccess)
        __atomic_compare_exchange_n(&transfer->code, &none, static_cast<int>(code), false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return code == cudaSuccess;
}

static struct piece piece_take(struct transfer *transfer, int slot)
{
    struct piece piece = {0, 0, slot};

    piece.first = __atomic_fetch_add(&transfer->next, static_cast<size_t>(SLOT_BYTES),
                                     __ATOMIC_RELAXED);
    if (piece.first < transfer->bytes) {
        const size_t left = transfer->bytes - piece.first, most = SLOT_BYTES;
        piece.bytes = left < most ? left : most;
    }
    return piece;
}

/* Enqueues a piece between its slot and the device. */
static bool piece_send(struct transfer *transfer, const struct piece *piece,
                       enum cudaMemcpyKind kind)
{
    struct cuda_backend *cuda = transfer->cuda;
    unsigned char *pinned = slot_memory(cuda->transfers, piece->slot);
    unsigned char *device = transfer->device + piece->first;
    const bool in = kind == cudaMemcpyHostToDevice;

    return transfer_good(transfer,
                         cudaMemcpyAsync(in ? device : pinned, in ? pinned : device,
                                         piece->bytes, kind, cuda->stream)) &&
           transfer_good(transfer, cudaEventRecord(cuda->transfers->slot_free[piece->slot],
                                                   cuda->stream));
}

static bool piece_wait(struct transfer *transfer, const struct piece *piece)
{
    return transfer_good(
        transfer, cudaEventSynchronize(transfer->cuda->transfers->slot_free[piece->slot]));
}

static void worker_in(struct worker *worker)
{
    struct transfer *transfer = worker->transfer;

    for (int turn = 0;; turn = (turn + 1) % WORKER_SLOTS) {
        const struct piece piece = piece_take(transfer, worker->first_slot + turn);
        if (piece.bytes == 0 || !piece_wait(transfer, &piece))
            return;
        memcpy(slot_memory(transfer->cuda->transfers, piece.slot),
               transfer->host + piece.first, piece.bytes);
        if (!piece_send(transfer, &piece, cudaMemcpyHostToDevice))
            return;
    }
}

/* While one piece travels, the one before it is copied. */
static void worker_out(struct worker *worker)
{
    struct transfer *transfer = worker->transfer;
    struct piece before = {0, 0, 0};

    for (int turn = 0;; turn = (turn + 1) % WORKER_SLOTS) {
        const struct piece piece = piece_take(transfer, worker->first_slot + turn);
        if (piece.bytes > 0 && !piece_send(transfer, &piece, cudaMemcpyDeviceToHost))
            return;
        if (before.bytes > 0) {
            if (!piece_wait(transfer, &before))
                return;
            memcpy(transfer->host + before.first,
                   slot_memory(transfer->cuda->transfers, before.slot), before.bytes);
        }
        if (piece.bytes == 0)
            return;
        before = piece;
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = static_cast<struct worker *>(argument);

    if (transfer_good(worker->transfer, cudaSetDevice(worker->transfer->cuda->device)))
        worker->run(worker);
    return NULL;
}

static int worker_count(const struct cuda_backend *cuda, size_t bytes)
{
    const size_t wanted = bytes / WORKER_BYTES_LEAST + 1;
    const size_t most =
        cuda->thread_count < WORKERS_MOST ? cuda->thread_count : WORKERS_MOST;

    return static_cast<int>(wanted < most ? wanted : most);
}

/* The calling thread is worker 0; where no more threads are to be had it does all. */
static void transfer_run(struct cuda_backend *cuda, struct transfer *transfer,
                         void (*run)(struct worker *))
{
    const int count = worker_count(cuda, transfer->bytes);
    struct worker workers[WORKERS_MOST];
    int started = 1;

    for (int i = 0; i < count; i++)
        workers[i] = {transfer, run, i * WORKER_SLOTS, pthread_t()};
    while (started < count && pthread_create(&workers[started].thread, NULL, worker_main,
                                             &workers[started]) == 0)
        started++;
    run(&workers[0]);
    for (int i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    cuda_good(cuda, static_cast<cudaError_t>(transfer->code), "copy");
}

/* ---- Small copies to the device ---- */

/* Marks the slot as taken until the stream has got here; the next copy starts another. */
static bool slot_leave(struct cuda_backend *cuda)
{
    struct cuda_transfers *transfers = cuda->transfers;

    transfers->slot_used = SLOT_BYTES;
    return cuda_good(
        cuda, cudaEventRecord(transfers->slot_free[transfers->slot], cuda->stream), "copy");
}

static bool slot_enter(struct cuda_backend *cuda)
{
    struct cuda_transfers *transfers = cuda->transfers;

    transfers->slot = (transfers->slot + 1) % SLOT_COUNT;
    transfers->slot_used = 0;
    return cuda_good(cuda, cudaEventSynchronize(transfers->slot_free[transfers->slot]),
                     "copy");
}

static void copy_in_small(struct cuda_backend *cuda, void *device, const void *host,
                          size_t bytes)
{
    struct cuda_transfers *transfers = cuda->transfers;
    const size_t whole = (bytes + SMALL_ALIGNMENT - 1) / SMALL_ALIGNMENT * SMALL_ALIGNMENT;

    if (whole > SLOT_BYTES - transfers->slot_used &&
        !(slot_leave(cuda) && slot_enter(cuda)))
        return;
    unsigned char *pinned = slot_memory(transfers, transfers->slot) + transfers->slot_used;
    transfers->slot_used += whole;
    memcpy(pinned, host, bytes);
    cuda_good(cuda,
              cudaMemcpyAsync(device, pinned, bytes, cudaMemcpyHostToDevice, cuda->stream),
              "copy to the device");
}

/* What one thread copies anyway: through the slots in turn, so that the host waits only
 * where all of them are on their way. (A large copy has two slots of its own choosing, of
 * which one may be the last one used: it would wait for all that the stream has to do.) */
static void copy_in_slots(struct cuda_backend *cuda, unsigned char *device,
                          const unsigned char *host, size_t bytes)
{
    for (size_t done = 0; done < bytes && !cuda->backend.error.status; done += SLOT_BYTES) {
        const size_t left = bytes - done, most = SLOT_BYTES;
        copy_in_small(cuda, device + done, host + done, left < most ? left : most);
    }
}

void cuda_copy_in(struct backend *backend, void *device, const void *host, size_t bytes)
{
    struct cuda_backend *cuda = cuda_of(backend);

    CHECK(
        !cuda->recording); /* the copy would be replayed, but not what `host` then holds */
    if (bytes < WORKER_BYTES_LEAST) {
        copy_in_slots(cuda, static_cast<unsigned char *>(device),
                      static_cast<const unsigned char *>(host), bytes);
        return;
    }
    struct transfer transfer = {
        cuda,
        static_cast<unsigned char *>(device),
        static_cast<unsigned char *>(const_cast<void *>(host)), /* only read from */
        bytes,
        0,
        cudaSuccess};
    if (slot_leave(cuda))
        transfer_run(cuda, &transfer, worker_in);
}

/* ---- Copies to the host ---- */

/* The stream has been waited for: every small copy reaches its `host`. */
static void deliver(struct cuda_backend *cuda)
{
    struct cuda_transfers *transfers = cuda->transfers;

    for (int i = 0; i < transfers->delivery_count; i++) {
        const struct delivery *delivery = &transfers->deliveries[i];
        memcpy(delivery->host, delivery->pinned, delivery->bytes);
    }
    transfers->delivery_count = 0;
    transfers->results_used = 0;
}

bool cuda_transfers_wait(struct cuda_backend *cuda)
{
    if (!cuda_good(cuda, cudaStreamSynchronize(cuda->stream), "waiting for the device")) {
        cuda->transfers->delivery_count = 0; /* what would arrive is not to be trusted */
        return false;
    }
    deliver(cuda);
    return true;
}

void cuda_transfers_expect(struct cuda_backend *cuda, void *host, const void *pinned,
                           size_t bytes)
{
    struct cuda_transfers *transfers = cuda->transfers;

    if (transfers->delivery_count == DELIVERIES_MOST && !cuda_transfers_wait(cuda))
        return;
    transfers->deliveries[transfers->delivery_count++] = {host, pinned, bytes};
}

/* Pinned memory that is delivered to `host` in time; NULL sets the sticky error. */
static void *result_reserve(struct cuda_backend *cuda, void *host, size_t bytes)
{
    struct cuda_transfers *transfers = cuda->transfers;
    const size_t whole = (bytes + SMALL_ALIGNMENT - 1) / SMALL_ALIGNMENT * SMALL_ALIGNMENT;

    if (cuda->recording)
        return cuda_record_result(cuda, host, bytes);
    if ((whole > RESULTS_BYTES - transfers->results_used ||
         transfers->delivery_count == DELIVERIES_MOST) &&
        !cuda_transfers_wait(cuda))
        return NULL;
    void *pinned = transfers->results + transfers->results_used;
    transfers->results_used += whole;
    cuda_transfers_expect(cuda, host, pinned, bytes);
    return pinned;
}

static void copy_out_small(struct cuda_backend *cuda, void *host, const void *device,
                           size_t bytes)
{
    void *pinned = result_reserve(cuda, host, bytes);

    if (pinned)
        cuda_good(
            cuda,
            cudaMemcpyAsync(pinned, device, bytes, cudaMemcpyDeviceToHost, cuda->stream),
            "copy to the host");
}

void cuda_copy_out(struct backend *backend, void *host, const void *device, size_t bytes)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (bytes <= CUDA_RESULT_BYTES || cuda->recording) {
        copy_out_small(cuda, host, device, bytes);
        return;
    }
    struct transfer transfer = {
        cuda,
        static_cast<unsigned char *>(const_cast<void *>(device)), /* only read from */
        static_cast<unsigned char *>(host),
        bytes,
        0,
        cudaSuccess};
    if (slot_leave(cuda))
        transfer_run(cuda, &transfer, worker_out);
}

void cuda_result(struct cuda_backend *cuda, double *host, const double *device, int count)
{
    copy_out_small(cuda, host, device, static_cast<size_t>(count) * sizeof *host);
}
