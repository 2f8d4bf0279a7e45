// Functions of elements, by the names that traces of elementwise rules use, and 16-byte parts of
// arrays. NaN goes where NumPy sends it.

#include "storage.cuh"

template <typename T>
__device__ __forceinline__ T where(bool condition, T a, T b) {
    return condition ? a : b;
}

template <typename T>
__device__ __forceinline__ T clamp_to(T x, T low, T high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

template <typename T>
__device__ __forceinline__ T sign(T x) {
    if (x > T(0)) return T(1);
    if (x < T(0)) return T(-1);
    return x == T(0) ? T(0) : x;
}

template <typename T>
__device__ __forceinline__ T maximum(T a, T b) {
    return a > b || a != a ? a : b;
}

// Without overflow on either side.
template <typename T>
__device__ __forceinline__ T sigmoid_of(T x) {
    const T small = exp(-abs(x));
    return (x >= T(0) ? T(1) : small) / (T(1) + small);
}

template <typename T, int WIDTH>
struct alignas(WIDTH * sizeof(T)) Part {
    T of[WIDTH];
};

// How many elements an access of 16 bytes holds.
template <typename T>
constexpr int VECTOR = 16 / sizeof(T);

__device__ __forceinline__ bool is_vector_aligned(const void* address) {
    return (reinterpret_cast<unsigned long long>(address) & 15) == 0;
}

// The elements from an aligned address on, in one access.
template <typename T>
__device__ __forceinline__ Part<T, VECTOR<T>> vector_at(const T* address) {
    return *reinterpret_cast<const Part<T, VECTOR<T>>*>(address);
}
