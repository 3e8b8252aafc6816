"""Everything in any order, against a dictionary: late events, pins, resizes, abandoned passes."""

from contextlib import ExitStack, suppress
from functools import partial
from itertools import pairwise

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from late_device import LateBacking, LateEvent

from controller.errors import DeviceMemoryError, PinnedError, StaleHandleError
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.usage import Usage

ARENA_BYTES = 1 << 19
SIZES = st.sampled_from([1, 256, 700, 2000, 3000, 4096, 5000, 20_000, 50_000, 90_000, 170_000])
USAGES = st.sampled_from([Usage.AUDIO, Usage.ANALYSIS, Usage.VISUALISATION, Usage.CACHE])
BLOCKS = st.sampled_from([1 << 14, 1 << 15, 1 << 16])
PICK = st.integers(0, 4)


class Arena(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.backing = LateBacking(ARENA_BYTES)
        self.manager = VRAMManager(self.backing, VRAMConfig(block_bytes=1 << 14))
        self.content = {}
        self.gone = []
        self.pins = []
        self.kernels = []
        self.writing = {}
        self.passes = []
        self.count = 0

    def pick(self, number):
        return list(self.content)[number % len(self.content)]

    def pattern(self, size_bytes):
        self.count += 1
        return np.resize(np.frombuffer(self.count.to_bytes(4, "big"), np.uint8), size_bytes)

    def forget(self, handle):
        del self.content[handle]
        self.gone.append(handle)

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=8), usage=USAGES, yields=st.booleans())
    def allocate(self, sizes, usage, yields):
        for size in sizes:
            self.allocate_one(size, usage, yields)

    def allocate_one(self, size, usage, yields):
        reason = ""
        try:
            handle = self.manager.allocate(size, usage, usage, self.forget if yields else None)
        except DeviceMemoryError as refused:
            reason = refused.reason
        if reason:
            assert (reason == "full") == (self.free_bytes() < size)
            return
        self.content[handle] = self.pattern(size)
        self.backing.write(self.manager.offset(handle), self.content[handle])

    @rule(number=PICK)
    @precondition(lambda self: self.content)
    def free(self, number):
        handle = self.pick(number)
        if any(handle is pinned for pinned, _, _ in self.pins):
            try:
                self.manager.free(handle)
            except PinnedError:
                return
            raise AssertionError("what is pinned was freed")
        self.manager.free(handle)
        self.forget(handle)

    @rule(number=PICK)
    @precondition(lambda self: self.content)
    def pin(self, number):
        handle, stack = self.pick(number), ExitStack()
        self.pins.append((handle, stack.enter_context(self.manager.pinned(handle)), stack))

    @rule(number=PICK)
    @precondition(lambda self: self.pins)
    def unpin(self, number):
        _, _, stack = self.pins.pop(number % len(self.pins))
        stack.close()

    @rule(number=PICK, for_all=st.sampled_from([False, False, True]))
    @precondition(lambda self: self.content)
    def launch(self, number, for_all):
        """A kernel writes, where the allocation lay when it was launched, when it is finished."""
        handle = self.pick(number)
        offset, data = self.manager.offset(handle), self.pattern(handle.size_bytes)
        kernel = LateEvent(partial(self.kernel_ends, handle, offset, data))
        self.writing[handle] = self.writing.get(handle, 0) + 1
        self.kernels.append(kernel)
        stream = f"stream {len(self.kernels)}"
        if for_all:
            self.manager.used_by_all(stream, kernel)
        else:
            self.manager.used(handle, stream, kernel)

    def kernel_ends(self, handle, offset, data):
        self.backing.write(offset, data)
        self.writing[handle] -= 1
        if handle in self.content:
            self.content[handle] = data

    @rule(number=PICK)
    @precondition(lambda self: self.under_way(self.backing.copies))
    def finish_a_copy(self, number):
        waiting = self.under_way(self.backing.copies)
        waiting[number % len(waiting)].finish()

    @rule(number=PICK)
    @precondition(lambda self: self.under_way(self.kernels))
    def finish_a_kernel(self, number):
        waiting = self.under_way(self.kernels)
        waiting[number % len(waiting)].finish()

    @rule()
    @precondition(lambda self: self.under_way(self.kernels))
    def finish_all_kernels(self):
        for kernel in self.under_way(self.kernels):
            kernel.finish()

    @staticmethod
    def under_way(events):
        return [event for event in events if not event.is_done]

    @rule(budget=st.sampled_from([20_000, 100_000, ARENA_BYTES]))
    @precondition(lambda self: len(self.content) > 2)
    def begin(self, budget):
        self.passes.append(self.manager.defragment(budget))

    @rule(number=PICK)
    @precondition(lambda self: self.content)
    def relocate(self, number):
        with suppress(PinnedError, DeviceMemoryError):
            self.passes.append(self.manager.relocate(self.pick(number)))

    @rule(number=PICK, abandon=st.booleans())
    @precondition(lambda self: self.passes)
    def end(self, number, abandon):
        moves = self.passes.pop(number % len(self.passes))
        if abandon:
            moves.abort()
            return
        assert set(moves.commit()) <= set(self.content)

    @rule(block_bytes=BLOCKS)
    @precondition(lambda self: self.count % 8 == 7)
    def resize(self, block_bytes):
        self.manager.resize_blocks(block_bytes)

    def free_bytes(self):
        return self.manager._space.free_bytes

    @invariant()
    def every_allocation_holds_what_was_written_to_it(self):
        for handle, data in self.content.items():
            if not self.writing.get(handle):
                found = self.backing.read(self.manager.offset(handle), handle.size_bytes)
                assert np.array_equal(found, data)

    @invariant()
    def pinned_allocations_stay(self):
        assert all(self.manager.offset(handle) == offset for handle, offset, _ in self.pins)

    @invariant()
    def no_two_allocations_overlap(self):
        spans = sorted((self.manager.offset(each), each.size_bytes) for each in self.content)
        assert all(start + size <= after for (start, size), (after, _) in pairwise(spans))
        assert not spans or sum(spans[-1]) <= ARENA_BYTES

    @invariant()
    def handles_of_what_is_gone_are_stale(self):
        for handle in self.gone[-3:]:
            try:
                self.manager.offset(handle)
            except StaleHandleError:
                continue
            raise AssertionError("what was freed can still be found")

    @invariant()
    def the_account_is_exact(self):
        account = self.manager.account()
        rows = [self.manager._table.find(handle) for handle in self.content]
        assert account.used_bytes == sum(row.held_bytes for row in rows)
        assert account.used_bytes == sum(account.by_usage.values())
        assert account.by_usage == {**dict.fromkeys(Usage, 0), **account.by_owner}
        assert account.used_bytes + account.free_bytes + account.draining_bytes == ARENA_BYTES
        tails = self.manager._space.slabs.tail_bytes
        assert account.free_bytes == self.free_bytes() + tails

    @invariant()
    def extents_cover_the_arena(self):
        extents = list(self.manager._space.region)
        assert [a.offset + a.size_bytes for a in extents[:-1]] == [b.offset for b in extents[1:]]
        assert sum(each.size_bytes for each in extents) == ARENA_BYTES
        assert not any(a.is_free and b.is_free for a, b in pairwise(extents))


Arena.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestArena = Arena.TestCase
