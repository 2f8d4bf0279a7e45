// Lists of arrays as a table in device memory, worked off in chunks by one launch.
//
// Each block serves one chunk of CHUNK elements of one row; it finds the row by bisection, some
// log2(rows) reads that all its threads share.

#include "elements.cuh"

constexpr int THREADS = 256;
constexpr int CHUNK = 4096;

// Arrays of one size that are worked on together. No row is empty.
template <int ARRAYS>
struct Row {
    long long first_chunk;  // counted over all rows before
    long long size;
    long long addresses[ARRAYS];

    __device__ bool is_vector_aligned() const {
        long long all = 0;
        for (int k = 0; k < ARRAYS; ++k) all |= addresses[k];
        return (all & 15) == 0;
    }
};

template <int ARRAYS>
__device__ __forceinline__ const Row<ARRAYS>& row_of_chunk(
        const long long* table, int rows, long long chunk) {
    const Row<ARRAYS>* all = reinterpret_cast<const Row<ARRAYS>*>(table);
    int low = 0, high = rows;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (all[middle].first_chunk <= chunk) low = middle; else high = middle;
    }
    return all[low];
}
