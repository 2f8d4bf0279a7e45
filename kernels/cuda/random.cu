// Words, uniform numbers and dropout from the counter-based generator Philox 4x32-10 (Salmon et al.
// 2011), the same to the bit as on the CPU.
//
// Traffic: random_bits and uniform write their array and read none, drop reads one and writes one;
// which elements stay is computed, and nothing is kept for the gradient.
// Launch: one thread for 16 bytes of words or uniform numbers, which are float32 or float64, and for
// four elements of drop or 16 bytes of them, in accesses of 16 bytes; blocks of BLOCK.

#include "elements.cuh"

constexpr int BLOCK = 256;
constexpr int ROUNDS = 10;

struct Words {
    unsigned of[4];
};

// A place in a stream: from a block on of the stream of a key. With the address of a base, both count
// from what lies there, which the host sets before it replays a graph.
struct Stream {
    unsigned long long key, block, base;

    __device__ Stream of_now() const {
        if (base == 0) return *this;
        const unsigned long long* found = reinterpret_cast<const unsigned long long*>(base);
        return {found[0], found[1] + block, 0};
    }
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

// What a thread writes of an array of `count`, which begins at a multiple of 16.
template <typename E, int WIDTH>
__device__ __forceinline__ void put(
        const Part<E, WIDTH>& part, E* out, long long first, long long count) {
    if (first + WIDTH <= count) {
        *reinterpret_cast<Part<E, WIDTH>*>(out + first) = part;
    } else {
        for (int i = 0; i < WIDTH; ++i) {
            if (first + i < count) out[first + i] = part.of[i];
        }
    }
}

template <typename F>
__global__ void __launch_bounds__(BLOCK) uniform(
        F* __restrict__ out, long long count, Stream stream) {
    const long long number = thread_number(), first = number * VECTOR<F>;
    if (first >= count) return;
    const Stream now = stream.of_now();
    Part<F, VECTOR<F>> part;
    to_uniform(words_of(now.block + number, now.key), part);
    put(part, out, first, count);
}

__global__ void __launch_bounds__(BLOCK) random_bits(
        unsigned* __restrict__ out, long long count, Stream stream) {
    const long long number = thread_number(), first = number * 4;
    if (first >= count) return;
    const Stream now = stream.of_now();
    const Words words = words_of(now.block + number, now.key);
    Part<unsigned, 4> part;
#pragma unroll
    for (int i = 0; i < 4; ++i) part.of[i] = words.of[i];
    put(part, out, first, count);
}

// Elements whose 24 bits are at least `least` stay, times `scale`.
template <typename T>
__global__ void __launch_bounds__(BLOCK) drop(
        const T* __restrict__ input, T* __restrict__ out, long long count, unsigned least,
        double scale, Stream stream) {
    using A = Wide<T>;
    constexpr int SHARE = VECTOR<T> > 4 ? VECTOR<T> : 4;
    const long long number = thread_number(), first = number * SHARE;
    if (first >= count) return;
    const Stream now = stream.of_now();
    A factor[SHARE];
#pragma unroll
    for (int part = 0; part < SHARE / 4; ++part) {
        const Words words = words_of(now.block + number * (SHARE / 4) + part, now.key);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            factor[4 * part + i] = words.of[i] >> 8 >= least ? A(scale) : A(0);
        }
    }
    if (first + SHARE <= count && is_vector_aligned(input)) {
#pragma unroll
        for (int start = 0; start < SHARE; start += VECTOR<T>) {
            Part<T, VECTOR<T>> part = *reinterpret_cast<const Part<T, VECTOR<T>>*>(
                input + first + start);
#pragma unroll
            for (int i = 0; i < VECTOR<T>; ++i) {
                part.of[i] = T(A(part.of[i]) * factor[start + i]);
            }
            *reinterpret_cast<Part<T, VECTOR<T>>*>(out + first + start) = part;
        }
    } else {
#pragma unroll
        for (int i = 0; i < SHARE; ++i) {
            if (first + i < count) out[first + i] = T(A(input[first + i]) * factor[i]);
        }
    }
}
