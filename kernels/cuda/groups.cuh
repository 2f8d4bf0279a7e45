// Sums and largest elements over a group of threads in an order that never changes. NaN is the
// largest of all.
//
// A group of 32 threads is a warp and of BLOCK the block; one of fewer than 32 has threads that are
// BLOCK / GROUP apart.

#include "elements.cuh"

constexpr int BLOCK = 256;

// Elements of shared memory that a group_sum or group_largest of these takes.
template <int GROUP>
constexpr int SLOTS = GROUP >= 32 ? GROUP / 32 : BLOCK;

// What `combine` makes of the values of all GROUP threads, for each of them. `shared` may be used
// again after a barrier.
template <int GROUP, typename T, typename Combine>
__device__ __forceinline__ T over_group(T value, T* shared, Combine combine) {
    if constexpr (GROUP >= 32) {
#pragma unroll
        for (int step = 16; step > 0; step >>= 1) {
            value = combine(value, __shfl_xor_sync(0xffffffffu, value, step));
        }
    }
    if constexpr (GROUP > 32) {
        if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
        __syncthreads();
        value = shared[0];
        for (int warp = 1; warp < SLOTS<GROUP>; ++warp) value = combine(value, shared[warp]);
    } else if constexpr (GROUP < 32) {
        constexpr int GROUPS = BLOCK / GROUP;
        shared[threadIdx.x] = value;
        __syncthreads();
        value = shared[threadIdx.x % GROUPS];
        for (int member = 1; member < GROUP; ++member) {
            value = combine(value, shared[member * GROUPS + threadIdx.x % GROUPS]);
        }
    }
    return value;
}

template <int GROUP, typename T>
__device__ __forceinline__ T group_sum(T value, T* shared) {
    return over_group<GROUP>(value, shared, [](T a, T b) { return a + b; });
}

template <int GROUP, typename T>
__device__ __forceinline__ T group_largest(T value, T* shared) {
    return over_group<GROUP>(value, shared, [](T a, T b) { return maximum(a, b); });
}
