"""Policies turn the knobs of a device while sound plays on it, and each change is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from controller.journal.reader import JournalReader
from controller.journal.state_directory import StateDirectory

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
BESIDE_NOTHING = "[pipeline]\nanalysis = false\nvisualisation = false\nstress = 0\n"


def changes_judged(folder: Path, config: str, *options: str) -> dict[str, list[str]]:
    """The values that each knob was turned to in a run, once the change was judged."""
    (folder / "device.toml").write_text(BESIDE_NOTHING + config)
    run = (sys.executable, "-m", "kapellmeister", "run", "--no-live", "--device", "emulated")
    where = ("--config", str(folder / "device.toml"), "--state-dir", str(folder))
    subprocess.run((*run, *options, *where), check=True, capture_output=True, timeout=100)
    found: dict[str, list[str]] = {}
    with JournalReader(StateDirectory(folder).journal_path) as reader:
        ticks = list(reader.ticks(reader.run().number))
    judged = {each.change_id for tick in ticks for each in tick.verifications}
    for change in (change for tick in ticks for change in tick.changes):
        if change.id in judged:
            found.setdefault(change.action.knob, []).append(str(change.action.value))
    return found


def test_batches_of_many_calls_are_made_larger(tmp_path: Path) -> None:
    options = ("--policy", "batching", "--streams", "160", "--taps", "256", "--duration", "15")
    turned = changes_judged(tmp_path, "batch_size = 8\n", *options)
    assert turned["batch_size"][0] in ("32", "64", "128", "256")


def test_blocks_that_waste_a_full_arena_are_made_smaller(tmp_path: Path) -> None:
    memory = "[vram]\ntotal_mib = 11\nblock_bytes = 2097152\n"
    options = ("--policy", "vram", "--streams", "38", "--workload", "spectrogram")
    turned = changes_judged(tmp_path, memory, *options, "--duration", "40")
    assert turned["vram_block_bytes"][0] == "1048576"
