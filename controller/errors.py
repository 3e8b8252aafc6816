"""Every error a user can meet: what was wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class KapellmeisterError(Exception):
    """Base of all errors that end a command with one clear line and its exit status."""

    status: ClassVar[int] = 2


class Interruption(KapellmeisterError):  # noqa: N818 - nothing is wrong
    """Somebody asked for an end (Ctrl-C); `kept` says what remains of the work."""

    status = 130

    def __init__(self, kept: str = "") -> None:
        super().__init__(f"interrupted; {kept}" if kept else "interrupted")


class SoundFileError(KapellmeisterError, ValueError):
    """A sound file is missing, unreadable or empty."""

    def __init__(
        self,
        path: Path,
        why: str,
        remedy: str = "give a WAV, FLAC, OGG or MP3 file, or a folder of them",
    ) -> None:
        super().__init__(f"--audio {path}: {why}; {remedy}")


class RecordingError(KapellmeisterError, OSError):
    """The recording cannot be written."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(f"--record {path}: {why}; {remedy}")


class HrtfFileError(KapellmeisterError, ValueError):
    """A SOFA file is missing, unreadable or of a convention that holds no impulse responses."""

    def __init__(
        self, path: Path, why: str, remedy: str = "give a SOFA file of SimpleFreeFieldHRIR"
    ) -> None:
        super().__init__(f"--hrtf {path}: {why}; {remedy}")


class TraceError(KapellmeisterError, ValueError):
    """A load trace cannot be read as two columns of time and streams."""

    def __init__(self, path: Path, line: int | None, why: str, remedy: str) -> None:
        where = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"--trace {where}: {why}; {remedy}")


class ConfigurationError(KapellmeisterError, ValueError):
    """A configuration holds an unknown key or an impossible value."""

    def __init__(self, source: str, field: str, why: str, remedy: str) -> None:
        super().__init__(f"{source}: {field}: {why}; {remedy}")


class JournalError(KapellmeisterError, OSError):
    """The journal cannot be opened or written."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(f"journal {path}: {why}; {remedy}")


class AlreadyRunningError(KapellmeisterError, RuntimeError):
    """Another controller holds the state directory."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another controller" if pid is None else f"a controller (process {pid})"
        super().__init__(
            f"{path}: {holder} is running here; stop it, or choose another --state-dir"
        )


