// Uniform numbers and dropout from the counter-based generator Philox 4x32-10 (Salmon et al. 2011),
// the same to the bit as on the CPU.
//
// Traffic: uniform writes its array and reads none, drop reads one and writes one; which elements
// stay is computed, and nothing is kept for the gradient.
// Launch: one thread for each four words, that is for 16 bytes of uniform numbers and for four
// elements of drop, in accesses of up to 16 bytes; blocks of BLOCK.

#include "elements.cuh"

constexpr int BLOCK = 256;
constexpr int ROUNDS = 10;

struct Words {
    unsigned of[4];
};

// The four words of a block of the stream of a key.
__device__ __forceinline__ Words words_of(unsigned long long block, unsigned long long key) {
    unsigned c0 = unsigned(block), c1 = unsigned(block >> 32), c2 = 0, c3 = 0;
    unsigned k0 = unsigned(key), k1 = unsigned(key >> 32);
#pragma unroll
    for (int round = 0; round < ROUNDS; ++round) {
        const unsigned long long p0 = c0 * 0xD2511F53ull, p1 = c2 * 0xCD9E8D57ull;
        c0 = unsigned(p1 >> 32) ^ c1 ^ k0;
        c1 = unsigned(p1);
        c2 = unsigned(p0 >> 32) ^ c3 ^ k1;
        c3 = unsigned(p0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

__device__ __forceinline__ long long thread_number() {
    return (long long)blockIdx.x * BLOCK + threadIdx.x;
}

__device__ __forceinline__ void to_uniform(const Words& words, Part<float, 4>& part) {
#pragma unroll
    for (int i = 0; i < 4; ++i) part.of[i] = float(words.of[i] >> 8) * 0x1p-24f;
}

__device__ __forceinline__ void to_uniform(const Words& words, Part<double, 2>& part) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const unsigned long long high = words.of[2 * i], low = words.of[2 * i + 1];
        part.of[i] = double((high << 32 | low) >> 11) * 0x1p-53;
    }
}

template <typename T>
__global__ void __launch_bounds__(BLOCK) uniform(
        T* __restrict__ out, long long count, unsigned long long key, unsigned long long offset) {
    const long long number = thread_number(), first = number * VECTOR<T>;
    if (first >= count) return;
    Part<T, VECTOR<T>> part;
    to_uniform(words_of(offset + number, key), part);
    if (first + VECTOR<T> <= count) {  // a fresh array begins at a multiple of 16
        *reinterpret_cast<Part<T, VECTOR<T>>*>(out + first) = part;
    } else {
        for (int i = 0; i < VECTOR<T>; ++i) {
            if (first + i < count) out[first + i] = part.of[i];
        }
    }
}

// Elements whose 24 bits are at least `least` stay, times `scale`.
template <typename T>
__global__ void __launch_bounds__(BLOCK) drop(
        const T* __restrict__ input, T* __restrict__ out, long long count, unsigned least,
        double scale, unsigned long long key, unsigned long long offset) {
    const long long number = thread_number(), first = number * 4;
    if (first >= count) return;
    const Words words = words_of(offset + number, key);
    const T gain = T(scale);
    if (first + 4 <= count && is_vector_aligned(input)) {
#pragma unroll
        for (int half = 0; half < 4; half += VECTOR<T>) {
            Part<T, VECTOR<T>> part = *reinterpret_cast<const Part<T, VECTOR<T>>*>(
                input + first + half);
#pragma unroll
            for (int i = 0; i < VECTOR<T>; ++i) {
                part.of[i] *= words.of[half + i] >> 8 >= least ? gain : T(0);
            }
            *reinterpret_cast<Part<T, VECTOR<T>>*>(out + first + half) = part;
        }
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if (first + i < count) {
                out[first + i] = input[first + i] * (words.of[i] >> 8 >= least ? gain : T(0));
            }
        }
    }
}
