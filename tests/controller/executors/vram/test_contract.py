"""What holds on any backing."""

import gc
from itertools import pairwise

import numpy as np
import pytest
from late_device import LateEvent

from controller.errors import (
    ConfigurationError,
    DeviceMemoryError,
    PinnedError,
    StaleHandleError,
)
from controller.executors.vram.backings.null import NullBacking
from controller.executors.vram.backings.numpy import NumpyBacking
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.usage import Usage
from policies.observation import Missing, Value

KIB = 1024


def allocate(manager, kib, owner="stream", usage=Usage.AUDIO, **other):
    return manager.allocate(kib * KIB, usage, owner, **other)


def comb(manager):
    """Sixteen pieces of 64 KiB, of which every other is freed: 512 KiB free, 64 at most in one."""
    pieces = [allocate(manager, 64, f"piece {number}") for number in range(16)]
    for piece in pieces[::2]:
        manager.free(piece)
    return pieces[1::2]


def test_offsets_are_aligned_and_ranges_do_not_overlap(manager):
    handles = [manager.allocate(size, Usage.AUDIO, "a") for size in (1, 300, 4000, 5000, 70_000)]
    offsets = [manager.offset(handle) for handle in handles]
    assert [offset % 256 for offset in offsets] == [0, 0, 0, 0, 0]
    spans = sorted(zip(offsets, (1, 300, 4000, 5000, 70_000), strict=True))
    assert all(a + size <= b for (a, size), (b, _) in pairwise(spans))


def test_small_allocations_of_a_size_lie_in_one_slab(manager):
    handles = [manager.allocate(2000, Usage.AUDIO, "a") for _ in range(8)]
    assert [manager.offset(handle) for handle in handles] == [2048 * slot for slot in range(8)]
    assert manager.account().slab_hits == 7


def test_the_smallest_piece_that_fits_is_taken(manager):
    pieces = [allocate(manager, kib) for kib in (96, 16, 64, 16, 80, 16)]
    for piece in pieces[::2]:
        manager.free(piece)
    assert manager.offset(allocate(manager, 64)) == 112 * KIB


def test_freed_neighbours_become_one_piece(manager):
    pieces = [allocate(manager, 256) for _ in range(4)]
    for number in (1, 3, 2, 0):
        manager.free(pieces[number])
    assert manager.account().largest_free_bytes == 1024 * KIB
    assert manager.offset(allocate(manager, 1024)) == 0


def test_a_handle_is_stale_once_freed_also_when_its_id_is_given_away_again(manager):
    first = allocate(manager, 64, "the first")
    manager.free(first)
    second = allocate(manager, 64, "the second")
    assert (second.id, second.generation) == (first.id, first.generation + 1)
    for call in (manager.free, manager.offset, manager.pin_for_good, manager.relocate):
        with pytest.raises(StaleHandleError, match="of the first: it was freed"):
            call(first)


def test_what_is_pinned_is_neither_freed_nor_moved(manager):
    handle = allocate(manager, 64, "a graph")
    with manager.pinned(handle) as offset:
        assert offset == manager.offset(handle)
        with pytest.raises(PinnedError, match=r"a graph.* cannot be freed"):
            manager.free(handle)
        with pytest.raises(PinnedError, match=r"a graph.* cannot be moved"):
            manager.relocate(handle)
    manager.free(handle)


def test_what_a_graph_captured_stays_until_it_is_unpinned(manager):
    handle = allocate(manager, 64, "a graph")
    manager.pin_for_good(handle)
    with pytest.raises(PinnedError, match="a graph"):
        manager.relocate(handle)
    with pytest.raises(PinnedError, match="a graph"):
        manager.free(handle)
    manager.unpin(handle)
    manager.free(handle)


def test_a_full_arena_refuses_and_names_owner_and_reason(manager):
    allocate(manager, 1000)
    with pytest.raises(DeviceMemoryError, match="of late: 51,200 bytes were asked for") as refused:
        allocate(manager, 50, "late")
    assert (refused.value.reason, refused.value.owner) == ("full", "late")
    assert manager.account().failures_full == 1


