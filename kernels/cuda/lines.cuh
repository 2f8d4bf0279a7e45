// Lines of elements, each worked on by a group of threads that keeps its beginning in registers.
//
// A group of 32 threads or more, a warp or the block, has a line whose elements are neighbours. One
// of fewer has a line whose elements are `inner` apart, and neighbouring threads have neighbouring
// lines. So neighbouring threads always meet neighbouring memory: 16 bytes a thread where lines of
// neighbours allow it, else one element.

#include "groups.cuh"

// Elements that a thread keeps of its line.
template <typename T>
constexpr int KEPT = 32 / sizeof(Wide<T>);

template <typename T, int COUNT>
struct Piece {
    Wide<T> of[COUNT];
};

// A thread's elements of its line of an array; what is past those it keeps is read when wanted.
template <typename T>
struct Share {
    const T* line;
    Piece<T, KEPT<T>> kept;
};

// Likewise of one line that goes with each of an array's, weights for example; `otherwise` is what
// stands in its place where there is none.
template <typename T>
struct Common {
    const T* line;
    Wide<T> otherwise;
    Piece<T, KEPT<T>> kept;
};

template <int GROUP>
__device__ __forceinline__ long long lines_before() {
    return (long long)blockIdx.x * (BLOCK / GROUP);
}

template <typename T, int GROUP>
struct Line {
    static constexpr int LINES = BLOCK / GROUP;  // of a block
    static constexpr int SPAN = KEPT<T> * GROUP;  // what a group keeps
    static constexpr int STEP = VECTOR<T> * GROUP;
    long long number;
    long long start;
    long long inner;
    int size;     // 0 of a line that is not there
    int first;    // the thread's number in its group
    bool vectors;

    // Of the block's lines, that begin with number `before`; there are `lines` in all.
    template <typename... Arrays>
    __device__ __forceinline__ Line(
            long long before, long long lines, int size, long long inner, const Arrays*... arrays)
        : inner(inner) {
        if constexpr (GROUP >= 32) {
            first = threadIdx.x % GROUP;
            number = before + threadIdx.x / GROUP;
            start = number * size;
            vectors = size % VECTOR<T> == 0 && (is_vector_aligned(arrays) && ...);
        } else {
            first = threadIdx.x / LINES;
            number = before + threadIdx.x % LINES;
            start = number / inner * inner * (size - 1) + number;
            vectors = false;
        }
        this->size = number < lines ? size : 0;
    }

    __device__ __forceinline__ bool leads() const { return first == 0 && size > 0; }

    // The place in the line of the thread's element k of a SPAN.
    __device__ __forceinline__ int place(int k) const {
        if (!vectors) return k * GROUP + first;
        return (k / VECTOR<T> * GROUP + first) * VECTOR<T> + k % VECTOR<T>;
    }

    __device__ __forceinline__ long long step_to(int place) const {
        return GROUP >= 32 ? place : place * inner;
    }

    // COUNT elements of the thread's, the line's from `from` on.
    template <int COUNT>
    __device__ __forceinline__ Piece<T, COUNT> read(const T* line, int from) const {
        Piece<T, COUNT> piece;
        if (vectors) {
#pragma unroll
            for (int k = 0; k < COUNT; k += VECTOR<T>) {
                const int j = from + place(k);
                Part<T, VECTOR<T>> part{};
                if (j < size) part = *reinterpret_cast<const Part<T, VECTOR<T>>*>(line + j);
#pragma unroll
                for (int i = 0; i < VECTOR<T>; ++i) piece.of[k + i] = Wide<T>(part.of[i]);
            }
        } else {
#pragma unroll
            for (int k = 0; k < COUNT; ++k) {
                const int j = from + place(k);
                piece.of[k] = j < size ? Wide<T>(line[step_to(j)]) : Wide<T>(0);
            }
        }
        return piece;
    }

