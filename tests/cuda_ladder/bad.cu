// Kernels with a fault each, which one rung of the ladder or another must see.

template <typename T>
__global__ void write_past_the_end(T* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n) out[i] = 1;
}

template <typename T>
__global__ void read_before_the_start(T* out, int n) {
    const int i = threadIdx.x;
    if (i < n) out[i] = out[i - 1];
}

template <typename T>
__global__ void past_shared_memory(T* out, int n) {
    __shared__ T shared[32];
    shared[threadIdx.x + 1] = 1;
    __syncthreads();
    out[threadIdx.x] = shared[threadIdx.x];
}

template <typename T>
__global__ void past_dynamic_memory(T* out, int n) {
    extern __shared__ float dynamic[];
    dynamic[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = dynamic[threadIdx.x];
}

template <typename T>
struct alignas(16) Four {
    T of[4];
};

template <typename T>
__global__ void unaligned_vector(T* out, int n) {
    if (threadIdx.x == 0) *reinterpret_cast<Four<T>*>(out + 1) = Four<T>{};
}

template <typename T>
__global__ void no_barrier(T* out, int n) {
    __shared__ T shared[64];
    shared[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = shared[63 - threadIdx.x];
}

template <typename T>
__global__ void barrier_for_some(T* out, int n) {
    if (threadIdx.x < 16) __syncthreads();
    out[threadIdx.x] = 1;
}

template <typename T>
__global__ void shuffle_for_some(T* out, int n) {
    T value = threadIdx.x;
    if (threadIdx.x < 16) value += __shfl_xor_sync(0xffffffffu, value, 1);
    out[threadIdx.x] = value;
}

template <typename T>
__global__ void outside_its_mask(T* out, int n) {
    out[threadIdx.x] = __shfl_sync(0x0000ffffu, T(threadIdx.x), 0);
}

template <typename T>
__global__ void shared_memory_as_it_was(T* out, int n) {
    __shared__ T shared[64];
    if (threadIdx.x > 0) shared[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = shared[threadIdx.x];
}

template <typename T>
__global__ void add_without_atomic(T* out, int n) {
    out[0] += 1;
}

template <typename T>
__global__ void blocks_that_overlap(T* out, int n) {
    if (threadIdx.x + blockIdx.x < 64) out[threadIdx.x + blockIdx.x] = blockIdx.x;
}
