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
template <typename F, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) line_moments(
        const F* __restrict__ input, Wide<F>* __restrict__ means, Wide<F>* __restrict__ squares,
        long long lines, int size) {
    __shared__ Wide<F> sums[SLOTS<ROW_GROUP>];
    __shared__ Wide<F> offs[SLOTS<ROW_GROUP>];
    const Line<F, ROW_GROUP> line(lines_before<ROW_GROUP>(), lines, size, 1, input);
    const auto share = line.share(input);
    const Wide<F> mean = line.sum(sums, [](int, Wide<F> x) { return x; }, share) / size;
    const auto square = [&](int, Wide<F> x) { return (x - mean) * (x - mean); };
    const Wide<F> off = line.sum(offs, square, share);
    if (line.leads()) {
        means[line.number] = mean;
        squares[line.number] = off;
    }
}

// What is known of channels: their mean, variance, 1 / sqrt(variance + eps), and that times weight.
template <typename F>
struct Channels {
    Wide<F>* mean;
    Wide<F>* variance;
    Wide<F>* scale;
    Wide<F>* gain;

    __device__ __forceinline__ void write(
            long long channel, Wide<F> m, Wide<F> v, double eps, Wide<F> weight) const {
        const Wide<F> s = Wide<F>(1) / sqrt(v + Wide<F>(eps));
        mean[channel] = m;
        variance[channel] = v;
        scale[channel] = s;
        gain[channel] = s * weight;
    }
};

// Of channels, from those of their samples, of `places` elements each; `known` has 4 numbers of each.
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) channel_moments(
        const Wide<F>* __restrict__ means, const Wide<F>* __restrict__ squares,
        const F* __restrict__ weight, Wide<F>* __restrict__ known, int samples, int channels,
        int places, double eps, bool weighted) {
    __shared__ Wide<F> sums[SLOTS<APART>];
    __shared__ Wide<F> offs[SLOTS<APART>];
    using Channel = Line<Wide<F>, APART>;
    const Channel channel(lines_before<APART>(), channels, samples, channels, means, squares);
    const auto own = channel.share(means), off = channel.share(squares);
    const auto itself = [](int, Wide<F> x) { return x; };
    const Wide<F> mean = channel.sum(sums, itself, own) / samples;
    const auto square = [&](int, Wide<F> m, Wide<F> squares) {
        return squares + (m - mean) * (m - mean) * places;
    };
    const Wide<F> total = channel.sum(offs, square, own, off);
    if (!channel.leads()) return;
    const Channels<F> all{known, known + channels, known + 2 * channels, known + 3 * channels};
    const Wide<F> factor = weighted ? Wide<F>(weight[channel.number]) : Wide<F>(1);
    all.write(channel.number, mean, total / (Wide<F>(samples) * places), eps, factor);
}

// (input - mean) * gain + bias, by channel: of lines that are one channel each of a sample; or, if
// `alone`, that have all channels, one place each.
template <typename F, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) shift_and_scale(
        const F* __restrict__ input, const F* __restrict__ mean, const F* __restrict__ gain,
        const F* __restrict__ bias, F* __restrict__ out, long long lines, int size, int channels,
        bool centred, bool biased, bool alone) {
    const Line<F, ROW_GROUP> line(lines_before<ROW_GROUP>(), lines, size, 1, input, out);
    const int own = line.number % channels;
    const auto result = [&](int j, Wide<F> x) {
        const int channel = alone ? j : own;
        const Wide<F> middle = centred ? Wide<F>(mean[channel]) : Wide<F>(0);
        const Wide<F> shift = biased ? Wide<F>(bias[channel]) : Wide<F>(0);
        return (x - middle) * Wide<F>(gain[channel]) + shift;
    };
    line.map(out, result, line.share(input));
}

// For each sample (2, channels): sums of g * (input - mean) * scale, and of g.
template <typename F, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) channel_sums(
        const F* __restrict__ g, const F* __restrict__ input, const Wide<F>* __restrict__ mean,
        const Wide<F>* __restrict__ scale, Wide<F>* __restrict__ partial, long long lines,
        int size, int channels, bool scaled) {
    __shared__ Wide<F> products[SLOTS<ROW_GROUP>];
    __shared__ Wide<F> sums[SLOTS<ROW_GROUP>];
    const Line<F, ROW_GROUP> line(lines_before<ROW_GROUP>(), lines, size, 1, g, input);
    const int channel = line.number % channels;
    const Wide<F> middle = mean[channel];
    Wide<F> product = 0, sum = 0;
    const auto add = [&](int, Wide<F> g, Wide<F> x) {
        product += g * (x - middle);
        sum += g;
    };
    line.each(add, line.share(g), line.share(input));
    product = group_sum<ROW_GROUP>(product, products);
    sum = group_sum<ROW_GROUP>(sum, sums);
    if (!line.leads()) return;
    Wide<F>* own = partial + line.number / channels * 2 * channels;
    own[channel] = scaled ? product * scale[channel] : product;
    own[channels + channel] = sum;
}

