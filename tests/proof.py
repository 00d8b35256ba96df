"""python -m tests.proof: every rig in one table, in the form CI runs and in the long form.

    python -m tests.proof ci            each rig's short form, two side by side; stops at a failure
    python -m tests.proof long          goes on with whatever is not at its total yet
    python -m tests.proof status        what the totals have come to, with date and machine
    python -m tests.proof readme        the same table, into tests/README.md
    python -m tests.proof fuzz wire     one rig's short form; --long for the other

The totals are those of tests/totals.jsonl; the rigs write them themselves, a line a minute or so,
so that a long form may be stopped at any time and is gone on with from there.
"""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests import totals

ROOT = Path(__file__).parents[1]
LOGS = ROOT / "build" / "proof"
README = ROOT / "tests" / "README.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
SIDE_BY_SIDE = 2
SHORT_SECONDS_MAX = 3_600  # a rig that hangs fails; the suite under sanitizers takes longest
TAIL_LINES = 60

Row = dict[str, Any]


class Rig(NamedTuple):
    """One way to break a promise. Command lines are what follows `python -m tests.`."""

    name: str
    ci: str
    long: str = ""  # none: the short form is all there is
    rig: str = ""  # its name in the totals
    unit: str = ""  # what of it adds up, and what it is called
    total: int = 0
    which: tuple[tuple[str, object], ...] = ()  # only rows that hold these
    parts: tuple[str, ...] = ()  # counts that all have to reach the total, in place of the unit's
    alone: bool = False  # measures time, or takes both cores: nothing beside it


def fuzz(target: str, ci: int, total: int) -> Rig:
    line = f"fuzz --target {target}"
    return Rig(f"fuzz {target}", f"{line} --executions {ci}", f"{line} --until {total} --keep",
               f"fuzz {target}", "executions", total)  # fmt: skip


def crash(what: str, count: str, ci: int, total: int) -> Rig:
    return Rig(f"crash {what}", f"crash {what} --{count} {ci}",
               f"crash {what} --until {total} --keep", f"crash {what}", count, total)  # fmt: skip


RIGS = (
    Rig("sim", "sim --seconds 60 --jobs 1", "sim --seed 1 --until 10000 --jobs 2", "sim", "seeds",
        10_000),
    crash("replay", "states", 10_000, 1_000_000),
    crash("loop", "cuts", 20, 1_000),
    crash("kill", "rounds", 50, 2_000),
    Rig("crash faults", "crash faults --every 3", "crash faults --every 1 --keep", "crash faults",
        "calls", 1, (("every", 1),)),
    Rig("races", "races --rounds 10000", "races --until 10000 --keep", "races", "rounds", 10_000,
        parts=("threads", "threads, on disk", "coroutines", "connections", "processes")),
    Rig("races threads", "races threads", "races threads --rounds 20000 --keep", "races threads",
        "rounds", 20_000),
    fuzz("wire", 10_000_000, 1_000_000_000),
    fuzz("rows", 1_000_000, 10_000_000),
    fuzz("pages", 1_000_000, 10_000_000),
    fuzz("kernels", 200_000, 2_000_000),
    fuzz("turn", 100_000, 1_000_000),
    Rig("timing code", "timing code"),
    Rig("timing secrets", "timing secrets"),
    Rig("timing token", "timing token", alone=True),
    Rig("talks", "talks --seeds 1000", "talks --until 10000 --keep", "talks", "seeds", 10_000),
    Rig("timing", "timing --measurements 200000", "timing --measurements 10000000 --keep",
        "timing", "measurements", 10_000_000, alone=True),
    Rig("timing daemon", "timing daemon --users 1000 --answers 100000",
        "timing daemon --users 1000 --answers 1000000 --keep", "timing daemon", "answers",
        1_000_000, (("users", "1000"),), alone=True),
    Rig("timing daemon, 10 million users", "",
        "timing daemon --users 10000000 --answers 1000000 --keep", "timing daemon", "answers",
        1_000_000, (("users", "10000000"),), alone=True),
    Rig("sanitize", "sanitize", "sanitize --keep", "sanitize", "runs", 1, alone=True),
    Rig("sanitize, planted", "sanitize --planted"),
)  # fmt: skip


def rows(rig: Rig) -> list[Row]:
    found = totals.rows(rig.rig) if rig.rig else iter(())
    return [row for row in found if all(row.get(name) == of for name, of in rig.which)]


def so_far(rig: Rig) -> int:
    parts = rig.parts or (rig.unit,)
    return min(sum(int(row.get(part, 0)) for row in rows(rig)) for part in parts)


def failures(rig: Rig) -> int:
    return sum(int(row.get("failures", 0)) + int(row.get("found", 0)) for row in rows(rig))


def command(line: str) -> list[str]:
    module, *words = line.split()
    return [sys.executable, "-m", f"tests.{module}", *words]


# ---- the short forms -------------------------------------------------------------------------