class NotRunningError(KapellmeisterError, RuntimeError):
    """A command addressed a controller, and none is running."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: no controller is running here; start one with `kapellmeister run`, "
            "or name its --state-dir"
        )


class PlugInError(KapellmeisterError, LookupError):
    """A plug-in of that kind and name does not exist, does not load or cannot be made.

    `known` are the names to choose from, where another name would help.
    """

    def __init__(self, kind: str, name: str, why: str, known: tuple[str, ...] = ()) -> None:
        names = f"; known: {', '.join(known)}" if known else ""
        super().__init__(f"{kind} {name}: {why}{names}")


class ExecutorError(KapellmeisterError, RuntimeError):
    """An executor cannot render here, or cannot take what it was given."""

    def __init__(self, executor: str, why: str, remedy: str) -> None:
        super().__init__(f"executor {executor}: {why}; {remedy}")


class MembershipError(KapellmeisterError, RuntimeError):
    """Nodes of a cluster cannot be started here, or not as they are configured."""

    def __init__(self, engine: str, why: str, remedy: str) -> None:
        super().__init__(f"cluster {engine}: {why}; {remedy}")
        self.why = why
        self.remedy = remedy


class DeviceMemoryError(KapellmeisterError, MemoryError):
    """The arena has no room: `reason` is full, or fragmented where only pieces are free."""

    def __init__(
        self, owner: str, size_bytes: int, reason: str, free_bytes: int, largest_bytes: int
    ) -> None:
        pieces = f" in pieces of at most {largest_bytes:,}" if reason == "fragmented" else ""
        super().__init__(
            f"device memory of {owner}: {size_bytes:,} bytes were asked for and {free_bytes:,} are "
            f"free{pieces}; play fewer streams, or give the arena more ([vram] total_mib)"
        )
        self.owner = owner
        self.reason = reason


class StaleHandleError(KapellmeisterError, LookupError):
    """A handle was used after its device memory was freed or taken away: a defect."""

    def __init__(self, owner: str) -> None:
        super().__init__(
            f"device memory of {owner}: it was freed or had to yield; allocate it again"
        )


class PinnedError(KapellmeisterError, RuntimeError):
    """Device memory that must stay where it is was to be moved or freed: a defect."""

    def __init__(self, owner: str, wanted: str) -> None:
        super().__init__(
            f"device memory of {owner}: it is pinned or in use and cannot be {wanted}; wait until "
            "its last use has ended, or unpin it"
        )


class PortInUseError(KapellmeisterError, OSError):
    """A port that was asked for cannot be bound."""

    def __init__(self, key: str, address: str, port: int, why: str, remedy: str) -> None:
        super().__init__(f"{key} {address}:{port}: {why}; {remedy}")


class PlantError(KapellmeisterError, RuntimeError):
    """The plant could not start, or is gone."""

    def __init__(self, plant: str, why: str, remedy: str) -> None:
        super().__init__(f"plant {plant}: {why}; {remedy}")
        self.why = why
        self.remedy = remedy


class KernelFileError(KapellmeisterError, ValueError):
    """A file of /proc or /sys cannot be read, or holds what cannot be true."""

    def __init__(self, path: Path | str, why: str) -> None:
        super().__init__(f"{path}: {why}")


class ProcessClosedError(KapellmeisterError, PermissionError):
    """A program that was named cannot be looked into, so that it cannot be controlled."""

    def __init__(self, program: str, why: str, remedy: str) -> None:
        super().__init__(f"{program}: {why}; {remedy}")


class ThreadGoneError(KapellmeisterError, ProcessLookupError):
    """A thread ended before it could be read or changed, or hides from us, which is the same."""

    def __init__(self, tid: int, why: str = "it has ended") -> None:
        super().__init__(f"thread {tid}: {why}; nothing is left to change")


class ThreadHiddenError(ThreadGoneError):
    """A thread or process lives and cannot be seen: nobody knows whether it is the one meant."""

    def __init__(self, tid: int, why: str = "it lives, and /proc hides it") -> None:
        remedy = "let /proc show it again (`mount -o remount,hidepid=0 /proc`)"
        KapellmeisterError.__init__(self, f"thread {tid}: {why}; {remedy}")


class SchedulingRefusedError(KapellmeisterError, PermissionError):
    """The kernel would not schedule a thread as asked; the thread is left as it was."""

    def __init__(self, tid: int, wanted: str, why: str, remedy: str) -> None:
        super().__init__(f"thread {tid}: {wanted} refused: {why}; {remedy}")
        self.wanted = wanted
        self.remedy = remedy


class WatchdogError(KapellmeisterError, RuntimeError):
    """No watchdog stands watch, so no thread's scheduling may be changed."""

    def __init__(self, why: str, remedy: str = "allow one more process") -> None:
        super().__init__(f"watchdog: {why}; nothing is rescheduled without it: {remedy}")


class StarvationError(WatchdogError):
    """A raised thread left a processor no time for ordinary work; nothing is raised for a while."""

    def __init__(self, processor: int, minutes: float) -> None:
        KapellmeisterError.__init__(
            self,
            f"watchdog: processor {processor} had no time left for ordinary work, so that all "
            f"threads were restored, and none is rescheduled for {minutes:.0f} minutes; find what "
            "never pauses there, or give it another processor",
        )


class PipelineStartError(KapellmeisterError, RuntimeError):
    """The built-in pipeline could not start, in its own words."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class ReentryError(RuntimeError):
    """The loop was entered while a tick was in progress: a defect, never a user's mistake."""

    def __init__(self) -> None:
        super().__init__("a tick began before the previous one ended")


