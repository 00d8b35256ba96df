"""What a disk may hold after a crash: recorded calls in, directories of bytes out.

The model is a journaled file system. A file's writes are durable once that file was synced; until
then each sector of 512 bytes may be there or not, in any order. Names (made, renamed, removed) take
effect in the order they were given, and are durable once their directory was synced, with all
before them; whatever is later may be there or not. A name that is there says nothing about the data
behind it. Lying disks, which forget what they reported as synced, are not modelled.
"""

import os
import posixpath
import random
from collections.abc import Callable, Iterator
from typing import Final

from .preload import Event, Kind

__all__ = ["Disk", "File", "State", "draws"]

SECTOR: Final = 512

State = dict[str, bytes | None]  # by path below the store's parent; None: a directory
Pick = Callable[["File"], bytes]
Change = tuple[int, bytes | None]  # a write at an offset, or (None) a new length


class File:
    """One file: what is durable, and what was done to it since, in order."""

    __slots__ = ("_kept", "pending", "synced")

    def __init__(self, synced: bytes = b"") -> None:
        self.synced = synced
        self.pending: list[Change] = []
        self._kept: bytes | None = synced

    def change(self, offset: int, written: bytes | None) -> None:
        self.pending.append((offset, written))
        self._kept = None

    def copy(self) -> "File":
        file = File(self.synced)
        file.pending, file._kept = list(self.pending), self._kept
        return file

    def sync(self) -> None:
        self.synced = self.kept()
        self.pending.clear()

    def lost(self) -> bytes:
        """Nothing that was not synced."""
        return self.synced

    def kept(self) -> bytes:
        """All of it, as after a kill."""
        if self._kept is None:
            image = bytearray(self.synced)
            for offset, written in self.pending:
                _change(image, offset, written)
            self._kept = bytes(image)
        return self._kept

    def torn(self, rng: random.Random) -> bytes:
        """Each sector with some likelihood; often all but a few."""
        likely = rng.choice([0.1, 0.5, 0.9, 0.98])
        image = bytearray(self.synced)
        for offset, written in self.pending:
            if written is None:
                if rng.random() < likely:
                    _change(image, offset, None)
                continue
            for at, end in _sectors(offset, len(written)):
                if rng.random() < likely:
                    _change(image, at, written[at - offset : end - offset])
        return bytes(image)

    def reordered(self, rng: random.Random) -> bytes:
        """Each call whole or not at all."""
        image = bytearray(self.synced)
        for offset, written in self.pending:
            if rng.random() < 0.5:
                _change(image, offset, written)
        return bytes(image)

    def cut(self, rng: random.Random) -> bytes:
        """In order, up to some sector of the last call."""
        image = bytearray(self.synced)
        for offset, written in self.pending[:-1]:
            _change(image, offset, written)
        for offset, written in self.pending[-1:]:
            if written is not None:
                ends = [end for _, end in _sectors(offset, len(written))]
                _change(image, offset, written[: rng.choice(ends) - offset])
        return bytes(image)


class Disk:
    """Names, files and what is pending of both, as events come in."""

    def __init__(self, root: str, state: State | None = None) -> None:
        """`root`: the recorded path that stands for "". `state`: what is there before."""
        self._root = root
        self._names: dict[str, File | None] = {}
        self._pending: list[tuple[Kind, str, str, File | None]] = []
        self._files: dict[int, File] = {}
        for path, held in (state or {}).items():
            if held is None:
                self._names[path] = None
            else:
                self._names[path] = file = File(held)
                self._files[os.stat(posixpath.join(root, path)).st_ino] = file

    def after_kill(self, root: str) -> "Disk":
        """The same disk below another root where `kept` was laid out: the process is gone, the
        system is not, and what is pending stays so."""
        other = Disk(root)
        held = [*self._names.values(), *(change[3] for change in self._pending)]
        copies: dict[File | None, File | None] = {file: file and file.copy() for file in held}
        other._names = {path: copies[file] for path, file in self._names.items()}
        other._pending = [(kind, path, to, copies[file]) for kind, path, to, file in self._pending]
        names = dict(other._names)
        for change in other._pending:
            _rename(names, change)
        for path, file in names.items():
            if file is not None:
                other._files[os.stat(posixpath.join(root, path)).st_ino] = file
        return other

    def apply(self, event: Event) -> None:
        kind = event.kind
        if kind is Kind.WRITE:
            self._files[event.inode].change(event.offset, event.written)
        elif kind is Kind.TRUNCATE:
            self._files[event.inode].change(event.offset, None)
        elif kind is Kind.SYNC and event.path:
            self._sync_names(self._below(event.path))
        elif kind is Kind.SYNC:
            self._files[event.inode].sync()
        elif kind is Kind.CREATE:
            file = self._files[event.inode] = File()
            self._pending.append((kind, self._below(event.path), "", file))
        elif kind in (Kind.MKDIR, Kind.UNLINK, Kind.RENAME):
            to = self._below(event.written.decode()) if kind is Kind.RENAME else ""
            self._pending.append((kind, self._below(event.path), to, None))

    @property
    def unsure(self) -> bool:
        """Whether a crash now leaves more than one state possible."""
        return bool(self._pending) or any(file.pending for file in self._files.values())

    def state(self, pick: Pick, named: int | None = None) -> State:
        """The disk with so many (None: all) of the pending names and the files as picked."""
        names = dict(self._names)
        for change in self._pending[:named]:
            _rename(names, change)
        return {path: None if file is None else pick(file) for path, file in names.items()}

    @property
    def names_pending(self) -> int:
        return len(self._pending)

    def _below(self, path: str) -> str:
        return path[len(self._root) :].lstrip("/")

    def _sync_names(self, directory: str) -> None:
        done = 0
        for at, (_, path, to, _) in enumerate(self._pending, 1):
            if directory in (posixpath.dirname(path), to and posixpath.dirname(to)):
                done = at
        for change in self._pending[:done]:
            _rename(self._names, change)
        del self._pending[:done]


def draws(disk: Disk, rng: random.Random) -> Iterator[tuple[str, State]]:
    """The states a crash at this moment may leave, by every policy; one when all is durable."""
    yield "lost", disk.state(File.lost, 0)
    if not disk.unsure:
        return
    names = disk.names_pending
    yield "kept", disk.state(File.kept)
    if names:
        yield "names without data", disk.state(File.lost)
        yield "data without names", disk.state(File.kept, 0)
    yield "cut", disk.state(lambda file: file.cut(rng))
    for _ in range(2):
        yield "torn", disk.state(lambda file: file.torn(rng), rng.randint(0, names))
    yield "reordered", disk.state(lambda file: file.reordered(rng), rng.randint(0, names))


def _change(image: bytearray, offset: int, written: bytes | None) -> None:
    if written is None:
        del image[offset:]
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))  # a hole reads as zeros
    if written is not None:
        image[offset : offset + len(written)] = written


def _sectors(offset: int, length: int) -> Iterator[tuple[int, int]]:
    at, end = offset, offset + length
    while at < end:
        stop = min(end, (at // SECTOR + 1) * SECTOR)
        yield at, stop
        at = stop


def _rename(names: dict[str, File | None], change: tuple[Kind, str, str, File | None]) -> None:
    kind, path, to, file = change
    if kind is Kind.UNLINK:
        del names[path]
    elif kind is Kind.RENAME:
        for name in [name for name in names if name == path or name.startswith(f"{path}/")]:
            names[to + name[len(path) :]] = names.pop(name)
    else:
        names[path] = file
