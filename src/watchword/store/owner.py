"""Who may open a store's directory: one process at a time, and only if it is a store.

The owner holds a lock on `owner.lock`, which names its pid and program for whoever comes second.
A directory that holds something else is refused before anything in it is touched.
"""

import contextlib
import errno
import fcntl
import os
import stat
import sys
from typing import Final

from watchword.errors import InvalidArgument, NotFound, StoreDamaged, StoreFailed, StoreOwned
from watchword.keys import user_named
from watchword.store.disk import sync_directory

__all__ = ["DATABASE", "JOURNAL", "Owner"]

LOCK: Final = "owner.lock"
DATABASE: Final = "pages.db"
UNFINISHED: Final = "pages.new"
JOURNAL: Final = "journal"


class Owner:
    """The lock on a store's directory, which is made when it is not there.

    `created`: there is no store in it yet, or only the beginnings of one. `look`: a store that is
    there is read and nothing is made, so that it may be another user's.
    """

    def __init__(self, path: str, *, look: bool = False) -> None:
        self.path = path
        self._lock = -1
        try:
            if not look:
                self._prepare()
            self._look()
            self._take(look)
            # Once more, now that nobody else can be making a store here.
            self.created = self._look()
            if not look:
                os.makedirs(os.path.join(path, JOURNAL), mode=0o700, exist_ok=True)
                sync_directory(path)
        except OSError as error:
            self.release()
            raise StoreFailed(
                f"store {path} cannot be opened: {error.strerror}", hint=_way(path, error)
            ) from error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Lets the next process in."""
        if self._lock >= 0:
            lock, self._lock = self._lock, -1
            os.close(lock)

    def _prepare(self) -> None:
        try:
            os.mkdir(self.path, 0o700)
            sync_directory(os.path.dirname(os.path.abspath(self.path)))
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise NotFound(f"there is no directory to make the store {self.path} in") from None
        status = os.stat(self.path)
        if not stat.S_ISDIR(status.st_mode):
            raise InvalidArgument(f"store {self.path} is not a directory")
        if status.st_mode & 0o077:
            if os.listdir(self.path):
                raise InvalidArgument(
                    f"store {self.path} can be entered by others (mode {status.st_mode & 0o777:o})",
                    hint=f"chmod 700 {self.path}",
                )
            os.chmod(self.path, 0o700)

    def _look(self) -> bool:
        """Whether there is no finished store here. Raises when there is something else."""
        names = os.listdir(self.path)
        if DATABASE in names:
            return False
        journal = JOURNAL in names and os.listdir(os.path.join(self.path, JOURNAL))
        if DATABASE + "-wal" in names or (LOCK in names and journal):
            raise StoreDamaged(f"{DATABASE} is missing from store {self.path}")
        for name in sorted(names):
            beginnings = name in (LOCK, JOURNAL) or name.startswith(UNFINISHED)
            beginnings = beginnings and not (name == JOURNAL and journal)
            if not beginnings and not name.endswith(".sock"):
                raise InvalidArgument(
                    f"directory {self.path} is neither empty nor a store: it holds {name!r}",
                    hint="give the store a directory of its own",
                )
        return True

    def _take(self, look: bool) -> None:
        flags = os.O_RDWR | (0 if look else os.O_CREAT) | os.O_CLOEXEC | os.O_NOFOLLOW
        self._lock = os.open(os.path.join(self.path, LOCK), flags, 0o600)
        owner = os.fstat(self._lock).st_uid
        if owner != os.geteuid() and not look:
            # Root may open anything; but a segment that it made, the daemon's user could not.
            raise InvalidArgument(
                f"store {self.path} belongs to {user_named(owner)}, "
                f"and this is {user_named(os.geteuid())}",
                hint=f"run it as that user: sudo -u {user_named(owner)} watchword",
            )
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreOwned(
                f"store {self.path} is owned by {_named(os.pread(self._lock, 512, 0))}",
                hint="reach it through the socket in the store's directory, or stop it first",
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()} {_program()}\n".encode(), 0)


def _way(path: str, error: OSError) -> str:
    """What helps whoever was kept out."""
    if error.errno == errno.EROFS:
        return "copy the store to a disk that takes writes: even looking at it takes its lock"
    if isinstance(error, PermissionError):
        with contextlib.suppress(OSError):
            owner = os.stat(path).st_uid
            if owner != os.geteuid():
                return f"it belongs to {user_named(owner)}, and this is {user_named(os.geteuid())}"
    return ""


def _program() -> str:
    """What this process is called: the script, or the package run with -m."""
    script = sys.argv[0] if sys.argv else ""
    folder, name = os.path.split(script)
    if name == "__main__.py":
        name = os.path.basename(folder)
    if not name or name == "-c":
        name = os.path.basename(sys.executable)
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:200]


def _named(text: bytes) -> str:
    pid, program = "", ""
    with contextlib.suppress(ValueError):
        pid, program = text.decode(errors="replace").strip().split(" ", 1)
    return f"process {pid} ({program})" if pid.isdigit() else "another process"
