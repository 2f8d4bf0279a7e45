// Standardising rows by their mean and variance, or by the mean of their squares, and the gradients:
// layer, root-mean-square, group and instance norm.
//
// Traffic, in arrays of the input's size: forward reads 1 and writes 1, backward reads 2 and writes
// 1. What a thread does not keep in registers is read again, from the cache. Gradients of weights
// take two stages: each block adds up its rows', in their order, and the sums of all blocks are
// added up in theirs; they are 256 rows at most, or one for each sample of group norm.
// Launch: ROW_GROUP threads for a row, as `lines.cuh` has them; blocks of BLOCK.

#include "lines.cuh"

// With a weight and a bias for each place, or for each channel of `places` places; a row's first is
// `first`.
template <typename F, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) standardize(
        const F* __restrict__ input, const F* __restrict__ weight, const F* __restrict__ bias,
        F* __restrict__ out, Wide<F>* __restrict__ mean, Wide<F>* __restrict__ variance,
        long long rows, int size, int places, int groups, double eps, bool weighted, bool biased,
        bool centred) {
    __shared__ Wide<F> sums[SLOTS<ROW_GROUP>];
    __shared__ Wide<F> squares[SLOTS<ROW_GROUP>];
    const Line<F, ROW_GROUP> row(
        lines_before<ROW_GROUP>(), rows, size, 1, input, out, weight, bias);
    const auto share = row.share(input);
    Wide<F> middle = 0;
    if (centred) middle = row.sum(sums, [](int, Wide<F> x) { return x; }, share) / size;
    const auto square = [&](int, Wide<F> x) { return (x - middle) * (x - middle); };
    const Wide<F> spread = row.sum(squares, square, share) / size;
    if (row.leads()) {
        mean[row.number] = middle;
        variance[row.number] = spread;
    }
    const Wide<F> scale = Wide<F>(1) / sqrt(spread + Wide<F>(eps));
    const long long first = row.number % groups * (size / places);
    const auto standard = [&](Wide<F> x) { return (x - middle) * scale; };
    if (places == 1) {
        const auto affine = [&](int, Wide<F> x, Wide<F> gain, Wide<F> shift) {
            return standard(x) * gain + shift;
        };
        const auto gains = row.common(weighted ? weight + first : nullptr, 1);
        const auto shifts = row.common(biased ? bias + first : nullptr, 0);
        row.map(out, affine, share, gains, shifts);
    } else {
        const auto affine = [&](int j, Wide<F> x) {
            const long long channel = first + j / places;
            const Wide<F> gain = weighted ? Wide<F>(weight[channel]) : Wide<F>(1);
            return standard(x) * gain + (biased ? Wide<F>(bias[channel]) : Wide<F>(0));
        };
        row.map(out, affine, share);
    }
}

// What a row's gradient is made of: its standardised elements, and its scale.
template <typename F>
struct Standard {
    Wide<F> middle, scale;

    __device__ __forceinline__ Standard(
            const Wide<F>* mean, const Wide<F>* variance, long long row, double eps)
        : middle(mean[row]), scale(Wide<F>(1) / sqrt(variance[row] + Wide<F>(eps))) {}

    __device__ __forceinline__ Wide<F> operator()(Wide<F> x) const { return (x - middle) * scale; }
};

// With a weight for each place. Each block has the sums of its rows' gradients of weight and bias,
// (2, size), in `partial`.
template <typename F, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) standardize_vjp(
        const F* __restrict__ g, const F* __restrict__ input, const F* __restrict__ weight,
        const Wide<F>* __restrict__ mean, const Wide<F>* __restrict__ variance,
        F* __restrict__ out, Wide<F>* __restrict__ partial, long long rows, int size, double eps,
        bool weighted, bool centred, bool summed) {
    using Row = Line<F, ROW_GROUP>;
    __shared__ Wide<F> firsts[SLOTS<ROW_GROUP>];
    __shared__ Wide<F> seconds[SLOTS<ROW_GROUP>];
    __shared__ Wide<F> held[2 * Row::SPAN];
    Piece<F, KEPT<F>> of_weight{}, of_bias{};
    Wide<F>* sums = partial + (long long)blockIdx.x * 2 * size;
    const long long begin = lines_before<ROW_GROUP>(), step = (long long)gridDim.x * Row::LINES;
    const Row of_block(begin, rows, size, 1, g, input, out, weight);
    const auto gains = of_block.common(weighted ? weight : nullptr, 1);
    for (long long before = begin; before < rows; before += step) {
        const Row row(before, rows, size, 1, g, input, out, weight);
        const auto gradient = row.share(g), share = row.share(input);
        const Standard<F> standard(mean, variance, row.size ? row.number : 0, eps);
        Wide<F> first = 0, second = 0;
        const auto add = [&](int, Wide<F> g, Wide<F> x, Wide<F> gain) {
            first += g * gain;
            second += g * gain * standard(x);
        };
        row.each(add, gradient, share, gains);
        first = centred ? group_sum<ROW_GROUP>(first, firsts) / size : Wide<F>(0);
        second = group_sum<ROW_GROUP>(second, seconds) / size;
        const auto slope = [&](int, Wide<F> g, Wide<F> x, Wide<F> gain) {
            return (g * gain - first - standard(x) * second) * standard.scale;
        };
        row.map(out, slope, gradient, share, gains);
        if (summed && row.size > 0) {
#pragma unroll
            for (int k = 0; k < KEPT<F>; ++k) {
                of_weight.of[k] += gradient.kept.of[k] * standard(share.kept.of[k]);
                of_bias.of[k] += gradient.kept.of[k];
            }
            const auto add_beyond = [&](int j, Wide<F> g, Wide<F> x) {
                sums[j] = g * standard(x) + (before == begin ? Wide<F>(0) : sums[j]);
                sums[size + j] = g + (before == begin ? Wide<F>(0) : sums[size + j]);
            };
            row.each_beyond(add_beyond, gradient, share);
        }
        if constexpr (ROW_GROUP > 32) __syncthreads();
    }
    if (!summed) return;
    for (int turn = 0; turn < Row::LINES; ++turn) {
        const auto add = [&](int j, Wide<F> by_weight, Wide<F> by_bias) {
            held[j] = by_weight + (turn > 0 ? held[j] : Wide<F>(0));
            held[Row::SPAN + j] = by_bias + (turn > 0 ? held[Row::SPAN + j] : Wide<F>(0));
        };
        if (threadIdx.x / ROW_GROUP == turn) {
            of_block.template visit<KEPT<F>>(0, add, of_weight, of_bias);
        }
        __syncthreads();
    }
    for (int j = threadIdx.x; j < size && j < Row::SPAN; j += BLOCK) {
        sums[j] = held[j];
        sums[size + j] = held[Row::SPAN + j];
    }
}