class Short:
    """Runs command lines with their output in files, and says of each how it ended."""

    def __init__(self, say: Callable[[str], None] = print) -> None:
        self._say = say
        self._mine = threading.Lock()
        self.failed: list[str] = []

    def one(self, name: str, line: str) -> None:
        if self.failed:
            return
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{name.replace(' ', '-').replace(',', '')}.log"
        start = time.monotonic()
        with log.open("w") as out:
            words = ["timeout", "--kill-after=10", str(SHORT_SECONDS_MAX), *command(line)]
            done = subprocess.run(words, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, check=False)  # fmt: skip
        said = [text for text in log.read_text(errors="replace").splitlines() if text.strip()]
        seconds = time.monotonic() - start
        with self._mine:
            if done.returncode:
                self.failed.append(name)
                self._say("\n".join(said[-TAIL_LINES:]))
                self._say(f"FAILED after {seconds:.0f} s: python -m tests.{line}")
            else:
                last = said[-1] if said else "-"
                self._say(f"{seconds:4.0f} s  python -m tests.{line}\n        {last}")

    def all(self, rigs: Iterable[Rig]) -> int:
        """Two at a time, then one by one those that want the machine to themselves."""
        lines = [rig for rig in rigs if rig.ci]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(lambda rig: self.one(rig.name, rig.ci),
                          [rig for rig in lines if not rig.alone]))  # fmt: skip
        for rig in lines:
            if rig.alone:
                self.one(rig.name, rig.ci)
        return len(self.failed)


def ci() -> int:
    start = time.monotonic()
    failed = Short(lambda text: print(text, flush=True)).all(RIGS)
    print(f"{len([rig for rig in RIGS if rig.ci])} rigs, {failed} failed, "
          f"{time.monotonic() - start:.0f} s")  # fmt: skip
    return int(failed > 0)


# ---- the long forms --------------------------------------------------------------------------


def long(rigs: Iterable[Rig]) -> int:
    short = []
    for rig in rigs:
        done = so_far(rig)
        if not rig.long or done >= rig.total:
            continue
        print(f"+ python -m tests.{rig.long}  ({done:,} of {rig.total:,} {rig.unit})", flush=True)
        if subprocess.run(command(rig.long), cwd=ROOT, check=False).returncode:
            print(f"{rig.name} failed")
            return 1
        if so_far(rig) < rig.total:  # it ended well and did nothing
            short.append(rig.name)
    print(f"not at their totals: {', '.join(short)}" if short else "every rig is at its total")
    return int(bool(short))


def extra(rig: Rig) -> str:
    """The figure that matters beside the count."""
    if rig.rig == "timing":
        t = [float(v) for row in rows(rig)[-1:] for name, v in row.items() if name.endswith(" t")]
        return f"largest |t| {max(t):.2f} in the last run" if t else ""
    if rig.rig == "timing daemon":
        apart = [abs(float(row["apart_ns"])) for row in rows(rig)]
        return f"medians {max(apart):,.0f} ns apart" if apart else ""
    return f"{failures(rig):,} failures" if rows(rig) else ""


def figures() -> list[tuple[str, str, str, str, str, str]]:
    """rig, done, wanted, what was found, last date, machine."""
    table = []
    for rig in RIGS:
        if not rig.long:
            continue
        found = rows(rig)
        last = found[-1] if found else {}
        table.append((rig.name, f"{so_far(rig):,} {rig.unit}", f"{rig.total:,}", extra(rig),
                      str(last.get("date", "")), str(last.get("machine", ""))))  # fmt: skip
    return table


COLUMNS = ("rig", "so far", "wanted", "found", "last run", "machine")


def status() -> int:
    from rich.console import Console
    from rich.table import Table

    table = Table(*COLUMNS)
    for row in figures():
        table.add_row(*row)
    Console().print(table)
    return 0


def readme_table() -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "| --- | ---: | ---: | --- | --- | --- |"]
    lines += ["| " + " | ".join(row) + " |" for row in figures()]
    return "\n".join(line.replace("|  |", "| |").replace("|  |", "| |") for line in lines) + "\n"


def readme() -> int:
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{README} holds no line {BEGIN!r} or {END!r}"
    README.write_text(f"{before}{BEGIN}{readme_table()}{END}{after}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", help="ci, long, status, readme, or a rig's name")
    parser.add_argument("--long", action="store_true", help="a rig's long form")
    given = parser.parse_args()
    what = " ".join(given.what)
    verbs: dict[str, Callable[[], int]] = {"ci": ci, "long": lambda: long(RIGS), "status": status,
                                           "readme": readme}  # fmt: skip
    if what in verbs:
        return verbs[what]()
    named = [rig for rig in RIGS if rig.name == what]
    if not named:
        parser.error(f"there is no rig {what!r}; there are {', '.join(rig.name for rig in RIGS)}")
    if given.long:
        return long(named)
    return subprocess.run(command(named[0].ci or named[0].long), cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
