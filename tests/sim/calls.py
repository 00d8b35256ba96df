"""The system as the store's modules call it, answered by a simulated disk.

The store keeps every touch of the file system in a few modules, which name `os`, `fcntl`, `open`
and `apsw` as globals; `installed` puts others in their place for a while. Nothing of the product is
changed and nothing of it knows. Randomness of keys and nonces comes from the same seed as the rest.
"""

import contextlib
import fcntl
import io
import os
import posixpath
import random
import stat
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import apsw

import watchword.clock
import watchword.keeper
import watchword.logins
import watchword.passwords
import watchword.store
from tests.sim.clock import SimClock
from tests.sim.disk import Disk, Inode
from tests.sim.vfs import SimVFS
from watchword.store import catalog, disk, journal, owner, pages, recovery, sealing, segment, wal

__all__ = ["SEGMENT_BYTES", "Machine"]

SEGMENT_BYTES = (48 << 10, 128 << 10, 1 << 20)  # a dozen rows and up: segments end in most stories
VERIFY_BYTES = (32 << 10, 32 << 10, 1 << 30)  # a journal longer than what is read at every opening
SPLIT_ATTEMPTS_MIN = 3  # so that threads share the work of batches as small as a story's
ZEROS_BYTES = 32 << 10  # written ahead with one call
RESERVE_BYTES = watchword.keeper.RESERVE_BYTES


class Machine:
    """One machine at a time: its disk, its clock, its randomness. Stands in for os and fcntl."""

    def __init__(self, seed: int) -> None:
        self.disk = Disk()
        self.clock = SimClock()
        self.rng = random.Random(seed)
        self._files: dict[int, Inode] = {}
        self._next = 1000
        here = posixpath
        self.path = SimpleNamespace(
            exists=lambda path: path in self.disk.names, join=here.join, abspath=here.abspath,
            dirname=here.dirname, basename=here.basename, split=here.split,
        )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        """Constants and whatever touches no file."""
        if name.startswith("O_") or name in ("getpid", "fspath", "PathLike", "stat_result"):
            return getattr(os, name)
        raise AttributeError(f"the simulated system has no os.{name}")

    # ---- os

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        inode = self.disk.names.get(path)
        if inode is None and flags & os.O_CREAT:
            inode = self.disk.make(path, mode)
        elif inode is not None and flags & os.O_EXCL:
            raise FileExistsError(path)
        else:
            inode = self.disk.find(path)
            self.disk.refuse("open")
        self._next += 1
        self._files[self._next] = inode
        return self._next

    def close(self, file: int) -> None:
        self._files.pop(file).locked = False

    def fsync(self, file: int) -> None:
        inode = self._files[file]
        if inode.is_directory:
            self.disk.sync_names()
        else:
            self.disk.sync(inode)

    fdatasync = fsync  # a length that grew is carried by both

    def fchmod(self, file: int, mode: int) -> None:
        self._files[file].mode = mode

    def chmod(self, path: str, mode: int) -> None:
        inode = self.disk.find(path)
        inode.mode = inode.mode & ~0o777 | mode

    def pread(self, file: int, size: int, at: int) -> bytes:
        self.disk.find("/")
        return bytes(self._files[file].content[at : at + size])

    def pwrite(self, file: int, piece: bytes, at: int) -> int:
        self.disk.write(self._files[file], at, bytes(piece))
        return len(piece)

    def write_zeros(
        self, file: int, at: int, size: int, _per_s: int, _seconds: float, _stop: bytearray
    ) -> int:
        for begin in range(0, size, ZEROS_BYTES):
            self.pwrite(file, bytes(min(size - begin, ZEROS_BYTES)), at + begin)
        return size

    def ftruncate(self, file: int, length: int) -> None:
        self.disk.truncate(self._files[file], length)

    def fstat(self, file: int) -> Any:
        return _status(self._files[file])

    def stat(self, path: str) -> Any:
        return _status(self.disk.find(path))

    def geteuid(self) -> int:
        return 0  # whose all files are

    def statvfs(self, _path: str) -> Any:
        free = self.disk.free_bytes
        return SimpleNamespace(f_bavail=free, f_blocks=free, f_frsize=1)

    def listdir(self, path: str) -> list[str]:
        self.disk.find(path)
        prefix = path.rstrip("/") + "/"
        below = [name[len(prefix) :] for name in self.disk.names if name.startswith(prefix)]
        return [name for name in below if name and "/" not in name]

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        if path in self.disk.names:
            raise FileExistsError(path)
        self.disk.make(path, mode | 0o040000)

    def makedirs(self, path: str, mode: int = 0o777, exist_ok: bool = False) -> None:
        if path not in self.disk.names:
            self.mkdir(path, mode)

    def unlink(self, path: str) -> None:
        self.disk.remove(path)

    def rename(self, old: str, new: str) -> None:
        self.disk.rename(old, new)

    # ---- open, fcntl, secrets

    def opened(self, path: str, _mode: str) -> io.BytesIO:
        inode = self.disk.find(path)
        self.disk.refuse("open")
        return io.BytesIO(inode.content)

    def flock(self, file: int, _how: int) -> None:
        if self._files[file].locked:
            raise BlockingIOError
        self._files[file].locked = True

    def token_bytes(self, count: int) -> bytes:
        return self.rng.randbytes(count)

    # ---- in the product's place

    @contextlib.contextmanager
    def installed(self) -> Iterator["Machine"]:
        """The store's modules call this machine until the block ends."""
        vfs = SimVFS(self.disk)
        sqlite = SimpleNamespace(**vars(apsw))
        sqlite.Connection = lambda name, flags: apsw.Connection(name, flags=flags, vfs=vfs.name)
        locks = SimpleNamespace(flock=self.flock, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)
        with contextlib.ExitStack() as undo:

            def put(module: Any, **changed: Any) -> None:
                for name, value in changed.items():
                    undo.callback(_restore, module, name, vars(module).get(name))
                    setattr(module, name, value)

            for module in (catalog, disk, journal, owner, recovery, segment, wal):
                put(module, os=self)
            for module in (catalog, pages, sealing, segment):
                put(module, secrets=self)
            put(disk, open=self.opened, apsw=sqlite)
            put(wal, open=self.opened, write_zeros=self.write_zeros)
            put(owner, fcntl=locks)
            put(watchword.passwords, RENEWAL_SECONDS_MAX=0.0)
            put(watchword.logins, SPLIT_ATTEMPTS_MIN=SPLIT_ATTEMPTS_MIN)
            put(watchword.keeper.Keeper, start=watchword.keeper.Keeper.look_at_disk)
            put(watchword.store, SEGMENT_BYTES=self.rng.choice(SEGMENT_BYTES))
            put(recovery, VERIFY_BYTES=self.rng.choice(VERIFY_BYTES))
            put(watchword.clock, wall_ms=self.clock.wall_ms, boot_ms=self.clock.boot_ms)
            undo.callback(vfs.unregister)
            yield self


def _restore(module: Any, name: str, value: Any) -> None:
    if value is None:
        delattr(module, name)
    else:
        setattr(module, name, value)


def _status(inode: Inode) -> Any:
    mode = inode.mode if inode.is_directory else inode.mode | stat.S_IFREG
    return SimpleNamespace(st_mode=mode, st_size=len(inode.content), st_uid=0)
