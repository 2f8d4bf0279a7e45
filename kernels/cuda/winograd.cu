// Convolution by windows of 3 x 3 with stride 1 in a quarter of the products: Winograd's F(4 x 4,
// 3 x 3), https://arxiv.org/abs/1509.09308, around 36 products of matrices.
//
//     output = A' [(G window) * (B' input)]      d window = G' [(A d output) * (B' input)]
//
// In two dimensions each transform goes over the columns of a tile, then over its rows. A and G are
// values of a polynomial at the points 0, a, -a, b, -b, and its last coefficient; a b = 1 makes the
// error small (see kernels/numba/winograd_transforms.py).
// Traffic: a tile of 6 x 6 has 4 x 4 places of its own, so transformed arrays are 2.25 times as
// large; each is written once and read once, where columns of windows would be 9 times as large.
// Tiles overlap in what they read, from the cache. Neighbouring threads have neighbouring tiles, or
// channels of a window.
// Launch: tiles one thread each (blockIdx.x) for a channel (blockIdx.y); windows one thread each.
// What is not finite would spoil whole tiles: their outputs are summed again, window by window.

#include "windows.cuh"

constexpr int BLOCK = 256;
constexpr int SIDE = 6, OUTPUTS = 4, WINDOW = 3;

constexpr double A = 2.0 / 3, B = 3.0 / 2, A2 = A * A, B2 = B * B;
constexpr double NEAR_SCALE = 1 / (2 * A2 * (A2 - B2)), FAR_SCALE = 1 / (2 * B2 * (B2 - A2));

__device__ __forceinline__ int number_of_thread() {
    return int(blockIdx.x) * BLOCK + int(threadIdx.x);
}

// B' d
struct OfInput {
    template <typename F>
    __device__ __forceinline__ void operator()(const F (&d)[SIDE], F (&out)[SIDE]) const {
        const F near = d[4] - F(B2) * d[2], far = d[4] - F(A2) * d[2];
        const F odd_near = F(A) * (d[3] - F(B2) * d[1]), odd_far = F(B) * (d[3] - F(A2) * d[1]);
        out[0] = d[0] - F(A2 + B2) * d[2] + d[4];
        out[1] = near + odd_near;
        out[2] = near - odd_near;
        out[3] = far + odd_far;
        out[4] = far - odd_far;
        out[5] = d[1] - F(A2 + B2) * d[3] + d[5];
    }
};

// G of a window
struct OfWindow {
    template <typename F>
    __device__ __forceinline__ void operator()(const F (&of)[WINDOW], F (&out)[SIDE]) const {
        const F near = F(NEAR_SCALE) * (of[0] + F(A2) * of[2]);
        const F far = F(FAR_SCALE) * (of[0] + F(B2) * of[2]);
        const F odd_near = F(NEAR_SCALE * A) * of[1], odd_far = F(FAR_SCALE * B) * of[1];
        out[0] = of[0];
        out[1] = near + odd_near;
        out[2] = near - odd_near;
        out[3] = far + odd_far;
        out[4] = far - odd_far;
        out[5] = of[2];
    }
};

// A of the gradient of outputs
struct OfGradient {
    template <typename F>
    __device__ __forceinline__ void operator()(const F (&of)[OUTPUTS], F (&out)[SIDE]) const {
        const F near = of[0] + F(A2) * of[2], odd_near = F(A) * (of[1] + F(A2) * of[3]);
        const F far = of[0] + F(B2) * of[2], odd_far = F(B) * (of[1] + F(B2) * of[3]);
        out[0] = of[0];
        out[1] = near + odd_near;
        out[2] = near - odd_near;
        out[3] = far + odd_far;
        out[4] = far - odd_far;
        out[5] = of[3];
    }
};

// A' of products
struct OfProducts {
    template <typename F>
    __device__ __forceinline__ void operator()(const F (&of)[SIDE], F (&out)[OUTPUTS]) const {
        const F near = of[1] + of[2], odd_near = of[1] - of[2];
        const F far = of[3] + of[4], odd_far = of[3] - of[4];
        out[0] = of[0] + (near + far);
        out[1] = F(A) * odd_near + F(B) * odd_far;
        out[2] = F(A2) * near + F(B2) * far;
        out[3] = F(A2 * A) * odd_near + F(B2 * B) * odd_far + of[5];
    }
};

