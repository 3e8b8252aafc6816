// The last 1024 samples of each row, windowed. A block serves a row; every place of its ring is
// touched by one thread alone, which writes it before it reads it.

constexpr int WINDOW = 1024;

extern "C" __global__ void window_history(
    unsigned char* arena, const long long* rows, const long long* step, const float* blocks,
    const float* window, float* windowed, int n, int period)
{
    const int row = blockIdx.x;
    if (row >= n) return;
    const bool used = rows[row] >= 0;
    float* past = reinterpret_cast<float*>(arena + (used ? rows[row] : 0));
    const int end = static_cast<int>((step[0] + 1) * period % WINDOW);
    const int older = WINDOW - min(period, WINDOW);
    const long long newest = static_cast<long long>(row + 1) * period - WINDOW;
    for (int i = threadIdx.x; i < WINDOW; i += blockDim.x) {
        float* place = past + (end + i) % WINDOW;
        if (used && i >= older) *place = blocks[newest + i];
        windowed[static_cast<size_t>(row) * WINDOW + i] = used ? *place * window[i] : 0.0f;
    }
}
