// The root of the sum of the squares of all elements of many arrays, in two launches.
//
// Traffic: each array is read once, 16 bytes an access where it begins at a multiple of 16, and
// eight bytes are written for each chunk. Squares are added up in float64, so that those of float32
// neither overflow nor vanish. Which elements a thread adds up, and in which order, follows from
// their places alone: the result is the same to the bit every time.
// Launch: squares one block of THREADS for each chunk of CHUNK elements of each array, root one.

#include "lists.cuh"
#include "groups.cuh"

template <typename T>
__global__ void __launch_bounds__(THREADS) squares(
        const long long* __restrict__ table, int rows, double* __restrict__ sums) {
    __shared__ double shared[THREADS / 32];
    const Row<1> row = rows_of<1>(table)[row_of_chunk<1>(table, rows, blockIdx.x)];
    const long long start = (blockIdx.x - row.first_chunk) * CHUNK;
    const int count = row.size - start < CHUNK ? int(row.size - start) : CHUNK;
    const T* elements = reinterpret_cast<const T*>(row.addresses[0]) + start;
    const bool aligned = row.is_vector_aligned();
    double sum = 0;
    for (int i = threadIdx.x * VECTOR<T>; i < count; i += THREADS * VECTOR<T>) {
        const int some = count - i < VECTOR<T> ? count - i : VECTOR<T>;
        Part<T, VECTOR<T>> part;
        if (aligned && some == VECTOR<T>) {
            part = *reinterpret_cast<const Part<T, VECTOR<T>>*>(elements + i);
        } else {
#pragma unroll
            for (int j = 0; j < VECTOR<T>; ++j) part.of[j] = j < some ? elements[i + j] : T(0);
        }
#pragma unroll
        for (int j = 0; j < VECTOR<T>; ++j) sum += double(part.of[j]) * double(part.of[j]);
    }
    sum = group_sum<THREADS>(sum, shared);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

template <typename T>
__global__ void __launch_bounds__(THREADS) root(
        const double* __restrict__ sums, long long count, T* __restrict__ norm) {
    __shared__ double shared[THREADS / 32];
    double sum = 0;
    for (long long i = threadIdx.x; i < count; i += THREADS) sum += sums[i];
    sum = group_sum<THREADS>(sum, shared);
    if (threadIdx.x == 0) *norm = T(sqrt(sum));
}
