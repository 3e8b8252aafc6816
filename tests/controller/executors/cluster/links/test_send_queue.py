"""The bounded queue in front of a peer."""

from controller.executors.cluster.links.send_queue import SendQueue


def add(queue, part, now_ns=0):
    admitted = queue.admits(len(part), now_ns)
    if admitted:
        queue.add(part)
    return admitted


def test_a_queue_that_is_full_is_stalled_until_all_of_it_has_gone():
    queue = SendQueue(10)
    assert add(queue, b"123456", now_ns=5)
    assert not add(queue, b"78901", now_ns=70)
    assert queue.stalled_ns == 70
    queue.went(5)
    assert not add(queue, b"a", now_ns=80)
    assert (bytes(queue.first()), queue.stalled_ns, queue.size_bytes) == (b"6", 70, 1)
    queue.went(1)
    assert queue.stalled_ns is None
    assert add(queue, b"a")


def test_parts_go_out_in_their_order_however_few_bytes_go_at_once():
    queue, out = SendQueue(), b""
    for part in (b"ab", b"cde", b"f"):
        add(queue, part)
    while queue.size_bytes:
        out += bytes(queue.first()[:2])
        queue.went(min(2, len(queue.first())))
    assert out == b"abcdef"


def test_an_empty_queue_takes_a_frame_that_is_longer_than_its_bound():
    queue = SendQueue(10)
    assert add(queue, bytes(40))
    assert not add(queue, b"x")
