// The largest element of windows, sums of windows, and the way back of both.
//
// Traffic: the largest reads the plane once (windows that overlap read the cache) and writes an
// element and its place, 4 bytes, for each window; the way back reads both and writes the plane.
// Sums read the plane and write the sums, or the other way round.
// Launch: one thread for each window, or for each place on the way back: it looks at the windows
// over its place, so nothing is added atomically and sums are the same every time. Neighbouring
// threads have neighbouring windows; blocks of BLOCK.

#include "windows.cuh"

constexpr int BLOCK = 256;

__device__ __forceinline__ int number_of_thread() {
    return int(blockIdx.x) * BLOCK + int(threadIdx.x);
}

template <typename T>
struct Largest {
    T value;
    int place;  // in its plane; -1 for that of a window in the padding alone, where `value` is -inf
};

// Of several the first, of NaNs the last.
template <typename T, typename Geometry>
__device__ __forceinline__ Largest<T> largest_of(
        const T* input, const Geometry& windows, int number) {
    const Spot at = windows.grid.spot(number);
    const T* elements = input + at.plane * windows.plane.volume;
    Largest<T> found{T(__int_as_float(0xff800000)), -1};
    each_place_of(windows, windows.grid.place(at.inside), [&](int place) {
        const T value = elements[place];
        if (value > found.value || value != value || found.place < 0) found = {value, place};
    });
    return found;
}

// The sum of what came to the windows that took their largest element from a place.
template <typename T, typename Geometry>
__device__ __forceinline__ T come_back(
        const T* g, const int* places, const Geometry& windows, int number) {
    const Spot mine = windows.plane.spot(number);
    const int first = mine.plane * windows.grid.volume;
    Wide<T> sum = 0;
    each_window_over(windows, windows.plane.place(mine.inside), [&](const Place&, int window) {
        if (places[first + window] == mine.inside) sum += Wide<T>(g[first + window]);
    });
    return T(sum);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) largest(
        const T* __restrict__ input, T* __restrict__ out, int* __restrict__ places, int count,
        Windows windows) {
    const int number = number_of_thread();
    if (number >= count) return;
    const Largest<T> found = largest_of(input, windows, number);
    out[number] = found.value;
    places[number] = found.place;
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) largest_of_target(
        const T* __restrict__ input, T* __restrict__ out, int* __restrict__ places, int count,
        EvenWindows windows) {
    const int number = number_of_thread();
    if (number >= count) return;
    const Largest<T> found = largest_of(input, windows, number);
    out[number] = found.value;
    places[number] = found.place;
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) places_of_largest(
        const T* __restrict__ input, long long* __restrict__ places, int count, Windows windows) {
    const int number = number_of_thread();
    if (number >= count) return;
    places[number] = largest_of(input, windows, number).place;
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) largest_vjp(
        const T* __restrict__ g, const int* __restrict__ places, T* __restrict__ out, int count,
        Windows windows) {
    const int number = number_of_thread();
    if (number < count) out[number] = come_back(g, places, windows, number);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) largest_of_target_vjp(
        const T* __restrict__ g, const int* __restrict__ places, T* __restrict__ out, int count,
        EvenWindows windows) {
    const int number = number_of_thread();
    if (number < count) out[number] = come_back(g, places, windows, number);
}

template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) sums(
        const F* __restrict__ input, F* __restrict__ out, int count, Windows windows) {
    const int number = number_of_thread();
    if (number >= count) return;
    const Spot at = windows.grid.spot(number);
    const F* elements = input + at.plane * windows.plane.volume;
    F sum = 0;
    each_place_of(windows, windows.grid.place(at.inside), [&](int place) {
        sum += elements[place];
    });
    out[number] = sum;
}

template <typename F>
__global__ void __launch_bounds__(BLOCK, 2) sums_vjp(
        const F* __restrict__ g, F* __restrict__ out, int count, Windows windows) {
    const int number = number_of_thread();
    if (number >= count) return;
    const Spot at = windows.plane.spot(number);
    const F* elements = g + at.plane * windows.grid.volume;
    F sum = 0;
    each_window_over(windows, windows.plane.place(at.inside), [&](const Place&, int window) {
        sum += elements[window];
    });
    out[number] = sum;
}