class PolicyFailure(KapellmeisterError, RuntimeError):  # noqa: N818 - the policy's, not ours
    """A policy raised, returned nonsense or took too long; nothing can be said of it."""

    def __init__(self, policy: str, time_s: float, why: str) -> None:
        super().__init__(f"{why} (policy {policy}, {time_s:.0f} s into the simulation)")
        self.arguments = (policy, time_s, why)

    def __reduce__(self) -> tuple[type[PolicyFailure], tuple[str, float, str]]:
        return type(self), self.arguments


class OracleFailure(KapellmeisterError, RuntimeError):  # noqa: N818 - like a policy's
    """The process that the oracle ran in was ended, most likely for want of memory."""

    def __init__(self, trace: str) -> None:
        super().__init__(
            f"--trace {trace}: the process of its oracle was ended; give fewer --jobs or --days, "
            "or a longer --interval"
        )


class JobError(KapellmeisterError, RuntimeError):
    """A job of an experiment raised, in the words of the process that it ran in."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class DaskError(KapellmeisterError, ConnectionError):
    """A Dask cluster cannot be reached, is lost, or differs from this machine."""

    def __init__(self, address: str, why: str, remedy: str) -> None:
        super().__init__(f"--dask {address}: {why}; {remedy}")


class MissingExtraError(KapellmeisterError, ImportError):
    """A package that this needs is installed only on request."""

    def __init__(self, package: str, extra: str) -> None:
        why = f"this needs {package}: pip install 'kapellmeister[{extra}]'"
        super().__init__(why)


class KnobError(KapellmeisterError, ValueError):
    """A knob was named that the plant has not."""

    def __init__(self, knob: str, known: tuple[str, ...]) -> None:
        super().__init__(f"--knobs {knob}: no such knob; this pipeline has {', '.join(known)}")


class NothingToTurnError(KapellmeisterError, ValueError):
    """A policy turns only knobs that the pipeline has not, or that --knobs leaves out."""

    def __init__(self, policy: str, turns: Iterable[str], allowed: Iterable[str]) -> None:
        super().__init__(
            f"policy {policy}: nothing to turn: it turns {', '.join(turns)}, and here only "
            f"{', '.join(allowed)} may be; give other --knobs or another --pipeline"
        )


class ScenarioError(KapellmeisterError, ValueError):
    """A scenario of faults cannot be played."""

    def __init__(
        self, path: Path, where: str, why: str, remedy: str = "see docs/simulator.md"
    ) -> None:
        super().__init__(f"--scenario {path}: {where}: {why}; {remedy}")


class PipelineFileError(KapellmeisterError, ValueError):
    """A description of a pipeline cannot be read."""

    def __init__(
        self, path: Path, where: str, why: str, remedy: str = "see docs/simulator.md"
    ) -> None:
        super().__init__(f"--pipeline {path}: {where}: {why}; {remedy}")


class DeviceOpeningError(ExecutorError):
    """A device cannot be opened, compiled for or given its memory, in the words of its worker."""

    def __init__(self, executor: str, said: str) -> None:
        KapellmeisterError.__init__(self, f"executor {executor}: {said}")


class DeviceAllocationError(KapellmeisterError, RuntimeError):
    """Memory is asked for while a graph is captured or replayed, where none may be."""

    def __init__(self, what: str) -> None:
        remedy = "reserve it before the graph is captured"
        super().__init__(f"{what}: allocated while a graph is captured or replayed; {remedy}")


class FrameError(KapellmeisterError, ValueError):
    """A peer of the cluster sent what cannot be taken, or what is to be sent cannot be a frame."""

    def __init__(self, peer: str, why: str, remedy: str) -> None:
        super().__init__(f"link to {peer}: {why}; {remedy}")
        self.why = why


class LinkError(KapellmeisterError, ConnectionError):
    """A link of the cluster cannot be made, or broke."""

    def __init__(self, peer: str, why: str, remedy: str) -> None:
        super().__init__(f"link to {peer}: {why}; {remedy}")
        self.why = why


class AddressError(KapellmeisterError, ValueError):
    """An address of the cluster is none, leads nowhere, or may not be listened on."""

    def __init__(self, address: str, why: str, remedy: str) -> None:
        super().__init__(f"address {address}: {why}; {remedy}")
