"""Each refusal of the system is told with a remedy that the error's number decides."""

from __future__ import annotations

import errno
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.errors import JournalError, RecordingError
from controller.journal.journal import Journal
from controller.linux import os_errors
from controller.linux.os_errors import (
    explained,
    explained_port,
    in_a_line,
    refused_read,
    refused_write,
)
from controller.pipeline.recording import Recording
from kapellmeister import cli

PLACE = "/no-such-folder/file"


def refusal(number: int, place: str | None = PLACE) -> OSError:
    return OSError(number, os.strerror(number), place)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EPERM, "man capabilities"),
        (errno.EACCES, "give access to it"),
        (errno.ESRCH, "start it again"),
        (errno.EBUSY, "end what uses it"),
        (errno.EINVAL, "takes no such request: name another place"),
        (errno.ENOSPC, "free some space there"),
        (errno.EDQUOT, "free some of the quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "mount it writable"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "fs.file-max"),
        (errno.EAGAIN, "ulimit -u"),
        (errno.ENOMEM, "free some memory"),
        (errno.ENOENT, "make it, or name another place"),
        (errno.ENOTDIR, "name another place, in a folder"),
        (errno.EISDIR, "name a file in it"),
        (errno.EEXIST, "move it away"),
        (errno.ENAMETOOLONG, "a shorter name"),
        (errno.ELOOP, "mend the symbolic links"),
        (errno.ETXTBSY, "end the program"),
        (errno.EIO, "dmesg"),
        (errno.ENOLCK, "no locks"),
        (errno.ENOSYS, "seccomp"),
        (errno.EADDRINUSE, "name another place"),
        (errno.ENOTUNIQ, "`man errno` tells of ENOTUNIQ"),
        (0, "`kapellmeister doctor` tells what works"),
    ],
)
def test_each_refusal_has_a_remedy_of_its_own(number: int, words: str) -> None:
    line = in_a_line(refusal(number))
    assert line.startswith(f"{PLACE}: {os.strerror(number)}")
    assert words in line.partition("; ")[2]
    assert "\n" not in line


def test_only_what_has_no_room_is_told_to_make_some() -> None:
    full = {errno.ENOSPC, errno.EDQUOT}
    told = {
        number for number in errno.errorcode if "free some space" in explained(refusal(number))[1]
    }
    assert told == full - {errno.EDQUOT}


def test_what_is_refused_without_a_place_is_named_all_the_same() -> None:
    assert in_a_line(refusal(errno.EAGAIN, None)) == (
        "another process or thread: Resource temporarily unavailable; allow more processes and "
        "threads (`ulimit -u`, TasksMax= of a unit, pids.max of a control group)"
    )
    assert in_a_line(refusal(errno.EMFILE, None)).startswith("another open file: Too many")


def test_an_error_without_a_number_says_what_it_says() -> None:
    assert in_a_line(OSError("no such library")) == (
        "no such library; `kapellmeister doctor` tells what works"
    )


@pytest.mark.parametrize("place", [b"/no\xff/x", b"", 7, None])
def test_a_place_may_be_named_in_any_way(place: object) -> None:
    assert "No such file or directory" in in_a_line(
        OSError(errno.ENOENT, "No such file or directory", place)
    )


def test_the_limit_of_open_files_is_told() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert f"more open files than {limit} " in explained(refusal(errno.EMFILE))[1]


def caught(path: Path) -> str:
    """The words where a file cannot be made."""
    with pytest.raises(OSError, match=r"Errno") as refused:
        path.open("w")
    return in_a_line(refused.value)


def test_the_first_folder_that_is_absent_is_named(tmp_path: Path) -> None:
    assert f"(there is no folder {tmp_path}/a)" in caught(tmp_path / "a/b/c")


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert f"({tmp_path}/a is no folder)" in caught(tmp_path / "a/b/c")


