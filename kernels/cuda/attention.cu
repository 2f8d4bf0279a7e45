// Scaled dot-product attention in tiles, forward and backward: no table of all scores exists.
//
// A block has TILE queries of one head and goes over the keys, TILE at a time, with the softmax of
// what it has seen so far (Milakov and Gimelshein, 2018; Dao et al., 2022,
// https://arxiv.org/abs/2205.14135). The gradient computes the weights again from two numbers that
// each query kept, its largest score and the inverse of its sum: from the logarithm of both alone
// digits are lost. One kernel gives the gradient of the queries, and one, whose blocks have keys
// and go over the queries, those of keys and values: each sum has one owner and one order.
//
// Traffic of a head with L queries and S keys: forward reads and writes 2 L E + 2 S E L / TILE
// numbers of size E, the second term from the cache; the composition moves about 8 L S.
// Arithmetic and shared memory: see tiles.cuh.
// Launch: blocks of THREADS, 16 x 16; blocks with most to do first.

#include "tiles.cuh"

enum { NO_MASK, HIDING, ADDED };

// kind: of the enum above. No steps where it is broadcast.
struct Mask {
    long long address, batch, head, row, key, kind;
};

struct Sizes {
    long long heads, own, queries, keys, causal;  // own: heads of the keys
};

template <typename F>
__device__ __forceinline__ F nothing() {
    return F(__int_as_float(int(0xff800000)));  // -infinity
}

// What a mask, causality and the ends of queries and keys make of scores.
struct Seen {
    const Mask& mask;
    const Sizes& sizes;
    long long place;

    __device__ __forceinline__ Seen(const Mask& mask, const Sizes& sizes, int batch, int head)
        : mask(mask), sizes(sizes), place(batch * mask.batch + head * mask.head) {}

    // Whether all scores of a tile of this width stay what they are.
    __device__ __forceinline__ bool leaves(int query, int key, int width) const {
        const bool inside = query + width <= sizes.queries && key + width <= sizes.keys;
        return inside && mask.kind == NO_MASK && !(sizes.causal && key + width - 1 > query);
    }

    template <typename T, typename F>
    __device__ __forceinline__ F score(F scaled, int query, int key) const {
        if (query >= sizes.queries || key >= sizes.keys) return nothing<F>();
        if (sizes.causal && key > query) return nothing<F>();
        const long long at = place + query * mask.row + key * mask.key;
        if (mask.kind == HIDING) {
            return reinterpret_cast<const bool*>(mask.address)[at] ? scaled : nothing<F>();
        }
        if (mask.kind == NO_MASK) return scaled;
        return scaled + F(reinterpret_cast<const T*>(mask.address)[at]);
    }

    __device__ __forceinline__ bool may_hide() const {
        return sizes.causal || mask.kind != NO_MASK;
    }

    // The end of the keys that some query before `query` sees.
    __device__ __forceinline__ int keys_before(int query) const {
        return sizes.causal && query < sizes.keys ? query : int(sizes.keys);
    }
};

// A tile's products become scores; its rows are queries or, ACROSS, keys. What must be looked at
// one by one goes through shared memory, where a thread finds its own again: in registers all
// would be looked at together, and there are too few.
template <bool ACROSS, typename T, typename F>
__device__ __forceinline__ void to_scores(
        Scores<F>& scores, F* lines, const Seen& seen, F scale, int row, int column) {
#pragma unroll
    for (int i = 0; i < SIDE<F>; ++i) {
#pragma unroll
        for (int j = 0; j < SIDE<F>; ++j) scores[i][j] *= scale;
    }
    const int query = ACROSS ? column : row, key = ACROSS ? row : column;
    if (seen.leaves(query, key, TILE<F>)) return;
    store_lines(lines, scores);
    const int own_row = row + tile_row<F>(), own_column = column + tile_column<F>();
#pragma unroll 1
    for (int k = 0; k < SIDE<F> * SIDE<F>; ++k) {
        const int i = k / SIDE<F>, j = k % SIDE<F>;
        const int own_query = ACROSS ? own_column + j : own_row + i;
        const int own_key = ACROSS ? own_row + i : own_column + j;
        F& score = stored(lines, i, j);
        score = seen.score<T>(score, own_query, own_key);
    }
#pragma unroll
    for (int i = 0; i < SIDE<F>; ++i) {
#pragma unroll
        for (int j = 0; j < SIDE<F>; ++j) scores[i][j] = stored(lines, i, j);
    }
}

