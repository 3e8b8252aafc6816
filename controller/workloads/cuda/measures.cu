// Magnitudes of spectra, and what they tell of each row: level, centroid and peak.

constexpr int WINDOW = 1024, BINS = 513, SPECTROGRAM_COLUMNS = 128;
constexpr int THREADS = 128;
constexpr float SILENCE_DBFS = -120.0f, SILENCE_POWER = 1e-12f, TINY = 1.17549435e-38f;

// What some threads have seen of a row's samples and bins.
struct Seen {
    float squares, magnitudes, weighted, highest;
    int peak;
};

__device__ inline float magnitude(float2 value)
{
    return sqrtf(value.x * value.x + value.y * value.y);
}

__device__ inline void see(Seen& seen, float found, int bin)
{
    seen.magnitudes += found;
    seen.weighted += found * bin;
    if (found > seen.highest) {
        seen.highest = found;
        seen.peak = bin;
    }
}

// Of equal bins the lowest is the peak.
__device__ inline void join(Seen& seen, const Seen& other)
{
    seen.squares += other.squares;
    seen.magnitudes += other.magnitudes;
    seen.weighted += other.weighted;
    const bool higher = other.highest > seen.highest;
    if (higher || (other.highest == seen.highest && other.peak < seen.peak)) {
        seen.highest = other.highest;
        seen.peak = other.peak;
    }
}

__device__ inline void write_measures(float* measures, const Seen& seen, float bin_hz)
{
    const float power = 2.0f * seen.squares / WINDOW;
    measures[0] = power > SILENCE_POWER ? 10.0f * log10f(power) : SILENCE_DBFS;
    measures[1] = bin_hz * seen.weighted / fmaxf(seen.magnitudes, TINY);
    measures[2] = bin_hz * seen.peak;
}

extern "C" __global__ void __launch_bounds__(THREADS) spectral_measures(
    unsigned char* arena, const long long* rows, const float2* spectra, int n, int sample_rate_hz)
{
    __shared__ Seen seen[THREADS];
    const int row = blockIdx.x, thread = threadIdx.x;
    if (row >= n || rows[row] < 0) return;
    float* past = reinterpret_cast<float*>(arena + rows[row]);
    float* magnitudes = past + WINDOW;
    Seen mine = {0.0f, 0.0f, 0.0f, -1.0f, BINS};
    for (int i = thread; i < WINDOW; i += THREADS) mine.squares += past[i] * past[i];
    for (int bin = thread; bin < BINS; bin += THREADS) {
        magnitudes[bin] = magnitude(spectra[static_cast<size_t>(row) * BINS + bin]);
        see(mine, magnitudes[bin], bin);
    }
    seen[thread] = mine;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) join(seen[thread], seen[thread + half]);
    }
    const float bin_hz = static_cast<float>(sample_rate_hz) / WINDOW;
    if (thread == 0) write_measures(magnitudes + BINS, seen[0], bin_hz);
}

extern "C" __global__ void magnitude_column(
    unsigned char* arena, const long long* rows, const long long* step, const float2* spectra,
    int n)
{
    const int row = blockIdx.x;
    if (row >= n || rows[row] < 0) return;
    const int newest = static_cast<int>(step[0] % SPECTROGRAM_COLUMNS);
    float* column = reinterpret_cast<float*>(arena + rows[row]) + WINDOW + newest * BINS;
    for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x)
        column[bin] = magnitude(spectra[static_cast<size_t>(row) * BINS + bin]);
}
