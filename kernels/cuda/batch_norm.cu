// Standardising the channels of a batch (samples, channels, places), scaling by numbers of channels,
// and the gradients.
//
// Traffic, in arrays of the input's size: forward reads 2 and writes 1, backward reads 4 and writes
// 1, since a channel's statistics are known only when all of it was read; of one place, where four
// threads have a channel, forward reads 1 and backward 2. Scaling reads 1 and writes 1. Between,
// there are two numbers for each channel of each sample, added up in the order of the samples.
// Launch: ROW_GROUP threads for a channel of a sample, as `lines.cuh` has them; blocks of BLOCK.

#include "lines.cuh"

constexpr int APART = 4;  // threads that have a channel whose elements lie apart

// The mean of each line, and the sum of the squares of what its elements are off it.
template <typename T, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) line_moments(
        const T* __restrict__ input, Wide<T>* __restrict__ means, Wide<T>* __restrict__ squares,
        long long lines, int size) {
    __shared__ Wide<T> sums[SLOTS<ROW_GROUP>];
    __shared__ Wide<T> offs[SLOTS<ROW_GROUP>];
    const Line<T, ROW_GROUP> line(lines_before<ROW_GROUP>(), lines, size, 1, input);
    const auto share = line.share(input);
    const Wide<T> mean = line.sum(sums, [](int, Wide<T> x) { return x; }, share) / size;
    const auto square = [&](int, Wide<T> x) { return (x - mean) * (x - mean); };
    const Wide<T> off = line.sum(offs, square, share);
    if (line.leads()) {
        means[line.number] = mean;
        squares[line.number] = off;
    }
}

// What is known of channels: their mean, variance, 1 / sqrt(variance + eps), and that times weight.
template <typename T>
struct Channels {
    Wide<T>* mean;
    Wide<T>* variance;
    Wide<T>* scale;
    Wide<T>* gain;

    __device__ __forceinline__ void write(
            long long channel, Wide<T> m, Wide<T> v, double eps, Wide<T> weight) const {
        const Wide<T> s = Wide<T>(1) / sqrt(v + Wide<T>(eps));
        mean[channel] = m;
        variance[channel] = v;
        scale[channel] = s;
        gain[channel] = s * weight;
    }
};

// Of channels, from those of their samples, of `places` elements each; `known` has 4 numbers of each.
template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) channel_moments(
        const Wide<T>* __restrict__ means, const Wide<T>* __restrict__ squares,
        const T* __restrict__ weight, Wide<T>* __restrict__ known, int samples, int channels,
        int places, double eps, bool weighted) {
    __shared__ Wide<T> sums[SLOTS<APART>];
    __shared__ Wide<T> offs[SLOTS<APART>];
    using Channel = Line<Wide<T>, APART>;
    const Channel channel(lines_before<APART>(), channels, samples, channels, means, squares);
    const auto own = channel.share(means), off = channel.share(squares);
    const auto itself = [](int, Wide<T> x) { return x; };
    const Wide<T> mean = channel.sum(sums, itself, own) / samples;
    const auto square = [&](int, Wide<T> m, Wide<T> squares) {
        return squares + (m - mean) * (m - mean) * places;
    };
    const Wide<T> total = channel.sum(offs, square, own, off);
    if (!channel.leads()) return;
    const Channels<T> all{known, known + channels, known + 2 * channels, known + 3 * channels};
    const Wide<T> factor = weighted ? Wide<T>(weight[channel.number]) : Wide<T>(1);
    all.write(channel.number, mean, total / (Wide<T>(samples) * places), eps, factor);
}

// (input - mean) * gain + bias, by channel: of lines that are one channel each of a sample; or, if
// `alone`, that have all channels, one place each.
template <typename T, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) shift_and_scale(
        const T* __restrict__ input, const T* __restrict__ mean, const T* __restrict__ gain,
        const T* __restrict__ bias, T* __restrict__ out, long long lines, int size, int channels,
        bool centred, bool biased, bool alone) {
    const Line<T, ROW_GROUP> line(lines_before<ROW_GROUP>(), lines, size, 1, input, out);
    const int own = line.number % channels;
    const auto result = [&](int j, Wide<T> x) {
        const int channel = alone ? j : own;
        const Wide<T> middle = centred ? Wide<T>(mean[channel]) : Wide<T>(0);
        const Wide<T> shift = biased ? Wide<T>(bias[channel]) : Wide<T>(0);
        return (x - middle) * Wide<T>(gain[channel]) + shift;
    };
    line.map(out, result, line.share(input));
}

