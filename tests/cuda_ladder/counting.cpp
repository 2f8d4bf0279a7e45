// Counts what a kernel reads and writes of the device's memory, and how often it is where in its
// code: a GPU moves sectors of 32 bytes, and all that the 32 threads of a warp ask for in one
// instruction at once.
//
// The kernel is compiled with ThreadSanitizer's instruments, and these are what they call: before
// each access a function with its address. Accesses of one warp belong together if they come from
// one place in the code and each is its thread's k-th there; threads that branch apart and meet
// again at other k are counted as asking apart. Another instrument calls a function in each block of
// instructions without a jump.

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <map>
#include <vector>

#include "runtime.h"

namespace runtime {
namespace {

constexpr unsigned SECTOR = 32, WARP = 32;

struct Access {
    const void* code;
    uintptr_t address;
    unsigned bytes;
    bool writes;
};

// In bytes: what threads asked for, in parts of 16; what was moved, a sector for each warp's
// instruction that needs it; and what would be if each sector were moved once.
struct Traffic {
    uint64_t asked, by_16, moved, once;
};

std::vector<std::vector<Access>> of_block;  // of each thread
Traffic traffic[2];                         // read, written
std::unordered_set<uintptr_t> seen[2];

extern "C" __attribute__((visibility("hidden"))) const char __ehdr_start, _end;  // the linker's
std::vector<uint64_t> visits;  // of each place in the code, counted from the library's start

void count(const void* code, const void* place, unsigned bytes, bool writes) {
    if (!is_of_the_device(place)) return;
    const unsigned thread = thread_number();
    if (of_block.size() <= thread) of_block.resize(thread + 1);
    of_block[thread].push_back({code, reinterpret_cast<uintptr_t>(place), bytes, writes});
}

void count_warp(size_t first, size_t end) {
    std::map<std::pair<const void*, unsigned>, std::vector<Access>> together;
    for (size_t thread = first; thread < end; ++thread) {
        std::map<const void*, unsigned> times;
        for (const Access& access : of_block[thread]) {
            together[{access.code, times[access.code]++}].push_back(access);
        }
    }
    for (auto& [_, accesses] : together) {
        const bool writes = accesses[0].writes;
        Traffic& sum = traffic[writes];
        std::vector<uintptr_t> sectors;
        for (const Access& access : accesses) {
            sum.asked += access.bytes;
            if (access.bytes == 16) sum.by_16 += 16;
            const uintptr_t last = (access.address + access.bytes - 1) / SECTOR;
            for (uintptr_t sector = access.address / SECTOR; sector <= last; ++sector) {
                sectors.push_back(sector);
            }
        }
        std::sort(sectors.begin(), sectors.end());
        sectors.erase(std::unique(sectors.begin(), sectors.end()), sectors.end());
        sum.moved += SECTOR * sectors.size();
        seen[writes].insert(sectors.begin(), sectors.end());
    }
}

}  // namespace

void block_is_over() {
    for (size_t first = 0; first < of_block.size(); first += WARP) {
        count_warp(first, std::min(of_block.size(), first + WARP));
    }
    of_block.clear();
}

}  // namespace runtime

// What was counted since the last call, read and written.
extern "C" __attribute__((visibility("default"))) void counted(runtime::Traffic* out) {
    for (int writes = 0; writes < 2; ++writes) {
        out[writes] = runtime::traffic[writes];
        out[writes].once = runtime::SECTOR * runtime::seen[writes].size();
        runtime::traffic[writes] = {};
        runtime::seen[writes].clear();
    }
}

// How often each place of the code was visited since the last call; how long the code is.
extern "C" __attribute__((visibility("default"))) size_t visited(uint64_t* out) {
    const size_t size = size_t(&runtime::_end - &runtime::__ehdr_start);
    if (!out) return size;
    runtime::visits.resize(size);
    std::copy(runtime::visits.begin(), runtime::visits.end(), out);
    std::fill(runtime::visits.begin(), runtime::visits.end(), 0);
    return size;
}

// ---- what instrumented code calls

#define HOOK extern "C" __attribute__((visibility("hidden")))
#define COUNT(place, bytes, writes) \
    runtime::count(__builtin_return_address(0), (place), unsigned(bytes), (writes))
#define OF_SIZE(bytes)                                                        \
    HOOK void __tsan_read##bytes(void* p) { COUNT(p, bytes, false); }         \
    HOOK void __tsan_write##bytes(void* p) { COUNT(p, bytes, true); }         \
    HOOK void __tsan_unaligned_read##bytes(void* p) { COUNT(p, bytes, false); } \
    HOOK void __tsan_unaligned_write##bytes(void* p) { COUNT(p, bytes, true); }
OF_SIZE(1)
OF_SIZE(2)
OF_SIZE(4)
OF_SIZE(8)
OF_SIZE(16)
HOOK void __tsan_read_range(void* p, unsigned long bytes) { COUNT(p, bytes, false); }
HOOK void __tsan_write_range(void* p, unsigned long bytes) { COUNT(p, bytes, true); }
HOOK void __sanitizer_cov_trace_pc() {
    if (!runtime::is_running()) return;
    const char* place = static_cast<const char*>(__builtin_return_address(0));
    if (runtime::visits.empty()) runtime::visits.resize(visited(nullptr));
    ++runtime::visits[size_t(place - &runtime::__ehdr_start)];
}
HOOK void __tsan_vptr_update(void*, void*) {}
HOOK void __tsan_vptr_read(void*) {}
HOOK void __tsan_func_entry(void*) {}
HOOK void __tsan_func_exit() {}
HOOK void __tsan_init() {}

// An atomic update reads and writes once, however often its loop tries.
#define ATOMIC(bits)                                                                          \
    HOOK uint##bits##_t __tsan_atomic##bits##_load(const uint##bits##_t* p, int) {            \
        return __atomic_load_n(p, __ATOMIC_RELAXED);                                          \
    }                                                                                         \
    HOOK int __tsan_atomic##bits##_compare_exchange_strong(                                   \
        uint##bits##_t* p, uint##bits##_t* expected, uint##bits##_t next, int, int) {         \
        COUNT(p, bits / 8, false);                                                            \
        COUNT(p, bits / 8, true);                                                             \
        return __atomic_compare_exchange_n(                                                   \
            p, expected, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);                    \
    }
ATOMIC(32)
ATOMIC(64)
HOOK void __tsan_atomic_thread_fence(int) {}