def test_a_symbolic_link_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("nowhere")
    with pytest.raises(FileExistsError) as refused:
        (tmp_path / "a").mkdir()
    assert f"({tmp_path}/a is a symbolic link); move it away" in in_a_line(refused.value)


def test_among_the_kernels_own_files_none_can_be_made() -> None:
    line = caught(Path("/proc/kapellmeister"))
    assert line.endswith("(there are none but the kernel's own files); name another place")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_the_folder_that_is_closed_is_named_with_its_owner(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0)
    assert f"{tmp_path}/a belongs to " in caught(tmp_path / "a/b/c")


def test_whose_a_closed_file_is_and_who_we_are_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(mode=0o640)
    why, _ = explained(refusal(errno.EACCES), file)
    us = os_errors.user_name(os.geteuid())
    assert why == f"Permission denied ({file} belongs to {us}, mode 640, and we are {us})"


def test_a_port_below_1024_is_for_the_privileged() -> None:
    why, remedy = explained_port(refusal(errno.EACCES, None), "choose another --metrics-port")
    assert (why, remedy) == (
        "Permission denied",
        "grant CAP_NET_BIND_SERVICE, or choose another --metrics-port from 1024 on",
    )


def test_a_port_in_use_asks_for_another() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        socket.socket() as late,
        pytest.raises(OSError, match="in use") as refused,
    ):
        late.bind(taken.getsockname())
    assert explained_port(refused.value, "choose another") == (
        "Address already in use",
        "choose another",
    )


# what libraries do not tell


def test_a_file_that_can_be_written_is_as_it_was_after_a_trial(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"sound")
    assert refused_write(file) is None
    assert file.read_bytes() == b"sound"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may be larger meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_is_refused_tells_its_number(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"sound")
    with largest_file(1000):
        refused = refused_write(file)
    assert refused is not None
    assert refused.errno == errno.EFBIG
    assert file.read_bytes() == b"sound"


def test_a_file_that_is_absent_can_be_neither_read_nor_written(tmp_path: Path) -> None:
    for refused in (refused_read(tmp_path / "file"), refused_write(tmp_path / "file")):
        assert isinstance(refused, FileNotFoundError)


def test_a_journal_that_may_grow_no_more_says_why(tmp_path: Path) -> None:
    with largest_file(1000), pytest.raises(JournalError) as caught_error:
        Journal.open(tmp_path / "journal.sqlite3")
    assert str(caught_error.value).endswith(
        "File too large; raise the limit of a file's size (`ulimit -f`), or choose another "
        "--state-dir"
    )
    assert not (tmp_path / "journal.sqlite3-try").exists()


def test_a_recording_is_not_begun_in_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordingError, match="it is a pipe, in which nothing can go back"):
        Recording(tmp_path / "pipe", 48_000, print)


# the last resort of the command line


def ended(monkeypatch: pytest.MonkeyPatch, error: Exception) -> int:
    """The status of a command that raises this."""

    def app(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr("sys.argv", ["kapellmeister", "run"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_a_refusal_that_nobody_told_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, PermissionError(errno.EPERM, "Operation not permitted")) == 2
    said = capsys.readouterr().err
    assert said.startswith("kapellmeister: Operation not permitted; grant the privilege")
    assert said.count("\n") == 1
    assert "space" not in said


def test_threads_that_are_not_granted_end_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, RuntimeError("can't start new thread")) == 2
    assert capsys.readouterr().err == (
        "kapellmeister: can't start new thread; allow more processes and threads (`ulimit -u`, "
        "TasksMax= of a unit, pids.max of a control group)\n"
    )


def test_a_defect_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        ended(monkeypatch, RuntimeError("a defect"))


def test_whether_threads_are_granted_is_found_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    assert os_errors.threads_are_granted()

    def start(_: threading.Thread) -> None:
        raise RuntimeError(os_errors.OUT_OF_THREADS)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert not os_errors.threads_are_granted()
