/* What the GPU emulator promises to notice, it notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {
#include <cmocka.h>
}

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 64 };

static cudaStream_t stream;
static float *memory; /* [THREADS] on the device */

static int device_begin(void **)
{
    void *allocated = NULL;

    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess ||
        cudaMalloc(&allocated, THREADS * sizeof *memory) != cudaSuccess)
        return -1;
    memory = static_cast<float *>(allocated);
    return 0;
}

static int device_end(void **)
{
    cudaFree(memory);
    cudaStreamDestroy(stream);
    return 0;
}

static void read_all(float *values)
{
    cudaMemcpyAsync(values, memory, THREADS * sizeof *values, cudaMemcpyDeviceToHost, stream);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
}

/* Runs `act` in a process of its own: it ends by `signal`, and says `words`. */
static void expect_death(void (*act)(void), int signal, const char *words)
{
    char text[1000] = "";
    size_t length = 0;
    ssize_t count;
    int ends[2], status;

    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        ::signal(signal, SIG_DFL); /* not the sanitizer's report */
        dup2(ends[1], STDERR_FILENO);
        act();
        cudaStreamSynchronize(stream);
        _exit(0);
    }
    close(ends[1]);
    while ((count = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        length += static_cast<size_t>(count);
    close(ends[0]);
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != signal || !strstr(text, words))
        fail_msg("status %d, and not '%s' but: %s", status, words, text);
}

static __global__ void some_lanes_leave(float *out)
{
    if (threadIdx.x % 32 >= 16)
        return;
    out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFU, 1.0f, 1);
}

static void leave(void)
{
    some_lanes_leave<<<1, THREADS, 0, stream>>>(memory);
}

static __global__ void lanes_part(float *out)
{
    if (threadIdx.x % 2 == 0)
        out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFU, 1.0f, 1);
    else
        out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFU, 2.0f, 1);
}

static void part(void)
{
    lanes_part<<<1, THREADS, 0, stream>>>(memory);
}

static __global__ void two_barriers(float *out)
{
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    out[threadIdx.x] = 1;
}

static void barriers(void)
{
    two_barriers<<<1, THREADS, 0, stream>>>(memory);
}

static void odd_block(void)
{
    two_barriers<<<1, 48, 0, stream>>>(memory);
}

static void host_reads(void)
{
    printf("%g\n", static_cast<double>(*static_cast<volatile float *>(memory)));
}

static void stops_where_a_gpu_would_hang_or_guess(void **)
{
    expect_death(leave, SIGABRT, "a lane waits for others that have ended");
    expect_death(part, SIGABRT, "lanes of a warp meet at");
    expect_death(barriers, SIGABRT, "threads of a block wait at");
    expect_death(odd_block, SIGABRT, "whole warps");
    expect_death(host_reads, SIGSEGV, "");
}

extern __shared__ float factors[]; /* the emulator knows this name */

/* The other warp's number, with or without the barrier that it takes. */
template <bool BARRIER> static __global__ void swap_kernel(float *out)
{
    factors[threadIdx.x] = static_cast<float>(threadIdx.x);
    if (BARRIER)
        __syncthreads();
    out[threadIdx.x] = factors[threadIdx.x ^ 32];
}

static void a_missing_barrier_shows(void **)
{
    float values[THREADS];
    int wrong = 0;

    swap_kernel<true><<<1, THREADS, sizeof values, stream>>>(memory);
    read_all(values);
    for (int i = 0; i < THREADS; i++)
        assert_true(values[i] == static_cast<float>(i ^ 32));
    swap_kernel<false><<<1, THREADS, sizeof values, stream>>>(memory);
    read_all(values);
    for (int i = 0; i < THREADS; i++)
        wrong += isnan(values[i]);
    assert_int_equal(wrong, 32); /* of the warp that is run first */
}

/* Early, and with what lies in fresh memory: what a GPU may do. */
static void work_waits_for_somebody_to_wait(void **)
{
    float host[THREADS] = {1, 2, 3};

    cudaMemcpyAsync(memory, host, sizeof host, cudaMemcpyHostToDevice, stream);
    host[0] = 7; /* too early */
    cudaStreamSynchronize(stream);
    read_all(host);
    assert_true(host[0] == 7 && host[1] == 2);

    void *fresh = NULL;
    assert_int_equal(cudaMalloc(&fresh, sizeof host), cudaSuccess);
    cudaMemcpyAsync(memory, fresh, sizeof host, cudaMemcpyDeviceToDevice, stream);
    read_all(host);
    assert_true(isnan(host[0]) && isnan(host[THREADS - 1]));
    cudaFree(fresh);
}

static void impossible_calls_fail(void **)
{
    const float host[THREADS + 1] = {};

    assert_int_equal(
        cudaMemcpyAsync(memory, host, sizeof host, cudaMemcpyHostToDevice, stream),
        cudaErrorInvalidValue);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
    assert_int_equal(cudaFree(memory + 1), cudaErrorInvalidValue);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
    two_barriers<<<1, 2048, 0, stream>>>(memory);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidConfiguration);
    two_barriers<<<1, THREADS, 228 << 10, stream>>>(memory);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidConfiguration);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_where_a_gpu_would_hang_or_guess),
        cmocka_unit_test(a_missing_barrier_shows),
        cmocka_unit_test(work_waits_for_somebody_to_wait),
        cmocka_unit_test(impossible_calls_fail),
    };
    return cmocka_run_group_tests(tests, device_begin, device_end);
}
