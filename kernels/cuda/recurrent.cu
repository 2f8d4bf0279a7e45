// Recurrent layers: what a step does beside its product, forward and backward.
//
// A step is one product of cuBLAS, h times the recurrent weights, and one launch of a kernel here.
//
// Traffic of a step, in arrays of (N, H): LSTM forward reads 9 (both parts of four preactivations,
// the cell) and writes 7 (gates, cell, h twice), backward reads 8 and writes 5; GRU forward reads 7
// and writes 6, backward reads 7 and writes 7; Elman's units forward read 2 and write 2, backward
// read 3 and write 1. h is written twice, as the output belongs to the caller; it lies where the
// next step reads it, so that the left operands of all steps are one array, and the gradient of the
// weights one product. Nothing of a new cell is kept: the backward pass has all it is made of.
// Launch: a thread for each unit of a sequence, or if WIDE for each 16 bytes of them, read in one
// access; blocks of BLOCK, small, as a step has few rows and all multiprocessors should have some.

#include "elements.cuh"

constexpr int BLOCK = 128;

// Rows of a step, and of the one that runs after it. Row r of both is the same sequence. At the
// earliest step all begin with their initial states.
struct Step {
    long long first, rows, next_first, next_rows, earliest;
};

// What is computed with: some units' numbers.
template <typename T, int WIDTH>
using Units = Part<Wide<T>, WIDTH>;

// Some units of one sequence.
template <typename T, int WIDTH>
struct Place {
    using Some = Units<T, WIDTH>;
    int units;  // of the layer
    int unit;
    long long row;

    __device__ __forceinline__ explicit Place(int units) : units(units) {
        const long long thread = (long long)blockIdx.x * BLOCK + threadIdx.x;
        const int across = units / WIDTH;
        row = thread / across;
        unit = int(thread % across) * WIDTH;
    }

    // Of row `at` of an array that has `gates` numbers for each unit, those of one gate.
    __device__ __forceinline__ Some read(
            const T* array, long long at, int gates = 1, int gate = 0) const {
        const long long place = (at * gates + gate) * units + unit;
        const auto part = *reinterpret_cast<const Part<T, WIDTH>*>(array + place);
        Some some;
#pragma unroll
        for (int k = 0; k < WIDTH; ++k) some.of[k] = Wide<T>(part.of[k]);
        return some;
    }

    __device__ __forceinline__ void write(
            T* array, long long at, const Some& some, int gates = 1, int gate = 0) const {
        const long long place = (at * gates + gate) * units + unit;
        Part<T, WIDTH> part;
#pragma unroll
        for (int k = 0; k < WIDTH; ++k) part.of[k] = T(some.of[k]);
        *reinterpret_cast<Part<T, WIDTH>*>(array + place) = part;
    }

    // What the row starts with, which is kept.
    __device__ __forceinline__ Some start(T* starts, const T* initial, const Step& step) const {
        const long long at = step.first + row;
        if (!step.earliest) return read(starts, at);
        const Some some = read(initial, row);
        write(starts, at, some);
        return some;
    }

    // To where the next step reads it, or to the last states.
    __device__ __forceinline__ void hand_on(
            T* starts, T* last, const Step& step, const Some& some) const {
        if (row < step.next_rows) {
            write(starts, step.next_first + row, some);
        } else {
            write(last, row, some);
        }
    }
};

// The gradient of a state that a step ends with: from the step after it, or from the caller.
template <typename T, int WIDTH>
__device__ __forceinline__ Units<T, WIDTH> coming_back(
        const Place<T, WIDTH>& place, const Step& step, const T* later, const T* last, bool given) {
    if (place.row < step.next_rows) return place.read(later, place.row);
    return given ? place.read(last, place.row) : Units<T, WIDTH>{};
}

// starts: what each row begins with, of h and of c, (total, H). hidden, cell: the initial ones.
// gates: the products of h, whose place the gates take. A step of no layer has no products and no
// output but its last states.
template <typename F, int WIDE>
__global__ void __launch_bounds__(BLOCK) lstm_step(
        const F* __restrict__ projected, F* __restrict__ gates, const F* __restrict__ hidden,
        const F* __restrict__ cell, F* starts, F* cell_starts, F* output, F* last_hidden,
        F* last_cell, Step step, int units, int of_layer) {
    using A = Wide<F>;
    constexpr int WIDTH = WIDE ? VECTOR<F> : 1;
    const Place<F, WIDTH> place(units);
    const long long row = place.row, at = step.first + row;
    if (row >= step.rows) {  // a sequence that begins with the next step
        if (row >= step.next_rows) return;
        place.write(starts, step.next_first + row, place.read(hidden, row));
        place.write(cell_starts, step.next_first + row, place.read(cell, row));
        return;
    }
    Units<F, WIDTH> parts[4];
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) {
        parts[gate] = place.read(projected, at, 4, gate);
        const auto product = of_layer ? place.read(gates, at, 4, gate) : Units<F, WIDTH>{};
#pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            const A x = parts[gate].of[k] + product.of[k];
            parts[gate].of[k] = gate == 2 ? tanh(x) : sigmoid_of(x);
        }
        place.write(gates, at, parts[gate], 4, gate);
    }
    auto c = place.start(cell_starts, cell, step);
    if (step.earliest) place.start(starts, hidden, step);
    Units<F, WIDTH> h;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
        c.of[k] = parts[1].of[k] * c.of[k] + parts[0].of[k] * parts[2].of[k];
        h.of[k] = parts[3].of[k] * tanh(c.of[k]);
    }
    place.hand_on(cell_starts, last_cell, step, c);
    place.hand_on(starts, last_hidden, step, h);
    if (of_layer) place.write(output, at, h);
}

