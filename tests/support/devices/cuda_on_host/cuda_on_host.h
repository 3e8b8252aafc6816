// What a .cu file needs to be C++20, and the launch of its kernels on the host. Threads that share
// memory or wait for each other are real ones, a block at a time; others run one after another. The
// order of blocks and threads is shuffled.
#pragma once
#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstddef>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __shared__ static

using std::max, std::min;

struct float2 {
    float x, y;
};

struct Index {
    unsigned x, y;
};

inline thread_local Index threadIdx, blockIdx;
inline Index gridDim, blockDim;
inline thread_local std::barrier<>* barrier_of_block;

inline void __syncthreads() { barrier_of_block->arrive_and_wait(); }

namespace on_host {

using Bytes = std::vector<char>;

struct Launch {
    Index grid, block;
    bool together;
};

template <class Value> Value argument(Bytes& data)
{
    if constexpr (std::is_pointer_v<Value>) return reinterpret_cast<Value>(data.data());
    else return *reinterpret_cast<Value*>(data.data());
}

inline std::vector<unsigned> shuffled(unsigned count)
{
    static std::mt19937 random(1);
    std::vector<unsigned> order(count);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), random);
    return order;
}

template <class Thread> void run_in_turn(Thread thread)
{
    const unsigned threads = blockDim.x * blockDim.y;
    for (const unsigned i : shuffled(gridDim.x * gridDim.y * threads)) {
        const unsigned block = i / threads, within = i % threads;
        blockIdx = {block % gridDim.x, block / gridDim.x};
        threadIdx = {within % blockDim.x, within / blockDim.x};
        thread();
    }
}

// A thread that has ended counts as one that waits, as on a device.
template <class Thread> void run_together(Thread thread)
{
    const unsigned threads = blockDim.x * blockDim.y;
    const auto blocks = shuffled(gridDim.x * gridDim.y);
    std::barrier<> between_blocks(threads);
    std::vector<std::unique_ptr<std::barrier<>>> barriers;
    for (std::size_t i = 0; i < blocks.size(); ++i)
        barriers.push_back(std::make_unique<std::barrier<>>(threads));
    const auto serve = [&](unsigned within) {
        threadIdx = {within % blockDim.x, within / blockDim.x};
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            blockIdx = {blocks[i] % gridDim.x, blocks[i] / gridDim.x};
            barrier_of_block = barriers[i].get();
            thread();
            barrier_of_block->arrive_and_drop();
            between_blocks.arrive_and_wait();
        }
    };
    std::vector<std::jthread> running;
    for (const unsigned within : shuffled(threads)) running.emplace_back(serve, within);
}

template <class... Values, std::size_t... At>
void launch(
    void (*kernel)(Values...), const Launch& how, std::vector<Bytes>& data,
    std::index_sequence<At...>)
{
    gridDim = how.grid;
    blockDim = how.block;
    const auto thread = [&] { kernel(argument<Values>(data[At])...); };
    how.together ? run_together(thread) : run_in_turn(thread);
}

template <class... Values>
void launch(void (*kernel)(Values...), const Launch& how, std::vector<Bytes>& data)
{
    launch(kernel, how, data, std::index_sequence_for<Values...>{});
}

} // namespace on_host
