// Products of tiles: scores of TILE rows and TILE others, and sums of rows weighted by such.
//
// Arithmetic: a thread of a block has SIDE x SIDE scores and as many rows of results in registers,
// so that two accesses of 16 bytes to shared memory feed SIDE * SIDE products and sums (`fma`).
// Numbers of 16 bits are widened when they are read, and rounded when results are written.
// Shared memory: two squares of TILE x TILE numbers. What is read across rows lies in lines,
// swizzled: neither those who write a column nor those who read a line meet in a bank.
// Loops that bring numbers in are not unrolled: kernels that use this would spill registers.

#include "elements.cuh"

constexpr int THREADS = 256;

template <typename F>
constexpr int SIDE = VECTOR<F>;
template <typename F>
constexpr int TILE = 16 * SIDE<F>;

// Rows of all heads of a batch: where they begin, how many elements lie between neighbours, how
// many rows and numbers of one there are, and whether all rows begin at a multiple of 16 bytes.
struct Heads {
    long long address, batch, head, row, count, size, aligned;
};

// The rows of one head. It holds on to the kernel's parameters, which take no registers.
template <typename T>
struct Rows {
    using F = Wide<T>;
    const Heads& heads;
    T* first;

    __device__ __forceinline__ Rows(const Heads& heads, int batch, int head)
        : heads(heads),
          first(reinterpret_cast<T*>(heads.address) + batch * heads.batch + head * heads.head) {}

    __device__ __forceinline__ int count() const { return int(heads.count); }
    __device__ __forceinline__ int size() const { return int(heads.size); }

    // WIDTH numbers of a row; zeros past the ends.
    template <int WIDTH>
    __device__ __forceinline__ Part<F, WIDTH> read(int row, int column) const {
        Part<F, WIDTH> part{};
        if (row >= count()) return part;
        const T* place = first + row * heads.row + column;
        if (heads.aligned && column + WIDTH <= size()) {
            const auto found = *reinterpret_cast<const Part<T, WIDTH>*>(place);
#pragma unroll
            for (int i = 0; i < WIDTH; ++i) part.of[i] = found.of[i];
            return part;
        }
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) {
            if (column + i < size()) part.of[i] = place[i];
        }
        return part;
    }

    template <int WIDTH>
    __device__ __forceinline__ void write(
            int row, int column, const Part<F, WIDTH>& part) const {
        if (row >= count()) return;
        T* place = first + row * heads.row + column;
        if (heads.aligned && column + WIDTH <= size()) {
            Part<T, WIDTH> rounded;
#pragma unroll
            for (int i = 0; i < WIDTH; ++i) rounded.of[i] = T(part.of[i]);
            *reinterpret_cast<Part<T, WIDTH>*>(place) = rounded;
            return;
        }
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) {
            if (column + i < size()) place[i] = T(part.of[i]);
        }
    }
};

// A block's tile of scores: SIDE rows and columns of it are a thread's.
template <typename F>
__device__ __forceinline__ int tile_row() {
    return threadIdx.x / 16 * SIDE<F>;
}
template <typename F>
__device__ __forceinline__ int tile_column() {
    return threadIdx.x % 16 * SIDE<F>;
}

// Where a column of a line lies. SIDE columns stay together.
template <typename F>
__device__ __forceinline__ int in_line(int line, int column) {
    return line * TILE<F> + (column ^ (line & 7 * SIDE<F>));
}

// The sum or the largest over the 16 threads that share rows.
template <typename F, typename Combine>
__device__ __forceinline__ F over_columns(F value, Combine combine) {
#pragma unroll
    for (int step = 8; step > 0; step >>= 1) {
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, step));
    }
    return value;
}

template <typename F>
using Scores = F[SIDE<F>][SIDE<F>];

// Numbers from `depth` on of TILE rows, number d of all rows in line d.
template <int DEPTH, typename T, typename F = Wide<T>>
__device__ __forceinline__ void load_lines(
        F* lines, const Rows<T>& rows, int first, int depth) {
    constexpr int ACROSS = DEPTH / SIDE<F>;
#pragma unroll 1
    for (int k = threadIdx.x; k < TILE<F> * ACROSS; k += THREADS) {
        const int row = k / ACROSS, column = k % ACROSS * SIDE<F>;
        const auto part = rows.template read<SIDE<F>>(first + row, depth + column);
#pragma unroll
        for (int i = 0; i < SIDE<F>; ++i) lines[in_line<F>(column + i, row)] = part.of[i];
    }
}

