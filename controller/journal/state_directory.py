"""Where a controller keeps what must outlive it, and that only one controller does so."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.errors import AlreadyRunningError, JournalError
from controller.linux.os_errors import explained

JOURNAL_NAME = "journal.sqlite3"
LOCK_NAME = "controller.lock"
LOCK_ATTEMPTS = 3
LOCK_PAUSE_S = 0.05


class StateDirectory:
    """A folder with the journal and a lock; `$XDG_STATE_HOME/kapellmeister` unless named."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = (default_path() if path is None else path).absolute()

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.path / JOURNAL_NAME

    @property
    def lock_path(self) -> Path:
        """The file that the controller which runs here has locked."""
        return self.path / LOCK_NAME

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only controller here, until the block or this process ends, by any route.

        Creates the folder. Raises AlreadyRunningError with the holder's process, and
        JournalError where the folder cannot be made or written.
        """
        with _explained(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_lock_file()
            descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with _explained(self.path):
                self._take(descriptor)
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def holder(self) -> int | None:
        """Process id of the controller that runs here; None where none does."""
        try:
            descriptor = os.open(self.lock_path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            return None if _locked(descriptor, fcntl.LOCK_SH) else _pid_in(descriptor)
        finally:
            os.close(descriptor)

    def _check_lock_file(self) -> None:
        """A pipe would keep whoever opens it, and a folder cannot be."""
        file = self.lock_path
        if file.exists() and not file.is_file():
            remedy = "move it away, or choose another --state-dir"
            raise JournalError(file, "it is no regular file", remedy)

    def _take(self, descriptor: int) -> None:
        """Lock; `holder` in another process may have it locked for a moment."""
        for _ in range(LOCK_ATTEMPTS):
            if _locked(descriptor, fcntl.LOCK_EX):
                return
            time.sleep(LOCK_PAUSE_S)
        raise AlreadyRunningError(self.path, _pid_in(descriptor))


def default_path() -> Path:
    """The folder by the XDG base directory specification: a relative setting is ignored.

    Raises JournalError for a user without a home.
    """
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    if named.is_absolute():
        return named / "kapellmeister"
    try:
        return Path.home() / ".local" / "state" / "kapellmeister"
    except RuntimeError as error:
        why = "this user has no home, and HOME names none"
        raise JournalError(Path("~"), why, "choose a --state-dir") from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:  # of no folder; a link that leads nowhere is told as such
        if not path.exists():
            raise _unusable(path, error) from error
        other = NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        raise _unusable(path, other) from error
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> JournalError:
    return JournalError(
        path, *explained(error, error.filename or path, "choose another --state-dir")
    )


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0)
    return int(text) if text.isdigit() else None
