// Steps of many arrays by one elementwise rule, such as an optimizer's, in one launch.
//
// Traffic: what the rule cannot do without, each array it uses read once and each it changes
// written once: 28 bytes an element of Adam in float32, over 100 by array operations one by one.
// Accesses are of 16 bytes where all arrays of a row begin at a multiple of 16.
// Launch: step_elements one block of THREADS for each chunk of CHUNK elements of each array,
// step_rows one thread for each VECTOR of elements of the rows that are stepped.
// Arithmetic: the rule's own, every operation rounded to Wide<T>. Its numbers lie in device memory,
// where the host or counters.cu put them: of each row, or the same of all. A step is left out if
// *skip is not 0.

#include "faults.cuh"
#include "lists.cuh"
#include "generated"  // ARRAYS, WRITTEN (a bit for each array), Numbers, rule

struct Addresses {
    long long of[ARRAYS];
};

// WIDTH elements of all arrays, array k's from places[k] on.
template <int WIDTH, typename T>
__device__ __forceinline__ void step_part(T* const (&places)[ARRAYS], const Numbers& numbers) {
    Part<T, WIDTH> parts[ARRAYS];
#pragma unroll
    for (int k = 0; k < ARRAYS; ++k) parts[k] = *reinterpret_cast<Part<T, WIDTH>*>(places[k]);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) {
        Wide<T> x[ARRAYS];
#pragma unroll
        for (int k = 0; k < ARRAYS; ++k) x[k] = parts[k].of[i];
        rule(x, numbers);
#pragma unroll
        for (int k = 0; k < ARRAYS; ++k) parts[k].of[i] = T(x[k]);
    }
#pragma unroll
    for (int k = 0; k < ARRAYS; ++k) {
        if (WRITTEN >> k & 1) *reinterpret_cast<Part<T, WIDTH>*>(places[k]) = parts[k];
    }
}

template <int WIDTH, typename T>
__device__ __forceinline__ void step_at(
        const Row<ARRAYS>& row, long long element, const Numbers& numbers) {
    T* places[ARRAYS];
#pragma unroll
    for (int k = 0; k < ARRAYS; ++k) places[k] = reinterpret_cast<T*>(row.addresses[k]) + element;
    step_part<WIDTH>(places, numbers);
}

template <typename T>
__global__ void __launch_bounds__(THREADS, 2) step_elements(
        const long long* __restrict__ table, int rows, unsigned long long values, int of_each,
        unsigned long long skip) {
    if (is_left_out(skip)) return;
    const int number = row_of_chunk<ARRAYS>(table, rows, blockIdx.x);
    const Row<ARRAYS> row = rows_of<ARRAYS>(table)[number];
    const Numbers numbers = reinterpret_cast<const Numbers*>(values)[of_each ? number : 0];
    const long long start = (blockIdx.x - row.first_chunk) * CHUNK;
    const int count = row.size - start < CHUNK ? int(row.size - start) : CHUNK;
    const int vectors = row.is_vector_aligned() ? count / VECTOR<T> : 0;
    // Not unrolled: rules with four arrays would need more registers than there are.
#pragma unroll 1
    for (int i = threadIdx.x; i < vectors; i += THREADS) {
        step_at<VECTOR<T>, T>(row, start + i * VECTOR<T>, numbers);
    }
#pragma unroll 1
    for (int i = vectors * VECTOR<T> + threadIdx.x; i < count; i += THREADS) {
        step_at<1, T>(row, start + i, numbers);
    }
}

// Rows of tables `width` wide; array 1 has one row for each that is named. No row is named twice, and
// one that is not there is reported.
template <typename T>
__global__ void __launch_bounds__(THREADS, 2) step_rows(
        const long long* __restrict__ rows, int count, int height, int width, Addresses tables,
        const double* __restrict__ values, unsigned long long skip, Report report) {
    if (is_left_out(skip)) return;
    const Numbers numbers = *reinterpret_cast<const Numbers*>(values);
    bool vectors = width % VECTOR<T> == 0;
    for (int k = 0; k < ARRAYS; ++k) vectors = vectors && tables.of[k] % 16 == 0;
    const int step = vectors ? VECTOR<T> : 1;
    const int in_a_row = width / step;
    const long long number = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (number >= (long long)count * in_a_row) return;
    const long long i = number / in_a_row;
    const int column = int(number % in_a_row) * step;
    const long long row = rows[i];
    if (!within(row, 0, height, report)) return;
    T* places[ARRAYS];
#pragma unroll
    for (int k = 0; k < ARRAYS; ++k) {
        places[k] = reinterpret_cast<T*>(tables.of[k]) + (k == 1 ? i : row) * width + column;
    }
    if (vectors) step_part<VECTOR<T>>(places, numbers);
    else step_part<1>(places, numbers);
}
