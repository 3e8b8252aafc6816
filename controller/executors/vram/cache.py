"""Results that can be made again, kept on the device while nobody needs their room."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from controller.executors.vram.handle import Handle
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.usage import Usage


@dataclass(slots=True)
class Entry:
    """A cached allocation, and how many hold it."""

    handle: Handle
    holders: int = 0


class DeviceCache:
    """Spectra of responses and work areas of FFT plans by key, each filled once.

    What nobody holds stays, and is evicted when its room is needed, the least recently held first.
    """

    def __init__(self, manager: VRAMManager) -> None:
        self._manager = manager
        self._entries: dict[Hashable, Entry] = {}
        self._keys: dict[Handle, Hashable] = {}
        self.hits = self.misses = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def hold(
        self, key: Hashable, size_bytes: int, owner: str, fill: Callable[[int], None]
    ) -> Handle:
        """The entry of a key, which stays until it is released as often as it was held.

        A new one is filled by `fill(offset)`; where that raises, there is none. Raises
        DeviceMemoryError where there is no room.
        """
        entry = self._entries.get(key)
        if entry is None:
            entry = self._fill(key, size_bytes, owner, fill)
        else:
            self.hits += 1
            self._manager.let_yield(entry.handle, None)
        entry.holders += 1
        return entry.handle

    def release(self, key: Hashable) -> None:
        """Hold it once less. Raises KeyError for what is not held."""
        entry = self._entries[key]
        if not entry.holders:
            raise KeyError(key)
        entry.holders -= 1
        if not entry.holders:
            self._manager.let_yield(entry.handle, self._forget)

    def _fill(
        self, key: Hashable, size_bytes: int, owner: str, fill: Callable[[int], None]
    ) -> Entry:
        self.misses += 1
        handle = self._manager.allocate(size_bytes, Usage.CACHE, owner)
        try:
            with self._manager.pinned(handle) as offset:
                fill(offset)
        except Exception:
            self._manager.free(handle)
            raise
        entry = self._entries[key] = Entry(handle)
        self._keys[handle] = key
        return entry

    def _forget(self, handle: Handle) -> None:
        del self._entries[self._keys.pop(handle)]