// The gradient of an element of a channel of `count`, whose gradients of weight and bias are known.
template <typename F>
struct Slope {
    Wide<F> middle, scale, gain, by_weight, by_bias;

    __device__ __forceinline__ Wide<F> operator()(int, Wide<F> g, Wide<F> x) const {
        return (g - by_bias - (x - middle) * scale * by_weight) * gain;
    }
};

template <typename F, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) channels_vjp(
        const F* __restrict__ g, const F* __restrict__ input, const Wide<F>* __restrict__ known,
        const Wide<F>* __restrict__ sums, F* __restrict__ out, long long lines, int size,
        int channels) {
    const Line<F, ROW_GROUP> line(lines_before<ROW_GROUP>(), lines, size, 1, g, input, out);
    const int channel = line.number % channels;
    const Wide<F> count = Wide<F>(lines / channels) * Wide<F>(size);
    const Slope<F> slope{
        known[channel], known[2 * channels + channel], known[3 * channels + channel],
        sums[channel] / count, sums[channels + channel] / count};
    line.map(out, slope, line.share(g), line.share(input));
}

// ---- of one place: (samples, channels)

template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) standardize_columns(
        const F* __restrict__ input, const F* __restrict__ weight, const F* __restrict__ bias,
        F* __restrict__ out, Wide<F>* __restrict__ known, int samples, int channels, double eps,
        bool weighted, bool biased) {
    __shared__ Wide<F> sums[SLOTS<APART>];
    __shared__ Wide<F> squares[SLOTS<APART>];
    using Channel = Line<F, APART>;
    const Channel channel(lines_before<APART>(), channels, samples, channels, input, out);
    const auto share = channel.share(input);
    const Wide<F> mean = channel.sum(sums, [](int, Wide<F> x) { return x; }, share) / samples;
    const auto square = [&](int, Wide<F> x) { return (x - mean) * (x - mean); };
    const Wide<F> variance = channel.sum(squares, square, share) / samples;
    if (channel.size == 0) return;
    const Wide<F> factor = weighted ? Wide<F>(weight[channel.number]) : Wide<F>(1);
    const Wide<F> shift = biased ? Wide<F>(bias[channel.number]) : Wide<F>(0);
    const Wide<F> gain = factor / sqrt(variance + Wide<F>(eps));
    channel.map(out, [&](int, Wide<F> x) { return (x - mean) * gain + shift; }, share);
    if (channel.leads()) {
        const Channels<F> all{known, known + channels, known + 2 * channels, known + 3 * channels};
        all.write(channel.number, mean, variance, eps, factor);
    }
}

template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) standardize_columns_vjp(
        const F* __restrict__ g, const F* __restrict__ input, const Wide<F>* __restrict__ known,
        F* __restrict__ out, Wide<F>* __restrict__ sums, int samples, int channels) {
    __shared__ Wide<F> products[SLOTS<APART>];
    __shared__ Wide<F> plain[SLOTS<APART>];
    using Channel = Line<F, APART>;
    const Channel channel(lines_before<APART>(), channels, samples, channels, g, input, out);
    const int own = channel.size > 0 ? channel.number : 0;
    const auto gradient = channel.share(g), share = channel.share(input);
    Slope<F> slope{known[own], known[2 * channels + own], known[3 * channels + own], 0, 0};
    const auto product = [&](int, Wide<F> g, Wide<F> x) {
        return g * (x - slope.middle) * slope.scale;
    };
    const Wide<F> by_weight = channel.sum(products, product, gradient, share);
    const Wide<F> by_bias = channel.sum(plain, [](int, Wide<F> g) { return g; }, gradient);
    slope.by_weight = by_weight / samples;
    slope.by_bias = by_bias / samples;
    channel.map(out, slope, gradient, share);
    if (channel.leads()) {
        sums[own] = by_weight;
        sums[channels + own] = by_bias;
    }
}
