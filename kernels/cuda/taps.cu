// Weighted sums along one dimension, each of a few places: what interpolation, padding by
// mirroring, pooling to uneven windows and their gradients are made of.
//
// Traffic: the input is read once, what sums share from the cache, and the result written once; the
// composition reads or writes five arrays of the result's size for each tap.
// Launch: one thread for an element of the result, (outer, rows, inner); neighbouring threads have
// neighbouring elements. Blocks of BLOCK. The order of a sum is the taps'.

#include "windows.cuh"

constexpr int BLOCK = 256;

// Row i of the result is the sum of weights[t] * (row places[t] of the input), t from starts[i] to
// before starts[i + 1].
template <typename T>
__global__ void __launch_bounds__(BLOCK) combine(
        const T* __restrict__ input, const int* __restrict__ starts,
        const int* __restrict__ places, const Wide<T>* __restrict__ weights, T* __restrict__ out,
        int size, Divisor rows, Divisor inner, int count) {
    const int number = int(blockIdx.x) * BLOCK + int(threadIdx.x);
    if (number >= count) return;
    const int line = inner.quotient(number), outer = rows.quotient(line);
    const int row = rows.remainder(line, outer);
    const T* elements = input + outer * size * int(inner.by) + inner.remainder(number, line);
    Wide<T> sum = 0;
    for (int t = starts[row]; t < starts[row + 1]; ++t) {
        sum += weights[t] * Wide<T>(elements[places[t] * int(inner.by)]);
    }
    out[number] = T(sum);
}