// G' of products
struct OfWindowProducts {
    template <typename F>
    __device__ __forceinline__ void operator()(const F (&of)[SIDE], F (&out)[WINDOW]) const {
        const F near = F(NEAR_SCALE) * (of[1] + of[2]), odd_near = F(NEAR_SCALE) * (of[1] - of[2]);
        const F far = F(FAR_SCALE) * (of[3] + of[4]), odd_far = F(FAR_SCALE) * (of[3] - of[4]);
        out[0] = of[0] + (near + far);
        out[1] = F(A) * odd_near + F(B) * odd_far;
        out[2] = F(A2) * near + F(B2) * far + of[5];
    }
};

// A transform of the columns of a square, then of the rows.
template <typename Transform, typename F, int FROM, int TO>
__device__ __forceinline__ void transform(const F (&in)[FROM][FROM], F (&out)[TO][TO]) {
    const Transform along;
    F half[TO][FROM];
#pragma unroll
    for (int j = 0; j < FROM; ++j) {
        F column[FROM], found[TO];
#pragma unroll
        for (int i = 0; i < FROM; ++i) column[i] = in[i][j];
        along(column, found);
#pragma unroll
        for (int i = 0; i < TO; ++i) half[i][j] = found[i];
    }
#pragma unroll
    for (int i = 0; i < TO; ++i) along(half[i], out[i]);
}

// A square from, or to, matrices that are `apart` from each other.
template <typename F>
__device__ __forceinline__ void gather(const F* from, long long apart, F (&square)[SIDE][SIDE]) {
#pragma unroll
    for (int i = 0; i < SIDE; ++i) {
#pragma unroll
        for (int j = 0; j < SIDE; ++j) {
            square[i][j] = *from;
            from += apart;
        }
    }
}

template <typename F>
__device__ __forceinline__ void spread(const F (&square)[SIDE][SIDE], F* to, long long apart) {
#pragma unroll
    for (int i = 0; i < SIDE; ++i) {
#pragma unroll
        for (int j = 0; j < SIDE; ++j) {
            *to = square[i][j];
            to += apart;
        }
    }
}

template <typename F, int COUNT>
__device__ __forceinline__ bool finite(const F (&square)[COUNT][COUNT]) {
    bool all = true;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
#pragma unroll
        for (int j = 0; j < COUNT; ++j) all = all && square[i][j] - square[i][j] == F(0);
    }
    return all;
}

// Pictures of some height and width, widened by padding, and their outputs, which are cut into
// tiles: so many a sample, `across` to a row.
struct Tiling {
    int height, width;
    int out_height, out_width;
    int padding[2];
    Divisor tiles, across;

    __device__ __forceinline__ bool has(int h, int w) const {
        return unsigned(h) < unsigned(height) && unsigned(w) < unsigned(width);
    }
};

// A tile's sample and its first output.
struct Corner {
    int sample, top, left;

    __device__ __forceinline__ Corner(const Tiling& tiling, int tile) {
        sample = tiling.tiles.quotient(tile);
        const int inside = tiling.tiles.remainder(tile, sample);
        const int row = tiling.across.quotient(inside);
        top = row * OUTPUTS;
        left = tiling.across.remainder(inside, row) * OUTPUTS;
    }
};

// What is at a place of a padded picture: none in its padding, or where a rectified y is not above
// 0.
template <typename F>
__device__ __forceinline__ F at_place(
        const F* picture, const F* y, int rectified, const Tiling& tiling, int h, int w) {
    h -= tiling.padding[0];
    w -= tiling.padding[1];
    if (!tiling.has(h, w)) return F(0);
    const int place = h * tiling.width + w;
    return rectified && y[place] <= F(0) ? F(0) : picture[place];
}

