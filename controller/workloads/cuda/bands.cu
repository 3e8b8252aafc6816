// A column of each row's picture: a thread serves a band, and a part of the waveform.

constexpr int WINDOW = 1024, BINS = 513, COLUMNS = 480, BANDS = 160;
constexpr float FLOOR_DB = -127.5f, FLOOR_POWER = 1.7782794e-13f, STEPS_PER_DB = 2.0f;

__device__ inline float band_power(
    const float* powers, const float* weights, int first_bin, int start, int end)
{
    float sum = 0.0f;
    for (int i = start; i < end; ++i) sum += weights[i] * powers[first_bin + i - start];
    return sum;
}

__device__ inline unsigned char level(float power)
{
    const float steps = (10.0f * log10f(power + FLOOR_POWER) - FLOOR_DB) * STEPS_PER_DB;
    return static_cast<unsigned char>(fminf(fmaxf(steps, 0.0f), 255.0f));
}

extern "C" __global__ void __launch_bounds__(BANDS) bands_and_levels(
    unsigned char* arena, const long long* rows, const long long* step, const float* blocks,
    const float2* spectra, const int* first_bin, const int* weight_start, const float* weights,
    int n, int period)
{
    __shared__ float powers[BINS], lowest[BANDS], highest[BANDS];
    const int row = blockIdx.x, band = threadIdx.x;
    if (row >= n || rows[row] < 0) return;
    const float* block = blocks + static_cast<size_t>(row) * period;
    lowest[band] = highest[band] = block[min(band, period - 1)];
    for (int i = band + BANDS; i < period; i += BANDS) {
        lowest[band] = fminf(lowest[band], block[i]);
        highest[band] = fmaxf(highest[band], block[i]);
    }
    for (int bin = band; bin < BINS; bin += BANDS) {
        const float2 value = spectra[static_cast<size_t>(row) * BINS + bin];
        powers[bin] = value.x * value.x + value.y * value.y;
    }
    for (int half = 128; half > 0; half /= 2) {
        __syncthreads();
        if (band >= half || band + half >= BANDS) continue;
        lowest[band] = fminf(lowest[band], lowest[band + half]);
        highest[band] = fmaxf(highest[band], highest[band + half]);
    }
    const int column = static_cast<int>(step[0] % COLUMNS);
    float* extremes = reinterpret_cast<float*>(arena + rows[row]) + WINDOW;
    unsigned char* levels = reinterpret_cast<unsigned char*>(extremes + 2 * COLUMNS);
    if (band == 0) {
        extremes[2 * column] = lowest[0];
        extremes[2 * column + 1] = highest[0];
    }
    const int start = weight_start[band], end = weight_start[band + 1];
    levels[column * BANDS + band] = level(band_power(powers, weights, first_bin[band], start, end));
}
