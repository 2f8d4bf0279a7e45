// Softmax, its logarithm, and softmax cross-entropy, of rows that are dense in memory.
//
// Traffic, in arrays of the input's size: forward reads 1 and writes 1, backward reads 2 and writes
// 1; cross-entropy reads 1 and writes 3 numbers a row, its gradient reads 1 and writes 1. What a
// thread does not keep in registers, past KEPT elements, is read again, from the cache.
// Launch: GROUP threads for a row, a warp up to 512 columns and a block beyond; blocks of BLOCK.
// Neighbouring threads have neighbouring elements.

#include "groups.cuh"

constexpr int BLOCK = 256;
constexpr int KEPT = 16;

// A thread's share of one row.
template <typename T, int GROUP>
struct Share {
    const T* row;
    int columns;
    int first;
    T kept[KEPT];

    __device__ __forceinline__ Share(const T* row, int columns)
        : row(row), columns(columns), first(threadIdx.x % GROUP) {
#pragma unroll
        for (int k = 0; k < KEPT; ++k) {
            const int j = first + k * GROUP;
            kept[k] = j < columns ? row[j] : T(0);
        }
    }

    // f(j, element j) for each element of the share.
    template <typename Function>
    __device__ __forceinline__ void each(Function f) const {
#pragma unroll
        for (int k = 0; k < KEPT; ++k) {
            const int j = first + k * GROUP;
            if (j < columns) f(j, kept[k]);
        }
        for (int j = first + KEPT * GROUP; j < columns; j += GROUP) f(j, row[j]);
    }

    // Over all of the row.
    __device__ __forceinline__ T largest(T* shared) const {
        T found = row[0];
        each([&](int, T x) { found = maximum(found, x); });
        return group_largest<GROUP>(found, shared);
    }

    template <typename Function>
    __device__ __forceinline__ T sum(T* shared, Function f) const {
        T found = 0;
        each([&](int j, T x) { found += f(j, x); });
        return group_sum<GROUP>(found, shared);
    }
};

template <int GROUP>
__device__ __forceinline__ long long row_of_group() {
    return (long long)blockIdx.x * (BLOCK / GROUP) + threadIdx.x / GROUP;
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) softmax(
        const T* __restrict__ input, T* __restrict__ out, long long rows, int columns) {
    __shared__ T largest[BLOCK / 32];
    __shared__ T sums[BLOCK / 32];
    const long long row = row_of_group<GROUP>();
    if (row >= rows) return;
    const Share<T, GROUP> share(input + row * columns, columns);
    const T peak = share.largest(largest);
    const T total = share.sum(sums, [&](int, T x) { return exp(x - peak); });
    T* result = out + row * columns;
    share.each([&](int j, T x) { result[j] = exp(x - peak) / total; });
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) log_softmax(
        const T* __restrict__ input, T* __restrict__ out, long long rows, int columns) {
    __shared__ T largest[BLOCK / 32];
    __shared__ T sums[BLOCK / 32];
    const long long row = row_of_group<GROUP>();
    if (row >= rows) return;
    const Share<T, GROUP> share(input + row * columns, columns);
    const T peak = share.largest(largest);
    const T level = log(share.sum(sums, [&](int, T x) { return exp(x - peak); }));
    T* result = out + row * columns;
    share.each([&](int j, T x) { result[j] = (x - peak) - level; });
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) softmax_vjp(
        const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, long long rows,
        int columns) {
    __shared__ T sums[BLOCK / 32];
    const long long row = row_of_group<GROUP>();
    if (row >= rows) return;
    const Share<T, GROUP> share(y + row * columns, columns);
    const T* gradient = g + row * columns;
    const T total = share.sum(sums, [&](int j, T p) { return gradient[j] * p; });
    T* result = out + row * columns;
    share.each([&](int j, T p) { result[j] = p * (gradient[j] - total); });
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) log_softmax_vjp(
        const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, long long rows,
        int columns) {
    __shared__ T sums[BLOCK / 32];
    const long long row = row_of_group<GROUP>();
    if (row >= rows) return;
    const Share<T, GROUP> share(g + row * columns, columns);
    const T* logs = y + row * columns;
    const T total = share.sum(sums, [&](int, T x) { return x; });
    T* result = out + row * columns;
    share.each([&](int j, T x) { result[j] = x - exp(logs[j]) * total; });
}

// The loss of each row, and for its gradient the row's largest element and the sum above it.
template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) cross_entropy(
        const T* __restrict__ input, const long long* __restrict__ target, T* __restrict__ loss,
        T* __restrict__ state, long long rows, int columns, long long ignored) {
    __shared__ T largest[BLOCK / 32];
    __shared__ T sums[BLOCK / 32];
    const long long row = row_of_group<GROUP>();
    if (row >= rows) return;
    const Share<T, GROUP> share(input + row * columns, columns);
    const T peak = share.largest(largest);
    const T total = share.sum(sums, [&](int, T x) { return exp(x - peak); });
    if (share.first == 0) {
        const long long named = target[row];
        state[2 * row] = peak;
        state[2 * row + 1] = total;
        loss[row] = named == ignored ? T(0) : log(total) - (share.row[named] - peak);
    }
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) cross_entropy_vjp(
        const T* __restrict__ g, const T* __restrict__ input, const long long* __restrict__ target,
        const T* __restrict__ state, T* __restrict__ out, long long rows, int columns,
        long long ignored) {
    const long long row = row_of_group<GROUP>();
    if (row >= rows) return;
    const long long named = target[row];
    const T gradient = g[row], peak = state[2 * row], total = state[2 * row + 1];
    const T* x = input + row * columns;
    T* result = out + row * columns;
    for (int j = threadIdx.x % GROUP; j < columns; j += GROUP) {
        const T share = exp(x[j] - peak) / total;
        result[j] = named == ignored ? T(0) : gradient * (j == named ? share - T(1) : share);
    }
}
