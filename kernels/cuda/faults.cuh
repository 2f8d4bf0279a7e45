// Numbers out of their range, told to the host without its waiting: as a word in memory of the host
// that a GPU writes to. Of several the largest word stays, so that the order of threads is nothing.

struct Report {
    unsigned long long address, code;  // of the word; of the sentence that the host will say
};

constexpr int VALUE_BITS = 48;

// The word has the code above the value, which is limited to its bits.
__device__ __forceinline__ void tell(const Report& report, long long value) {
    const long long limit = (1ll << (VALUE_BITS - 1)) - 1;
    value = value > limit ? limit : value < -limit ? -limit : value;
    const unsigned long long digits = (unsigned long long)value & ((1ull << VALUE_BITS) - 1);
    atomicMax(reinterpret_cast<unsigned long long*>(report.address),
              report.code << VALUE_BITS | digits);
}

// Whether a number lies in [first, end); told if not.
__device__ __forceinline__ bool within(
        long long value, long long first, long long end, const Report& report) {
    if (value >= first && value < end) return true;
    tell(report, value);
    return false;
}