def test_pieces_are_moved_together_for_an_allocation_that_fits_in_none(manager):
    left = comb(manager)
    offset = manager.offset(allocate(manager, 128, "large"))
    assert offset not in [manager.offset(handle) for handle in left]
    account = manager.account()
    assert (account.defragmented_bytes, account.passes) == (64 * KIB, 1)


def test_where_nothing_may_move_the_arena_is_fragmented(manager):
    for handle in comb(manager):
        manager.pin_for_good(handle)
    with pytest.raises(DeviceMemoryError, match="in pieces of at most 65,536") as refused:
        allocate(manager, 128)
    assert refused.value.reason == "fragmented"
    assert manager.account().failures_fragmented == 1


def test_an_allocation_moves_no_more_than_it_may(backing):
    manager = VRAMManager(backing, VRAMConfig(block_bytes=16384, inline_bytes=65_535))
    comb(manager)
    with pytest.raises(DeviceMemoryError, match="in pieces"):
        allocate(manager, 128)
    moved = manager.defragment(budget_bytes=65_536).commit()
    assert [handle.size_bytes for handle in moved] == [65_536]
    allocate(manager, 128)


def test_a_pass_that_is_abandoned_changes_nothing(manager):
    left = comb(manager)
    before = manager.account()
    offsets = [manager.offset(handle) for handle in left]
    moves = manager.defragment(budget_bytes=1 << 20)
    assert moves.size_bytes == 65_536
    assert manager.account().draining_bytes == 2 * 65_536
    moves.abort()
    assert moves.commit() == ()
    manager.free(allocate(manager, 16))
    assert [manager.offset(handle) for handle in left] == offsets
    assert manager.account().free_bytes == before.free_bytes


def test_what_is_used_while_it_is_copied_stays_where_it_is(manager):
    moved, pinned, used, freed = handles = [allocate(manager, 64) for _ in range(4)]
    offsets = [manager.offset(handle) for handle in handles]
    passes = [manager.relocate(handle) for handle in handles]
    with manager.pinned(pinned):
        pass
    manager.used(used, "compute", LateEvent())
    manager.free(freed)
    assert [each.commit() for each in passes] == [(moved,), (), (), ()]
    assert [manager.offset(handle) for handle in (pinned, used)] == offsets[1:3]
    assert manager.offset(moved) != offsets[0]


def test_what_fits_in_no_hole_is_pushed_aside(backing, manager):
    pieces = [allocate(manager, kib) for kib in (64, 128, 64, 768)]
    data = np.arange(128 * KIB, dtype=np.uint32).astype(np.uint8)
    backing.write(manager.offset(pieces[1]), data)
    manager.free(pieces[0])
    manager.free(pieces[2])
    assert manager.offset(allocate(manager, 128)) == 128 * KIB
    assert manager.offset(pieces[1]) == 0
    assert manager.account().defragmented_bytes == 128 * KIB
    if not isinstance(backing, NullBacking):
        assert np.array_equal(backing.read(0, 128 * KIB), data)


def test_what_was_moved_leaves_nan_behind():
    backing = NumpyBacking(1 << 20)
    manager = VRAMManager(backing, VRAMConfig(block_bytes=16384))
    pieces = [allocate(manager, kib) for kib in (64, 128, 64, 768)]
    backing.fill(0, 1 << 20, 1)
    manager.free(pieces[0])
    manager.free(pieces[2])
    pushed = manager.offset(allocate(manager, 128))
    assert np.isnan(backing.bytes[pushed : pushed + 128 * KIB].view(np.float32)).all()
    manager.free(pieces[3])
    moved_from = manager.offset(pieces[1])
    manager.relocate(pieces[1]).commit()
    assert np.isnan(backing.bytes[moved_from : moved_from + 128 * KIB].view(np.float32)).all()


@pytest.mark.parametrize("kib", [128, 64])
def test_what_the_device_uses_is_not_moved_out_of_the_way(manager, kib):
    pieces = [allocate(manager, size) for size in (64, kib, 64, 832 - kib, 64)]
    for piece in pieces[::2]:
        manager.free(piece)
    manager.pin_for_good(pieces[3])
    event = LateEvent()
    manager.used(pieces[1], "compute", event)
    with pytest.raises(DeviceMemoryError, match="in pieces"):
        allocate(manager, 128)
    event.finish()
    allocate(manager, 128)