// For each sample (2, channels): sums of g * (input - mean) * scale, and of g.
template <typename T, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) channel_sums(
        const T* __restrict__ g, const T* __restrict__ input, const Wide<T>* __restrict__ mean,
        const Wide<T>* __restrict__ scale, Wide<T>* __restrict__ partial, long long lines,
        int size, int channels, bool scaled) {
    __shared__ Wide<T> products[SLOTS<ROW_GROUP>];
    __shared__ Wide<T> sums[SLOTS<ROW_GROUP>];
    const Line<T, ROW_GROUP> line(lines_before<ROW_GROUP>(), lines, size, 1, g, input);
    const int channel = line.number % channels;
    const Wide<T> middle = mean[channel];
    Wide<T> product = 0, sum = 0;
    const auto add = [&](int, Wide<T> g, Wide<T> x) {
        product += g * (x - middle);
        sum += g;
    };
    line.each(add, line.share(g), line.share(input));
    product = group_sum<ROW_GROUP>(product, products);
    sum = group_sum<ROW_GROUP>(sum, sums);
    if (!line.leads()) return;
    Wide<T>* own = partial + line.number / channels * 2 * channels;
    own[channel] = scaled ? product * scale[channel] : product;
    own[channels + channel] = sum;
}

// The gradient of an element of a channel of `count`, whose gradients of weight and bias are known.
template <typename T>
struct Slope {
    Wide<T> middle, scale, gain, by_weight, by_bias;

    __device__ __forceinline__ Wide<T> operator()(int, Wide<T> g, Wide<T> x) const {
        return (g - by_bias - (x - middle) * scale * by_weight) * gain;
    }
};

template <typename T, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) channels_vjp(
        const T* __restrict__ g, const T* __restrict__ input, const Wide<T>* __restrict__ known,
        const Wide<T>* __restrict__ sums, T* __restrict__ out, long long lines, int size,
        int channels) {
    const Line<T, ROW_GROUP> line(lines_before<ROW_GROUP>(), lines, size, 1, g, input, out);
    const int channel = line.number % channels;
    const Wide<T> count = Wide<T>(lines / channels) * Wide<T>(size);
    const Slope<T> slope{
        known[channel], known[2 * channels + channel], known[3 * channels + channel],
        sums[channel] / count, sums[channels + channel] / count};
    line.map(out, slope, line.share(g), line.share(input));
}

// ---- of one place: (samples, channels)

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) standardize_columns(
        const T* __restrict__ input, const T* __restrict__ weight, const T* __restrict__ bias,
        T* __restrict__ out, Wide<T>* __restrict__ known, int samples, int channels, double eps,
        bool weighted, bool biased) {
    __shared__ Wide<T> sums[SLOTS<APART>];
    __shared__ Wide<T> squares[SLOTS<APART>];
    using Channel = Line<T, APART>;
    const Channel channel(lines_before<APART>(), channels, samples, channels, input, out);
    const auto share = channel.share(input);
    const Wide<T> mean = channel.sum(sums, [](int, Wide<T> x) { return x; }, share) / samples;
    const auto square = [&](int, Wide<T> x) { return (x - mean) * (x - mean); };
    const Wide<T> variance = channel.sum(squares, square, share) / samples;
    if (channel.size == 0) return;
    const Wide<T> factor = weighted ? Wide<T>(weight[channel.number]) : Wide<T>(1);
    const Wide<T> shift = biased ? Wide<T>(bias[channel.number]) : Wide<T>(0);
    const Wide<T> gain = factor / sqrt(variance + Wide<T>(eps));
    channel.map(out, [&](int, Wide<T> x) { return (x - mean) * gain + shift; }, share);
    if (channel.leads()) {
        const Channels<T> all{known, known + channels, known + 2 * channels, known + 3 * channels};
        all.write(channel.number, mean, variance, eps, factor);
    }
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) standardize_columns_vjp(
        const T* __restrict__ g, const T* __restrict__ input, const Wide<T>* __restrict__ known,
        T* __restrict__ out, Wide<T>* __restrict__ sums, int samples, int channels) {
    __shared__ Wide<T> products[SLOTS<APART>];
    __shared__ Wide<T> plain[SLOTS<APART>];
    using Channel = Line<T, APART>;
    const Channel channel(lines_before<APART>(), channels, samples, channels, g, input, out);
    const int own = channel.size > 0 ? channel.number : 0;
    const auto gradient = channel.share(g), share = channel.share(input);
    Slope<T> slope{known[own], known[2 * channels + own], known[3 * channels + own], 0, 0};
    const auto product = [&](int, Wide<T> g, Wide<T> x) {
        return g * (x - slope.middle) * slope.scale;
    };
    const Wide<T> by_weight = channel.sum(products, product, gradient, share);
    const Wide<T> by_bias = channel.sum(plain, [](int, Wide<T> g) { return g; }, gradient);
    slope.by_weight = by_weight / samples;
    slope.by_bias = by_bias / samples;
    channel.map(out, slope, gradient, share);
    if (channel.leads()) {
        sums[own] = by_weight;
        sums[channels + own] = by_bias;
    }
}
