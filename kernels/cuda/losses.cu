// What losses of classes pick of each line of scores, and the mean over what is counted.
//
// Traffic: picked reads an element of each line and writes one, its gradient writes an array of the
// input's size and reads none but the targets; counted_mean reads its input and the targets once
// and writes two numbers, its gradient writes an array of the input's size.
// Launch: a thread for each line, or each element that is written; counted_mean one block, as there
// are as many numbers as samples: the order of its sums, in double, is always the same.

#include "faults.cuh"
#include "groups.cuh"

__device__ __forceinline__ long long thread_number() {
    return (long long)blockIdx.x * BLOCK + threadIdx.x;
}

// input (N, size, inner): out[n, i] = -input[n, target[n, i], i], 0 where that is ignored.
template <typename T>
__global__ void __launch_bounds__(BLOCK) picked(
        const T* __restrict__ input, const long long* __restrict__ target, T* __restrict__ out,
        long long lines, long long size, long long inner, long long ignored, Report report) {
    const long long line = thread_number();
    if (line >= lines) return;
    const long long named = target[line];
    const bool counts = named != ignored && within(named, 0, size, report);
    const long long sample = line / inner, place = line % inner;
    out[line] = T(counts ? -Wide<T>(input[(sample * size + named) * inner + place]) : Wide<T>(0));
}

template <typename T>
__global__ void __launch_bounds__(BLOCK) picked_vjp(
        const T* __restrict__ g, const long long* __restrict__ target, T* __restrict__ out,
        long long count, long long size, long long inner, long long ignored) {
    const long long number = thread_number();
    if (number >= count) return;
    const long long column = number / inner % size;
    const long long line = number / (inner * size) * inner + number % inner;
    const long long named = target[line];
    out[number] = T(named == column && named != ignored ? -Wide<T>(g[line]) : Wide<T>(0));
}

// The sum of the input over the number of targets that are not ignored, and that number.
template <typename T>
__global__ void __launch_bounds__(BLOCK) counted_mean(
        const T* __restrict__ input, const long long* __restrict__ target, T* __restrict__ mean,
        Wide<T>* __restrict__ counted, long long count, long long targets, long long ignored) {
    __shared__ double sums[SLOTS<BLOCK>];
    __shared__ double numbers[SLOTS<BLOCK>];
    double sum = 0, number = 0;
    for (long long i = threadIdx.x; i < count; i += BLOCK) sum += double(input[i]);
    for (long long i = threadIdx.x; i < targets; i += BLOCK) number += target[i] != ignored;
    sum = group_sum<BLOCK>(sum, sums);
    number = group_sum<BLOCK>(number, numbers);
    if (threadIdx.x == 0) {
        *mean = T(sum / number);
        *counted = Wide<T>(number);
    }
}

template <typename T>
__global__ void __launch_bounds__(BLOCK) counted_mean_vjp(
        const T* __restrict__ g, const Wide<T>* __restrict__ counted, T* __restrict__ out,
        long long count) {
    const long long number = thread_number();
    if (number < count) out[number] = T(Wide<T>(*g) / *counted);
}
