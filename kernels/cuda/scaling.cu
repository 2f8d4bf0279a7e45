// The gradients of a scaled loss divided by the scale, in one launch for all arrays.
//
// Traffic: each array read and written once, 16 bytes an access where it begins at a multiple of 16.
// Found is set to 1 if a quotient is infinite or NaN; as nothing sets it to another number, the order
// of the blocks does not matter. Quotients are products with the reciprocal, rounded to float.
// Launch: one block of THREADS for each chunk of CHUNK elements of each array.

#include "lists.cuh"

template <typename T>
__global__ void __launch_bounds__(THREADS) unscale(
        const long long* __restrict__ table, int rows, const float* __restrict__ scale,
        float* __restrict__ found) {
    using A = Wide<T>;
    const Row<1> row = rows_of<1>(table)[row_of_chunk<1>(table, rows, blockIdx.x)];
    const long long start = (blockIdx.x - row.first_chunk) * CHUNK;
    const int count = row.size - start < CHUNK ? int(row.size - start) : CHUNK;
    T* elements = reinterpret_cast<T*>(row.addresses[0]) + start;
    const bool aligned = row.is_vector_aligned();
    const A factor = A(float(1.0 / double(*scale)));
    bool all_finite = true;
    for (int i = threadIdx.x * VECTOR<T>; i < count; i += THREADS * VECTOR<T>) {
        const int some = count - i < VECTOR<T> ? count - i : VECTOR<T>;
        const bool whole = aligned && some == VECTOR<T>;
        Part<T, VECTOR<T>> part;
        if (whole) part = *reinterpret_cast<const Part<T, VECTOR<T>>*>(elements + i);
#pragma unroll
        for (int j = 0; j < VECTOR<T>; ++j) {
            if (j >= some) break;
            const T quotient = T(A(whole ? part.of[j] : elements[i + j]) * factor);
            all_finite = all_finite && isfinite(A(quotient));
            if (whole) part.of[j] = quotient; else elements[i + j] = quotient;
        }
        if (whole) *reinterpret_cast<Part<T, VECTOR<T>>*>(elements + i) = part;
    }
    if (!all_finite) atomicExch(found, 1.0f);
}
