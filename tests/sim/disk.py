"""A disk in memory that knows what was synced: files, names, faults, and the end of a machine.

Beside what a reader sees, every file keeps the bytes of its last sync and the writes since, and the
disk keeps the names that a directory sync made durable and the changes since, in their order, as a
journaling file system does. `reboot` is a power cut: tears.py says what stays. `respawn` is a
process that was killed: the page cache stays as it is, synced or not.

Once `off`, every operation fails until one of the two: nothing a dying process does arrives.
"""

import errno
import os
import random
from dataclasses import dataclass, field
from typing import Final

from tests.sim.tears import Write, kept_of, left_of, put

__all__ = ["Disk", "Fault", "Inode", "MachineOffError"]

CACHE_PAGE_BYTES: Final = 4096
KINDS: Final = ("write", "sync", "open", "rename", "remove")


class MachineOffError(OSError):
    """There is no machine any more that could do this."""

    def __init__(self) -> None:
        super().__init__(errno.EIO, "the machine is off")


@dataclass
class Fault:
    """The n-th operation of a kind fails; for good: so does every later one."""

    kind: str
    n: int
    code: int = errno.EIO
    for_good: bool = False
    lost: bool = False  # a sync that fails takes the writes with it: they count as clean


@dataclass(eq=False)
class Inode:
    """A file or a directory, as its readers see it and as the platter has it."""

    mode: int = 0o600
    content: bytearray = field(default_factory=bytearray)
    stable: bytearray = field(default_factory=bytearray)
    writes: list[Write] = field(default_factory=list)
    holes: bool = False  # writes were lost by a sync that failed, though readers still see them
    locked: bool = False

    @property
    def is_directory(self) -> bool:
        return bool(self.mode & 0o040000)


class Disk:
    """Files by their absolute path. Every change passes `step`, where faults and crashes wait."""

    def __init__(self) -> None:
        self.names: dict[str, Inode] = {"/": Inode(0o040700)}
        self.kept: dict[str, Inode] = dict(self.names)
        self.changes: list[tuple[str, str, Inode | None]] = []
        self.faults: list[Fault] = []
        self.off = False
        self.crash_in = 0  # operations until the power goes; 0: it stays
        self.crash_before = False  # whether the last of them is still done
        self.free_bytes = 10 << 30
        self.operations = 0
        self.struck = 0  # faults that came true

    # ---- what goes wrong

    def step(self, kind: str) -> Fault | None:
        """Counts an operation. The fault that it meets, if any; raises when the power is gone."""
        if self.off:
            raise MachineOffError
        self.operations += 1
        if self.crash_in:
            self.crash_in -= 1
            if not self.crash_in:
                self.off = True
                if self.crash_before:
                    raise MachineOffError
        if self.faults:
            for fault in self.faults:
                if fault.kind == kind and fault.n > 0:
                    fault.n -= 1
                    if fault.n == 0:
                        self.struck += 1
                        if fault.for_good:
                            fault.n = 1
                        return fault
        return None

    def refuse(self, kind: str) -> None:
        """For an operation that is done or not done: raises what the fault says."""
        fault = self.step(kind)
        if fault is not None:
            raise OSError(fault.code, os.strerror(fault.code))

    def after(self) -> None:
        """The power went with the operation just done."""
        if self.off:
            raise MachineOffError

    # ---- files

    def write(self, inode: Inode, at: int, piece: bytes) -> None:
        fault = self.step("write")
        if fault is not None:
            piece = piece[: len(piece) // 2] if fault.code == errno.ENOSPC else b""
        if piece:
            if at == len(inode.content):
                inode.content += piece
            else:
                put(inode.content, at, piece)
            inode.writes.append((at, piece))
        if fault is not None:
            raise OSError(fault.code, os.strerror(fault.code))
        if self.off:
            raise MachineOffError

    def truncate(self, inode: Inode, length: int) -> None:
        self.refuse("write")
        put(inode.content, length, None)
        inode.writes.append((length, None))
        self.after()

    def sync(self, inode: Inode) -> None:
        """What was written to a file is durable. Its name is not, until its directory is synced."""
        fault = self.step("sync")
        if fault is not None:
            if fault.lost:
                inode.writes.clear()
                inode.holes = True
            raise OSError(fault.code, os.strerror(fault.code))
        for at, piece in inode.writes:
            if inode.holes and piece is not None:  # a page of the cache is written whole
                first = at - at % CACHE_PAGE_BYTES
                last = -(-(at + len(piece)) // CACHE_PAGE_BYTES) * CACHE_PAGE_BYTES
                piece = bytes(inode.content[first:last])
                at = first
            put(inode.stable, at, piece)
        inode.writes.clear()
        self.after()

    # ---- names

    def find(self, path: str) -> Inode:
        if self.off:
            raise MachineOffError
        found = self.names.get(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return found

    def make(self, path: str, mode: int) -> Inode:
        self.refuse("open")
        if os.path.dirname(path) not in self.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        inode = self.names[path] = Inode(mode)
        self.changes.append(("put", path, inode))
        self.after()
        return inode

    def remove(self, path: str) -> None:
        self.find(path)
        self.refuse("remove")
        del self.names[path]
        self.changes.append(("drop", path, None))
        self.after()

    def rename(self, old: str, new: str) -> None:
        inode = self.find(old)
        self.refuse("rename")
        self.names[new] = self.names.pop(old)
        self.changes += [("move", old + "\0" + new, inode)]
        self.after()

    def sync_names(self) -> None:
        """A directory sync commits the file system's journal: every name up to now is durable."""
        self.refuse("sync")
        self._keep(len(self.changes))
        self.after()

    def _keep(self, count: int) -> None:
        for verb, path, inode in self.changes[:count]:
            if verb == "drop":
                self.kept.pop(path, None)
                continue
            assert inode is not None
            if verb == "move":
                old, _, path = path.partition("\0")
                self.kept.pop(old, None)
            self.kept[path] = inode
        del self.changes[:count]

    # ---- the end of a process, and of a machine

    def respawn(self) -> None:
        """Another process on the same machine: it sees all that was written, durable or not."""
        self._forget_processes()

    def reboot(self, policy: str, seed: int) -> None:
        """Another life of the machine, with what the crash left."""
        rng = random.Random(seed)
        self._keep(kept_of(len(self.changes), policy, rng))
        self.changes.clear()
        self.names = dict(self.kept)
        for inode in self.names.values():
            if inode.writes or inode.holes:
                inode.content = left_of(bytes(inode.stable), inode.writes, policy, rng)
                inode.stable = bytearray(inode.content)
                inode.writes, inode.holes = [], False
        self._forget_processes()

    def _forget_processes(self) -> None:
        self.off, self.crash_in = False, 0
        for inode in self.names.values():
            inode.locked = False
