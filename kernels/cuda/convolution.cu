// What convolution and its gradients need around products of matrices: windows as columns, columns
// added where they came from, results and gradients between samples and channels, sums by channel.
//
// A matrix has a row for each channel, or each element of a channel's windows, and a column for
// each position of each sample; rows begin `pitch` elements apart, a multiple of 16 bytes.
// Traffic: columns reads the input once and writes the matrix, as many times as large as a kernel
// has elements; folded reads that once and writes the input's gradient. by_sample and by_channel
// read each array they are given once and write one, in accesses of 16 bytes where a plane is so
// many; channel_sums reads an array once.
// What is added up, and the elements that are folded, are float where arrays have 16 bits.
// Launch: columns, by_channel: blockIdx.x some columns, blockIdx.y a channel, one thread for VECTOR
// columns; by_sample one thread for VECTOR elements, folded for an element, channel_sums a block
// for a channel. Blocks of BLOCK. Where several products meet in one element a thread adds them up
// in one order: nothing is atomic.

#include "groups.cuh"
#include "windows.cuh"

__device__ __forceinline__ int number_of_thread() {
    return int(blockIdx.x) * BLOCK + int(threadIdx.x);
}

// Each channel's windows, by element of the kernel: input (samples, channels, plane) to out
// (channels * kernel elements, samples * positions). Padding counts as zero.
template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) columns(
        const T* __restrict__ input, T* __restrict__ out, int channels, int count, int pitch,
        Windows windows) {
    const int column = number_of_thread() * VECTOR<T>;
    if (column >= pitch) return;
    int sample[VECTOR<T>];
    Place start[VECTOR<T>];
#pragma unroll
    for (int v = 0; v < VECTOR<T>; ++v) {
        const Spot at = windows.grid.spot(column + v);
        const Place window = windows.grid.place(at.inside);
        sample[v] = at.plane * channels * windows.plane.volume;
#pragma unroll
        for (int k = 0; k < DIMENSIONS; ++k) start[v].of[k] = windows.start(k, window.of[k]);
    }
    for (int channel = blockIdx.y; channel < channels; channel += gridDim.y) {
        T* row = out + channel * windows.kernel.volume * (long long)pitch + column;
        const T* plane = input + channel * windows.plane.volume;
        for (int element = 0; element < windows.kernel.volume; ++element) {
            const Place at = windows.kernel.place(element);
            Part<T, VECTOR<T>> part;
#pragma unroll
            for (int v = 0; v < VECTOR<T>; ++v) {
                const int depth = start[v].of[0] + at.of[0] * windows.step(0);
                const int height = start[v].of[1] + at.of[1] * windows.step(1);
                const int width = start[v].of[2] + at.of[2] * windows.step(2);
                const bool read = column + v < count && windows.plane.has(depth, height, width);
                const int place = sample[v] + windows.plane.number(depth, height, width);
                part.of[v] = read ? plane[place] : T(0);
            }
            *reinterpret_cast<Part<T, VECTOR<T>>*>(row) = part;
            row += pitch;
        }
    }
}

// How far apart elements of windows lie, and positions, channels, samples.
struct Steps {
    long long element, position, channel, sample;
};

// Elements of windows added where they came from, the adjoint of `columns`, plus a channel's bias
// if there is one.
template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) folded(
        const Wide<T>* __restrict__ elements, const T* __restrict__ bias, T* __restrict__ out,
        int biased, Steps steps, Divisor channels, int count, Windows windows) {
    using A = Wide<T>;
    const int number = number_of_thread();
    if (number >= count) return;
    const Spot at = windows.plane.spot(number);
    const Place place = windows.plane.place(at.inside);
    const int sample = channels.quotient(at.plane);
    const int channel = channels.remainder(at.plane, sample);
    const A* first = elements + channel * steps.channel + sample * steps.sample;
    A sum = biased ? A(bias[channel]) : A(0);
    each_window_over(windows, place, [&](const Place& window, int position) {
        const int element = element_at(windows, window, place);
        const long long at = element * steps.element + position * steps.position;
        if (element >= 0) sum += first[at];
    });
    out[number] = T(sum);
}

// VECTOR elements from a place on, in one access if they are together.
template <typename T, typename Places>
__device__ __forceinline__ Part<T, VECTOR<T>> elements_at(
        const T* from, const Places& places, bool together, int count) {
    Part<T, VECTOR<T>> part;
    if (together) return vector_at(from + places[0]);
#pragma unroll
    for (int v = 0; v < VECTOR<T>; ++v) part.of[v] = v < count ? from[places[v]] : T(0);
    return part;
}

