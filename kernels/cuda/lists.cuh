// Lists of arrays as a table in device memory, worked off in chunks by one launch.
//
// Each block serves one chunk of CHUNK elements of one row; it finds the row by bisection, some
// log2(rows) reads that all its threads share.

#include "elements.cuh"

constexpr int THREADS = 256;
constexpr int CHUNK = 4096;

// Arrays of one size that are worked on together.
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
__device__ __forceinline__ const Row<ARRAYS>* rows_of(const long long* table) {
    return reinterpret_cast<const Row<ARRAYS>*>(table);
}

// The last row that begins at this chunk or before: an empty one begins where the next one does.
template <int ARRAYS>
__device__ __forceinline__ int row_of_chunk(const long long* table, int rows, long long chunk) {
    int low = 0, high = rows;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (rows_of<ARRAYS>(table)[middle].first_chunk <= chunk) low = middle; else high = middle;
    }
    return low;
}

// Whether there is a number at this address, and it is not 0.
__device__ __forceinline__ bool is_left_out(unsigned long long skip) {
    return skip != 0 && *reinterpret_cast<const float*>(skip) != 0.0f;
}
