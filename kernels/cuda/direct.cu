// Convolution of one channel a group, such as depthwise, without matrices: forward, the input's
// gradient, the weight's and the bias's.
//
// Sums are float where arrays have 16 bits, and rounded once.
// Traffic: each array is read once, its neighbours' windows from the cache, and each result written
// once: products of matrices would write and read columns as many times as the kernel has elements.
// With a group's many outputs the way back reads their gradients once too.
// Launch: correlate one thread for VECTOR positions of a plane, which share a weight that is read;
// correlate_input one thread for an element; weight_parts a block for an output channel
// (blockIdx.x), TAPS elements of the kernel (blockIdx.y) and some samples (blockIdx.z), whose parts
// `total` adds up, always in one order. Blocks of BLOCK.

#include "groups.cuh"
#include "windows.cuh"

constexpr int TAPS = 9;

__device__ __forceinline__ int number_of_thread() {
    return int(blockIdx.x) * BLOCK + int(threadIdx.x);
}

// Where a window begins: some places of it may lie in the padding.
__device__ __forceinline__ Place start_of(const Windows& windows, int position) {
    const Place window = windows.grid.place(position);
    Place start;
#pragma unroll
    for (int k = 0; k < DIMENSIONS; ++k) start.of[k] = windows.start(k, window.of[k]);
    return start;
}

// What a plane has at an element of a window; 0 in the padding.
template <typename T>
__device__ __forceinline__ Wide<T> at_element(
        const T* plane, const Windows& windows, const Place& start, const Place& element) {
    const int depth = start.of[0] + element.of[0] * windows.step(0);
    const int height = start.of[1] + element.of[1] * windows.step(1);
    const int width = start.of[2] + element.of[2] * windows.step(2);
    const bool inside = windows.plane.has(depth, height, width);
    return inside ? Wide<T>(plane[windows.plane.number(depth, height, width)]) : Wide<T>(0);
}

// The gradient at a place, none where a rectified y is not above 0.
template <typename T>
__device__ __forceinline__ Wide<T> passed(const T* g, const T* y, int rectified, int place) {
    return rectified && Wide<T>(y[place]) <= Wide<T>(0) ? Wide<T>(0) : Wide<T>(g[place]);
}

// input (samples, groups, plane) and weight (outputs, kernel) to out (samples, outputs, positions);
// `parts` is how many VECTORs a plane of these takes.
template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) correlate(
        const T* __restrict__ input, const T* __restrict__ weight, const T* __restrict__ bias,
        T* __restrict__ out, int biased, int rectified, Divisor outputs, Divisor each,
        Divisor parts, int count, Windows windows) {
    const int number = number_of_thread();
    if (number >= count) return;
    const int row = parts.quotient(number), sample = outputs.quotient(row);
    const int output = outputs.remainder(row, sample), group = each.quotient(output);
    const int groups = each.quotient(int(outputs.by));
    const int first = parts.remainder(number, row) * VECTOR<T>;
    const T* plane = input + (sample * groups + group) * windows.plane.volume;
    const T* taps = weight + output * windows.kernel.volume;
    Place starts[VECTOR<T>];
    Wide<T> sums[VECTOR<T>];
#pragma unroll
    for (int v = 0; v < VECTOR<T>; ++v) {
        starts[v] = start_of(windows, first + v);
        sums[v] = biased ? Wide<T>(bias[output]) : Wide<T>(0);
    }
    for (int k = 0; k < windows.kernel.volume; ++k) {
        const Place element = windows.kernel.place(k);
        const Wide<T> tap = taps[k];
#pragma unroll
        for (int v = 0; v < VECTOR<T>; ++v) {
            sums[v] += tap * at_element(plane, windows, starts[v], element);
        }
    }
    Part<T, VECTOR<T>> part;
#pragma unroll
    for (int v = 0; v < VECTOR<T>; ++v) {
        part.of[v] = T(rectified && sums[v] <= Wide<T>(0) ? Wide<T>(0) : sums[v]);
    }
    T* results = out + row * windows.grid.volume + first;
    if (first + VECTOR<T> <= windows.grid.volume && is_vector_aligned(results)) {
        *reinterpret_cast<Part<T, VECTOR<T>>*>(results) = part;
    } else {
#pragma unroll
        for (int v = 0; v < VECTOR<T>; ++v) {
            if (first + v < windows.grid.volume) results[v] = part.of[v];
        }
    }
}