// The scalar products of TILE rows of one kind and TILE of another.
template <typename T, typename F = Wide<T>>
__device__ __forceinline__ void multiply_heads(
        Scores<F>& sums, F* square, const Rows<T>& rows, int first,
        const Rows<T>& others, int first_other) {
    constexpr int DEPTH = TILE<F> / 2;
#pragma unroll
    for (int i = 0; i < SIDE<F>; ++i) {
#pragma unroll
        for (int j = 0; j < SIDE<F>; ++j) sums[i][j] = 0;
    }
    F* const across = square + DEPTH * TILE<F>;
#pragma unroll 1
    for (int depth = 0; depth < rows.size(); depth += DEPTH) {
        __syncthreads();
        load_lines<DEPTH>(square, rows, first, depth);
        load_lines<DEPTH>(across, others, first_other, depth);
        __syncthreads();
        using Side = Part<F, SIDE<F>>;
#pragma unroll 4
        for (int d = 0; d < DEPTH; ++d) {
            const auto x = *reinterpret_cast<Side*>(square + in_line<F>(d, tile_row<F>()));
            const auto y = *reinterpret_cast<Side*>(across + in_line<F>(d, tile_column<F>()));
#pragma unroll
            for (int i = 0; i < SIDE<F>; ++i) {
#pragma unroll
                for (int j = 0; j < SIDE<F>; ++j) {
                    sums[i][j] = fma(x.of[i], y.of[j], sums[i][j]);
                }
            }
        }
    }
}

// A thread's scores as parts of lines: line j of the tile has what its column j has.
template <typename F>
__device__ __forceinline__ void store_lines(F* lines, const Scores<F>& scores) {
#pragma unroll
    for (int j = 0; j < SIDE<F>; ++j) {
        Part<F, SIDE<F>> part;
#pragma unroll
        for (int i = 0; i < SIDE<F>; ++i) part.of[i] = scores[i][j];
        const int place = in_line<F>(tile_column<F>() + j, tile_row<F>());
        *reinterpret_cast<Part<F, SIDE<F>>*>(lines + place) = part;
    }
}

// What a thread has stored as its score (i, j).
template <typename F>
__device__ __forceinline__ F& stored(F* lines, int i, int j) {
    return lines[in_line<F>(tile_column<F>() + j, tile_row<F>()) + i];
}

// A thread's share of TILE rows of results: of SIDE rows SIDE numbers of each chunk of TILE, from
// the number `from` on.
template <typename F, int CHUNKS>
struct Results {
    F of[CHUNKS][SIDE<F>][SIDE<F>];

    __device__ __forceinline__ void fill_with_zeros() {
#pragma unroll
        for (int chunk = 0; chunk < CHUNKS; ++chunk) {
#pragma unroll
            for (int i = 0; i < SIDE<F>; ++i) {
#pragma unroll
                for (int o = 0; o < SIDE<F>; ++o) of[chunk][i][o] = 0;
            }
        }
    }

    // Of the thread's rows.
    __device__ __forceinline__ void scale_row(int i, F factor) {
#pragma unroll
        for (int chunk = 0; chunk < CHUNKS; ++chunk) {
#pragma unroll
            for (int o = 0; o < SIDE<F>; ++o) of[chunk][i][o] *= factor;
        }
    }

    __device__ __forceinline__ void scale(F factor) {
#pragma unroll
        for (int i = 0; i < SIDE<F>; ++i) scale_row(i, factor);
    }

    // Adds the products of what lines hold, transposed, and TILE rows from `first` on.
    template <typename T>
    __device__ __forceinline__ void add_products(
            const F* lines, F* square, const Rows<T>& rows, int first, int from = 0) {
        using Side = Part<F, SIDE<F>>;
        constexpr int ACROSS = TILE<F> / SIDE<F>;
#pragma unroll
        for (int chunk = 0; chunk < CHUNKS; ++chunk) {
            if (from + chunk * TILE<F> >= rows.size()) break;
            __syncthreads();
#pragma unroll 1
            for (int k = threadIdx.x; k < TILE<F> * ACROSS; k += THREADS) {
                const int column = chunk * TILE<F> + k % ACROSS * SIDE<F>;
                reinterpret_cast<Side*>(square)[k] =
                    rows.template read<SIDE<F>>(first + k / ACROSS, from + column);
            }
            __syncthreads();
#pragma unroll 4
            for (int line = 0; line < TILE<F>; ++line) {
                const auto x = *reinterpret_cast<const Side*>(
                    lines + in_line<F>(line, tile_row<F>()));
                const auto y =
                    reinterpret_cast<const Side*>(square)[line * ACROSS + threadIdx.x % 16];
#pragma unroll
                for (int i = 0; i < SIDE<F>; ++i) {
#pragma unroll
                    for (int o = 0; o < SIDE<F>; ++o) {
                        of[chunk][i][o] = fma(x.of[i], y.of[o], of[chunk][i][o]);
                    }
                }
            }
        }
    }

    template <typename T>
    __device__ __forceinline__ void write(
            const Rows<T>& rows, int first, int from = 0) const {
#pragma unroll
        for (int chunk = 0; chunk < CHUNKS; ++chunk) {
            const int column = from + chunk * TILE<F> + tile_column<F>();
#pragma unroll
            for (int i = 0; i < SIDE<F>; ++i) {
                Part<F, SIDE<F>> part;
#pragma unroll
                for (int o = 0; o < SIDE<F>; ++o) part.of[o] = of[chunk][i][o];
                rows.write(first + tile_row<F>() + i, column, part);
            }
        }
    }
};
