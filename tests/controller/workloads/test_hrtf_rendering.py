import numpy as np
import pytest
from playback import PERIOD, as_host, play, silent_before
from scipy.signal import oaconvolve

from controller.sound.bank import SoundBank
from controller.workloads.backends import numpy_backend
from controller.workloads.hrir import HrirSet, load_sofa, spherical_head
from controller.workloads.hrtf import HrtfRenderer
from controller.workloads.workload import WorkloadSettings

TOLERANCE = 2e-6  # of the loudest sample: single precision sums of thousands of products


def reverberant_room(taps: int, directions: int = 9) -> HrirSet:
    random = np.random.default_rng(7)
    decay = np.exp(-np.arange(taps) / (taps / 4))
    responses = random.standard_normal((directions, 2, taps)) * decay / np.sqrt(taps / 8)
    angles = np.linspace(0.0, 320.0, directions)
    return HrirSet("room", 48_000, angles, np.zeros(directions), responses.astype(np.float32))


def heard_by_scipy(streams, hrirs, directions):
    frames = streams.shape[1]
    responses = hrirs.impulse_responses[directions].astype(np.float64)
    full = oaconvolve(streams[:, None, :].astype(np.float64), responses, axes=2)
    return full[:, :, :frames].sum(axis=0)


def assert_alike(bus, expected):
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(bus, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize(
    ("period", "taps"), [(256, 2048), (256, 2047), (128, 300), (64, 64), (256, 100), (100, 257)]
)
def test_rendering_equals_convolution_for_any_period_and_length(backend, streams, period, taps):
    hrirs, directions = reverberant_room(taps), np.array([0, 8, 3, 3, 5, 1])
    settings = WorkloadSettings(48_000, period, 6, taps, hrirs, directions)
    bus = play(HrtfRenderer(settings, backend), streams, period=period)
    frames = bus.shape[1]
    assert_alike(bus, heard_by_scipy(streams[:, :frames], hrirs, directions))


def test_streams_that_join_later_are_heard_from_their_first_sample(backend, streams):
    hrirs, directions, joins = reverberant_room(1024), np.arange(6), [0, 7, 3, 3, 20, 39]
    settings = WorkloadSettings(48_000, PERIOD, 6, 1024, hrirs, directions)
    bus = play(HrtfRenderer(settings, backend), streams, joins)
    assert_alike(bus, heard_by_scipy(silent_before(streams, joins), hrirs, directions))


def test_a_measured_head_is_rendered_as_scipy_does(backend, streams, shared_audio):
    hrirs = load_sofa(shared_audio / "mit_kemar.sofa", 48_000).resized(512)
    directions = np.array([10, 700, 350, 42, 199, 640])
    settings = WorkloadSettings(48_000, PERIOD, 6, 512, hrirs, directions)
    bus = play(HrtfRenderer(settings, backend), streams)
    assert_alike(bus, heard_by_scipy(streams, hrirs, directions))


def test_without_a_measured_head_streams_are_spread_around_a_sphere(backend, streams):
    settings = WorkloadSettings(48_000, PERIOD, 6, taps=256)
    hrirs = spherical_head(48_000, 256)
    directions = hrirs.spread(6)
    assert len(set(directions.tolist())) == 6
    bus = play(HrtfRenderer(settings, backend), streams)
    assert_alike(bus, heard_by_scipy(streams, hrirs, directions))


@pytest.mark.parametrize("taps", [1, 2, 257, 258, 2048])
def test_replaying_the_memory_makes_a_moved_stream_continue_exactly(backend, streams, taps):
    settings = WorkloadSettings(48_000, PERIOD, 6, taps, reverberant_room(taps))
    stayed, moved = HrtfRenderer(settings, backend), HrtfRenderer(settings, backend)
    slot = np.array([4])
    signal = streams[4:5].reshape(-1, 1, PERIOD)
    expected = [as_host(stayed.process(block, slot)) for block in signal][-1]
    for block in signal[len(signal) - 1 - moved.memory_blocks : -1]:
        moved.process(block, slot)
    heard = as_host(moved.process(signal[-1], slot))
    np.testing.assert_allclose(heard, expected, rtol=0, atol=TOLERANCE * np.abs(streams).max())


def test_the_memory_is_no_longer_than_it_must_be(backend, streams):
    sizes = {
        taps: HrtfRenderer(
            WorkloadSettings(48_000, PERIOD, 1, taps, reverberant_room(taps)), backend
        ).memory_blocks
        for taps in (1, 2, 257, 258, 2048)
    }
    assert sizes == {1: 0, 2: 1, 257: 1, 258: 2, 2048: 8}


def test_a_reset_slot_remembers_nothing_and_leaves_others_alone(backend, streams):
    settings = WorkloadSettings(48_000, PERIOD, 6, 1024, reverberant_room(1024))
    renderer = HrtfRenderer(settings, backend)
    play(renderer, streams)
    renderer.reset(np.array([0, 1, 2, 4, 5]))
    silence = np.zeros((6, PERIOD), dtype=np.float32)
    ringing = as_host(renderer.process(silence, np.arange(6)))
    alone = HrtfRenderer(settings, backend)
    last = streams[3:4].reshape(-1, 1, PERIOD)
    for block in last:
        alone.process(block, np.array([3]))
    expected = as_host(alone.process(silence[:1], np.array([3])))
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(ringing, expected, rtol=0, atol=1e-6)


def test_a_batch_may_be_split_in_any_order(backend, streams):
    settings = WorkloadSettings(48_000, PERIOD, 6, 512, reverberant_room(512))
    whole, split = HrtfRenderer(settings, backend), HrtfRenderer(settings, backend)
    first, rest = np.array([5, 2]), np.array([0, 3, 1, 4])
    for index in range(10):
        block = np.ascontiguousarray(streams[:, index * PERIOD : (index + 1) * PERIOD])
        together = as_host(whole.process(block, np.arange(6)))
        apart = as_host(split.process(block[first], first)) + as_host(
            split.process(block[rest], rest)
        )
        np.testing.assert_allclose(apart, together, rtol=0, atol=1e-6)


def peak_dbfs(renderer, bank, slots):
    blocks = [renderer.process(bank.gather(index, slots), slots) for index in range(400)]
    return 20.0 * np.log10(max(float(np.abs(block).max()) for block in blocks))


@pytest.mark.parametrize("head", ["sphere", "measured"])
def test_64_streams_around_a_head_do_not_clip_and_one_alone_is_still_heard(
    head, synthetic_sounds, request
):
    hrirs = spherical_head(48_000, 256)
    if head == "measured":
        folder = request.getfixturevalue("shared_audio")
        hrirs = load_sofa(folder / "mit_kemar.sofa", 48_000)
    settings = WorkloadSettings(48_000, PERIOD, 64, 256, hrirs)
    bank = SoundBank(synthetic_sounds, PERIOD, streams=64)
    together = peak_dbfs(HrtfRenderer(settings, numpy_backend()), bank, np.arange(64))
    alone = peak_dbfs(HrtfRenderer(settings, numpy_backend()), bank, np.array([3]))
    assert -20.0 < together < 0.0
    assert -40.0 < alone < together
