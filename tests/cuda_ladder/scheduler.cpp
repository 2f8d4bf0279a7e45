// Runs a launch on the CPU: its blocks one after another, each CUDA thread as a fiber, all on one
// thread of the system.
//
// A fiber runs until it meets a barrier or ends. One that ends without having waited hands its
// stack to the next, so that elementwise kernels hardly switch. This file is compiled without the
// sanitizers' instruments, so that they see the kernels' memory accesses and none of its own; it
// tells them of the fibers. To ThreadSanitizer each CUDA thread is a thread, which only barriers
// and meetings of warps put in order.

#include "runtime.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#ifdef ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef THREAD_SANITIZER
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned);
void __tsan_destroy_fiber(void*);
void __tsan_switch_to_fiber(void*, unsigned);
void __tsan_acquire(void*);
void __tsan_release(void*);
void AnnotateIgnoreReadsBegin(const char*, int);
void AnnotateIgnoreReadsEnd(const char*, int);
void AnnotateIgnoreWritesBegin(const char*, int);
void AnnotateIgnoreWritesEnd(const char*, int);
}
#endif

dim3 threadIdx, blockIdx, blockDim, gridDim;

// Saves six registers and the stack pointer, and goes on where the other stack left off.
extern "C" void switch_stacks(void** save, void* to) __attribute__((visibility("hidden")));
asm(R"(
.text
.hidden switch_stacks
.globl switch_stacks
.type switch_stacks, @function
switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

namespace runtime {
namespace {

constexpr size_t STACK = 64 << 10;

enum class State { fresh, running, at_barrier, at_meeting, ended };

// Where the lanes of one mask of a warp meet. Two sets of lanes: those of the next meeting may
// arrive while some still read what this one's brought.
struct Meeting {
    uint32_t mask;
    uint32_t arrived = 0;
    uint64_t generation = 0;
    uint64_t brought[2][32];
};

struct Fiber {
    dim3 index;
    unsigned number;
    State state = State::fresh;
    uint64_t generation = 0;  // of the barrier or meeting it waits at
    Meeting* meeting = nullptr;
    int line = 0;
    void* stack_pointer = nullptr;
    char* stack = nullptr;
    void* fake_stack = nullptr;  // AddressSanitizer's
    void* identity = nullptr;    // ThreadSanitizer's
};

struct Shared {
    void* memory = nullptr;
    size_t bytes = 0;
};

Launch launch;
std::string fault;
std::vector<Fiber> fibers;
std::vector<unsigned> order;  // of the fibers
size_t next_fresh;            // in that order
Fiber* current;
unsigned alive;
uint64_t barrier_generation;
unsigned at_barrier;
std::vector<std::vector<std::unique_ptr<Meeting>>> meetings;  // of each warp
std::vector<Shared> shared;
Shared dynamic;
std::vector<char*> free_stacks;
void* scheduler_pointer;

// ---- what the sanitizers are told

#ifdef ADDRESS_SANITIZER
void* scheduler_fake_stack;
const void* scheduler_bottom;
size_t scheduler_size;

void leaving_fiber(Fiber& fiber) {
    void** keep = fiber.state == State::ended ? nullptr : &fiber.fake_stack;
    __sanitizer_start_switch_fiber(keep, scheduler_bottom, scheduler_size);
}
void entered_fiber(void* fake_stack) {
    __sanitizer_finish_switch_fiber(fake_stack, &scheduler_bottom, &scheduler_size);
}
void leaving_scheduler(Fiber& fiber) {
    __sanitizer_start_switch_fiber(&scheduler_fake_stack, fiber.stack, STACK);
}
void entered_scheduler() {
    __sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);
}
#elif defined(THREAD_SANITIZER)
void* scheduler_identity;

void leaving_fiber(Fiber&) { __tsan_switch_to_fiber(scheduler_identity, 1); }
void entered_fiber(void*) {}
void leaving_scheduler(Fiber& fiber) { __tsan_switch_to_fiber(fiber.identity, 1); }
void entered_scheduler() {}
#else
void leaving_fiber(Fiber&) {}
void entered_fiber(void*) {}
void leaving_scheduler(Fiber&) {}
void entered_scheduler() {}
#endif

#ifdef THREAD_SANITIZER
constexpr bool STACKS_ARE_HANDED_ON = false;  // what lies on one is no other thread's

void acquire(void* what) { __tsan_acquire(what); }
void release(void* what) { __tsan_release(what); }

// What the C library is asked for here is no access of the kernel's.
struct Unseen {
    Unseen() {
        AnnotateIgnoreReadsBegin("", 0);
        AnnotateIgnoreWritesBegin("", 0);
    }
    ~Unseen() {
        AnnotateIgnoreWritesEnd("", 0);
        AnnotateIgnoreReadsEnd("", 0);
    }
};
#else
constexpr bool STACKS_ARE_HANDED_ON = true;

void acquire(void*) {}
void release(void*) {}
struct Unseen {
    Unseen() {}
};
#endif

// ---- fibers

void to_scheduler() {
    Fiber& fiber = *current;
    leaving_fiber(fiber);
    switch_stacks(&fiber.stack_pointer, scheduler_pointer);
    entered_fiber(fiber.fake_stack);
}

void run_threads() {
    entered_fiber(nullptr);
    for (;;) {
        launch.body(launch.arguments);
        current->state = State::ended;
        --alive;
        release(&scheduler_pointer);
        if (STACKS_ARE_HANDED_ON) {
            while (next_fresh < order.size() && fibers[order[next_fresh]].state != State::fresh) {
                ++next_fresh;
            }
            if (next_fresh < order.size()) {
                Fiber& next = fibers[order[next_fresh++]];
                std::swap(next.stack, current->stack);
                next.state = State::running;
                current = &next;
                threadIdx = next.index;
                continue;
            }
        }
        to_scheduler();
    }
}

void give_stack(Fiber& fiber) {
    if (free_stacks.empty()) {
        void* memory = mmap(
            nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        free_stacks.push_back(static_cast<char*>(memory));
    }
    fiber.stack = free_stacks.back();
    free_stacks.pop_back();
    // As `switch_stacks` leaves a stack: six registers, where to go on, and nowhere to return to.
    void** top = reinterpret_cast<void**>(fiber.stack + STACK - 64);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(run_threads);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    fiber.stack_pointer = top;
#ifdef THREAD_SANITIZER
    fiber.identity = __tsan_create_fiber(0);
#endif
}

void resume(Fiber& fiber) {
    if (fiber.state == State::fresh) give_stack(fiber);
    fiber.state = State::running;
    current = &fiber;
    threadIdx = fiber.index;
    leaving_scheduler(fiber);
    switch_stacks(&scheduler_pointer, fiber.stack_pointer);
    entered_scheduler();
    if (STACKS_ARE_HANDED_ON && current->state == State::ended && current->stack) {
        free_stacks.push_back(current->stack);
        current->stack = nullptr;
    }
}

bool can_run(const Fiber& fiber) {
    switch (fiber.state) {
        case State::fresh: return true;
        case State::at_barrier: return barrier_generation != fiber.generation;
        case State::at_meeting: return fiber.meeting->generation != fiber.generation;
        default: return false;
    }
}

void wait(State state) {
    current->state = state;
    Fiber& fiber = *current;
    to_scheduler();
    fiber.state = State::running;
}

// ---- blocks

std::string block_name() {
    char words[60];
    snprintf(words, sizeof words, "block (%u, %u, %u)", blockIdx.x, blockIdx.y, blockIdx.z);
    return words;
}

std::string deadlock() {
    unsigned waiting = 0, meeting = 0, ended = 0;
    int barrier_line = 0, meeting_line = 0;
    for (const Fiber& fiber : fibers) {
        if (fiber.state == State::at_barrier) ++waiting, barrier_line = fiber.line;
        if (fiber.state == State::at_meeting) ++meeting, meeting_line = fiber.line;
        if (fiber.state == State::ended) ++ended;
    }
    char words[240];
    snprintf(words, sizeof words,
             "deadlock in %s: %u threads at __syncthreads (line %d), %u at a warp's meeting "
             "(line %d), %u have returned",
             block_name().c_str(), waiting, barrier_line, meeting, meeting_line, ended);
    return words;
}

void fill(Shared& object) {
    for (size_t i = 0; i < object.bytes; ++i) static_cast<volatile uint8_t*>(object.memory)[i] = 0xFF;
}

// A block must not seem to race with the one before it: its shared memory is another.
void renew(Shared& object) {
#ifdef THREAD_SANITIZER
    free(object.memory);
    object.memory = malloc(object.bytes);
#endif
    fill(object);
}

void shuffle(std::vector<unsigned>& numbers, std::mt19937_64& random) {
    for (size_t i = numbers.size(); i > 1; --i) std::swap(numbers[i - 1], numbers[random() % i]);
}

std::vector<unsigned> in_order(size_t count, std::mt19937_64& random) {
    std::vector<unsigned> numbers(count);
    for (size_t i = 0; i < count; ++i) numbers[i] = unsigned(launch.order == 1 ? count - 1 - i : i);
    if (launch.order == 2) shuffle(numbers, random);
    return numbers;
}

void run_block(std::mt19937_64& random) {
    const size_t count = size_t(blockDim.x) * blockDim.y * blockDim.z;
    for (Shared& object : shared) renew(object);
    if (dynamic.bytes) renew(dynamic);
    fibers.assign(count, Fiber());
    for (size_t i = 0; i < count; ++i) {
        fibers[i].number = unsigned(i);
        fibers[i].index = {unsigned(i % blockDim.x), unsigned(i / blockDim.x % blockDim.y),
                           unsigned(i / blockDim.x / blockDim.y)};
    }
    meetings.clear();
    meetings.resize((count + 31) / 32);
    order = in_order(count, random);
    at_barrier = 0;
    next_fresh = 0;
    alive = unsigned(count);
    while (alive && fault.empty()) {
        bool progress = false;
        for (unsigned number : order) {
            if (!can_run(fibers[number])) continue;
            progress = true;
            resume(fibers[number]);
            if (!fault.empty()) break;
        }
        if (!progress && alive) fault = deadlock();
    }
#ifdef COUNTS
    block_is_over();
#endif
    for (Fiber& fiber : fibers) {
        if (fiber.stack) munmap(fiber.stack, STACK);
#ifdef THREAD_SANITIZER
        if (fiber.identity) __tsan_destroy_fiber(fiber.identity);
#endif
    }
}

}  // namespace

// ---- what kernels call

void fail(const char* words, int line) {
    if (fault.empty()) fault = std::string(words) + ", line " + std::to_string(line);
    to_scheduler();
    abort();
}

void block_barrier(int line) {
    Unseen unseen;
    release(&barrier_generation);
    current->line = line;
    current->generation = barrier_generation;
    if (++at_barrier == fibers.size()) {
        at_barrier = 0;
        ++barrier_generation;
    } else {
        wait(State::at_barrier);
    }
    acquire(&barrier_generation);
}

unsigned lane() { return current->number % 32; }

#ifdef COUNTS
extern "C" __attribute__((visibility("hidden"))) const char __ehdr_start, _end;  // the linker's

bool is_running() { return current != nullptr; }
unsigned thread_number() { return current->number; }

bool is_of_the_device(const void* place) {
    if (!is_running()) return false;  // a signature is asked for
    const auto inside = [place](const void* start, size_t bytes) {
        const char* from = static_cast<const char*>(start);
        return from <= place && place < from + bytes;
    };
    for (const Shared& object : shared) {
        if (inside(object.memory, object.bytes)) return false;
    }
    return !inside(current->stack, STACK) && !inside(dynamic.memory, dynamic.bytes) &&
           !inside(&__ehdr_start, size_t(&_end - &__ehdr_start));
}
#endif

uint32_t lanes_that_exist() {
    const size_t after = (current->number / 32 + 1) * 32;
    return after <= fibers.size() ? ~0u : (1u << fibers.size() % 32) - 1;
}

const uint64_t* warp_meeting(uint32_t mask, uint64_t brought, int line) {
    Unseen unseen;
    if (!(mask >> lane() & 1)) fail("a lane is not in its own mask", line);
    auto& of_warp = meetings[current->number / 32];
    Meeting* meeting = nullptr;
    for (auto& known : of_warp) {
        if (known->mask == mask) meeting = known.get();
    }
    if (!meeting) {
        of_warp.emplace_back(new Meeting);
        meeting = of_warp.back().get();
        meeting->mask = mask;
    }
    release(meeting);
    uint64_t* slots = meeting->brought[meeting->generation % 2];
    slots[lane()] = brought;
    meeting->arrived |= 1u << lane();
    current->line = line;
    current->generation = meeting->generation;
    current->meeting = meeting;
    if (meeting->arrived == (mask & lanes_that_exist())) {
        meeting->arrived = 0;
        ++meeting->generation;
    } else {
        wait(State::at_meeting);
    }
    acquire(meeting);
    return slots;
}

void* shared_memory(unsigned number, size_t bytes) {
    Unseen unseen;
    if (shared.size() <= number) shared.resize(number + 1);
    Shared& object = shared[number];
    if (!object.memory) {
        object = {malloc(bytes), bytes};
        fill(object);
    }
    return object.memory;
}

void* dynamic_shared_memory() { return dynamic.memory; }

const char* run(const Launch& wanted) {
    Unseen unseen;
    launch = wanted;
    fault.clear();
    gridDim = {launch.grid[0], launch.grid[1], launch.grid[2]};
    blockDim = {launch.block[0], launch.block[1], launch.block[2]};
#ifdef THREAD_SANITIZER
    scheduler_identity = __tsan_get_current_fiber();
#endif
    if (launch.dynamic_bytes) dynamic = {malloc(launch.dynamic_bytes), launch.dynamic_bytes};
    std::mt19937_64 random(launch.seed);
    const size_t blocks = size_t(gridDim.x) * gridDim.y * gridDim.z;
    for (unsigned block : in_order(blocks, random)) {
        blockIdx = {block % gridDim.x, block / gridDim.x % gridDim.y, block / gridDim.x / gridDim.y};
        run_block(random);
        if (!fault.empty()) break;
    }
    acquire(&scheduler_pointer);
    for (Shared& object : shared) free(object.memory);
    shared.clear();
    free(dynamic.memory);
    dynamic = {};
    fibers.clear();
    current = nullptr;
    return fault.empty() ? nullptr : fault.c_str();
}

}  // namespace runtime
