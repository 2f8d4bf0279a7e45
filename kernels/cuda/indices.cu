// Indices that are all in their range, or a report.
//
// Traffic: the indices are read once. Nothing is written where all is well.
// Launch: one thread for each index; blocks of BLOCK.

#include "faults.cuh"

constexpr int BLOCK = 256;

// Those that are `ignored` may lie anywhere.
template <typename I>
__global__ void __launch_bounds__(BLOCK) check_indices(
        const I* __restrict__ indices, long long count, long long first, long long end,
        long long ignored, Report report) {
    const long long number = (long long)blockIdx.x * BLOCK + threadIdx.x;
    if (number >= count) return;
    const long long value = indices[number];
    if (value != ignored) within(value, first, end, report);
}