// windows (rows, depth, 3, 3), or (depth, rows, 3, 3) and turned round, to (36, rows, depth).
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) transform_windows(
        const F* __restrict__ windows, F* __restrict__ out, int turned, int rows, Divisor depth,
        int count) {
    const int number = number_of_thread();
    if (number >= count) return;
    const int row = depth.quotient(number), column = depth.remainder(number, row);
    const int at = turned ? column * rows + row : number;
    const F* window = windows + at * WINDOW * WINDOW;
    F taps[WINDOW][WINDOW], square[SIDE][SIDE];
#pragma unroll
    for (int i = 0; i < WINDOW; ++i) {
#pragma unroll
        for (int j = 0; j < WINDOW; ++j) {
            const int k = i * WINDOW + j;
            taps[i][j] = window[turned ? WINDOW * WINDOW - 1 - k : k];
        }
    }
    transform<OfWindow>(taps, square);
    spread(square, out + number, count);
}

// pictures (samples, channels, height, width) to (36, channels, pitch): a square of COUNT places
// from each tile's corner on; y: see at_place. Lines of places have an address each, not places:
// those would take more registers than there are.
template <typename Transform, int COUNT, typename F>
__device__ __forceinline__ void transform_pictures(
        const F* pictures, const F* y, F* out, int rectified, int channels, int count, int pitch,
        const Tiling& tiling) {
    const int tile = number_of_thread(), channel = blockIdx.y;
    if (tile >= count) return;
    const Corner corner(tiling, tile);
    const int top = corner.top - tiling.padding[0], left = corner.left - tiling.padding[1];
    const int first = (corner.sample * channels + channel) * tiling.height * tiling.width;
    F places[COUNT][COUNT], square[SIDE][SIDE];
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        const long long line = first + (top + i) * tiling.width + left;
#pragma unroll
        for (int j = 0; j < COUNT; ++j) {
            const bool inside = tiling.has(top + i, left + j);
            const bool passes = inside && !(rectified && y[line + j] <= F(0));
            places[i][j] = passes ? pictures[line + j] : F(0);
        }
    }
    transform<Transform>(places, square);
    spread(square, out + channel * pitch + tile, (long long)channels * pitch);
}

template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) transform_tiles(
        const F* __restrict__ pictures, const F* __restrict__ y, F* __restrict__ out,
        int rectified, int channels, int count, int pitch, Tiling tiling) {
    transform_pictures<OfInput, SIDE>(
        pictures, y, out, rectified, channels, count, pitch, tiling);
}

template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) transform_gradient(
        const F* __restrict__ g, const F* __restrict__ y, F* __restrict__ out, int rectified,
        int channels, int count, int pitch, Tiling tiling) {
    transform_pictures<OfGradient, OUTPUTS>(g, y, out, rectified, channels, count, pitch, tiling);
}

// The first `count` of a tile's line, together if it begins at a multiple of 16 bytes.
template <typename F>
__device__ __forceinline__ void store_line(
        const F (&line)[OUTPUTS], F* to, int count, bool vectors) {
#pragma unroll
    for (int j = 0; j < OUTPUTS; j += VECTOR<F>) {
        Part<F, VECTOR<F>> part;
#pragma unroll
        for (int v = 0; v < VECTOR<F>; ++v) part.of[v] = line[j + v];
        if (vectors) *reinterpret_cast<Part<F, VECTOR<F>>*>(to + j) = part;
#pragma unroll
        for (int v = 0; v < VECTOR<F>; ++v) {
            if (!vectors && j + v < count) to[j + v] = part.of[v];
        }
    }
}

