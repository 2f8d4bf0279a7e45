// Activation functions, forward and backward.
//
// Traffic, in arrays of the input's size: forward reads 1 and writes 1, backward reads 2 and writes
// 1, in accesses of 16 bytes where all arrays begin at a multiple of 16. Numbers of 16 bits are
// computed in float.
// Launch: one thread for each VECTOR of elements; blocks of BLOCK.

#include "elements.cuh"

constexpr int BLOCK = 256;

// f of the elements of all inputs that are at one place, for each place.
template <typename T, typename Function, typename... Inputs>
__device__ __forceinline__ void over_elements(
        T* out, long long count, Function f, const Inputs*... inputs) {
    const long long first = ((long long)blockIdx.x * BLOCK + threadIdx.x) * VECTOR<T>;
    if (first >= count) return;
    using Vector = Part<T, VECTOR<T>>;
    if (first + VECTOR<T> <= count && is_vector_aligned(out) && (is_vector_aligned(inputs) && ...)) {
        Vector result;
        const auto combine = [&](const auto&... parts) {
#pragma unroll
            for (int i = 0; i < VECTOR<T>; ++i) result.of[i] = T(f(Wide<T>(parts.of[i])...));
        };
        combine(vector_at(inputs + first)...);
        *reinterpret_cast<Vector*>(out + first) = result;
    } else {
        for (int i = 0; i < VECTOR<T>; ++i) {
            if (first + i < count) out[first + i] = T(f(Wide<T>(inputs[first + i])...));
        }
    }
}

// The probability that a standard normal number is smaller.
template <typename T>
__device__ __forceinline__ T normal_below(T x) {
    return T(0.5) * erfc(x * T(-0.70710678118654752440));
}

template <typename T>
__device__ __forceinline__ T tanh_gate(T x) {
    return tanh((x + x * x * x * T(0.044715)) * T(0.79788456080286535588));
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) relu(
        const T* __restrict__ input, T* __restrict__ out, long long count) {
    using A = Wide<T>;
    over_elements(out, count, [](A x) { return x <= A(0) ? A(0) : x; }, input);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) relu_vjp(
        const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, long long count) {
    using A = Wide<T>;
    over_elements(out, count, [](A g, A y) { return y <= A(0) ? A(0) : g; }, g, y);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) sigmoid(
        const T* __restrict__ input, T* __restrict__ out, long long count) {
    using A = Wide<T>;
    over_elements(out, count, [](A x) { return sigmoid_of(x); }, input);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) sigmoid_vjp(
        const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, long long count) {
    using A = Wide<T>;
    over_elements(out, count, [](A g, A y) { return g * (y * (A(1) - y)); }, g, y);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) silu(
        const T* __restrict__ input, T* __restrict__ out, long long count) {
    using A = Wide<T>;
    over_elements(out, count, [](A x) { return x * sigmoid_of(x); }, input);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) silu_vjp(
        const T* __restrict__ g, const T* __restrict__ input, T* __restrict__ out,
        long long count) {
    using A = Wide<T>;
    const auto slope = [](A g, A x) {
        const A gate = sigmoid_of(x);
        return g * gate * (x * (A(1) - gate) + A(1));
    };
    over_elements(out, count, slope, g, input);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) gelu(
        const T* __restrict__ input, T* __restrict__ out, long long count) {
    using A = Wide<T>;
    over_elements(out, count, [](A x) { return x * normal_below(x); }, input);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) gelu_vjp(
        const T* __restrict__ g, const T* __restrict__ input, T* __restrict__ out,
        long long count) {
    using A = Wide<T>;
    const auto slope = [](A g, A x) {
        const A density = exp(x * x * A(-0.5)) * A(0.39894228040143267794);
        return g * (normal_below(x) + x * density);
    };
    over_elements(out, count, slope, g, input);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) gelu_tanh(
        const T* __restrict__ input, T* __restrict__ out, long long count) {
    using A = Wide<T>;
    over_elements(out, count, [](A x) { return x * A(0.5) * (tanh_gate(x) + A(1)); }, input);
}

template <typename T>
__global__ void __launch_bounds__(BLOCK, 2) gelu_tanh_vjp(
        const T* __restrict__ g, const T* __restrict__ input, T* __restrict__ out,
        long long count) {
    using A = Wide<T>;
    const auto slope = [](A g, A x) {
        const A gate = tanh_gate(x);
        const A inner = (x * x * A(3 * 0.044715) + A(1)) * A(0.79788456080286535588);
        return g * ((gate + A(1)) * A(0.5) + x * (A(1) - gate * gate) * inner * A(0.5));
    };
    over_elements(out, count, slope, g, input);
}
