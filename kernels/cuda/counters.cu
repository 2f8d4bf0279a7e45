// The numbers of optimizers' steps, counted on the GPU, and what a rule makes of them.
//
// The host neither knows them nor waits for them: steps can be replayed, and be left out if *skip is
// not 0. Powers are computed once an array, in double, not by each thread of the step.
// Launch: one thread for each counter, blocks of THREADS.

#include "lists.cuh"
#include "generated"  // Numbers, Constants, numbers_of

template <typename F>
__global__ void __launch_bounds__(THREADS) count_steps(
        const long long* __restrict__ counters, int count, Constants constants,
        unsigned long long skip, double* __restrict__ numbers) {
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= count || is_left_out(skip)) return;
    F* counter = reinterpret_cast<F*>(counters[i]);
    const F step = *counter + F(1);
    *counter = step;
    reinterpret_cast<Numbers*>(numbers)[i] = numbers_of(step, constants);
}