// The adjoint of `correlate` in its input, plus a group's bias if there is one; y is its result if
// that was rectified.
template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) correlate_input(
        const T* __restrict__ g, const T* __restrict__ y, const T* __restrict__ weight,
        const T* __restrict__ bias, T* __restrict__ out, int biased, int rectified,
        Divisor groups, int each, int count, Windows windows) {
    const int number = number_of_thread();
    if (number >= count) return;
    const Spot at = windows.plane.spot(number);
    const Place place = windows.plane.place(at.inside);
    const int sample = groups.quotient(at.plane), group = groups.remainder(at.plane, sample);
    const int first = at.plane * each * windows.grid.volume;
    const T* taps = weight + group * each * windows.kernel.volume;
    Wide<T> sum = biased ? Wide<T>(bias[group]) : Wide<T>(0);
    each_window_over(windows, place, [&](const Place& window, int position) {
        const int element = element_at(windows, window, place);
        for (int output = 0; element >= 0 && output < each; ++output) {
            const int from = first + output * windows.grid.volume + position;
            const Wide<T> tap = taps[output * windows.kernel.volume + element];
            sum += tap * passed(g, y, rectified, from);
        }
    });
    out[number] = T(sum);
}

// What some samples add to the gradients of weight and bias: parts (slices, outputs, kernel + 1),
// the bias's last.
template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) weight_parts(
        const T* __restrict__ g, const T* __restrict__ y, const T* __restrict__ input,
        Wide<T>* __restrict__ parts, int rectified, int each, int samples, int slice,
        Windows windows) {
    __shared__ Wide<T> shared[TAPS + 1][SLOTS<BLOCK>];
    const int output = blockIdx.x, outputs = gridDim.x, first_tap = blockIdx.y * TAPS;
    const int begin = blockIdx.z * slice;
    const int end = begin + slice < samples ? begin + slice : samples;
    const int positions = windows.grid.volume;
    Place elements[TAPS];
    Wide<T> sums[TAPS + 1];
#pragma unroll
    for (int t = 0; t < TAPS; ++t) {
        elements[t] = windows.kernel.place(first_tap + t);
        sums[t] = 0;
    }
    sums[TAPS] = 0;
    for (int number = threadIdx.x; number < (end - begin) * positions; number += BLOCK) {
        const Spot at = windows.grid.spot(number);
        const int sample = begin + at.plane;
        const int from = (sample * outputs + output) * positions + at.inside;
        const Wide<T> gradient = passed(g, y, rectified, from);
        const int row = sample * (outputs / each) + output / each;
        const T* plane = input + row * windows.plane.volume;
        const Place start = start_of(windows, at.inside);
#pragma unroll
        for (int t = 0; t < TAPS; ++t) {
            sums[t] += gradient * at_element(plane, windows, start, elements[t]);
        }
        sums[TAPS] += gradient;
    }
    const int numbers = windows.kernel.volume + 1;
    Wide<T>* results = parts + (int(blockIdx.z) * outputs + output) * numbers;
#pragma unroll
    for (int t = 0; t <= TAPS; ++t) {
        const Wide<T> sum = group_sum<BLOCK>(sums[t], shared[t]);
        const bool of_bias = t == TAPS;
        const bool mine = of_bias ? first_tap == 0 : first_tap + t < numbers - 1;
        if (threadIdx.x == 0 && mine) results[of_bias ? numbers - 1 : first_tap + t] = sum;
    }
}

template <typename T>
__global__ void __launch_bounds__(BLOCK) total(
        const Wide<T>* __restrict__ parts, T* __restrict__ weight, T* __restrict__ bias, int slices,
        Divisor numbers, int count) {
    const int number = number_of_thread();
    if (number >= count) return;
    Wide<T> sum = 0;
    for (int slice = 0; slice < slices; ++slice) sum += parts[slice * count + number];
    const int output = numbers.quotient(number), tap = numbers.remainder(number, output);
    const int last = int(numbers.by) - 1;
    if (tap == last) bias[output] = T(sum);
    else weight[output * last + tap] = T(sum);
}
