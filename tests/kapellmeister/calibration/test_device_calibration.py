"""A calibration recovers the law of an executor whose device it does not know."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from virtual_device import (
    BYTES_PER_MS,
    FIXED_MS,
    INPUT_BYTES,
    MEMORY_BYTES,
    OVERHEAD_MS,
    STATE_BYTES,
    STREAM_MS,
    VirtualDevice,
    VirtualTime,
)

from controller.config.config import Config
from controller.errors import ExecutorError
from controller.sound.clip import Sound
from kapellmeister.calibration import calibrate as command
from kapellmeister.calibration import executor as subject
from kapellmeister.calibration.calibrate import CalibrateOptions, calibrate
from kapellmeister.calibration.executor import executor_subject
from kapellmeister.calibration.report import print_report
from simulators.calibration import calibration as simulated
from simulators.calibration.pipeline_file import read_calibration, write_calibration

SILENCE = Sound("silence", np.zeros(4800, np.float32), 48_000)


@pytest.fixture
def device(monkeypatch):
    """The class of the executor that is configured, by a clock that passes at once."""

    class Device(VirtualDevice):
        """As a test would have it."""

    clock = VirtualTime()

    def opened(config, workload, slots):
        return executor_subject(config, workload, slots, clock)

    monkeypatch.setattr(subject, "make_executor", lambda _, given: Device(given, clock))
    monkeypatch.setitem(command.SUBJECTS, "builtin", opened)
    monkeypatch.setattr(subject, "synthesise_sounds", lambda *_: [SILENCE])
    monkeypatch.setattr(simulated, "REPLAYED_PERIODS", 2000)
    monkeypatch.setattr(simulated, "BAND_SECONDS", 3)
    monkeypatch.setattr(simulated, "TABLE_S", 2)
    return Device


def calibrated():
    return calibrate(CalibrateOptions(seconds=0.5), Config())


@pytest.mark.parametrize("overlaps", [False, True])
def test_stated_costs_of_copies_and_of_work_are_recovered(device, overlaps):
    device.overlaps = overlaps
    found = calibrated().calibration
    assert found.transfer is not None
    assert found.transfer.overhead_ms == pytest.approx(OVERHEAD_MS, rel=0.01)
    assert found.transfer.bytes_per_ms == pytest.approx(BYTES_PER_MS, rel=0.01)
    assert found.transfer.bytes_per_stream == INPUT_BYTES
    assert (found.transfer.memory_bytes, found.transfer.state_bytes) == (MEMORY_BYTES, STATE_BYTES)
    assert found.compute.fixed_ms == pytest.approx(FIXED_MS, rel=0.1)
    assert found.compute.per_stream_ms == pytest.approx(STREAM_MS, rel=0.03)


def test_the_batches_that_it_can_have_are_measured_and_told_to_policies(device, tmp_path):
    found = calibrated()
    sizes = {table.batch_size for table in found.calibration.node_tables}
    assert sizes == {8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}
    assert {each.batch_size for each in found.report.held_out} == {32, 64}
    assert found.calibration.block_bytes == 1 << 16
    path = tmp_path / "device.toml"
    write_calibration(found.calibration, path)
    assert read_calibration(path) == found.calibration


def test_a_device_that_does_not_tell_its_memory_is_not_guessed_at(device):
    device.told = ("streams",)
    with pytest.raises(ExecutorError, match="it has vram_block_bytes and does not tell"):
        calibrated()


def test_the_report_tells_what_a_block_of_input_costs(device):
    console = Console(width=300, file=StringIO())
    print_report(calibrated().report, console)
    told = console.file.getvalue().splitlines()[1]
    assert told.startswith("a block of input takes 20.")
    assert told.endswith("a stream brings 1024 bytes and holds 17.2 KiB of 1024 MiB")
