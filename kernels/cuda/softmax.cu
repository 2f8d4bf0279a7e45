// Softmax, its logarithm, and softmax cross-entropy, of lines of elements along any dimension.
//
// Traffic, in arrays of the input's size: forward reads 1 and writes 1, backward reads 2 and writes
// 1; cross-entropy reads 1 and writes 3 numbers a line, its gradient reads 1 and writes 1. What a
// thread does not keep in registers is read again, from the cache.
// Launch: GROUP threads for a line, as `lines.cuh` has them; blocks of BLOCK.

#include "faults.cuh"
#include "lines.cuh"

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) softmax(
        const T* __restrict__ input, T* __restrict__ out, long long lines, int size,
        long long inner) {
    __shared__ Wide<T> largest[SLOTS<GROUP>];
    __shared__ Wide<T> sums[SLOTS<GROUP>];
    const Line<T, GROUP> line(lines_before<GROUP>(), lines, size, inner, input, out);
    const auto share = line.share(input);
    const Wide<T> peak = line.largest(share, largest);
    const Wide<T> total = line.sum(sums, [&](int, Wide<T> x) { return exp(x - peak); }, share);
    line.map(out, [&](int, Wide<T> x) { return exp(x - peak) / total; }, share);
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) log_softmax(
        const T* __restrict__ input, T* __restrict__ out, long long lines, int size,
        long long inner) {
    __shared__ Wide<T> largest[SLOTS<GROUP>];
    __shared__ Wide<T> sums[SLOTS<GROUP>];
    const Line<T, GROUP> line(lines_before<GROUP>(), lines, size, inner, input, out);
    const auto share = line.share(input);
    const Wide<T> peak = line.largest(share, largest);
    const Wide<T> total = line.sum(sums, [&](int, Wide<T> x) { return exp(x - peak); }, share);
    const Wide<T> level = log(total);
    line.map(out, [&](int, Wide<T> x) { return (x - peak) - level; }, share);
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) softmax_vjp(
        const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, long long lines,
        int size, long long inner) {
    __shared__ Wide<T> sums[SLOTS<GROUP>];
    const Line<T, GROUP> line(lines_before<GROUP>(), lines, size, inner, g, y, out);
    const auto gradient = line.share(g), probabilities = line.share(y);
    const auto product = [](int, Wide<T> g, Wide<T> p) { return g * p; };
    const Wide<T> total = line.sum(sums, product, gradient, probabilities);
    const auto slope = [&](int, Wide<T> g, Wide<T> p) { return p * (g - total); };
    line.map(out, slope, gradient, probabilities);
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) log_softmax_vjp(
        const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, long long lines,
        int size, long long inner) {
    __shared__ Wide<T> sums[SLOTS<GROUP>];
    const Line<T, GROUP> line(lines_before<GROUP>(), lines, size, inner, g, y, out);
    const auto gradient = line.share(g), logs = line.share(y);
    const Wide<T> total = line.sum(sums, [](int, Wide<T> g) { return g; }, gradient);
    const auto slope = [&](int, Wide<T> g, Wide<T> l) { return g - exp(l) * total; };
    line.map(out, slope, gradient, logs);
}

// The loss of each line, and for its gradient the line's largest element and the sum above it.
// `smoothing` is the share of the mean over all classes. A class that is not there is reported.
template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) cross_entropy(
        const T* __restrict__ input, const long long* __restrict__ target, T* __restrict__ loss,
        Wide<T>* __restrict__ state, long long lines, int size, long long inner,
        long long ignored, double smoothing, Report report) {
    __shared__ Wide<T> largest[SLOTS<GROUP>];
    __shared__ Wide<T> sums[SLOTS<GROUP>];
    __shared__ Wide<T> levels[SLOTS<GROUP>];
    const Line<T, GROUP> line(lines_before<GROUP>(), lines, size, inner, input);
    const auto share = line.share(input);
    const Wide<T> peak = line.largest(share, largest);
    const Wide<T> total = line.sum(sums, [&](int, Wide<T> x) { return exp(x - peak); }, share);
    Wide<T> uniform = 0;
    if (smoothing > 0) {
        const Wide<T> below = line.sum(levels, [&](int, Wide<T> x) { return x - peak; }, share);
        uniform = log(total) - below / size;
    }
    if (!line.leads()) return;
    const long long named = target[line.number];
    state[2 * line.number] = peak;
    state[2 * line.number + 1] = total;
    if (named == ignored || !within(named, 0, size, report)) {
        loss[line.number] = T(0);
    } else {
        const Wide<T> own = log(total) - (Wide<T>(share.line[line.step_to(named)]) - peak);
        const Wide<T> part = Wide<T>(smoothing);
        loss[line.number] = T(smoothing > 0 ? own * (Wide<T>(1) - part) + uniform * part : own);
    }
}

template <typename T, int GROUP>
__global__ void __launch_bounds__(BLOCK, 2) cross_entropy_vjp(
        const T* __restrict__ g, const T* __restrict__ input, const long long* __restrict__ target,
        const Wide<T>* __restrict__ state, T* __restrict__ out, long long lines, int size,
        long long inner, long long ignored, double smoothing) {
    const Line<T, GROUP> line(lines_before<GROUP>(), lines, size, inner, input, out);
    if (line.size == 0) return;
    const long long named = target[line.number];
    const Wide<T> peak = state[2 * line.number], total = state[2 * line.number + 1];
    const Wide<T> gradient = named == ignored ? Wide<T>(0) : Wide<T>(g[line.number]);
    const Wide<T> own = Wide<T>(1 - smoothing), each = Wide<T>(smoothing) / size;
    const auto slope = [&](int j, Wide<T> x) {
        const Wide<T> less = exp(x - peak) / total - each;
        return named == ignored ? Wide<T>(0) : gradient * (j == named ? less - own : less);
    };
    line.map(out, slope, line.share(input));
}
