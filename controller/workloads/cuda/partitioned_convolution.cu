// Convolution in the frequency domain, summed over the streams of a chunk: a thread serves a bin.
// Neighbouring threads read neighbouring bins, and no thread needs another.

constexpr int MOST_THREADS = 512;

struct Ears {
    float2 left, right;
};

__device__ inline void add_product(float2& sum, float2 x, float2 h)
{
    sum.x += x.x * h.x - x.y * h.y;
    sum.y += x.x * h.y + x.y * h.x;
}

__device__ inline void hear(Ears& ears, float2 past, const float2* response, int bins)
{
    add_product(ears.left, past, response[0]);
    add_product(ears.right, past, response[bins]);
}

// A partition of the response meets the spectrum of as many steps ago.
__device__ inline void hear_row(
    Ears& ears, float2* delay_line, const float2* response, float2 newest, int place, int bins,
    int partitions)
{
    hear(ears, newest, response, bins);
#pragma unroll 4
    for (int age = 1; age < partitions; ++age) {
        const int at = place - age + (place < age ? partitions : 0);
        hear(ears, delay_line[static_cast<size_t>(at) * bins], response + 2 * age * bins, bins);
    }
    delay_line[static_cast<size_t>(place) * bins] = newest;
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS) mix_spectra(
    unsigned char* arena, const long long* rows, const long long* responses, const long long* step,
    const float2* spectra, float2* partial, int n, int bins, int partitions, int rows_per_chunk)
{
    const int chunk = blockIdx.x;
    const int bin = blockIdx.y * blockDim.x + threadIdx.x;
    if (bin >= bins) return;
    const int previous_bytes = ((bins - 1) * 4 + 255) / 256 * 256;
    const int place = static_cast<int>(step[0] % partitions);
    const int last = min(n, (chunk + 1) * rows_per_chunk);
    Ears ears = {{0.0f, 0.0f}, {0.0f, 0.0f}};
    for (int row = chunk * rows_per_chunk; row < last; ++row) {
        if (rows[row] < 0) continue;
        float2* delay_line = reinterpret_cast<float2*>(arena + rows[row] + previous_bytes) + bin;
        const float2* response = reinterpret_cast<const float2*>(arena + responses[row]) + bin;
        const float2 newest = spectra[static_cast<size_t>(row) * bins + bin];
        hear_row(ears, delay_line, response, newest, place, bins, partitions);
    }
    partial[static_cast<size_t>(2 * chunk) * bins + bin] = ears.left;
    partial[static_cast<size_t>(2 * chunk + 1) * bins + bin] = ears.right;
}
