"""Who holds the arena while binaural sound plays."""

from __future__ import annotations

from controller.executors.vram.usage import Usage
from kapellmeister.bench.hardware.experiment import Experiment, Found
from kapellmeister.bench.hardware.figures import Measured, Planned
from kapellmeister.bench.hardware.rig import Rig
from kapellmeister.bench.hardware.workloads import OWN_HRTF, batched_of, settings_of

PART = "arena by owner"
FREE = "free"
OWNERS = (*(usage.value for usage in Usage), FREE)


def owners() -> Experiment:
    """Bytes by owner, of many streams with responses of their own."""
    return Experiment(PART, tuple(Planned(owner, "MiB") for owner in OWNERS), 0.1, _owners)


def _owners(rig: Rig, seconds: float) -> Found:
    del seconds
    scale = rig.scale
    workload = batched_of(OWN_HRTF, settings_of(OWN_HRTF, scale.many, scale.taps))
    with rig.playing(workload, scale.many) as player:
        account = player.manager.account()
    held = {usage.value: account.by_usage.get(usage, 0) for usage in Usage}
    for owner, size_bytes in {**held, FREE: account.free_bytes}.items():
        yield Measured.once(owner, size_bytes / 2**20)