// state: of each query the largest score and the inverse of the sum; zeros if it sees no key.
template <typename T>
__global__ void __launch_bounds__(THREADS, 2) attention(
        Heads query, Heads key, Heads value, Heads out, Mask mask,
        Sizes sizes, Wide<T> scale, Wide<T>* __restrict__ state) {
    using F = Wide<T>;
    using Side = Part<F, SIDE<F>>;
    __shared__ Side memory[TILE<F> * 16];
    __shared__ Side exchanged[TILE<F> * 16];
    F* const square = memory[0].of;
    F* const lines = exchanged[0].of;
    const int tiles = int((sizes.queries + TILE<F> - 1) / TILE<F>);
    const int number = blockIdx.x / tiles, heads = int(sizes.heads);
    const int batch = number / heads, head = number % heads, own = head / (heads / int(sizes.own));
    const Rows<T> queries(query, batch, head);
    const Rows<T> keys(key, batch, own);
    const Rows<T> values(value, batch, own);
    const Seen seen(mask, sizes, batch, head);
    const int first = (tiles - 1 - int(blockIdx.x % tiles)) * TILE<F>;
    const int row = first + tile_row<F>();
    Results<F, 2> results;
    results.fill_with_zeros();
    F peaks[SIDE<F>], totals[SIDE<F>];
#pragma unroll
    for (int i = 0; i < SIDE<F>; ++i) peaks[i] = nothing<F>(), totals[i] = 0;
    const int end = seen.keys_before(first + TILE<F>);
#pragma unroll 1
    for (int start = 0; start < end; start += TILE<F>) {
        Scores<F> scores;
        multiply_heads(scores, square, queries, first, keys, start);
        to_scores<false, T>(scores, lines, seen, scale, first, start);
#pragma unroll
        for (int i = 0; i < SIDE<F>; ++i) {
            F peak = peaks[i];
#pragma unroll
            for (int j = 0; j < SIDE<F>; ++j) peak = maximum(peak, scores[i][j]);
            peak = over_columns(peak, [](F a, F b) { return maximum(a, b); });
            const F base = peak == nothing<F>() ? F(0) : peak;
            const F factor = exp(peaks[i] - base);
            peaks[i] = peak;
            totals[i] *= factor;
            results.scale_row(i, factor);
#pragma unroll
            for (int j = 0; j < SIDE<F>; ++j) {
                scores[i][j] = exp(scores[i][j] - base);
                totals[i] += scores[i][j];
            }
        }
        store_lines(lines, scores);
        results.add_products(lines, square, values, start);
    }
#pragma unroll
    for (int i = 0; i < SIDE<F>; ++i) {
        const F total = over_columns(totals[i], [](F a, F b) { return a + b; });
        const bool blind = peaks[i] == nothing<F>();
        const F inverse = blind && seen.may_hide() ? F(0) : F(1) / total;
        if (threadIdx.x % 16 == 0 && row + i < sizes.queries) {
            F* const kept = state + 2 * (number * sizes.queries + row + i);
            kept[0] = blind ? F(0) : peaks[i];
            kept[1] = inverse;
        }
        results.scale_row(i, inverse);
    }
    results.write(Rows<T>(out, batch, head), first);
}

// What the backward pass knows of one query.
template <typename F>
struct Kept {
    F peak = 0, inverse = 0, slope = 0;

    __device__ __forceinline__ F weight(F score) const { return exp(score - peak) * inverse; }
};

template <typename F>
__device__ __forceinline__ Kept<F> kept_of(
        const F* state, const F* slopes, const Sizes& sizes, int head, int query) {
    Kept<F> kept;
    if (query >= sizes.queries) return kept;
    const long long place = head * sizes.queries + query;
    kept.peak = state[2 * place];
    kept.inverse = state[2 * place + 1];
    kept.slope = slopes[place];
    return kept;
}

// Of a thread's queries the products of the output and its gradient. Threads that read them have
// met in `multiply_heads` before.
template <typename T, typename F = Wide<T>>
__device__ __forceinline__ void keep_slopes(
        const Rows<T>& gradients, const Rows<T>& outputs, int row, F* slopes) {
#pragma unroll 1
    for (int query = row; query < row + SIDE<F>; ++query) {
        F sum = 0;
#pragma unroll 1
        for (int k = threadIdx.x % 16; k < outputs.size(); k += 16) {
            const auto x = outputs.template read<1>(query, k);
            sum = fma(gradients.template read<1>(query, k).of[0], x.of[0], sum);
        }
        sum = over_columns(sum, [](F a, F b) { return a + b; });
        if (threadIdx.x % 16 == 0 && query < outputs.count()) slopes[query] = sum;
    }
}