// With a weight for each channel; a row has `channels` of `places` places. A block goes over a row's
// channels, LINES at a time, once for its sums and once for its gradient. For each sample `partial`
// has the sums of the gradients of weight and bias, (2, groups * channels).
template <typename F, int ROW_GROUP>
__global__ void __launch_bounds__(BLOCK, 2) standardize_channels_vjp(
        const F* __restrict__ g, const F* __restrict__ input, const F* __restrict__ weight,
        const Wide<F>* __restrict__ mean, const Wide<F>* __restrict__ variance,
        F* __restrict__ out, Wide<F>* __restrict__ partial, int channels, int places, int groups,
        double eps, bool weighted) {
    using Channel = Line<F, ROW_GROUP>;
    __shared__ Wide<F> firsts[SLOTS<ROW_GROUP>];
    __shared__ Wide<F> seconds[SLOTS<ROW_GROUP>];
    __shared__ Wide<F> held[2 * Channel::LINES];
    const long long row = blockIdx.x, begin = row * channels, end = begin + channels;
    const Standard<F> standard(mean, variance, row, eps);
    const int all = groups * channels;
    Wide<F>* sums = partial + row / groups * 2 * all;
    const long long earlier = row / groups * all;  // channels of the samples before
    const auto gain_of = [&](const Channel& channel) {
        const bool one = !weighted || channel.size == 0;
        return one ? Wide<F>(1) : Wide<F>(weight[channel.number - earlier]);
    };
    Wide<F> first = 0, second = 0;
    for (long long before = begin; before < end; before += Channel::LINES) {
        const Channel channel(before, end, places, 1, g, input, out);
        Wide<F> one = 0, two = 0;
        const auto add = [&](int, Wide<F> g, Wide<F> x) {
            one += g;
            two += g * standard(x);
        };
        channel.each(add, channel.share(g), channel.share(input));
        one = group_sum<ROW_GROUP>(one, firsts);
        two = group_sum<ROW_GROUP>(two, seconds);
        if (channel.size > 0) {
            first += gain_of(channel) * one;
            second += gain_of(channel) * two;
        }
        if (channel.leads()) {
            sums[channel.number - earlier] = two;
            sums[all + channel.number - earlier] = one;
        }
        if constexpr (ROW_GROUP > 32) __syncthreads();
    }
    const int own = threadIdx.x / ROW_GROUP;
    if (threadIdx.x % ROW_GROUP == 0) {
        held[own] = first;
        held[Channel::LINES + own] = second;
    }
    __syncthreads();
    first = second = 0;
    for (int other = 0; other < Channel::LINES; ++other) {
        first += held[other];
        second += held[Channel::LINES + other];
    }
    const Wide<F> size = Wide<F>(channels) * Wide<F>(places);
    first /= size;
    second /= size;
    for (long long before = begin; before < end; before += Channel::LINES) {
        const Channel channel(before, end, places, 1, g, input, out);
        const Wide<F> gain = gain_of(channel);
        const auto slope = [&](int, Wide<F> g, Wide<F> x) {
            return (g * gain - first - standard(x) * second) * standard.scale;
        };
        channel.map(out, slope, channel.share(g), channel.share(input));
    }
}

// Sums over the first dimension of (count, columns).
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) column_sums(
        const F* __restrict__ input, F* __restrict__ out, int count, int columns) {
    constexpr int GROUP = 4;
    __shared__ Wide<F> sums[SLOTS<GROUP>];
    const Line<F, GROUP> column(lines_before<GROUP>(), columns, count, columns, input);
    const Wide<F> total = column.sum(sums, [](int, Wide<F> x) { return x; }, column.share(input));
    if (column.leads()) out[column.number] = F(total);
}
