"""An arena with the states of some rows, and poison everywhere else."""

import numpy as np

POISON = 0xFF
PAST = ("past", np.float32, 1024)
FFT = np.dtype([PAST, ("magnitudes", np.float32, 513), ("measures", np.float32, 3)])
SPECTROGRAM = np.dtype([PAST, ("columns", np.float32, (128, 513))])
PICTURE = np.dtype([PAST, ("extremes", np.float32, (480, 2)), ("levels", np.uint8, (480, 160))])


def hrtf(period, partitions):
    delay_line = (np.complex64, (partitions, period + 1))
    return np.dtype(
        {
            "names": ["previous", "delay_line"],
            "formats": [(np.float32, period), delay_line],
            "offsets": [0, -(-period * 4 // 256) * 256],
        }
    )


def filters(sections):
    return np.dtype(
        [("coefficients", np.float64, (sections, 5)), ("state", np.float64, (sections, 2))]
    )


class StateArena:
    """States lie apart and in no order; each fourth row is not used."""

    def __init__(self, state, rows, spare_bytes=0):
        self.state = state
        stride = (state.itemsize // 256 + 2) * 256
        self.spare_at = rows * stride
        self.bytes = np.full(self.spare_at + spare_bytes + 256, POISON, dtype=np.uint8)
        self.rows = np.random.default_rng(3).permutation(rows).astype(np.int64) * stride
        self.rows[3::4] = -1
        self.used = np.flatnonzero(self.rows >= 0)
        for row in self.used:
            self.bytes[self.rows[row] :][: state.itemsize] = 0

    def __getitem__(self, row):
        """The state of a row, to read and write in place."""
        return self.bytes[self.rows[row] :][: self.state.itemsize].view(self.state)[0]

    def outside(self):
        """A copy of all bytes that belong to no row's state."""
        kept = self.bytes.copy()
        for row in self.used:
            kept[self.rows[row] :][: self.state.itemsize] = POISON
        return kept


def poisoned(*shape, dtype=np.float32):
    """A buffer as the arena hands it out: every value is NaN until written."""
    return np.full(np.empty(shape, dtype).nbytes, POISON, dtype=np.uint8).view(dtype).reshape(shape)


def for_rows(arena, values):
    """`values` (used, ...) in the rows that are used, poison in the others."""
    buffer = poisoned(len(arena.rows), *values.shape[1:], dtype=values.dtype)
    buffer[arena.used] = values
    return buffer


def error(found, expected):
    """The distance of two arrays in norm, as a share of the expected."""
    expected = np.asarray(expected)
    return np.linalg.norm(np.ravel(found - expected)) / np.linalg.norm(np.ravel(expected))
