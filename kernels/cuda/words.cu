// Word vectors trained on running text: skip-gram and CBOW, by negative sampling or hierarchical
// softmax, as `tensorgrad.text.word_steps` says it.
//
// A worker is a warp that goes over sentences of its own, place by place; a lane has each 32nd number
// of the rows that meet there. All workers add to the same two tables without locks (Recht et al.
// 2011): by one worker the result is the seed's, by more it is not.
// Traffic: at a place each row is read for the scores and once more for the updates, from the cache,
// and added to once; nothing else goes through memory but words.
// Shared memory: what is added of each row to each other one, the mean of an input's rows, and of
// each lane what it adds to the outputs; so many of each as the window and the noise ask for.
// Launch: a block of one warp for each worker.

#include "groups.cuh"

constexpr int WARP = 32;
constexpr int LONGEST = 10000;  // words of a sentence that are seen together

// The text, by addresses of 8-byte numbers. Of noise, nodes and bags there may be none.
struct Text {
    long long tokens, bounds, keep, noise, nodes, bag_ends, bag_rows;
    long long sentences, entries, depth;  // entries of noise; of a path the nodes and their labels
};

struct How {
    long long size, window, negatives, cbow, inputs, rows;  // at most at a place
};

struct Rates {
    double first, last;
};

__device__ __forceinline__ const long long* numbers_at(long long address) {
    return reinterpret_cast<const long long*>(address);
}

// A linear congruential generator; a draw is the upper half of its state. All lanes draw alike.
struct Draws {
    unsigned long long state;

    __device__ __forceinline__ unsigned long long draw() {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return state >> 32;
    }

    // A word from an alias table.
    __device__ __forceinline__ int noise(const Text& text) {
        const unsigned long long product = draw() * (unsigned long long)text.entries;
        const unsigned long long place = product >> 32, second = product & 0xffffffffull;
        const unsigned long long entry = numbers_at(text.noise)[place];
        return int(second < entry >> 32 ? place : entry & 0xffffffffull);
    }
};

// What meets at a place: the words around it, the output rows, and which of these are right.
struct Meeting {
    int* around;
    int* rows;
    int* right;
    int words, count;
};

// The rows of some words of a meeting, one after another: of each its own, or those of its bag.
template <typename Use>
__device__ __forceinline__ int each_row(
        const Text& text, const int* around, int begin, int end, Use use) {
    int count = 0;
    for (int i = begin; i < end; ++i) {
        const int word = around[i];
        if (text.bag_ends == 0) {
            use(word);
            ++count;
            continue;
        }
        const long long last = numbers_at(text.bag_ends)[word + 1];
        for (long long k = numbers_at(text.bag_ends)[word]; k < last; ++k) {
            use(int(numbers_at(text.bag_rows)[k]));
            ++count;
        }
    }
    return count;
}

// Number p of the mean of some words' rows.
template <typename F>
__device__ __forceinline__ F mean_at(
        const F* inputs, const Text& text, const How& how, const int* around, int begin, int end,
        int p) {
    F sum = 0;
    const int count = each_row(text, around, begin, end, [&](int row) {
        sum += inputs[row * how.size + p];
    });
    return sum / F(count);
}

// One step, from the values before it. In skip-gram each word around is an input, in CBOW their
// mean is the only one.
template <typename F>
__device__ __forceinline__ void meet(
        F* inputs, F* outputs, const Text& text, const How& how, const Meeting& at, F rate,
        F* steps, F* mean, F* changes) {
    const int lane = threadIdx.x, size = int(how.size);
    const int groups = how.cbow ? 1 : at.words, members = how.cbow ? at.words : 1;
    for (int group = 0; group < groups; ++group) {
        const int begin = group * members, end = begin + members;
        for (int p = lane; p < size; p += WARP) {
            mean[p] = mean_at(inputs, text, how, at.around, begin, end, p);
        }
        for (int j = 0; j < at.count; ++j) {
            F score = 0;
            for (int p = lane; p < size; p += WARP) {
                score += mean[p] * outputs[at.rows[j] * how.size + p];
            }
            score = group_sum<WARP>(score, mean);
            if (lane == 0) {
                steps[group * at.count + j] = (F(at.right[j]) - sigmoid_of(score)) * rate;
            }
        }
    }
    __syncwarp();
    for (int p = lane; p < size; p += WARP) {
        for (int j = 0; j < at.count; ++j) changes[j * WARP + lane] = 0;
        for (int group = 0; group < groups; ++group) {
            const int begin = group * members;
            const F own = mean_at(inputs, text, how, at.around, begin, begin + members, p);
            for (int j = 0; j < at.count; ++j) {
                changes[j * WARP + lane] += steps[group * at.count + j] * own;
            }
        }
        for (int group = 0; group < groups; ++group) {
            F change = 0;
            for (int j = 0; j < at.count; ++j) {
                change += steps[group * at.count + j] * outputs[at.rows[j] * how.size + p];
            }
            const int begin = group * members;
            each_row(text, at.around, begin, begin + members, [&](int row) {
                atomicAdd(inputs + row * how.size + p, change);
            });
        }
        for (int j = 0; j < at.count; ++j) {
            atomicAdd(outputs + at.rows[j] * how.size + p, changes[j * WARP + lane]);
        }
    }
}

