// Sums over streams, by chunks and then over chunks: their order is always the same.

constexpr int COLUMNS = 32;
constexpr int WARPS = 16;

extern "C" __global__ void sum_streams(
    const long long* rows, const float* blocks, float* partial, int n, int period,
    int rows_per_chunk)
{
    const int chunk = blockIdx.x;
    const int sample = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= period) return;
    const int last = min(n, (chunk + 1) * rows_per_chunk);
    float sum = 0.0f;
#pragma unroll 4
    for (int row = chunk * rows_per_chunk; row < last; ++row)
        sum += rows[row] < 0 ? 0.0f : blocks[static_cast<size_t>(row) * period + sample];
    partial[static_cast<size_t>(chunk) * period + sample] = sum;
}

// A block of 16 warps sums 32 columns: each warp every sixteenth chunk, the first warp the rest.
extern "C" __global__ void __launch_bounds__(COLUMNS * WARPS) sum_partials(
    const float* partial, float* total, int chunks, int size)
{
    __shared__ float sums[WARPS][COLUMNS];
    const int warp = threadIdx.y;
    const int column = blockIdx.x * COLUMNS + threadIdx.x;
    float sum = 0.0f;
    if (column < size)
#pragma unroll 8
        for (int chunk = warp; chunk < chunks; chunk += WARPS)
            sum += partial[static_cast<size_t>(chunk) * size + column];
    sums[warp][threadIdx.x] = sum;
    __syncthreads();
    if (warp > 0 || column >= size) return;
    for (int other = 1; other < WARPS; ++other) sum += sums[other][threadIdx.x];
    total[column] = sum;
}

extern "C" __global__ void both_ears(const float* mono, float* bus, int period)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < 2 * period) bus[i] = mono[i % period];
}
