// Rows of tables: those that numbers name, sums over bags of them, and rows added where they are
// named, in an order that never changes. A row that is not there is reported and left out.
//
// Traffic: a row that is taken is read and written once. A bag's sum reads each of its rows once and writes one. Adding reads each row once and
// reads and writes once each row of the table that is named, beside two numbers for each name; it
// takes no atomic additions. Accesses are of 16 bytes where all rows begin at a multiple of 16.
// Launch: one thread for each VECTOR of a bag's elements, or of those of RUN names.

#include "elements.cuh"
#include "faults.cuh"

constexpr int BLOCK = 256;
constexpr int RUN = 32;

// The part of a row, from column `column` on, that a thread works on for item `item`.
struct Place {
    long long item;
    int column;
    bool vectors;

    __device__ __forceinline__ Place(int width, int vector, bool vectors) : vectors(vectors) {
        const int step = vectors ? vector : 1, parts = width / step;
        const long long number = (long long)blockIdx.x * BLOCK + threadIdx.x;
        item = number / parts;
        column = int(number % parts) * step;
    }
};

template <typename F>
__device__ __forceinline__ bool in_vectors(int width, const F* a, const F* b) {
    return width % VECTOR<F> == 0 && is_vector_aligned(a) && is_vector_aligned(b);
}

template <typename F, int WIDTH>
struct Sum {
    Wide<F> of[WIDTH] = {};

    __device__ __forceinline__ void add(const F* row) {
        const auto part = *reinterpret_cast<const Part<F, WIDTH>*>(row);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) of[i] += Wide<F>(part.of[i]);
    }

    __device__ __forceinline__ void divide(Wide<F> number) {
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) of[i] /= number;
    }

    __device__ __forceinline__ void write(F* row) const {
        Part<F, WIDTH> part;
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) part.of[i] = F(of[i]);
        *reinterpret_cast<Part<F, WIDTH>*>(row) = part;
    }
};

template <int WIDTH, typename F>
__device__ __forceinline__ void take_row(const F* row, F* out, bool found) {
    Sum<F, WIDTH> own;
    if (found) own.add(row);
    own.write(out);
}

// Row i of `out` is that of `weight` which index[i] names.
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) take_rows(
        const F* __restrict__ weight, const long long* __restrict__ index, F* __restrict__ out,
        long long count, long long rows, int width, Report report) {
    const Place place(width, VECTOR<F>, in_vectors(width, weight, static_cast<const F*>(out)));
    if (place.item >= count) return;
    const long long row = index[place.item];
    const bool found = within(row, 0, rows, report);
    F* own = out + place.item * width + place.column;
    const F* named = weight + row * width + place.column;
    if (place.vectors) take_row<VECTOR<F>>(named, own, found);
    else take_row<1>(named, own, found);
}

// ---- bags

struct Bag {
    long long begin, end;

    __device__ __forceinline__ Bag(
            const long long* offsets, long long bag, long long bags, long long count)
        : begin(offsets[bag]), end(bag + 1 < bags ? offsets[bag + 1] : count) {}

    // How many of its rows count, but 1 at least.
    __device__ __forceinline__ long long size(const long long* index, long long padding) const {
        long long found = 0;
        for (long long i = begin; i < end; ++i) found += index[i] != padding;
        return found > 1 ? found : 1;
    }
};

template <int WIDTH, typename F>
__device__ __forceinline__ void sum_bag(
        const F* weight, const long long* index, F* out, const Bag& bag, long long rows, int width,
        long long padding, bool mean, const Report& report) {
    Sum<F, WIDTH> sum;
#pragma unroll 4
    for (long long i = bag.begin; i < bag.end; ++i) {
        const long long row = index[i];
        if (row != padding && within(row, 0, rows, report)) sum.add(weight + row * width);
    }
    if (mean) sum.divide(Wide<F>(bag.size(index, padding)));
    sum.write(out);
}

// Rows of `weight` added up by bag, or their means; a row `padding` counts nothing.
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) sum_bags(
        const F* __restrict__ weight, const long long* __restrict__ index,
        const long long* __restrict__ offsets, F* __restrict__ out, long long bags,
        long long count, long long rows, int width, long long padding, bool mean, Report report) {
    const Place place(width, VECTOR<F>, in_vectors(width, weight, out));
    if (place.item >= bags) return;
    const Bag bag(offsets, place.item, bags, count);
    F* own = out + place.item * width + place.column;
    const F* column = weight + place.column;
    if (place.vectors) sum_bag<VECTOR<F>>(column, index, own, bag, rows, width, padding, mean, report);
    else sum_bag<1>(column, index, own, bag, rows, width, padding, mean, report);
}

