"""Frames and the stream that they are cut from, without a socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import FrameError
from controller.executors.cluster.links.frame import Frame, Kind, encoded
from controller.executors.cluster.links.frame_reader import FrameReader

GREETING = Frame(Kind.HELLO, b"{}")


def stream(*frames):
    return b"".join(bytes(part) for frame in frames for part in encoded(frame))


def received(data, piece_bytes=1 << 20):
    reader, frames = FrameReader("10.0.0.9:7400"), []
    while data:
        room = reader.room()
        count = min(len(room), len(data), piece_bytes)
        room[:count] = data[:count]
        frames += reader.received(count)
        data = data[count:]
    reader.ended()
    return frames


def test_a_header_is_laid_out_as_the_protocol_says():
    frame = Frame(Kind.INPUT, b"abc", shard=2, epoch=7, sequence=300)
    assert stream(frame) == (
        b"KPLM\x01\x05\x02\x00\x07\x00\x00\x00\x2c\x01\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00abc"
    )


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(1, 64))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(payloads, piece_bytes):
    frames = [GREETING] + [
        Frame(Kind.BUS, payload, shard=index, epoch=1, sequence=index)
        for index, payload in enumerate(payloads)
    ]
    assert received(stream(*frames), piece_bytes) == frames


def test_the_longest_frame_passes_between_short_ones():
    frames = [GREETING, Frame(Kind.STATE, bytes(1 << 20)), Frame(Kind.BUS, b"x", sequence=9)]
    assert received(stream(*frames), 30_000) == frames


def test_a_frame_too_long_is_not_sent():
    with pytest.raises(FrameError, match=r"1,048,577 bytes, and 1,048,576 are the most"):
        stream(Frame(Kind.STATE, bytes((1 << 20) + 1)))


def changed(data, at, value):
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "a stranger: it begins with b'GET '"),
        (changed(stream(GREETING), 4, b"\x02"), "it speaks version 2 of the protocol"),
        (changed(stream(GREETING), 5, b"\x63"), "a frame of the unknown kind 99"),
        (changed(stream(GREETING), 20, b"\xff\xff\xff\xff"), "a frame of 4,294,967,295 bytes"),
        (stream(Frame(Kind.INPUT, b"abc")), "it begins with INPUT and not with HELLO"),
        (stream(Frame(Kind.HELLO, bytes(4097))), "a frame of 4,097 bytes, and 4,096"),
        (stream(GREETING)[:-1], "a frame was cut short after 25 bytes"),
    ],
)
def test_what_is_no_frame_is_refused_in_a_line_with_the_peer_in_it(data, why):
    with pytest.raises(FrameError) as caught:
        received(data)
    assert str(caught.value).startswith("link to 10.0.0.9:7400: ")
    assert why in str(caught.value)


def test_a_stranger_has_no_more_kept_than_a_few_kib():
    reader = FrameReader("somebody")
    header = changed(stream(GREETING), 20, (1 << 20).to_bytes(4, "little"))[:24]
    reader.room()[:24] = header
    with pytest.raises(FrameError):
        reader.received(24)
    assert len(reader.room()) < 1 << 17
