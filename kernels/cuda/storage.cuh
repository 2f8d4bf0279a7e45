// Numbers of 16 bits, float16 and bfloat16, as arrays hold them. Arithmetic on them is in float:
// `Wide<T>` is what a kernel computes in where its arrays are of T. What it stores is rounded once,
// to the nearest number, halfway to the even one.

#ifdef __CUDACC__  // where it is not, the CPU's device.h has these two
__device__ __forceinline__ unsigned short half_bits(float value) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

__device__ __forceinline__ float half_value(unsigned short bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}
#endif

// The upper half of a float's bits.
__device__ __forceinline__ unsigned short bfloat16_bits(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
#else
    const unsigned bits = __float_as_int(value);
    if (value != value) return 0x7fff;
    return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#endif
}

__device__ __forceinline__ float bfloat16_value(unsigned short bits) {
    return __int_as_float(int(unsigned(bits) << 16));
}

struct Half {
    unsigned short bits;

    Half() = default;
    __device__ __forceinline__ explicit Half(float value) : bits(half_bits(value)) {}
    __device__ __forceinline__ operator float() const { return half_value(bits); }
};

struct BFloat16 {
    unsigned short bits;

    BFloat16() = default;
    __device__ __forceinline__ explicit BFloat16(float value) : bits(bfloat16_bits(value)) {}
    __device__ __forceinline__ operator float() const { return bfloat16_value(bits); }
};

template <typename T>
struct Arithmetic {
    using Type = T;
};

template <>
struct Arithmetic<Half> {
    using Type = float;
};

template <>
struct Arithmetic<BFloat16> {
    using Type = float;
};

template <typename T>
using Wide = typename Arithmetic<T>::Type;
