#ifndef HOLDFAST_TESTS_GPU_EMULATOR_EMULATOR_H
#define HOLDFAST_TESTS_GPU_EMULATOR_EMULATOR_H

#include <cuda_runtime.h>

#include <functional>
#include <stddef.h>
#include <stdint.h>

/*
 * A GPU on the CPU, so that the CUDA back-end runs where there is none: `make
 * test-gpu-emulated`. Kernels are compiled as C++ (launches.pl turns `<<<` into a call, and
 * device.h gives the intrinsics); each thread of a block is a fiber, run until it waits for
 * others. It says whether a kernel is right, not whether it is fast.
 *
 * It is stricter than a GPU, and stops the program (abort) with the place where
 *     - lanes of a warp meet at different instructions, or wait for one that has ended,
 *     - threads of a block wait at different barriers, or for ever,
 *     - the host touches the device's memory (a segmentation fault), or a copy goes beyond
 *       an allocation.
 * Work waits on its stream until somebody waits for it, copies to shared memory until the
 * thread waits for them, and fresh memory is full of NaN: what is read too early is wrong.
 * The address sanitizer (make VARIANT=asan) sees what a kernel reads beyond an allocation.
 *
 * Not emulated: what tensor cores round differently (their sums are fp32 here), cuDNN,
 * the order in which a GPU really runs its threads.
 *
 *     HOLDFAST_EMULATOR_ORDER       forward (default), reverse: of blocks, warps and lanes.
 *                                   A missing barrier shows in one of them.
 *     HOLDFAST_EMULATOR_CAPABILITY  90 (default), 80, 86: shared memory and name
 *     HOLDFAST_EMULATOR_DEVICES     how many there are (default 2)
 *     HOLDFAST_EMULATOR_MEMORY      bytes of the device (default 2 GiB)
 */
namespace emulator
{

enum { LANES = 32, SLOT_BYTES = 32, THREADS_MOST = 1024, SHARED_BYTES_MOST = 227 << 10 };

/* ---- Blocks (block.cpp) ---- */

struct place {
    const char *file;
    int line;
};

struct launch {
    const char *kernel; /* as written at the launch */
    dim3 grid, block;
    size_t shared_bytes;
};

/* Runs all blocks; `thread` is the kernel with its arguments. */
void run(const launch &launch, const std::function<void()> &thread);
/* Of a thread, in a kernel: gives `bytes` (at most SLOT_BYTES) and, when all lanes of the
 * warp have, returns what they gave: [LANES][SLOT_BYTES], valid until the next exchange. */
const unsigned char *exchange(const void *value, size_t bytes, place where);
void block_barrier(place where);
/* Of a thread, in a kernel: to be copied when it waits for its copies. */
void copy_begin(void *to, const void *from, size_t bytes, bool inside);
void copies_wait(void);
unsigned thread_lane(void);

/* ---- Streams (runtime.cpp) ---- */

/* Puts work on a stream, or into the graph that is captured from it. */
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);
/* The same for work that others have to do with: it is asked again until it is over (true);
 * not to be captured. */
cudaError_t enqueue_waiting(cudaStream_t stream, std::function<bool()> work);
/* A kernel's launch: an impossible one sets the last error, as CUDA does. */
void enqueue(cudaStream_t stream, const launch &launch, std::function<void()> thread);

[[noreturn]] void stop(const char *format, ...) __attribute__((format(printf, 1, 2)));

} /* namespace emulator */

#endif
