// Sums over the threads of a warp and of a block, in an order that never changes.

template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
    for (int step = 16; step > 0; step >>= 1) {
        value += __shfl_xor_sync(0xffffffffu, value, step);
    }
    return value;
}

// The sum over a block of BLOCK threads, for all of them. `shared` has an element for each warp;
// it may be used again after a barrier.
template <int BLOCK, typename T>
__device__ __forceinline__ T block_sum(T value, T* shared) {
    constexpr int WARPS = BLOCK / 32;
    value = warp_sum(value);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    T total = shared[0];
    for (int warp = 1; warp < WARPS; ++warp) total += shared[warp];
    return total;
}