    template <int COUNT>
    __device__ __forceinline__ void write(T* line, int from, const Piece<T, COUNT>& piece) const {
        if (vectors) {
#pragma unroll
            for (int k = 0; k < COUNT; k += VECTOR<T>) {
                const int j = from + place(k);
                Part<T, VECTOR<T>> part;
#pragma unroll
                for (int i = 0; i < VECTOR<T>; ++i) part.of[i] = T(piece.of[k + i]);
                if (j < size) *reinterpret_cast<Part<T, VECTOR<T>>*>(line + j) = part;
            }
        } else {
#pragma unroll
            for (int k = 0; k < COUNT; ++k) {
                const int j = from + place(k);
                if (j < size) line[step_to(j)] = T(piece.of[k]);
            }
        }
    }

    __device__ __forceinline__ Share<T> share(const T* array) const {
        return {array + start, read<KEPT<T>>(array + start, 0)};
    }

    template <int COUNT>
    __device__ __forceinline__ Piece<T, COUNT> read(
            const T* line, Wide<T> otherwise, int from) const {
        if (line != nullptr) return read<COUNT>(line, from);
        Piece<T, COUNT> piece;
#pragma unroll
        for (int k = 0; k < COUNT; ++k) piece.of[k] = otherwise;
        return piece;
    }

    __device__ __forceinline__ Common<T> common(const T* line, Wide<T> otherwise) const {
        return {line, otherwise, read<KEPT<T>>(line, otherwise, 0)};
    }

    __device__ __forceinline__ Piece<T, VECTOR<T>> beyond(const Share<T>& share, int from) const {
        return read<VECTOR<T>>(share.line, from);
    }
    __device__ __forceinline__ Piece<T, VECTOR<T>> beyond(const Common<T>& share, int from) const {
        return read<VECTOR<T>>(share.line, share.otherwise, from);
    }

    // f(place, elements of the pieces) for each place from `from` on.
    template <int COUNT, typename Function, typename... Pieces>
    __device__ __forceinline__ void visit(int from, Function&& f, const Pieces&... pieces) const {
#pragma unroll
        for (int k = 0; k < COUNT; ++k) {
            const int j = from + place(k);
            if (j < size) f(j, pieces.of[k]...);
        }
    }

    template <int COUNT, typename Function, typename... Pieces>
    __device__ __forceinline__ void put(
            T* line, int from, Function f, const Pieces&... pieces) const {
        Piece<T, COUNT> made;
#pragma unroll
        for (int k = 0; k < COUNT; ++k) {
            const int j = from + place(k);
            if (j < size) made.of[k] = f(j, pieces.of[k]...);
        }
        write(line, from, made);
    }

    // f(place, elements of the shares) for each of the thread's places.
    template <typename Function, typename... Shares>
    __device__ __forceinline__ void each(Function&& f, const Shares&... shares) const {
        visit<KEPT<T>>(0, f, shares.kept...);
        each_beyond(f, shares...);
    }

    // Likewise for the places past those that are kept.
    template <typename Function, typename... Shares>
    __device__ __forceinline__ void each_beyond(Function&& f, const Shares&... shares) const {
#pragma unroll 1
        for (int from = SPAN; from < size; from += STEP) {
            visit<VECTOR<T>>(from, f, beyond(shares, from)...);
        }
    }

    // The line of `out` becomes f(place, elements of the shares).
    template <typename Function, typename... Shares>
    __device__ __forceinline__ void map(T* out, Function f, const Shares&... shares) const {
        put<KEPT<T>>(out + start, 0, f, shares.kept...);
#pragma unroll 1
        for (int from = SPAN; from < size; from += STEP) {
            put<VECTOR<T>>(out + start, from, f, beyond(shares, from)...);
        }
    }

    // Over all of the line. `shared` is a group's memory that nothing else was in since a barrier.
    __device__ __forceinline__ Wide<T> largest(
            const Share<T>& share, Wide<T>* shared) const {
        Wide<T> found = __int_as_float(0xff800000);  // -infinity
        each([&](int, Wide<T> x) { found = maximum(found, x); }, share);
        return group_largest<GROUP>(found, shared);
    }

    template <typename Function, typename... Shares>
    __device__ __forceinline__ Wide<T> sum(
            Wide<T>* shared, Function f, const Shares&... shares) const {
        Wide<T> found = 0;
        each([&](int j, auto... x) { found += f(j, x...); }, shares...);
        return group_sum<GROUP>(found, shared);
    }
};
