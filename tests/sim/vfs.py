"""SQLite's view of a simulated disk: a VFS of apsw's, one connection a file, nothing shared.

A connection is exclusive, so its WAL's index is memory of its own and no shared file is asked for.
Errors are the ones SQLite's own Unix VFS reports for the same system error.
"""

import errno
from typing import Any, Final

import apsw

from tests.sim.disk import Disk, Inode

__all__ = ["SimVFS"]

NAME: Final = "watchword-sim"


def refused(error: OSError, how: int) -> apsw.Error:
    """The SQLite error of a system error; `how` is the extended code of an I/O error."""
    if error.errno == errno.ENOSPC:
        return coded(apsw.FullError("no space left"), apsw.SQLITE_FULL)
    return coded(apsw.IOError("disk I/O error"), how)


def coded(said: apsw.Error, code: int) -> apsw.Error:
    """The exception with the code that SQLite is to see."""
    said.result, said.extendedresult = code & 255, code  # type: ignore[attr-defined]
    return said


class SimVFS(apsw.VFS):
    """Opens files of one disk at a time."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(NAME, base="")
        self.name = NAME
        self._disk = disk

    def xOpen(  # type: ignore[override]  # noqa: N802 (apsw's names)
        self, name: Any, flags: list[int]
    ) -> "SimFile":
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        try:
            inode = self._disk.names.get(path)
            if inode is None and flags[0] & apsw.SQLITE_OPEN_CREATE:
                inode = self._disk.make(path, 0o600)
            else:
                inode = self._disk.find(path)
                self._disk.refuse("open")
        except OSError as error:
            said = apsw.CantOpenError("unable to open")
            raise coded(said, apsw.SQLITE_CANTOPEN) from error
        flags[1] = flags[0]
        return SimFile(self._disk, inode)

    def xAccess(self, path: str, _flags: int) -> bool:  # noqa: N802
        return path in self._disk.names

    def xDelete(self, path: str, _sync: bool) -> None:  # noqa: N802
        try:
            self._disk.remove(path)
            if _sync:
                self._disk.sync_names()
        except FileNotFoundError as error:
            raise refused(error, apsw.SQLITE_IOERR_DELETE_NOENT) from error
        except OSError as error:
            raise refused(error, apsw.SQLITE_IOERR_DELETE) from error

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name


class SimFile:
    """An open file, as SQLite reads, writes and syncs it."""

    def __init__(self, disk: Disk, inode: Inode) -> None:
        self._disk = disk
        self._inode = inode

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self._inode.content[offset : offset + amount])

    def xWrite(self, piece: bytes, offset: int) -> None:  # noqa: N802
        try:
            self._disk.write(self._inode, offset, bytes(piece))
        except OSError as error:
            raise refused(error, apsw.SQLITE_IOERR_WRITE) from error

    def xTruncate(self, length: int) -> None:  # noqa: N802
        try:
            self._disk.truncate(self._inode, length)
        except OSError as error:
            raise refused(error, apsw.SQLITE_IOERR_TRUNCATE) from error

    def xSync(self, _flags: int) -> None:  # noqa: N802
        try:
            self._disk.sync(self._inode)
        except OSError as error:
            raise refused(error, apsw.SQLITE_IOERR_FSYNC) from error

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._inode.content)

    def xClose(self) -> None:  # noqa: N802
        """Nothing is written by closing."""

    def xLock(self, _level: int) -> None:  # noqa: N802
        """Nobody else is there."""

    def xUnlock(self, _level: int) -> None:  # noqa: N802
        """Nobody else is there."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, _op: int, _pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return 4096

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE
