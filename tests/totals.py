"""What the long forms have come to: one line of JSON for each run, added up over runs.

A long form is stopped and gone on with at will: it begins where the sum of its lines stands. The
file is committed, and tests/README.md quotes it. A line says what ran, how much of it, and what it
found; nothing in it is ever rewritten.
"""

import json
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "totals.jsonl"


def add(rig: str, **figures: int | float | str) -> None:
    """One run's figures: counts are whole numbers, and add up; anything else only stands there."""
    row = {"rig": rig, "date": datetime.now(UTC).strftime("%Y-%m-%d"), "commit": commit(),
           "machine": machine(), **figures}
    with FILE.open("a") as file:
        file.write(json.dumps(row) + "\n")


def rows(rig: str) -> Iterator[dict[str, Any]]:
    if FILE.exists():
        for line in FILE.read_text().splitlines():
            row = json.loads(line)
            if row["rig"] == rig:
                yield row


def so_far(rig: str, count: str) -> int:
    """The sum of one count over every run of a rig."""
    return sum(int(row.get(count, 0)) for row in rows(rig))


def commit() -> str:
    """The tree's commit, shortened; empty outside a clone."""
    out = subprocess.run(["git", "rev-parse", "--short=8", "HEAD"], capture_output=True,
                         text=True, check=False, cwd=Path(__file__).parent)
    return out.stdout.strip()


def machine() -> str:
    """The processor's name as the system gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
