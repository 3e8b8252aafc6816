// Launches kernels as asked on its standard input, and answers with what their arguments became.
// A request: kernel, grid x y, block x y, together, arguments (uint32 each); then of each argument
// its bytes in number (uint32), and the bytes. The answer: the bytes of all arguments.
#include "cuda_on_host.h"
#include <cstdio>
#include <cstdlib>

#include "kernels.inc"

static bool read_all(void* data, std::size_t size)
{
    return std::fread(data, 1, size, stdin) == size;
}

static on_host::Bytes read_argument()
{
    unsigned size;
    if (!read_all(&size, sizeof size)) std::exit(2);
    on_host::Bytes data(size);
    if (!read_all(data.data(), size)) std::exit(2);
    return data;
}

int main()
{
    for (unsigned asked[7]; read_all(asked, sizeof asked);) {
        std::vector<on_host::Bytes> data;
        for (unsigned i = 0; i < asked[6]; ++i) data.push_back(read_argument());
        const Index grid{asked[1], asked[2]}, block{asked[3], asked[4]};
        launch_kernel(asked[0], {grid, block, asked[5] != 0}, data);
        for (const auto& argument : data) { // an empty one has no address
            if (!argument.empty()) std::fwrite(argument.data(), 1, argument.size(), stdout);
        }
        std::fflush(stdout);
    }
}
