#include "tests/gpu/emulator/emulator.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define FORBID(memory, bytes) __asan_poison_memory_region(memory, bytes)
#define ALLOW(memory, bytes)  __asan_unpoison_memory_region(memory, bytes)
#else
#define FORBID(memory, bytes) ((void)(memory), (void)(bytes))
#define ALLOW(memory, bytes)  ((void)(memory), (void)(bytes))
#endif

/* The functions of CUDA's runtime that the back-end calls. */

typedef std::vector<std::function<void()>> works;

struct CUgraph_st {
    works all;
};

struct CUgraphExec_st {
    works all;
};

struct CUstream_st {
    std::deque<std::function<bool()>> waiting; /* each until it is over */
    uint64_t given, done;
    CUgraph_st *captured; /* NULL: it is not */
};

struct CUevent_st {
    cudaStream_t stream; /* NULL: never recorded */
    uint64_t given;      /* of the stream, when it was */
    double seconds;
};

namespace {

enum { ALIGNMENT = 256, GAP_BYTES = 4096, MULTIPROCESSORS = 3 };

/* Of fresh memory: all of a test's, not of one that asks for all there is. */
const size_t FILLED_MOST = 64 << 20;

std::recursive_mutex mutex;
typedef std::lock_guard<std::recursive_mutex> locked;
thread_local cudaError_t last_error = cudaSuccess;
std::set<cudaStream_t> streams;

cudaError_t failed(cudaError_t code)
{
    if (code != cudaSuccess)
        last_error = code;
    return code;
}

size_t environment(const char *name, size_t without)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : without;
}

int capability()
{
    static const int number =
        static_cast<int>(environment("HOLDFAST_EMULATOR_CAPABILITY", 90));
    return number;
}

/* Shared memory of a block, at most. */
size_t shared_most()
{
    return static_cast<size_t>(capability() == 90 ? 227 : capability() == 80 ? 163 : 99) << 10;
}

/* ---- Memory: one range of addresses, which only work on a stream can touch ---- */

struct {
    unsigned char *start;
    size_t bytes, used;
    std::map<size_t, size_t> taken; /* where: bytes */
    int depth;                      /* of work that runs */
} device;

