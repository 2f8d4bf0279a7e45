// What kernels may do, in small: the words of CUDA C that the CPU must understand as a GPU does.

template <typename T>
__global__ void places(T* out) {
    const int width = gridDim.x * blockDim.x, height = gridDim.y * blockDim.y;
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    const int z = blockIdx.z * blockDim.z + threadIdx.z;
    out[(z * height + y) * width + x] = 10000 * z + 100 * y + x;
}

template <typename T>
__global__ void transposed(const T* in, T* out, int rows, int columns) {
    __shared__ T tile[16][16 + 1];
    int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
    if (y < rows && x < columns) tile[threadIdx.y][threadIdx.x] = in[y * columns + x];
    __syncthreads();
    x = blockIdx.y * 16 + threadIdx.x;
    y = blockIdx.x * 16 + threadIdx.y;
    if (y < columns && x < rows) out[y * rows + x] = tile[threadIdx.x][threadIdx.y];
}

// One warp, which may be a part of one; out has eight rows of 32.
template <typename T>
__global__ void lanes(T* out) {
    const unsigned all = 0xffffffffu;
    const T mine = threadIdx.x;
    T* column = out + threadIdx.x;
    column[0] = __shfl_sync(all, mine, 3);
    column[32] = __shfl_xor_sync(all, mine, 1);
    column[64] = __shfl_down_sync(all, mine, 2);
    column[96] = __shfl_up_sync(all, mine, 2);
    column[128] = __ballot_sync(all, threadIdx.x % 3 == 0) % 65536;
    column[160] = __any_sync(all, threadIdx.x == 5);
    column[192] = threadIdx.x < 16 ? __shfl_sync(0xffffu, mine, 7) : __shfl_sync(~0xffffu, mine, 20);
    __syncwarp();
    column[224] = 1;
}

template <typename T>
__global__ void reversed(const T* in, T* out, int n) {
    extern __shared__ double kept[];
    for (int start = 0; start < n; start += blockDim.x) {
        const int count = min(n - start, int(blockDim.x));
        if (threadIdx.x < count) kept[threadIdx.x] = in[start + threadIdx.x];
        __syncthreads();
        if (threadIdx.x < count) out[start + threadIdx.x] = kept[count - 1 - threadIdx.x];
        __syncthreads();
    }
}

template <typename T>
__global__ void counted(T* out) {
    atomicAdd(out, 1);
    atomicMax(out + 1, T(threadIdx.x));
    if (threadIdx.x == 0) atomicExch(out + 2, T(7));
}
