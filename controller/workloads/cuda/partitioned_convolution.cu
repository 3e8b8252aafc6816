// Convolution in the frequency domain, summed over the streams of a chunk: a thread serves a bin.
// Neighbouring threads read neighbouring bins, and no thread needs another.

constexpr int ABREAST = 4; // partitions that a thread reads at once
constexpr int MOST_THREADS = 512, BLOCKS = 2; // so many at once leave registers for what is read

struct Ears {
    float2 left, right;
};

__device__ inline void add_product(float2& sum, float2 x, float2 h)
{
    sum.x += x.x * h.x - x.y * h.y;
    sum.y += x.x * h.y + x.y * h.x;
}

// Partitions from `first` on, each met by the spectrum of as many steps ago. All are read before
// the first is used, so that a thread waits for memory once; of those beyond the last, which would
// hold what others left there, the last is read again and not heard.
__device__ inline void hear(
    Ears& ears, const float2* delay_line, const float2* response, float2 newest, int place,
    int first, int bins, int partitions)
{
    float2 past[ABREAST], left[ABREAST], right[ABREAST];
#pragma unroll
    for (int i = 0; i < ABREAST; ++i) {
        const int age = min(first + i, partitions - 1);
        const int at = place - age + (place < age ? partitions : 0);
        past[i] = first + i == 0 ? newest : delay_line[static_cast<size_t>(at) * bins];
        left[i] = response[2 * age * bins];
        right[i] = response[(2 * age + 1) * bins];
    }
#pragma unroll
    for (int i = 0; i < ABREAST; ++i) {
        const bool inside = first + i < partitions;
        const float2 heard = {inside ? past[i].x : 0.0f, inside ? past[i].y : 0.0f};
        add_product(ears.left, heard, left[i]);
        add_product(ears.right, heard, right[i]);
    }
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS, BLOCKS) mix_spectra(
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
        for (int first = 0; first < partitions; first += ABREAST)
            hear(ears, delay_line, response, newest, place, first, bins, partitions);
        delay_line[static_cast<size_t>(place) * bins] = newest; // last: no read may overtake it
    }
    partial[static_cast<size_t>(2 * chunk) * bins + bin] = ears.left;
    partial[static_cast<size_t>(2 * chunk + 1) * bins + bin] = ears.right;
}