// seen: LONGEST numbers for each worker.
template <typename F>
__global__ void __launch_bounds__(WARP) word_steps(
        F* inputs, F* outputs, long long* __restrict__ seen, Text text, How how, Rates rates,
        unsigned long long seed) {
    extern __shared__ long long memory[];
    F* const steps = reinterpret_cast<F*>(memory);
    F* const mean = steps + how.inputs * how.rows;
    F* const changes = mean + how.size;
    int* const rows = reinterpret_cast<int*>(changes + how.rows * WARP);
    Meeting at = {rows + 2 * how.rows, rows, rows + how.rows, 0, 0};
    const int lane = threadIdx.x;
    const long long worker = blockIdx.x, workers = gridDim.x;
    const long long* bounds = numbers_at(text.bounds);
    const long long* tokens = numbers_at(text.tokens);
    const long long first = text.sentences * worker / workers;
    const long long last = text.sentences * (worker + 1) / workers;
    const long long length = bounds[last] - bounds[first];
    long long* const words = seen + worker * LONGEST;
    Draws draws = {seed + (unsigned long long)worker * 0x9E3779B9ull};
    draws.draw();
    draws.draw();
    for (long long sentence = first; sentence < last; ++sentence) {
        for (long long begin = bounds[sentence]; begin < bounds[sentence + 1]; begin += LONGEST) {
            const long long whole = bounds[sentence + 1] - begin;
            const int most = int(whole < LONGEST ? whole : LONGEST);
            const double done = double(begin - bounds[first]) / double(length > 1 ? length : 1);
            const F rate = F(rates.first + (rates.last - rates.first) * done);
            int count = 0;
            __syncwarp();
            for (int i = 0; i < most; ++i) {
                const long long word = tokens[begin + i];
                if (draws.draw() >= (unsigned long long)numbers_at(text.keep)[word]) continue;
                if (lane == 0) words[count] = word;
                ++count;
            }
            __syncwarp();
            for (int place = 0; place < count; ++place) {
                const int reach = 1 + int(draws.draw() * (unsigned long long)how.window >> 32);
                const int word = int(words[place]);
                at.count = 0;
                if (text.nodes == 0) {
                    if (lane == 0) rows[0] = word, at.right[0] = 1;
                    at.count = 1;
                    for (int k = 0; k < how.negatives; ++k) {
                        const int drawn = draws.noise(text);
                        if (drawn == word) continue;
                        if (lane == 0) rows[at.count] = drawn, at.right[at.count] = 0;
                        ++at.count;
                    }
                } else {
                    const long long* path = numbers_at(text.nodes) + word * text.depth;
                    for (; 2 * at.count < text.depth && path[2 * at.count] >= 0; ++at.count) {
                        if (lane != 0) continue;
                        rows[at.count] = int(path[2 * at.count]);
                        at.right[at.count] = int(path[2 * at.count + 1]);
                    }
                }
                const int from = place > reach ? place - reach : 0;
                const int to = place + reach < count ? place + reach + 1 : count;
                at.words = to - from - 1;
                for (int i = from + lane; i < to; i += WARP) {
                    if (i != place) at.around[i - from - (i > place)] = int(words[i]);
                }
                __syncwarp();
                if (at.words > 0 && at.count > 0) {
                    meet(inputs, outputs, text, how, at, rate, steps, mean, changes);
                }
                __syncwarp();
            }
        }
    }
}
