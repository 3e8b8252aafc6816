// A cascade of biquads for each row, in double precision (transposed direct form II). Time cannot
// be divided, so a thread filters a stream, and a warp 32 of them: it loads 32 samples of each into
// a tile, row by row, so that its reads of sound coalesce, and sums the tile by columns.

constexpr int LANES = 32;
constexpr double SMALLEST_STATE = 1e-30; // below, a filter has come to rest

__device__ inline double rested(double state) { return fabs(state) > SMALLEST_STATE ? state : 0.0; }

// One section over the samples of a tile's row: coefficients b0 b1 b2 a1 a2.
__device__ inline void filter_samples(
    double* samples, int count, const double* coefficients, double* state)
{
    const double b0 = coefficients[0], b1 = coefficients[1], b2 = coefficients[2];
    const double a1 = coefficients[3], a2 = coefficients[4];
    double z0 = state[0], z1 = state[1];
#pragma unroll 4
    for (int t = 0; t < count; ++t) {
        const double x = samples[t], y = b0 * x + z0;
        z0 = (b1 * x + z1) - a1 * y; // only the last step waits for y
        z1 = b2 * x - a2 * y;
        samples[t] = y;
    }
    state[0] = rested(z0);
    state[1] = rested(z1);
}

__device__ inline void filter_row(double* samples, int count, double* row, int sections)
{
    double* state = row + 5 * sections;
    for (int section = 0; section < sections; ++section)
        filter_samples(samples, count, row + 5 * section, state + 2 * section);
}

extern "C" __global__ void __launch_bounds__(LANES) biquad_bank(
    unsigned char* arena, const long long* rows, const float* blocks, float* partial, int n,
    int period, int sections, int rows_per_chunk)
{
    __shared__ double tile[LANES][LANES + 1]; // the last column keeps rows in different banks
    const int lane = threadIdx.x, chunk = blockIdx.x;
    const int last = min(n, (chunk + 1) * rows_per_chunk);
    for (int start = 0; start < period; start += LANES) {
        const int count = min(LANES, period - start);
        double sum = 0.0;
        for (int first = chunk * rows_per_chunk; first < last; first += LANES) {
#pragma unroll 8
            for (int i = 0; i < LANES; ++i) {
                const bool heard = first + i < last && lane < count && rows[first + i] >= 0;
                const size_t at = static_cast<size_t>(first + i) * period + start + lane;
                tile[i][lane] = heard ? blocks[at] : 0.0;
            }
            __syncthreads();
            const long long row = first + lane < last ? rows[first + lane] : -1;
            if (row >= 0)
                filter_row(tile[lane], count, reinterpret_cast<double*>(arena + row), sections);
            __syncthreads();
            for (int i = 0; i < LANES; ++i) sum += tile[i][lane]; // the column that it loads next
        }
        if (lane < count)
            partial[static_cast<size_t>(chunk) * period + start + lane] = static_cast<float>(sum);
    }
}