// slopes: what `keep_slopes` finds, also for the other kernel.
template <typename T>
__global__ void __launch_bounds__(THREADS, 2) attention_query_vjp(
        Heads g, Heads query, Heads key, Heads value, Heads out,
        Heads g_query, Mask mask, Sizes sizes, Wide<T> scale,
        const Wide<T>* __restrict__ state, Wide<T>* slopes) {
    using F = Wide<T>;
    using Side = Part<F, SIDE<F>>;
    __shared__ Side memory[TILE<F> * 16];
    __shared__ Side exchanged[TILE<F> * 16];
    F* const square = memory[0].of;
    F* const lines = exchanged[0].of;
    const int tiles = int((sizes.queries + TILE<F> - 1) / TILE<F>);
    const int number = blockIdx.x / tiles, heads = int(sizes.heads);
    const int batch = number / heads, head = number % heads, own = head / (heads / int(sizes.own));
    const Rows<T> gradients(g, batch, head);
    const Rows<T> outputs(out, batch, head);
    const Rows<T> queries(query, batch, head);
    const Rows<T> keys(key, batch, own);
    const Rows<T> values(value, batch, own);
    const Seen seen(mask, sizes, batch, head);
    const int first = (tiles - 1 - int(blockIdx.x % tiles)) * TILE<F>;
    const int row = first + tile_row<F>();
    keep_slopes(gradients, outputs, row, slopes + number * sizes.queries);
    Results<F, 2> results;
    results.fill_with_zeros();
    const int end = seen.keys_before(first + TILE<F>);
#pragma unroll 1
    for (int start = 0; start < end; start += TILE<F>) {
        Scores<F> scores;
        multiply_heads(scores, square, queries, first, keys, start);
        to_scores<false, T>(scores, lines, seen, scale, first, start);
#pragma unroll
        for (int i = 0; i < SIDE<F>; ++i) {
            const auto kept = kept_of(state, slopes, sizes, number, row + i);
#pragma unroll
            for (int j = 0; j < SIDE<F>; ++j) scores[i][j] = kept.weight(scores[i][j]);
        }
        store_lines(lines, scores);
        multiply_heads(scores, square, gradients, first, values, start);
#pragma unroll
        for (int i = 0; i < SIDE<F>; ++i) {
            const auto kept = kept_of(state, slopes, sizes, number, row + i);
#pragma unroll
            for (int j = 0; j < SIDE<F>; ++j) {
                scores[i][j] = stored(lines, i, j) * (scores[i][j] - kept.slope);
            }
        }
        store_lines(lines, scores);
        results.add_products(lines, square, keys, start);
    }
    results.scale(scale);
    results.write(Rows<T>(g_query, batch, head), first);
}

// Its blocks have keys, shared by the heads of a group, and TILE of the numbers of their results:
// more would not stay in registers. Its columns are queries.
template <typename T>
__global__ void __launch_bounds__(THREADS, 2) attention_key_vjp(
        Heads g, Heads query, Heads key, Heads value, Heads g_key,
        Heads g_value, Mask mask, Sizes sizes, Wide<T> scale,
        const Wide<T>* __restrict__ state, const Wide<T>* __restrict__ slopes) {
    using F = Wide<T>;
    using Side = Part<F, SIDE<F>>;
    __shared__ Side memory[TILE<F> * 16];
    __shared__ Side exchanged[TILE<F> * 16];
    F* const square = memory[0].of;
    F* const lines = exchanged[0].of;
    const int tiles = int((sizes.keys + TILE<F> - 1) / TILE<F>);
    const int number = blockIdx.x / tiles, heads = int(sizes.heads);
    const int batch = number / int(sizes.own), own = number % int(sizes.own);
    const int group = heads / int(sizes.own);
    const Rows<T> keys(key, batch, own);
    const Rows<T> values(value, batch, own);
    const int first = int(blockIdx.x % tiles) * TILE<F>;
    Results<F, 1> of_keys, of_values;
    const int from = blockIdx.y * TILE<F>;
    of_keys.fill_with_zeros();
    of_values.fill_with_zeros();
#pragma unroll 1
    for (int member = 0; member < group; ++member) {
        const int head = own * group + member;
        const Rows<T> gradients(g, batch, head);
        const Rows<T> queries(query, batch, head);
        const Seen seen(mask, sizes, batch, head);
#pragma unroll 1
        for (int start = sizes.causal ? first : 0; start < queries.count(); start += TILE<F>) {
            const int place = batch * heads + head;
            Scores<F> scores;
            multiply_heads(scores, square, keys, first, queries, start);
            to_scores<true, T>(scores, lines, seen, scale, first, start);
#pragma unroll
            for (int j = 0; j < SIDE<F>; ++j) {
                const int column = start + tile_column<F>() + j;
                const auto kept = kept_of(state, slopes, sizes, place, column);
#pragma unroll
                for (int i = 0; i < SIDE<F>; ++i) scores[i][j] = kept.weight(scores[i][j]);
            }
            store_lines(lines, scores);
            of_values.add_products(lines, square, gradients, start, from);
            multiply_heads(scores, square, values, first, gradients, start);
#pragma unroll
            for (int j = 0; j < SIDE<F>; ++j) {
                const int column = start + tile_column<F>() + j;
                const auto kept = kept_of(state, slopes, sizes, place, column);
#pragma unroll
                for (int i = 0; i < SIDE<F>; ++i) {
                    scores[i][j] = stored(lines, i, j) * (scores[i][j] - kept.slope);
                }
            }
            store_lines(lines, scores);
            of_keys.add_products(lines, square, queries, start, from);
        }
    }
    of_keys.scale(scale);
    of_keys.write(Rows<T>(g_key, batch, own), first, from);
    of_values.write(Rows<T>(g_value, batch, own), first, from);
}
