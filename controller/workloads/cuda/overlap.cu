// Frames of two periods, as overlap-save transforms them, and the half of them that is sound.

extern "C" __global__ void overlap_frames(
    unsigned char* arena, const long long* rows, const float* blocks, float* frames, int n,
    int period)
{
    const int row = blockIdx.x;
    const int sample = blockIdx.y * blockDim.x + threadIdx.x;
    if (row >= n || sample >= period) return;
    float* frame = frames + static_cast<size_t>(row) * 2 * period + sample;
    if (rows[row] < 0) {
        frame[0] = frame[period] = 0.0f;
        return;
    }
    float* previous = reinterpret_cast<float*>(arena + rows[row]) + sample;
    const float newest = blocks[static_cast<size_t>(row) * period + sample];
    frame[0] = *previous;
    frame[period] = newest;
    *previous = newest;
}

// The inverse transform that made the frames is not normalised.
extern "C" __global__ void overlap_tail(const float* frames, float* bus, int period)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= 2 * period) return;
    const int ear = i / period;
    bus[i] = frames[i + (ear + 1) * period] * (1.0f / (2 * period));
}
