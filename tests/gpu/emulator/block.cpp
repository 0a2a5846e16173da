#include "tests/gpu/emulator/emulator.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vector>

#if !defined(__x86_64__)
#error "the emulator's fibers are written for x86-64"
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

/* What kernels call `extern __shared__`. */
#define DYNAMIC alignas(128) thread_local
DYNAMIC unsigned char shared_memory[emulator::SHARED_BYTES_MOST];
DYNAMIC float factors[emulator::SHARED_BYTES_MOST / sizeof(float)];
DYNAMIC float sums[emulator::SHARED_BYTES_MOST / sizeof(float)];

size_t __cvta_generic_to_shared(const void *pointer)
{
    return static_cast<size_t>(static_cast<const unsigned char *>(pointer) - shared_memory);
}

unsigned char *emulator_shared(uint32_t address)
{
    if (address >= emulator::SHARED_BYTES_MOST)
        emulator::stop("address %u is not one of shared memory", address);
    return shared_memory + address;
}

namespace emulator {

enum { STACK_BYTES = 256 << 10 };

enum state { READY, AT_WARP, AT_BLOCK, DONE };

struct copy {
    void *to;
    const void *from;
    size_t bytes;
    bool inside;
};

struct fiber {
    void *stack; /* where it goes on */
    enum state state;
    place where;
    std::vector<copy> copies;
};

struct warp {
    unsigned arrived, bytes;
    place where;
    int side; /* of `slots`, which the next exchange fills */
    unsigned char slots[2][LANES][SLOT_BYTES];
};

/* The block that runs. */
static struct {
    const launch *where;
    const std::function<void()> *thread;
    fiber fibers[THREADS_MOST];
    warp warps[THREADS_MOST / LANES];
    unsigned threads, done, current;
    unsigned char *stacks;
    void *scheduler;
} block;

void stop(const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fputs("GPU emulator: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (block.where)
        fprintf(stderr, ", in block %u %u %u, thread %u of %s", blockIdx.x, blockIdx.y,
                blockIdx.z, block.current, block.where->kernel);
    fputc('\n', stderr);
    abort();
}

static bool order_read(void)
{
    const char *order = getenv("HOLDFAST_EMULATOR_ORDER");
    if (order && strcmp(order, "forward") != 0 && strcmp(order, "reverse") != 0)
        stop("HOLDFAST_EMULATOR_ORDER is forward or reverse, not %s", order);
    return order && strcmp(order, "reverse") == 0;
}

/* Whether blocks, warps and lanes are run last first. */
static const bool reversed = order_read();

/* Where `i` of `count` comes. */
static unsigned turn(unsigned i, unsigned count)
{
    return reversed ? count - 1 - i : i;
}

/* ---- Fibers ---- */

/* Leaves the stack at `from` and goes on with that at `to`, with what a call preserves. */
extern "C" void emulator_switch(void **from, void *to);
asm(".text\n"
    ".globl emulator_switch\n"
    ".type emulator_switch, @function\n"
    "emulator_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size emulator_switch, .-emulator_switch\n");

static unsigned char *stack_of(unsigned thread)
{
    return block.stacks + static_cast<size_t>(thread) * STACK_BYTES;
}

#if SANITIZED
static const void *host_stack;
static size_t host_stack_bytes;
#endif

static void to_scheduler(void)
{
    fiber *self = &block.fibers[block.current];
#if SANITIZED
    void *fake = NULL;
    __sanitizer_start_switch_fiber(self->state == DONE ? NULL : &fake, host_stack,
                                   host_stack_bytes);
#endif
    emulator_switch(&self->stack, block.scheduler);
#if SANITIZED
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void to_fiber(unsigned thread)
{
    block.current = thread;
    threadIdx.x = thread;
#if SANITIZED
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, stack_of(thread), STACK_BYTES);
#endif
    emulator_switch(&block.scheduler, block.fibers[thread].stack);
#if SANITIZED
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void fiber_main(void)
{
#if SANITIZED
    __sanitizer_finish_switch_fiber(NULL, &host_stack, &host_stack_bytes);
#endif
    (*block.thread)();
    if (!block.fibers[block.current].copies.empty())
        stop("copies to shared memory that nobody waits for");
    block.fibers[block.current].state = DONE;
    block.done++;
    to_scheduler();
    abort(); /* is not run again */
}

/* Six registers and the address that emulator_switch() returns to. */
static void fiber_prepare(unsigned thread)
{
    void **top = reinterpret_cast<void **>(stack_of(thread) + STACK_BYTES) - 2;

#if SANITIZED
    __asan_unpoison_memory_region(stack_of(thread), STACK_BYTES);
#endif
    *top = reinterpret_cast<void *>(fiber_main);
    memset(top - 6, 0, 6 * sizeof *top);
    block.fibers[thread].stack = top - 6;
    block.fibers[thread].state = READY;
}

/* ---- What threads wait for ---- */

unsigned thread_lane(void)
{
    return block.current % LANES;
}

static bool same_place(place a, place b)
{
    return a.line == b.line && (a.file == b.file || strcmp(a.file, b.file) == 0);
}

static void wait_for_others(enum state state, place where)
{
    block.fibers[block.current].state = state;
    block.fibers[block.current].where = where;
    to_scheduler();
}

static void warp_release(unsigned first)
{
    warp *w = &block.warps[first / LANES];

    w->arrived = 0;
    w->side ^= 1;
    for (unsigned lane = 0; lane < LANES; lane++)
        block.fibers[first + lane].state = READY;
}

const unsigned char *exchange(const void *value, size_t bytes, place where)
{
    const unsigned first = block.current / LANES * LANES;
    warp *w = &block.warps[first / LANES];
    const unsigned char *slots = w->slots[w->side][0];

    if (bytes > SLOT_BYTES)
        stop("%s:%d: lanes exchange at most %d bytes", where.file, where.line, SLOT_BYTES);
    if (w->arrived > 0 && (!same_place(w->where, where) || w->bytes != bytes))
        stop("lanes of a warp meet at %s:%d and %s:%d", w->where.file, w->where.line,
             where.file, where.line);
    w->where = where;
    w->bytes = static_cast<unsigned>(bytes);
    if (bytes > 0)
        memcpy(w->slots[w->side][thread_lane()], value, bytes);
    if (++w->arrived == LANES)
        warp_release(first);
    else
        wait_for_others(AT_WARP, where);
    return slots;
}

void block_barrier(place where)
{
    wait_for_others(AT_BLOCK, where);
}

static void block_release(void)
{
    const fiber *first = NULL;

    for (unsigned i = 0; i < block.threads; i++) {
        fiber *f = &block.fibers[i];
        if (f->state == DONE)
            continue;
        block.current = i;
        if (f->state == AT_WARP)
            stop("%s:%d: a lane waits for others that have ended or wait elsewhere",
                 f->where.file, f->where.line);
        if (first && !same_place(first->where, f->where))
            stop("threads of a block wait at %s:%d and %s:%d", first->where.file,
                 first->where.line, f->where.file, f->where.line);
        first = first ? first : f;
        f->state = READY;
    }
}

void copy_begin(void *to, const void *from, size_t bytes, bool inside)
{
    if (reinterpret_cast<uintptr_t>(to) % bytes != 0 ||
        (inside && reinterpret_cast<uintptr_t>(from) % bytes != 0))
        stop("a copy of %zu bytes at an odd address", bytes);
    block.fibers[block.current].copies.push_back({to, from, bytes, inside});
}

void copies_wait(void)
{
    std::vector<copy> &copies = block.fibers[block.current].copies;

    for (const copy &c : copies)
        if (c.inside)
            memcpy(c.to, c.from, c.bytes);
        else
            memset(c.to, 0, c.bytes);
    copies.clear();
}

/* ---- Blocks ---- */

/* Until each lane has ended or waits. */
static bool warp_run(unsigned first)
{
    bool any = false;

    for (bool ran = true; ran;) {
        ran = false;
        for (unsigned i = 0; i < LANES; i++) {
            const unsigned thread = first + turn(i, LANES);
            if (block.fibers[thread].state != READY)
                continue;
            to_fiber(thread);
            ran = any = true;
        }
    }
    return any;
}

/* Nothing of what an earlier block left is there; beyond what was asked for is nothing. */
static void shared_prepare(size_t bytes)
{
    void *const all[] = {shared_memory, factors, sums};

    for (void *memory : all) {
        const size_t most = SHARED_BYTES_MOST;
#if SANITIZED
        __asan_unpoison_memory_region(memory, most);
        memset(memory, 0xFF, bytes);
        __asan_poison_memory_region(static_cast<unsigned char *>(memory) + bytes,
                                    most - bytes);
#else
        memset(memory, 0xFF, bytes < most ? bytes : most);
#endif
    }
}

static void block_run(void)
{
    const unsigned warps = block.threads / LANES;

    block.done = 0;
    for (unsigned i = 0; i < block.threads; i++)
        fiber_prepare(i);
    for (unsigned i = 0; i < warps; i++)
        block.warps[i].arrived = 0;
    shared_prepare(block.where->shared_bytes);
    while (block.done < block.threads) {
        bool any = false;
        for (unsigned i = 0; i < warps; i++)
            any = warp_run(turn(i, warps) * LANES) || any;
        if (block.done < block.threads)
            block_release();
    }
}

static void stacks_reserve(void)
{
    if (block.stacks)
        return;
    void *memory = mmap(NULL, static_cast<size_t>(THREADS_MOST) * STACK_BYTES,
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                        0);
    if (memory == MAP_FAILED)
        stop("no memory for stacks");
    block.stacks = static_cast<unsigned char *>(memory);
}

void run(const launch &launch, const std::function<void()> &thread)
{
    const dim3 grid = launch.grid;

    stacks_reserve();
    block.where = &launch;
    block.thread = &thread;
    block.threads = launch.block.x;
    blockDim = launch.block;
    gridDim = grid;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = {turn(x, grid.x), turn(y, grid.y), turn(z, grid.z)};
                block_run();
            }
    block.where = NULL;
}

} /* namespace emulator */