def test_a_slab_moves_as_a_whole(manager):
    handles = [manager.allocate(2000, Usage.AUDIO, f"stream {n}") for n in range(3)]
    assert set(manager.relocate(handles[1]).commit()) == set(handles)
    assert [manager.offset(handle) for handle in handles] == [16384, 18432, 20480]
    assert manager.offset(manager.allocate(2000, Usage.AUDIO, "next")) == 22528


def test_bytes_in_use_are_given_to_nobody_until_their_event(manager):
    handle = allocate(manager, 1024)
    event = LateEvent()
    manager.used(handle, "compute", event)
    manager.free(handle)
    assert manager.account().draining_bytes == 1024 * KIB
    event.finish()
    assert manager.offset(allocate(manager, 1024)) == 0


def test_the_device_is_waited_for_before_anybody_is_refused(manager):
    handle, event = allocate(manager, 1024), LateEvent()
    manager.used_by_all("compute", event)
    manager.free(handle)
    allocate(manager, 1024)
    assert event.is_done


def test_nothing_moves_while_a_batch_is_under_way(manager):
    handle, event = allocate(manager, 64, "stream"), LateEvent()
    begun = manager.relocate(handle)
    manager.used_by_all("compute", event)
    assert begun.commit() == ()
    with pytest.raises(PinnedError, match="stream"):
        manager.relocate(handle)
    event.finish()
    assert manager.relocate(handle).commit() == (handle,)


def test_slabs_of_another_size_are_made_and_old_ones_drain(manager):
    old = [manager.allocate(2000, Usage.AUDIO, "old") for _ in range(3)]
    manager.resize_blocks(65536)
    new = manager.allocate(2000, Usage.AUDIO, "new")
    assert manager.block_bytes == 65536
    assert manager.offset(new) == 16384
    manager.free(old[0])
    assert manager.offset(manager.allocate(2000, Usage.AUDIO, "new")) == 18432
    for handle in old[1:]:
        manager.free(handle)
    assert manager.account().idle_bytes == 65536 - 2 * 2048


@pytest.mark.parametrize("block_bytes", [0, 8192, 24_576, 8 << 20, 2 << 20])
def test_a_block_of_an_impossible_size_is_refused(manager, block_bytes):
    with pytest.raises(ConfigurationError, match=r"vram: block_bytes: .* bytes"):
        manager.resize_blocks(block_bytes)


def test_the_account_tells_of_each_usage_and_owner(manager):
    assert isinstance(manager.account().internal_fragmentation, Missing)
    handle = allocate(manager, 64, "left")
    manager.allocate(99_900, Usage.VISUALISATION, "right")
    account = manager.account()
    assert account.by_usage[Usage.VISUALISATION] == 100_096
    assert account.by_owner == {"left": 65_536, "right": 100_096}
    assert account.used_bytes == 165_632
    assert account.internal_fragmentation == Value(1 - 165_436 / 165_632)
    manager.free(handle)
    assert manager.account().by_owner == {"right": 100_096}


def test_no_garbage_is_left_for_a_collector_since_workers_have_none(manager):
    gc.collect()
    gc.disable()
    try:
        for handle in comb(manager):
            manager.relocate(handle).commit()
            manager.relocate(handle).abort()
        allocate(manager, 128)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_nothing_is_no_size(manager):
    with pytest.raises(ValueError, match="stream asked for 0 bytes"):
        allocate(manager, 0)


def test_bytes_arrive_where_they_are_moved(backing, manager):
    if isinstance(backing, NullBacking):
        pytest.skip("it keeps no bytes")
    handle = allocate(manager, 64)
    data = np.arange(65_536, dtype=np.uint8)
    backing.write(manager.offset(handle), data)
    manager.relocate(handle).commit()
    assert np.array_equal(backing.read(manager.offset(handle), 65_536), data)
