// The words of CUDA C that kernels use, for a C++ compiler of the CPU. Included before a kernel.
#pragma once
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "runtime.h"

#define __global__ __attribute__((noinline))  // who calls it is not instrumented
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
static const int warpSize = 32;

using std::abs;
using std::erf;
using std::erfc;
using std::exp;
using std::fma;
using std::isfinite;
using std::isinf;
using std::isnan;
using std::log;
using std::log1p;
using std::max;
using std::min;
using std::pow;
using std::sqrt;
using std::tanh;

static inline float rsqrt(float x) { return 1.0f / std::sqrt(x); }
static inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
template <typename T>
static inline T __ldg(const T* place) { return *place; }

// ---- numbers of 16 bits

struct Half;  // storage.cuh has it

// Numbers between two powers of two, and those below the least one, are multiples of one.
static inline unsigned short half_bits(float value) {
    const unsigned short sign = std::signbit(value) ? 0x8000 : 0;
    const float size = std::abs(value);
    if (std::isnan(value)) return 0x7fff;
    if (size >= 65520) return sign | 0x7c00;
    const int power = size < 0x1p-14f ? -14 : std::ilogb(size);
    return sign | ((power + 14) * 1024 + int(std::nearbyint(std::ldexp(size, 10 - power))));
}

static inline float half_value(unsigned short bits) {
    const int power = bits >> 10 & 31, digits = bits & 1023;
    const float size = power == 31 ? (digits ? NAN : INFINITY)
                       : power     ? std::ldexp(float(1024 + digits), power - 25)
                                   : std::ldexp(float(digits), -24);
    return bits & 0x8000 ? -size : size;
}

namespace runtime {

template <typename To, typename From>
static inline To same_bits(From from) {
    static_assert(sizeof(To) >= sizeof(From), "too small");
    To to{};
    std::memcpy(&to, &from, sizeof from);
    return to;
}

// What lanes bring to a meeting lies in no memory of the device.
#define OF_THE_HOST __attribute__((no_sanitize("thread")))

// Of a lane outside the mask, or that is not there, a GPU gives what it will: here all ones, NaN.
template <typename T>
OF_THE_HOST static inline T shuffle(uint32_t mask, T value, unsigned source, int line) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    const uint64_t* brought = warp_meeting(mask, same_bits<uint64_t>(value), line);
    if (source == lane()) return value;
    if (!((mask & lanes_that_exist()) >> source & 1)) {
        std::memset(&value, 0xFF, sizeof value);
    } else {
        std::memcpy(&value, &brought[source], sizeof value);
    }
    return value;
}

OF_THE_HOST static inline unsigned ballot(uint32_t mask, bool vote, int line) {
    const uint64_t* brought = warp_meeting(mask, vote, line);
    unsigned votes = 0;
    for (unsigned i = 0; i < 32; ++i) {
        if (mask >> i & 1) votes |= unsigned(brought[i] & 1) << i;
    }
    return votes;
}

// Real atomic operations, relaxed: so ThreadSanitizer knows them.
template <typename T, typename Function>
static inline T exchange(T* place, Function next) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    Bits* bits = reinterpret_cast<Bits*>(place);
    Bits before = __atomic_load_n(bits, __ATOMIC_RELAXED), after;
    do {
        after = same_bits<Bits>(next(same_bits<T>(before)));
    } while (!__atomic_compare_exchange_n(
        bits, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return same_bits<T>(before);
}

template <typename T>
struct As { using type = T; };  // a parameter that the type is not deduced from

// ---- from Python: a launch through the addresses of its arguments, and what these are

template <typename Pointer>
constexpr char access() {
    return std::is_const_v<std::remove_pointer_t<Pointer>> ? 'c' : 'm';
}

// "S" or "P" with "c" or "m" (may be written), then NumPy's letter of the kind and the size.
template <typename T>
static char* describe(char* out) {
    using Element = std::remove_cv_t<std::remove_pointer_t<T>>;
    if (std::is_pointer_v<T>) {
        *out++ = 'P';
        *out++ = access<T>();
    } else {
        *out++ = 'S';
    }
    *out++ = std::is_same_v<Element, bool>      ? 'b'
             : std::is_floating_point_v<Element> ? 'f'
             : std::is_same_v<Element, Half>     ? 'f'
             : !std::is_integral_v<Element>      ? 'V'
             : std::is_signed_v<Element>         ? 'i'
                                                 : 'u';
    char digits[8];
    int count = 0;
    for (size_t size = sizeof(Element); size; size /= 10) digits[count++] = char('0' + size % 10);
    while (count) *out++ = digits[--count];
    *out++ = ' ';
    return out;
}

template <auto kernel>
struct Entry;

template <typename... Parameters, void (*kernel)(Parameters...)>
struct Entry<kernel> {
    template <size_t... Numbers>
    OF_THE_HOST static void call(void** arguments, std::index_sequence<Numbers...>) {
        kernel(*static_cast<std::remove_cv_t<Parameters>*>(arguments[Numbers])...);
    }
    static void body(void** arguments) {
        call(arguments, std::index_sequence_for<Parameters...>{});
    }
    static const char* signature() {
        static char text[16 * (sizeof...(Parameters) + 1)];
        char* end = text;
        ((end = describe<Parameters>(end)), ...);
        *end = 0;
        return text;
    }
};

}  // namespace runtime

#define __syncthreads() runtime::block_barrier(__LINE__)
#define __syncwarp(...) ((void)runtime::warp_meeting(0xffffffffu, 0, __LINE__))
#define __shfl_sync(mask, value, source) \
    runtime::shuffle((mask), (value), unsigned(source) & 31, __LINE__)
#define __shfl_xor_sync(mask, value, bits) \
    runtime::shuffle((mask), (value), (runtime::lane() ^ unsigned(bits)) & 31, __LINE__)
#define __shfl_down_sync(mask, value, step)                                                  \
    runtime::shuffle((mask), (value),                                                        \
                     runtime::lane() + (step) < 32 ? runtime::lane() + (step) : runtime::lane(), \
                     __LINE__)
#define __shfl_up_sync(mask, value, step)                                                      \
    runtime::shuffle((mask), (value),                                                          \
                     runtime::lane() >= unsigned(step) ? runtime::lane() - (step) : runtime::lane(), \
                     __LINE__)
#define __ballot_sync(mask, vote) runtime::ballot((mask), (vote), __LINE__)
#define __any_sync(mask, vote) (__ballot_sync(mask, vote) != 0)
#define __all_sync(mask, vote) (__ballot_sync(mask, vote) == (mask))

template <typename T>
static inline T atomicAdd(T* place, typename runtime::As<T>::type value) {
    return runtime::exchange(place, [=](T before) { return T(before + value); });
}
template <typename T>
static inline T atomicMax(T* place, typename runtime::As<T>::type value) {
    return runtime::exchange(place, [=](T before) { return before > value ? before : value; });
}
template <typename T>
static inline T atomicExch(T* place, typename runtime::As<T>::type value) {
    return runtime::exchange(place, [=](T) { return value; });
}
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline float __int_as_float(int bits) { return runtime::same_bits<float>(bits); }
static inline int __float_as_int(float value) { return runtime::same_bits<int>(value); }