void memory_reserve()
{
    if (device.start)
        return;
    device.bytes = environment("HOLDFAST_EMULATOR_MEMORY", size_t(2) << 30);
    void *memory = mmap(NULL, device.bytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        emulator::stop("no range of %zu addresses", device.bytes);
    device.start = static_cast<unsigned char *>(memory);
    madvise(memory, device.bytes, MADV_HUGEPAGE); /* fewer pages to permit and to forbid */
}

/* Between the first allocations that leave room for it. */
bool place_find(size_t bytes, size_t *place)
{
    size_t at = 0;

    for (const auto &taken : device.taken) {
        if (taken.first >= at + bytes + GAP_BYTES)
            break;
        at = (taken.first + taken.second + GAP_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    *place = at;
    return at + bytes + GAP_BYTES <= device.bytes;
}

void permit(int protection)
{
    if (device.start && mprotect(device.start, device.bytes, protection))
        emulator::stop("mprotect");
}

/* Of what work does, alone or within other work. */
struct running {
    running()
    {
        if (device.depth++ == 0)
            permit(PROT_READ | PROT_WRITE);
    }
    ~running()
    {
        if (--device.depth == 0)
            permit(PROT_NONE);
    }
};

bool on_device(const void *memory)
{
    const unsigned char *at = static_cast<const unsigned char *>(memory);
    return device.start && at >= device.start && at < device.start + device.bytes;
}

/* Whether an allocation has all of it. */
bool whole(const void *memory, size_t bytes)
{
    const size_t at = static_cast<size_t>(static_cast<const unsigned char *>(memory) -
                                          device.start);
    auto after = device.taken.upper_bound(at);

    if (after == device.taken.begin())
        return false;
    --after;
    return at + bytes <= after->first + after->second;
}

/* ---- Streams ---- */

/* What is next; whether it is over. */
bool work_once(cudaStream_t stream)
{
    const running device_memory;

    if (!stream->waiting.front()())
        return false;
    stream->waiting.pop_front();
    stream->done++;
    return true;
}

void work_until(cudaStream_t stream, uint64_t given)
{
    if (stream->done >= given)
        return;
    const running device_memory;
    while (stream->done < given)
        work_once(stream);
}

void work_all()
{
    for (cudaStream_t stream : streams)
        work_until(stream, stream->given);
}

} /* namespace */

cudaError_t emulator::enqueue_waiting(cudaStream_t stream, std::function<bool()> work)
{
    const locked lock(mutex);

    stream->waiting.push_back(std::move(work));
    stream->given++;
    return cudaSuccess;
}

cudaError_t emulator::enqueue(cudaStream_t stream, std::function<void()> work)
{
    const locked lock(mutex);

    if (!stream->captured)
        return enqueue_waiting(stream, [work] { return work(), true; });
    stream->captured->all.push_back(std::move(work));
    return cudaSuccess;
}

void emulator::enqueue(cudaStream_t stream, const launch &launch,
                       std::function<void()> thread)
{
    const dim3 block = launch.block, grid = launch.grid;

    if (block.y != 1 || block.z != 1 || block.x % LANES != 0)
        stop("%s: blocks are one-dimensional and whole warps", launch.kernel);
    if (block.x < 1 || block.x > THREADS_MOST || grid.x < 1 || grid.x > 0x7FFFFFFFU ||
        grid.y < 1 || grid.y > 65535 || grid.z < 1 || grid.z > 65535 ||
        launch.shared_bytes > shared_most()) {
        failed(cudaErrorInvalidConfiguration);
        return;
    }
    enqueue(stream, [launch, thread] { run(launch, thread); });
}

extern "C" {

cudaError_t cudaGetLastError(void)
{
    const cudaError_t code = last_error;
    last_error = cudaSuccess;
    return code;
}

const char *cudaGetErrorString(cudaError_t code)
{
    static thread_local char text[64];
    snprintf(text, sizeof text, "error %d of the emulator", static_cast<int>(code));
    return text;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = static_cast<int>(environment("HOLDFAST_EMULATOR_DEVICES", 2));
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int number)
{
    int count;

    cudaGetDeviceCount(&count);
    return failed(number >= 0 && number < count ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int)
{
    memory_reserve();
    memset(properties, 0, sizeof *properties);
    strcpy(properties->name, "GPU emulator");
    properties->major = capability() / 10;
    properties->minor = capability() % 10;
    properties->totalGlobalMem = device.bytes;
    properties->multiProcessorCount = MULTIPROCESSORS;
    properties->sharedMemPerBlock = 48 << 10;
    properties->sharedMemPerBlockOptin = shared_most();
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *, cudaFuncAttribute attribute, int value)
{
    return failed(attribute == cudaFuncAttributeMaxDynamicSharedMemorySize &&
                          static_cast<size_t>(value) > shared_most()
                      ? cudaErrorInvalidValue
                      : cudaSuccess);
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *,
                                                                   int, size_t, unsigned)
{
    *blocks = 2;
    return cudaSuccess;
}

/* ---- Memory ---- */

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    const locked lock(mutex);
    size_t place;

    memory_reserve();
    if (!place_find(bytes, &place))
        return failed(cudaErrorMemoryAllocation);
    device.taken[place] = bytes;
    device.used += bytes;
    const running device_memory;
    *memory = device.start + place;
    ALLOW(*memory, bytes);
    memset(*memory, 0xFF, std::min(bytes, FILLED_MOST));
    FORBID(device.start + place + bytes, GAP_BYTES);
    return cudaSuccess;
}

/* Others may be using it: CUDA waits as well. */
cudaError_t cudaFree(void *memory)
{
    const locked lock(mutex);

    if (!memory)
        return cudaSuccess;
    const size_t place = static_cast<size_t>(static_cast<unsigned char *>(memory) - device.start);
    const auto found = device.taken.find(place);
    if (!on_device(memory) || found == device.taken.end())
        return failed(cudaErrorInvalidValue);
    work_all();
    const size_t pages = (place + 4095) / 4096 * 4096, end = (place + found->second) / 4096 * 4096;
    if (end > pages)
        madvise(device.start + pages, end - pages, MADV_DONTNEED);
    FORBID(memory, found->second);
    device.used -= found->second;
    device.taken.erase(found);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    const locked lock(mutex);

    memory_reserve();
    *free_bytes = device.bytes - device.used;
    *total_bytes = device.bytes;
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned)
{
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    return failed(*memory ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void *memory)
{
    const locked lock(mutex);

    work_all();
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const locked lock(mutex);
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;

    if (on_device(to) != to_device || on_device(from) != from_device ||
        (to_device && !whole(to, bytes)) || (from_device && !whole(from, bytes)))
        return failed(cudaErrorInvalidValue);
    return emulator::enqueue(stream, [=] { memcpy(to, from, bytes); });
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    const locked lock(mutex);

    if (!on_device(memory) || !whole(memory, bytes))
        return failed(cudaErrorInvalidValue);
    return emulator::enqueue(stream, [=] { memset(memory, value, bytes); });
}

/* ---- Streams and events ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    const locked lock(mutex);

    *stream = new CUstream_st();
    streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    const locked lock(mutex);

    work_until(stream, stream->given);
    streams.erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    const locked lock(mutex);

    if (stream->captured)
        return failed(cudaErrorStreamCaptureUnsupported);
    work_until(stream, stream->given);
    return cudaSuccess;
}

/* One piece of work a question. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    const locked lock(mutex);

    if (stream->done == stream->given)
        return cudaSuccess;
    work_once(stream);
    return cudaErrorNotReady;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new CUevent_st();
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, 0);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    const locked lock(mutex);

    emulator::enqueue(stream, [event] {
        event->seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
                .count();
    });
    event->stream = stream;
    event->given = stream->given;
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    const locked lock(mutex);

    if (event->stream)
        work_until(event->stream, event->given);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t stop)
{
    *milliseconds = static_cast<float>((stop->seconds - start->seconds) * 1000);
    return cudaSuccess;
}

/* ---- Graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    const locked lock(mutex);

    stream->captured = new CUgraph_st();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    const locked lock(mutex);

    *graph = stream->captured;
    stream->captured = NULL;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    *exec = new CUgraphExec_st{graph->all};
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    const locked lock(mutex);

    work_all();
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    return emulator::enqueue(stream, [exec] {
        for (const std::function<void()> &work : exec->all)
            work();
    });
}

} /* extern "C" */
