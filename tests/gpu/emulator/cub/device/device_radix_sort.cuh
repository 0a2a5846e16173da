#ifndef HOLDFAST_TESTS_GPU_EMULATOR_CUB_DEVICE_RADIX_SORT_CUH
#define HOLDFAST_TESTS_GPU_EMULATOR_CUB_DEVICE_RADIX_SORT_CUH

#include "tests/gpu/emulator/emulator.h"

#include <algorithm>
#include <numeric>
#include <vector>

/* The one function of CUB that is used: a stable sort by bits [begin, end) of the keys. */
namespace cub {

struct DeviceRadixSort {
    template <typename Key, typename Value>
    static cudaError_t SortPairs(void *memory, size_t &bytes, const Key *keys_in,
                                 Key *keys_out, const Value *values_in, Value *values_out,
                                 int count, int begin, int end, cudaStream_t stream)
    {
        if (!memory) {
            bytes = 1000;
            return cudaSuccess;
        }
        return emulator::enqueue(stream, [=] {
            const Key mask = static_cast<Key>((uint64_t(1) << (end - begin)) - 1);
            std::vector<int> order(static_cast<size_t>(count));
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
                return (keys_in[a] >> begin & mask) < (keys_in[b] >> begin & mask);
            });
            for (int i = 0; i < count; i++) {
                keys_out[i] = keys_in[order[static_cast<size_t>(i)]];
                values_out[i] = values_in[order[static_cast<size_t>(i)]];
            }
        });
    }
};

} /* namespace cub */

#endif
