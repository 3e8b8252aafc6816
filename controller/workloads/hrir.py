"""Head-related impulse responses: measured ones from a SOFA file, or those of a rigid sphere."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.errors import HrtfFileError
from controller.linux.os_errors import explained, refused_read

CONVENTION = "SimpleFreeFieldHRIR"
HEAD_RADIUS_M = 0.0875
SPEED_OF_SOUND_M_S = 343.0
FADE_FRACTION = 0.1
"""Part of a shortened response that is faded out, since a cut edge would ring."""

SPHERE_RESPONSE_S = 0.0107
SPHERE_DELAY_S = 0.001
SPHERE_TAPER_FROM = 0.8
"""Part of the band above which the response is faded out: a cut at its end would ring."""
HUGE = 1e100
"""Magnitude beyond which Hankel functions add nothing to the sum, and would soon overflow."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class HrirSet:
    """The impulse responses of both ears from each of `d` directions.

    `azimuth_deg` (d,) runs anticlockwise from the front (90 is left), `elevation_deg` (d,) upwards;
    `impulse_responses` is (d, 2, taps) float32, left ear first.
    """

    name: str
    sample_rate_hz: int
    azimuth_deg: Doubles
    elevation_deg: Doubles
    impulse_responses: NDArray[np.float32]

    def resized(self, taps: int) -> HrirSet:
        """The set with `taps` taps: zero-padded, or cut with a short fade-out."""
        held = self.impulse_responses.shape[-1]
        if taps == held:
            return self
        responses = np.zeros((*self.impulse_responses.shape[:2], taps), dtype=np.float32)
        kept = min(taps, held)
        responses[..., :kept] = self.impulse_responses[..., :kept]
        if taps < held:
            fade = max(1, int(taps * FADE_FRACTION))
            responses[..., -fade:] *= np.cos(np.linspace(0.0, np.pi / 2, fade + 1)[1:]) ** 2
        return replace(self, impulse_responses=responses)

    def levelled(self) -> HrirSet:
        """The set at a mean energy of 1 per ear, so that no head sounds louder than another.

        Differences between directions and ears, which carry the place of a sound, stay.
        """
        energy = np.square(self.impulse_responses, dtype=np.float64).sum(axis=-1).mean()
        scaled = (self.impulse_responses / np.sqrt(energy)).astype(np.float32)
        return replace(self, impulse_responses=scaled)

    def spread(self, count: int) -> NDArray[np.intp]:
        """`count` indices of directions, far apart for any count: steps of the golden ratio."""
        directions = len(self.azimuth_deg)
        places = np.arange(count) * 0.6180339887 % 1.0
        return np.minimum((places * directions).astype(np.intp), directions - 1)


def load_sofa(path: Path, sample_rate_hz: int) -> HrirSet:
    """Read measured responses and bring them to `sample_rate_hz`.

    Raises HrtfFileError when the file is missing, corrupt, or of another convention.
    """
    if not path.is_file():
        why = "it is no regular file" if path.exists() else "there is no such file"
        raise HrtfFileError(path, why)
    if path.suffix.lower() != ".sofa":
        raise HrtfFileError(path, "its name does not end in .sofa")
    sofa = _read_sofa(path)
    convention = getattr(sofa, "GLOBAL_SOFAConventions", "none")
    if convention != CONVENTION:
        raise HrtfFileError(path, f"its convention is {convention}")
    azimuth, elevation = _directions(path, sofa)
    measured = _responses(path, sofa)
    rate = float(np.ravel(sofa.Data_SamplingRate)[0])
    responses = _resampled(_delayed(measured, sofa.Data_Delay), rate, sample_rate_hz)
    return HrirSet(path.stem, sample_rate_hz, azimuth, elevation, responses)


def _read_sofa(path: Path) -> Any:
    import sofar

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return sofar.read_sofa(str(path), verify=False, verbose=False)
    except Exception as error:  # a corrupt file fails anywhere inside netCDF4
        refused = refused_read(path)
        if refused is not None:
            raise HrtfFileError(path, *explained(refused, path)) from error
        why = " ".join(str(error).split()) or type(error).__name__
        raise HrtfFileError(path, f"it cannot be read ({why})") from error


def _responses(path: Path, sofa: Any) -> Doubles:
    responses = np.asarray(sofa.Data_IR, dtype=np.float64)
    if responses.ndim != 3 or responses.shape[1] != 2 or responses.size == 0:
        raise HrtfFileError(path, f"Data.IR has shape {responses.shape}, not (directions, 2, taps)")
    if not np.isfinite(responses).all():
        raise HrtfFileError(path, "Data.IR holds values that are not finite")
    if not responses.any():
        raise HrtfFileError(path, "Data.IR is silent")
    return responses


def _directions(path: Path, sofa: Any) -> tuple[Doubles, Doubles]:
    position = np.atleast_2d(np.asarray(sofa.SourcePosition, dtype=np.float64))
    if len(position) != len(np.asarray(sofa.Data_IR)):
        raise HrtfFileError(path, "SourcePosition and Data.IR differ in their number of directions")
    if sofa.SourcePosition_Type == "spherical":
        return position[:, 0] % 360.0, position[:, 1]
    x, y, z = position.T
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