// What each row of a bag gets of the gradient of its mean.
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) share_bags(
        const F* __restrict__ values, const long long* __restrict__ index,
        const long long* __restrict__ offsets, F* __restrict__ out, long long bags,
        long long count, int width, long long padding) {
    const Place place(width, VECTOR<F>, in_vectors(width, values, out));
    if (place.item >= bags) return;
    const Wide<F> size = Wide<F>(Bag(offsets, place.item, bags, count).size(index, padding));
    const long long first = place.item * width + place.column;
    for (int i = 0; i < (place.vectors ? VECTOR<F> : 1); ++i) {
        out[first + i] = F(Wide<F>(values[first + i]) / size);
    }
}

// ---- rows added where they are named

// Names in order, in chunks of RUN; a run is what has one name.
struct Names {
    const long long* keys;
    long long count, rows, padding;

    __device__ __forceinline__ bool counts(long long key) const {
        return key >= 0 && key < rows && key != padding;
    }

    __device__ __forceinline__ long long end_of(long long chunk) const {
        return (chunk + 1) * RUN < count ? (chunk + 1) * RUN : count;
    }
    __device__ __forceinline__ bool goes_on(long long place) const {
        return place + 1 < count && keys[place + 1] == keys[place];
    }
    __device__ __forceinline__ bool went_on(long long place) const {
        return place > 0 && keys[place - 1] == keys[place];
    }
};

template <int WIDTH, typename F>
__device__ __forceinline__ void sum_chunk(
        const Names& names, const long long* order, const long long* source, const F* values,
        F* table, F* edges, long long chunk, int width, bool sourced) {
    Sum<F, WIDTH> sum;
    const long long begin = chunk * RUN, end = names.end_of(chunk);
    bool whole = !names.went_on(begin);  // the run began in this chunk
    for (long long place = begin; place < end; ++place) {
        const long long number = order[place];
        sum.add(values + (sourced ? source[number] : number) * width);
        const bool goes_on = names.goes_on(place);
        if (goes_on && place + 1 < end) continue;
        const long long key = names.keys[place];
        if (!whole || goes_on) {
            sum.write(edges + (2 * chunk + (whole ? 1 : 0)) * width);
        } else if (names.counts(key)) {
            sum.add(table + key * width);
            sum.write(table + key * width);
        }
        sum = {};
        whole = true;
    }
}

// Runs within a chunk are added to their row of `table`; of one that crosses the chunk's begin or
// end `edges` (chunks, 2, width) has what is in the chunk: in line 0 if it began before, else in 1.
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) add_runs(
        const long long* __restrict__ keys, const long long* __restrict__ order,
        const long long* __restrict__ source, const F* __restrict__ values, F* table,
        F* __restrict__ edges, long long count, long long rows, int width, long long padding,
        bool sourced) {
    const Place place(width, VECTOR<F>, in_vectors(width, values, table));
    if (place.item * RUN >= count) return;
    const Names names{keys, count, rows, padding};
    const int column = place.column;
    if (place.vectors) {
        sum_chunk<VECTOR<F>>(names, order, source, values + column, table + column,
                             edges + column, place.item, width, sourced);
    } else {
        sum_chunk<1>(names, order, source, values + column, table + column, edges + column,
                     place.item, width, sourced);
    }
}

template <int WIDTH, typename F>
__device__ __forceinline__ void join_run(
        const Names& names, F* table, const F* edges, long long chunk, int width) {
    Sum<F, WIDTH> sum;
    sum.add(edges + (2 * chunk + 1) * width);
    const long long key = names.keys[names.end_of(chunk) - 1];
    bool goes_on = true;
    for (long long next = chunk + 1; goes_on; ++next) {
        sum.add(edges + 2 * next * width);
        const long long last = names.end_of(next) - 1;
        goes_on = names.keys[last] == key && names.goes_on(last);
    }
    sum.add(table + key * width);
    sum.write(table + key * width);
}

// The runs that go on past the chunk in which they began.
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) join_runs(
        const long long* __restrict__ keys, F* table, const F* __restrict__ edges,
        long long count, long long rows, int width, long long padding) {
    const Place place(width, VECTOR<F>, in_vectors(width, edges, static_cast<const F*>(table)));
    const Names names{keys, count, rows, padding};
    const long long begin = place.item * RUN;
    if (begin >= count) return;
    const long long last = names.end_of(place.item) - 1;
    const bool began = keys[begin] != keys[last] || !names.went_on(begin);
    if (!began || !names.goes_on(last) || !names.counts(keys[last])) return;
    const int column = place.column;
    if (place.vectors) {
        join_run<VECTOR<F>>(names, table + column, edges + column, place.item, width);
    } else {
        join_run<1>(names, table + column, edges + column, place.item, width);
    }
}
