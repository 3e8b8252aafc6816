"""A pass of moves: planned, copied, and committed once the copies are done, or abandoned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.executors.vram.backing import Backing, Event
from controller.executors.vram.handle import Handle
from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.space import Draining, Space


@dataclass(frozen=True, slots=True)
class Move:
    """A copy that began while `source` had this version; it counts if the version is the same."""

    source: Extent
    target: Extent
    version: int
    event: Event


class Moves:
    """Copies under way. Until `commit` every allocation lies where it was.

    The extents between the moved ones are reserved meanwhile. What was pinned, used or freed since
    the copy began stays where it is. Targets are free again once their copies are done.
    """

    def __init__(
        self,
        space: Space,
        moves: Sequence[Move],
        reserved: Sequence[Extent],
        moved: Callable[[int], None],
    ) -> None:
        self._space = space
        self._moves = tuple(moves)
        self._reserved = tuple(reserved)
        self._moved = moved
        self._launches = space.launches
        self._is_open = True

    @property
    def size_bytes(self) -> int:
        """Bytes that are copied."""
        return sum(move.target.size_bytes for move in self._moves)

    @property
    def is_ready(self) -> bool:
        """Whether all copies are done, so that a commit does not wait."""
        return all(move.event.is_done for move in self._moves)

    def commit(self) -> tuple[Handle, ...]:
        """Wait for the copies, and let what is still valid live there; the handles that moved."""
        if not self._is_open:
            return ()
        for move in self._moves:
            move.event.wait()
        valid = [move for move in self._moves if self._is_valid(move)]
        self._close([move for move in self._moves if not self._is_valid(move)])
        for move in valid:
            self._arrive(move)
        self._moved(sum(move.target.size_bytes for move in valid))
        return tuple(resident.handle for move in valid for resident in move.target.residents)

    def abort(self) -> None:
        """Leave everything where it is."""
        if self._is_open:
            self._close(self._moves)

    def _is_valid(self, move: Move) -> bool:
        """Whether nobody turned to anything in the source since."""
        return move.source.version == move.version and self._space.launches == self._launches

    def _arrive(self, move: Move) -> None:
        move.source.move_to(move.target)
        move.target.reservation = None
        self._space.reserved_bytes -= move.target.size_bytes
        self._space.give(move.source)

    def _close(self, abandoned: Sequence[Move]) -> None:
        self._is_open = False
        for extent in self._reserved:
            self._space.reserved_bytes -= extent.size_bytes
            self._space.region.give(extent)
        for move in abandoned:
            if move.source.reservation is move:
                move.source.reservation = None
            self._space.reserved_bytes -= move.target.size_bytes
            drained = Draining((move.event,), move.target, None, 0, move.target.size_bytes)
            self._space.drain(drained)


def clear(
    space: Space, backing: Backing, window: Sequence[Extent], moved: Callable[[int], None]
) -> Moves | None:
    """Begin to move all out of a window; None where one cannot, or fits nowhere else."""
    free = [extent for extent in window if extent.is_free]
    sources = [extent for extent in window if not extent.is_free]
    if not all(source.is_movable for source in sources):
        return None
    for extent in free:
        space.region.reserve(extent, window)
        space.reserved_bytes += extent.size_bytes
    targets = _targets(space, sources)
    if targets is None:
        Moves(space, (), free, moved).abort()
        return None
    pairs = zip(sources, targets, strict=True)
    return Moves(space, [_begin(backing, *pair) for pair in pairs], free, moved)


def _targets(space: Space, sources: Sequence[Extent]) -> list[Extent] | None:
    """A place elsewhere for each, the largest placed first; None where one finds none."""
    places: dict[int, Extent] = {}
    for source in sorted(sources, key=lambda extent: -extent.size_bytes):
        target = space.region.take(source.size_bytes)
        if target is None:
            for each in places.values():
                space.reserved_bytes -= each.size_bytes
                space.region.give(each)
            return None
        places[source.offset] = target
        space.reserved_bytes += target.size_bytes
    return [places[source.offset] for source in sources]


def _begin(backing: Backing, source: Extent, target: Extent) -> Move:
    event = backing.copy(source.offset, target.offset, source.size_bytes)
    move = Move(source, target, source.version, event)
    source.reservation = target.reservation = move
    return move