// g_hidden: what comes through the products. g_cell: of the cell after the step, then before it.
// given: bits, whether there is a gradient of the output, of the last h, of the last c.
template <typename F, int WIDE>
__global__ void __launch_bounds__(BLOCK) lstm_step_vjp(
        const F* __restrict__ g_output, const F* __restrict__ g_last_hidden,
        const F* __restrict__ g_last_cell, const F* __restrict__ gates,
        const F* __restrict__ cell_starts, const F* __restrict__ g_hidden, F* __restrict__ g_cell,
        F* __restrict__ g_gates, Step step, int units, int given) {
    using A = Wide<F>;
    constexpr int WIDTH = WIDE ? VECTOR<F> : 1;
    const Place<F, WIDTH> place(units);
    const long long row = place.row, at = step.first + row;
    if (row >= step.rows) return;
    const auto g_out = given & 1 ? place.read(g_output, at) : Units<F, WIDTH>{};
    const auto gh = coming_back(place, step, g_hidden, g_last_hidden, given & 2);
    auto gc = coming_back(place, step, g_cell, g_last_cell, given & 4);
    const auto c = place.read(cell_starts, at);
    const auto in = place.read(gates, at, 4, 0), forget = place.read(gates, at, 4, 1);
    const auto candidate = place.read(gates, at, 4, 2), out = place.read(gates, at, 4, 3);
    Units<F, WIDTH> slopes[4];
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
        const A i = in.of[k], f = forget.of[k], g = candidate.of[k], o = out.of[k];
        const A t = tanh(f * c.of[k] + i * g);
        const A g_h = gh.of[k] + g_out.of[k];
        const A g_c = gc.of[k] + g_h * o * (A(1) - t * t);
        slopes[0].of[k] = g_c * g * (i * (A(1) - i));
        slopes[1].of[k] = g_c * c.of[k] * (f * (A(1) - f));
        slopes[2].of[k] = g_c * i * (A(1) - g * g);
        slopes[3].of[k] = g_h * t * (o * (A(1) - o));
        gc.of[k] = g_c * f;
    }
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) place.write(g_gates, at, slopes[gate], 4, gate);
    place.write(g_cell, row, gc);
}

// gates: the products of h, then r, z and the product's part of the candidate.
template <typename F, int WIDE>
__global__ void __launch_bounds__(BLOCK) gru_step(
        const F* __restrict__ projected, F* __restrict__ gates, const F* __restrict__ bias,
        const F* __restrict__ hidden, F* starts, F* __restrict__ candidates, F* output,
        F* last_hidden, Step step, int units, int biased) {
    using A = Wide<F>;
    constexpr int WIDTH = WIDE ? VECTOR<F> : 1;
    const Place<F, WIDTH> place(units);
    const long long row = place.row, at = step.first + row;
    if (row >= step.rows) {
        if (row >= step.next_rows) return;
        place.write(starts, step.next_first + row, place.read(hidden, row));
        return;
    }
    Units<F, WIDTH> parts[3];
#pragma unroll
    for (int gate = 0; gate < 3; ++gate) {
        parts[gate] = place.read(gates, at, 3, gate);
        const auto added = biased ? place.read(bias, 0, 3, gate) : Units<F, WIDTH>{};
#pragma unroll
        for (int k = 0; k < WIDTH; ++k) parts[gate].of[k] += added.of[k];
    }
#pragma unroll
    for (int gate = 0; gate < 2; ++gate) {
        const auto x = place.read(projected, at, 3, gate);
#pragma unroll
        for (int k = 0; k < WIDTH; ++k) parts[gate].of[k] = sigmoid_of(parts[gate].of[k] + x.of[k]);
    }
#pragma unroll
    for (int gate = 0; gate < 3; ++gate) place.write(gates, at, parts[gate], 3, gate);
    const auto x = place.read(projected, at, 3, 2);
    auto h = place.start(starts, hidden, step);
    Units<F, WIDTH> candidate;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
        candidate.of[k] = tanh(x.of[k] + parts[0].of[k] * parts[2].of[k]);
        h.of[k] = candidate.of[k] + parts[1].of[k] * (h.of[k] - candidate.of[k]);
    }
    place.write(candidates, at, candidate);
    place.hand_on(starts, last_hidden, step, h);
    place.write(output, at, h);
}

