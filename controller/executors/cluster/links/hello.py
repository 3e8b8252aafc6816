"""The greeting: who a peer is, and whether it renders the same as we do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from controller.errors import FrameError
from controller.executors.cluster.links.frame import Frame, Kind

LONGEST_REASON = 300
"""Characters of a reason that are believed of a peer."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What each end says first.

    `name` is that of a node, or `master`. `spec_sha256` and `sofa_sha256` are hashes of what is
    rendered; None is for an end that has not been told yet, or that uses none.
    """

    name: str
    version: str
    spec_sha256: str | None = None
    sofa_sha256: str | None = None


def hello_frame(hello: Hello) -> Frame:
    """The greeting as it travels: JSON."""
    return Frame(Kind.HELLO, json.dumps(asdict(hello)).encode())


def decoded_hello(peer: str, frame: Frame) -> Hello:
    """The greeting of a peer. Raises FrameError for what is none."""
    try:
        fields = json.loads(bytes(frame.payload))
        hello = Hello(**fields)
    except (ValueError, TypeError, RecursionError) as error:
        raise _no_greeting(peer) from error
    words = (hello.name, hello.version)
    hashes = (hello.spec_sha256, hello.sofa_sha256)
    is_text = all(isinstance(word, str) for word in words)
    if not is_text or not all(each is None or isinstance(each, str) for each in hashes):
        raise _no_greeting(peer)
    return hello


def check_hello(peer: str, ours: Hello, theirs: Hello) -> None:
    """Raise FrameError where the two would not render the same."""
    remedy = "install the same version of kapellmeister on every host"
    if theirs.version != ours.version:
        why = f"kapellmeister {theirs.version[:40]!r} there and {ours.version!r} here"
        raise FrameError(peer, why, remedy)
    hashes = (
        ("description of the pipeline", ours.spec_sha256, theirs.spec_sha256),
        ("SOFA file", ours.sofa_sha256, theirs.sofa_sha256),
    )
    for what, here, there in hashes:
        if here is not None and there is not None and here != there:
            why = f"another {what} there ({there[:12]!r}) than here ({here[:12]!r})"
            raise FrameError(peer, why, "start the node anew, so that it is sent ours")


def farewell_frame(reason: str = "") -> Frame:
    """The last frame of a link, with the reason where one end refuses the other."""
    return Frame(Kind.BYE, reason[:LONGEST_REASON].encode())


def farewell_reason(frame: Frame) -> str:
    """Reason of a peer's farewell, printable; empty where it left in order."""
    text = bytes(frame.payload)[: 4 * LONGEST_REASON].decode(errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:LONGEST_REASON]


def _no_greeting(peer: str) -> FrameError:
    return FrameError(peer, "a greeting that is none", "keep other programs off this port")