// Results whose channels lie channel_step and whose samples lie sample_step apart as (samples,
// channels, positions), with a channel's bias, and 0 in place of what is below if they are
// rectified. May be in place.
template <typename T>
__global__ void __launch_bounds__(BLOCK) by_sample(
        const T* results, const T* __restrict__ bias, T* out, int biased, int rectified,
        Divisor channels, Divisor positions, int channel_step, int sample_step, int count) {
    using A = Wide<T>;
    const int first = number_of_thread() * VECTOR<T>;
    if (first >= count) return;
    int channel[VECTOR<T>], places[VECTOR<T>];
#pragma unroll
    for (int v = 0; v < VECTOR<T>; ++v) {
        const int row = positions.quotient(first + v), sample = channels.quotient(row);
        channel[v] = channels.remainder(row, sample);
        places[v] = channel[v] * channel_step + sample * sample_step
            + positions.remainder(first + v, row);
    }
    // A row of positions then begins at a multiple of 16 bytes, here and there.
    const bool together = positions.by % VECTOR<T> == 0;
    auto part = elements_at(results, places, together, count - first);
#pragma unroll
    for (int v = 0; v < VECTOR<T>; ++v) {
        if (first + v < count) {
            if (biased) part.of[v] = T(A(part.of[v]) + A(bias[channel[v]]));
            if (rectified) part.of[v] = A(part.of[v]) <= A(0) ? T(0) : part.of[v];
        }
    }
    if (first + VECTOR<T> <= count && is_vector_aligned(out)) {
        *reinterpret_cast<Part<T, VECTOR<T>>*>(out + first) = part;
    } else {
#pragma unroll
        for (int v = 0; v < VECTOR<T>; ++v) {
            if (first + v < count) out[first + v] = part.of[v];
        }
    }
}

// VECTOR columns of one channel of (samples, channels, positions), 0 past the last, and where y of
// the same shape is not above 0 if it was rectified.
template <typename T>
__device__ __forceinline__ Part<T, VECTOR<T>> of_channel(
        const T* input, const T* y, int rectified, int channels, int channel,
        const Divisor& positions, int column, int count) {
    int places[VECTOR<T>];
#pragma unroll
    for (int v = 0; v < VECTOR<T>; ++v) {
        const int sample = positions.quotient(column + v);
        places[v] = (sample * channels + channel) * int(positions.by)
            + positions.remainder(column + v, sample);
    }
    const bool together = positions.by % VECTOR<T> == 0 && is_vector_aligned(input)
        && is_vector_aligned(y);
    auto part = elements_at(input, places, together, count - column);
    if (rectified) {
        const auto above = elements_at(y, places, together, count - column);
#pragma unroll
        for (int v = 0; v < VECTOR<T>; ++v) {
            part.of[v] = Wide<T>(above.of[v]) <= Wide<T>(0) ? T(0) : part.of[v];
        }
    }
    return part;
}

// (samples, channels, positions) as a matrix; y: see of_channel.
template <typename T>
__global__ void __launch_bounds__(BLOCK) by_channel(
        const T* __restrict__ input, const T* __restrict__ y, T* __restrict__ out, int rectified,
        int channels, Divisor positions, int count, int pitch) {
    const int column = number_of_thread() * VECTOR<T>;
    if (column >= pitch) return;
    for (int channel = blockIdx.y; channel < channels; channel += gridDim.y) {
        T* to = out + channel * (long long)pitch + column;
        *reinterpret_cast<Part<T, VECTOR<T>>*>(to) = of_channel(
            input, y, rectified, channels, channel, positions, column, count);
    }
}

// The sum of each channel of (samples, channels, positions); y: see of_channel.
template <typename T>
__global__ void __launch_bounds__(BLOCK) channel_sums(
        const T* __restrict__ input, const T* __restrict__ y, T* __restrict__ sums, int rectified,
        Divisor positions, int count) {
    using A = Wide<T>;
    __shared__ A shared[SLOTS<BLOCK>];
    const int channel = blockIdx.x, channels = gridDim.x;
    A sum = 0;
    for (int i = threadIdx.x * VECTOR<T>; i < count; i += BLOCK * VECTOR<T>) {
        const auto part = of_channel(input, y, rectified, channels, channel, positions, i, count);
#pragma unroll
        for (int v = 0; v < VECTOR<T>; ++v) sum += A(part.of[v]);
    }
    sum = group_sum<BLOCK>(sum, shared);
    if (threadIdx.x == 0) sums[channel] = T(sum);
}
