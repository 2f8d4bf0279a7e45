// What a kernel compiled for the CPU and the scheduler that runs it know of each other.
#pragma once
#include <cstddef>
#include <cstdint>

struct dim3 {
    unsigned x, y, z;
};
extern dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace runtime {

struct Launch {
    void (*body)(void** arguments);
    void** arguments;
    const unsigned* grid;
    const unsigned* block;
    size_t dynamic_bytes;
    int order;  // of threads and blocks: 0 ascending, 1 descending, 2 shuffled
    uint64_t seed;
};

const char* run(const Launch& launch);  // nullptr, or what went wrong
void fail(const char* words, int line);  // ends the launch, does not return

void block_barrier(int line);

// Meets the lanes in `mask`; what each of the 32 brought.
const uint64_t* warp_meeting(uint32_t mask, uint64_t brought, int line);
uint32_t lanes_that_exist();
unsigned lane();

// Memory of the block that runs, filled with NaN at its start. Each object is an allocation of its
// own, so that AddressSanitizer sees its ends.
void* shared_memory(unsigned number, size_t bytes);
void* dynamic_shared_memory();

// For those who count: whether a kernel's thread runs, and its number in its block; whether a place
// is neither the block's own memory nor the host's; and what is called when a block has ended.
bool is_running();
unsigned thread_number();
bool is_of_the_device(const void* place);
void block_is_over();

}  // namespace runtime