def _delayed(responses: Doubles, delay_samples: Any) -> Doubles:
    """Some sets cut the leading silence and state it apart: add it again, in whole samples."""
    delays = np.broadcast_to(np.asarray(delay_samples), responses.shape[:2])
    shifts = np.rint(delays).astype(np.intp)
    padded = np.zeros((*responses.shape[:2], responses.shape[2] + int(shifts.max())))
    for index in np.ndindex(*responses.shape[:2]):
        padded[index][shifts[index] : shifts[index] + responses.shape[2]] = responses[index]
    return padded


def _resampled(responses: Doubles, rate_hz: float, sample_rate_hz: int) -> NDArray[np.float32]:
    """Resample in time; the ratio of the rates keeps the level of the frequency response."""
    if rate_hz == sample_rate_hz:
        return responses.astype(np.float32)
    import soxr

    channels = responses.reshape(-1, responses.shape[-1]).T
    resampled = soxr.resample(channels, rate_hz, sample_rate_hz, quality="HQ")
    scaled: Doubles = resampled.T * (rate_hz / sample_rate_hz)
    return scaled.reshape(*responses.shape[:2], -1).astype(np.float32)


def default_directions() -> tuple[Doubles, Doubles]:
    """Azimuths and elevations in degrees of 108 directions, 10 degrees apart at ear height."""
    rings = ((-30.0, 24), (0.0, 36), (30.0, 24), (60.0, 16), (-60.0, 8))
    azimuth = [np.arange(count) * (360.0 / count) for _, count in rings]
    elevation = [np.full(count, degrees) for degrees, count in rings]
    return np.concatenate(azimuth), np.concatenate(elevation)


def spherical_head(
    sample_rate_hz: int, taps: int = 512, directions: tuple[Doubles, Doubles] | None = None
) -> HrirSet:
    """The responses of a rigid sphere with ears at +-90 degrees, for want of a measured head.

    `directions`: azimuths and elevations in degrees. Source: Duda and Martens 1998, "Range
    dependence of the response of a spherical head model", J. Acoust. Soc. Am. 104(5), in the
    limit of a far source. The responses are delayed by 1 ms so that none begins before zero.
    """
    azimuth, elevation = default_directions() if directions is None else directions
    lateral = np.sin(np.radians(azimuth)) * np.cos(np.radians(elevation))
    cosines = np.stack((lateral, -lateral), axis=1)
    length = 2 * round(SPHERE_RESPONSE_S * sample_rate_hz / 2)
    frequency_hz = np.linspace(0.0, sample_rate_hz / 2, length // 2 + 1)
    response = np.ones((cosines.size, len(frequency_hz)), dtype=np.complex128)
    response[:, 1:] = sphere_response(cosines.ravel(), frequency_hz[1:])
    above = np.clip((2 * frequency_hz / sample_rate_hz - SPHERE_TAPER_FROM), 0.0, None)
    taper = np.cos(np.pi / 2 * above / (1.0 - SPHERE_TAPER_FROM)) ** 2
    delayed = response * taper * np.exp(-2j * np.pi * frequency_hz * SPHERE_DELAY_S)
    responses = np.fft.irfft(delayed, n=length).reshape(*cosines.shape, length)
    whole = HrirSet("spherical head", sample_rate_hz, azimuth, elevation, responses.astype("f4"))
    return whole.resized(taps)


def sphere_response(cosines: Doubles, frequency_hz: Doubles) -> NDArray[np.complex128]:
    """Pressure on a rigid sphere relative to that at its centre were it absent, for a far source.

    `cosines` (n,) of the angle between source and point; `frequency_hz` (f,) above zero. Returns
    (n, f), time running as exp(+i w t). With mu = 2 pi f a / c the sum over m of
    (-i)^(m-1) (2m+1) P_m(cos) / (mu^2 h'_m(mu)): Duda and Martens 1998, after Rayleigh 1904, by
    upward recursion of the Legendre polynomials P and the spherical Hankel functions h.
    """
    mu = 2.0 * np.pi * frequency_hz * HEAD_RADIUS_M / SPEED_OF_SOUND_M_S
    legendre, legendre_next = np.ones_like(cosines), cosines
    hankel_before, hankel = np.exp(1j * mu) / mu, -1j * np.exp(1j * mu) / mu
    total = np.zeros((len(cosines), len(mu)), dtype=np.complex128)
    for m in range(int(1.5 * mu.max()) + 20):
        slope = hankel_before - (m + 1) / mu * hankel
        weight = np.where(np.abs(slope) < HUGE, (-1j) ** (m - 1) * (2 * m + 1) / slope, 0.0)
        total += legendre[:, None] * weight
        growing = np.abs(hankel) < HUGE
        hankel_next = (2 * m + 1) / mu * hankel - hankel_before
        hankel_before = np.where(growing, hankel, hankel_before)
        hankel = np.where(growing, hankel_next, hankel)
        legendre, legendre_next = (
            legendre_next,
            ((2 * m + 3) * cosines * legendre_next - (m + 1) * legendre) / (m + 2),
        )
    return np.conj(total / mu**2)
