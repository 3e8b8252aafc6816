"""A colour map that is even to the eye: equal steps of sound look like equal steps of light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Lightness, chroma and hue (degrees) along the map: night blue, violet, rose, orange, pale yellow.
_ANCHORS = np.array(
    [
        (0.13, 0.03, 275.0),
        (0.29, 0.12, 290.0),
        (0.45, 0.18, 325.0),
        (0.61, 0.20, 372.0),
        (0.77, 0.16, 415.0),
        (0.90, 0.12, 455.0),
        (0.98, 0.05, 465.0),
    ]
)


def colour_map(entries: int = 256) -> NDArray[np.uint8]:
    """Colours from dark to light, (entries, 3) sRGB; lightness rises in equal steps of OKLab.

    OKLab and its conversion to sRGB: Ottosson 2020, "A perceptual color space for image
    processing".
    """
    lightness = np.linspace(_ANCHORS[0, 0], _ANCHORS[-1, 0], entries)
    chroma = np.interp(lightness, _ANCHORS[:, 0], _ANCHORS[:, 1])
    hue = np.radians(np.interp(lightness, _ANCHORS[:, 0], _ANCHORS[:, 2]))
    lab = np.stack((lightness, chroma * np.cos(hue), chroma * np.sin(hue)))
    to_cones = np.array(
        [
            (1.0, 0.3963377774, 0.2158037573),
            (1.0, -0.1055613458, -0.0638541728),
            (1.0, -0.0894841775, -1.2914855480),
        ]
    )
    to_rgb = np.array(
        [
            (4.0767416621, -3.3077115913, 0.2309699292),
            (-1.2684380046, 2.6097574011, -0.3413193965),
            (-0.0041960863, -0.7034186147, 1.7076147010),
        ]
    )
    linear = np.clip(to_rgb @ (to_cones @ lab) ** 3, 0.0, 1.0)
    encoded = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    colours: NDArray[np.uint8] = np.rint(255.0 * encoded.T).astype(np.uint8)
    return colours
