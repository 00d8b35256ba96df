"""A file to a daemon: in parts that each fit a command, so that logins go on between them.

Rule: the whole file is looked at, part by part, before the first part of it is applied. Rows that
share a name go in one part, where the daemon sees them beside each other.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from watchword import Imported
from watchword.cli.connection import Reply, listed, mapping, number
from watchword.formats.columns import Fault, Rows, lines_of

__all__ = ["Carrier"]

PART_BYTES = 48_000  # of the 64 kB that a command may have

Line = tuple[int, bytes]


class Carrier:
    """Carries a file over a connection, for whom `by` says."""

    def __init__(self, ask: Callable[..., Reply], by: str) -> None:
        self._ask = ask
        self._by = by

    def import_csv(
        self, file: BinaryIO, dry_run: bool, skip_bad: bool,
        progress: Callable[[int], object] | None,
    ) -> Imported:  # fmt: skip
        lines = lines_of(file)
        _, first = next(lines, (0, b""))
        rows = Rows(first)
        groups: dict[str, list[Line]] = {}
        faults: list[Fault] = []
        total = 0
        for at, raw in lines:
            total += 1
            fault = rows.fault(at, raw)
            if fault is not None:
                faults.append(fault)
            else:
                groups.setdefault(rows.name(raw), []).append((at, raw))
        told = self._told(progress)
        found = self._all(first, groups, faults, told, "CHECK")
        applied = not dry_run and (skip_bad or not faults)
        if applied:
            wrong = {fault.row for fault in faults}
            good = {
                name: [line for line in group if line[0] not in wrong]
                for name, group in groups.items()
            }
            skip = ("SKIP",) if skip_bad else ()
            found = self._all(first, good, faults, told, "ADD", "BY", self._by, *skip)
        users, devices, there = found
        if not (applied or dry_run):
            users = devices = 0
        return Imported(total, users, devices, there, tuple(sorted(faults)), applied)

    def _all(
        self, first: bytes, groups: dict[str, list[Line]], faults: list[Fault],
        told: Callable[[int], object], verb: str, *words: str,
    ) -> tuple[int, int, int]:  # fmt: skip
        """Every part by one verb: users, devices, rows that were there. Faults are added."""
        users = devices = there = 0
        for part in parts(groups):
            text = b"\n".join([first, *[raw for _, raw in part]]).decode()
            fields = mapping(self._ask("IMPORT", verb, text, *words))
            users += number(fields["users"])
            devices += number(fields["devices"])
            there += number(fields["there"])
            for fault in listed(fields["faults"]):
                at, column, says = listed(fault)
                faults.append(Fault(part[number(at) - 2][0], str(column), str(says)))
            told(len(part))
            if verb == "ADD" and listed(fields["faults"]) and "SKIP" not in words:
                break  # somebody was quicker; what is applied is there when it is tried again
        return users, devices, there

    @staticmethod
    def _told(progress: Callable[[int], object] | None) -> Callable[[int], object]:
        done = 0

        def tell(further: int) -> None:
            nonlocal done
            done += further
            if progress is not None:
                progress(done)

        return tell


def parts(groups: dict[str, list[Line]]) -> Iterator[list[Line]]:
    """Lines, so many that they fit; a name's lines together where they can be."""
    part: list[Line] = []
    size = 0
    for lines in groups.values():
        length = sum(len(raw) + 1 for _, raw in lines)
        if part and size + length > PART_BYTES:
            yield part
            part, size = [], 0
        for line in lines:
            if part and size + len(line[1]) + 1 > PART_BYTES:
                yield part
                part, size = [], 0
            part.append(line)
            size += len(line[1]) + 1
    if part:
        yield part