// g_hidden: what comes through the products; g_direct: what comes beside them. g_input, g_product:
// of both parts of the preactivations, which differ in the candidate's.
template <typename F, int WIDE>
__global__ void __launch_bounds__(BLOCK) gru_step_vjp(
        const F* __restrict__ g_output, const F* __restrict__ g_last_hidden,
        const F* __restrict__ gates, const F* __restrict__ candidates,
        const F* __restrict__ starts, const F* __restrict__ g_hidden, F* __restrict__ g_direct,
        F* __restrict__ g_input, F* __restrict__ g_product, Step step, int units, int given) {
    using A = Wide<F>;
    constexpr int WIDTH = WIDE ? VECTOR<F> : 1;
    const Place<F, WIDTH> place(units);
    const long long row = place.row, at = step.first + row;
    if (row >= step.rows) return;
    const auto g_out = given & 1 ? place.read(g_output, at) : Units<F, WIDTH>{};
    auto gh = coming_back(place, step, g_hidden, g_last_hidden, given & 2);
    const auto beside =
        row < step.next_rows ? place.read(g_direct, row) : Units<F, WIDTH>{};
    const auto reset = place.read(gates, at, 3, 0), update = place.read(gates, at, 3, 1);
    const auto product = place.read(gates, at, 3, 2);
    const auto candidate = place.read(candidates, at), h = place.read(starts, at);
    Units<F, WIDTH> slopes[3], through;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
        const A r = reset.of[k], z = update.of[k], n = candidate.of[k];
        const A g = gh.of[k] + beside.of[k] + g_out.of[k];
        const A g_n = g * (A(1) - z) * (A(1) - n * n);
        slopes[0].of[k] = g_n * product.of[k] * (r * (A(1) - r));
        slopes[1].of[k] = g * (h.of[k] - n) * (z * (A(1) - z));
        slopes[2].of[k] = g_n;
        through.of[k] = g_n * r;
        gh.of[k] = g * z;
    }
#pragma unroll
    for (int gate = 0; gate < 3; ++gate) {
        place.write(g_input, at, slopes[gate], 3, gate);
        place.write(g_product, at, gate == 2 ? through : slopes[gate], 3, gate);
    }
    place.write(g_direct, row, gh);
}

// output: the products of h, then h. starts (total + N, H): at the end, the states after the last
// steps, as `last_hidden` belongs to the caller.
template <typename F, int WIDE>
__global__ void __launch_bounds__(BLOCK) rnn_step(
        const F* __restrict__ projected, const F* __restrict__ hidden, F* __restrict__ starts,
        F* __restrict__ output, F* __restrict__ last_hidden, long long total, Step step, int units,
        int rectified) {
    using A = Wide<F>;
    constexpr int WIDTH = WIDE ? VECTOR<F> : 1;
    const Place<F, WIDTH> place(units);
    const long long row = place.row, at = step.first + row;
    if (row >= step.rows) {
        if (row >= step.next_rows) return;
        place.write(starts, step.next_first + row, place.read(hidden, row));
        return;
    }
    const auto x = place.read(projected, at);
    auto h = place.read(output, at);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
        const A sum = x.of[k] + h.of[k];
        h.of[k] = rectified ? (sum <= A(0) ? A(0) : sum) : tanh(sum);
    }
    place.write(output, at, h);
    if (step.earliest) place.start(starts, hidden, step);
    place.hand_on(starts, last_hidden, step, h);
    if (row >= step.next_rows) place.write(starts, total + row, h);
}

template <typename F, int WIDE>
__global__ void __launch_bounds__(BLOCK) rnn_step_vjp(
        const F* __restrict__ g_output, const F* __restrict__ g_last_hidden,
        const F* __restrict__ starts, const F* __restrict__ g_hidden, F* __restrict__ g_input,
        long long total, Step step, int units, int rectified, int given) {
    using A = Wide<F>;
    constexpr int WIDTH = WIDE ? VECTOR<F> : 1;
    const Place<F, WIDTH> place(units);
    const long long row = place.row, at = step.first + row;
    if (row >= step.rows) return;
    const auto g_out = given & 1 ? place.read(g_output, at) : Units<F, WIDTH>{};
    auto g = coming_back(place, step, g_hidden, g_last_hidden, given & 2);
    const auto h = place.read(starts, (row < step.next_rows ? step.next_first : total) + row);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
        const A slope = A(1) - h.of[k] * h.of[k];
        g.of[k] += g_out.of[k];
        g.of[k] = rectified ? (h.of[k] <= A(0) ? A(0) : g.of[k]) : g.of[k] * slope;
    }
    place.write(g_input, at, g);
}
