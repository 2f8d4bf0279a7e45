// Windows over planes of up to three dimensions: which places a window has, and which windows have
// a place. A plane is one channel of one sample; dimensions that are not there have one place.
//
// Places and windows are numbered within 31 bits. Divisions are by numbers that a launch shares, so
// each is a product and a shift (Granlund and Montgomery 1994), a fifth of what a division takes.

#include "elements.cuh"

constexpr int DIMENSIONS = 3;

struct Divisor {
    unsigned by, factor, shift;

    __device__ __forceinline__ int quotient(int number) const {
        const unsigned high = unsigned(number * (unsigned long long)factor >> 32);
        return int((high + number) >> shift);
    }

    __device__ __forceinline__ int remainder(int number, int quotient) const {
        return number - quotient * int(by);
    }
};

struct Place {
    int of[DIMENSIONS];
};

// What is at a number: which plane, and which of those that a plane has.
struct Spot {
    int plane, inside;
};

// What is numbered line by line.
struct Box {
    int size[DIMENSIONS];
    int volume;
    Divisor by_volume, by_height, by_width;

    __device__ __forceinline__ Spot spot(int number) const {
        const int plane = by_volume.quotient(number);
        return {plane, by_volume.remainder(number, plane)};
    }

    __device__ __forceinline__ Place place(int number) const {
        const int line = by_width.quotient(number), plane = by_height.quotient(line);
        return {{plane, by_height.remainder(line, plane), by_width.remainder(number, line)}};
    }

    __device__ __forceinline__ bool has(int depth, int height, int width) const {
        return unsigned(depth) < unsigned(size[0]) && unsigned(height) < unsigned(size[1])
            && unsigned(width) < unsigned(size[2]);
    }

    __device__ __forceinline__ int number(int depth, int height, int width) const {
        return (depth * size[1] + height) * size[2] + width;
    }
};

// Windows a stride apart. Of dimension k, window i has the places start + j * dilation[k] that are
// in the plane, for each j of the kernel.
struct Windows {
    Box plane, grid;  // places, windows
    Box kernel;
    int padding[DIMENSIONS];
    Divisor stride[DIMENSIONS], dilation[DIMENSIONS];

    // May lie in the padding.
    __device__ __forceinline__ int start(int k, int i) const {
        return i * int(stride[k].by) - padding[k];
    }

    // The places of window i, from the first to before the end, a step apart.
    __device__ __forceinline__ int first(int k, int i) const {
        int place = start(k, i);
        while (place < 0) place += step(k);
        return place;
    }

    __device__ __forceinline__ int end(int k, int i) const {
        const int past = start(k, i) + (kernel.size[k] - 1) * step(k) + 1;
        return past < plane.size[k] ? past : plane.size[k];
    }

    __device__ __forceinline__ int step(int k) const { return int(dilation[k].by); }

    // The windows that reach over a place, from the first to the last.
    __device__ __forceinline__ int first_over(int k, int place) const {
        const int before = place + padding[k] - (kernel.size[k] - 1) * step(k);
        return before <= 0 ? 0 : stride[k].quotient(before + int(stride[k].by) - 1);
    }

    __device__ __forceinline__ int last_over(int k, int place) const {
        const int last = stride[k].quotient(place + padding[k]);
        return last < grid.size[k] ? last : grid.size[k] - 1;
    }
};

// Which element of a window lies on a place that the window reaches over; -1 where dilation leaves
// the place out.
__device__ __forceinline__ int element_at(
        const Windows& windows, const Place& window, const Place& place) {
    int element[DIMENSIONS];
    bool met = true;
#pragma unroll
    for (int k = 0; k < DIMENSIONS; ++k) {
        const int ahead = place.of[k] - windows.start(k, window.of[k]);
        element[k] = windows.dilation[k].quotient(ahead);
        met = met && windows.dilation[k].remainder(ahead, element[k]) == 0;
    }
    return met ? windows.kernel.number(element[0], element[1], element[2]) : -1;
}

// Windows that cover a plane, as even as can be: of dimension k, number i of m over n places goes
// from floor(i n / m) to before ceil((i + 1) n / m).
struct EvenWindows {
    Box plane, grid;

    __device__ __forceinline__ long long size(int k) const { return plane.size[k]; }
    __device__ __forceinline__ long long count(int k) const { return grid.size[k]; }

    __device__ __forceinline__ int first(int k, int i) const { return int(i * size(k) / count(k)); }

    __device__ __forceinline__ int end(int k, int i) const {
        return int(((i + 1) * size(k) + count(k) - 1) / count(k));
    }

    __device__ __forceinline__ int step(int) const { return 1; }

    __device__ __forceinline__ int first_over(int k, int place) const {
        return int(place * count(k) / size(k));
    }

    __device__ __forceinline__ int last_over(int k, int place) const {
        return int(((place + 1) * count(k) - 1) / size(k));
    }
};

// f(number in the plane) for each place of a window.
template <typename Geometry, typename Function>
__device__ __forceinline__ void each_place_of(
        const Geometry& windows, const Place& window, Function f) {
    const int depth_end = windows.end(0, window.of[0]), height_end = windows.end(1, window.of[1]);
    const int width_end = windows.end(2, window.of[2]);
    const int top = windows.first(1, window.of[1]), left = windows.first(2, window.of[2]);
    for (int d = windows.first(0, window.of[0]); d < depth_end; d += windows.step(0)) {
        for (int h = top; h < height_end; h += windows.step(1)) {
            for (int w = left; w < width_end; w += windows.step(2)) {
                f(windows.plane.number(d, h, w));
            }
        }
    }
}

// f(window, its number in the grid) for each window that reaches over a place.
template <typename Geometry, typename Function>
__device__ __forceinline__ void each_window_over(
        const Geometry& windows, const Place& place, Function f) {
    const int depth_last = windows.last_over(0, place.of[0]);
    const int height_last = windows.last_over(1, place.of[1]);
    const int width_last = windows.last_over(2, place.of[2]);
    const int top = windows.first_over(1, place.of[1]), left = windows.first_over(2, place.of[2]);
    for (int d = windows.first_over(0, place.of[0]); d <= depth_last; ++d) {
        for (int h = top; h <= height_last; ++h) {
            for (int w = left; w <= width_last; ++w) {
                f(Place{{d, h, w}}, windows.grid.number(d, h, w));
            }
        }
    }
}
