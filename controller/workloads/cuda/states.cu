// The states of streams that begin: what each starts with, and zeros.

extern "C" __global__ void begin_states(
    unsigned char* arena,
    const long long* rows,
    const unsigned int* initial,
    int n,
    int state_bytes,
    int initial_bytes)
{
    const long long row = rows[blockIdx.x];
    if (blockIdx.x >= n || row < 0) {
        return;
    }
    unsigned int* state = reinterpret_cast<unsigned int*>(arena + row);
    const int words = state_bytes / 4;
    const int given = initial_bytes / 4;
    const unsigned int* beginning = initial + static_cast<long long>(blockIdx.x) * given;
    for (int word = threadIdx.x; word < words; word += blockDim.x) {
        state[word] = word < given ? beginning[word] : 0u;
    }
}
