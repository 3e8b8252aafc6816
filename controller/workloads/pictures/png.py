"""Pictures as PNG files, written with the standard library alone."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """Encode an RGB image (height, width, 3); format: W3C, "Portable Network Graphics", 2003."""
    height, width, _ = image.shape
    no_filter = np.zeros((height, 1), dtype=np.uint8)
    scanlines = np.concatenate((no_filter, image.reshape(height, 3 * width)), axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(scanlines.tobytes(), level=1)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Replace `path` at one stroke, so that a viewer never reads half a picture."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(png_bytes(image))
    unfinished.replace(path)