// products (36, rows, pitch) to out (samples, rows, out_height, out_width), plus bias, and 0 in
// place of what is below if they are rectified. pictures, y (if masked) and windows: what was
// transformed.
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) transform_products(
        const F* __restrict__ products, const F* __restrict__ bias,
        const F* __restrict__ pictures, const F* __restrict__ y, const F* __restrict__ windows,
        F* __restrict__ out, int biased, int rectified, int masked, int turned, int rows,
        int depth, int count, int pitch, Tiling tiling) {
    const int tile = number_of_thread(), row = blockIdx.y;
    if (tile >= count) return;
    const Corner corner(tiling, tile);
    const int places = tiling.height * tiling.width;
    F square[SIDE][SIDE], outputs[OUTPUTS][OUTPUTS];
    gather(products + row * pitch + tile, (long long)rows * pitch, square);
    transform<OfProducts>(square, outputs);
    const int first = (corner.sample * rows + row) * tiling.out_height * tiling.out_width;
    const int down = tiling.out_height - corner.top, across = tiling.out_width - corner.left;
    F* place = out + first + corner.top * tiling.out_width + corner.left;
    const auto ended = [&](F sum) {
        if (biased) sum += bias[row];
        return rectified && sum <= F(0) ? F(0) : sum;
    };
    if (finite(outputs)) {
        const bool vectors = tiling.out_width % OUTPUTS == 0 && is_vector_aligned(out);
#pragma unroll
        for (int i = 0; i < OUTPUTS; ++i) {
#pragma unroll
            for (int j = 0; j < OUTPUTS; ++j) outputs[i][j] = ended(outputs[i][j]);
            if (i < down) store_line(outputs[i], place + i * tiling.out_width, across, vectors);
        }
        return;
    }
    // Window by window.
#pragma unroll 1
    for (int number = 0; number < OUTPUTS * OUTPUTS; ++number) {
        const int i = number / OUTPUTS, j = number % OUTPUTS;
        if (i >= down || j >= across) continue;
        F sum = 0;
#pragma unroll 1
        for (int term = 0; term < depth * WINDOW * WINDOW; ++term) {
            const int column = term / (WINDOW * WINDOW), k = term % (WINDOW * WINDOW);
            const int plane = (corner.sample * depth + column) * places;
            const int h = corner.top + i + k / WINDOW, w = corner.left + j + k % WINDOW;
            const int window = turned ? column * rows + row : row * depth + column;
            const int tap = turned ? WINDOW * WINDOW - 1 - k : k;
            sum += windows[window * WINDOW * WINDOW + tap]
                * at_place(pictures + plane, y + plane, masked, tiling, h, w);
        }
        place[i * tiling.out_width + j] = ended(sum);
    }
}

// products (36, rows, depth) to the gradient of windows (rows, depth, 3, 3), added to it if it is
// not the first. pictures (samples, depth, height, width), g and y (samples, rows, out_height,
// out_width), this if rectified: what was transformed.
template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) transform_window_products(
        const F* __restrict__ products, const F* __restrict__ pictures, const F* __restrict__ g,
        const F* __restrict__ y, F* __restrict__ out, int rectified, int add, int samples,
        int rows, Divisor depth, int count, Tiling tiling) {
    const int number = number_of_thread();
    if (number >= count) return;
    const int row = depth.quotient(number), column = depth.remainder(number, row);
    F square[SIDE][SIDE], taps[WINDOW][WINDOW];
    gather(products + number, count, square);
    transform<OfWindowProducts>(square, taps);
    F* window = out + number * WINDOW * WINDOW;
    if (finite(taps)) {
#pragma unroll
        for (int i = 0; i < WINDOW; ++i) {
#pragma unroll
            for (int j = 0; j < WINDOW; ++j) {
                const int k = i * WINDOW + j;
                window[k] = add ? window[k] + taps[i][j] : taps[i][j];
            }
        }
        return;
    }
    // Output by output.
    const int positions = tiling.out_height * tiling.out_width;
#pragma unroll 1
    for (int k = 0; k < WINDOW * WINDOW; ++k) {
        F sum = 0;
#pragma unroll 1
        for (int term = 0; term < samples * positions; ++term) {
            const int sample = term / positions, position = term % positions;
            const int h = position / tiling.out_width + k / WINDOW;
            const int w = position % tiling.out_width + k % WINDOW;
            const int plane = (sample * int(depth.by) + column) * tiling.height * tiling.width;
            const int from = (sample * rows + row) * positions + position;
            const F gradient = rectified && y[from] <= F(0) ? F(0) : g[from];
            sum += gradient * at_place(pictures + plane, pictures + plane, 0, tiling, h, w);
        }
        window[k] = add ? window[k] + sum : sum;
    }
}
