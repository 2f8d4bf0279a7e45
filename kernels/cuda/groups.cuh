// Sums and largest elements over a group of threads, a warp or a block, in an order that never
// changes. NaN is the largest of all.

#include "elements.cuh"

// What `combine` makes of the values of all GROUP threads, for each of them. `shared` has an element
// for each warp of a block; it may be used again after a barrier. A group is 32 threads, a warp, or
// the block.
template <int GROUP, typename T, typename Combine>
__device__ __forceinline__ T over_group(T value, T* shared, Combine combine) {
#pragma unroll
    for (int step = 16; step > 0; step >>= 1) {
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, step));
    }
    if constexpr (GROUP > 32) {
        constexpr int WARPS = GROUP / 32;
        if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
        __syncthreads();
        value = shared[0];
        for (int warp = 1; warp < WARPS; ++warp) value = combine(value, shared[warp]);
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
