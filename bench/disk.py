"""Stores on disk, for `python -m bench scale`: adding, opening, logins that are durable, the disk.

Three processes a store: one adds the users, one opens what it left, with the page cache warm from
the writing, and sends durable batches; between its rounds the same process drives a journal alone
with rows of the same length, and syncs bare blocks of 4 KiB. All wait for the disk: wall time.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from bench import children
from bench.attempts import START_S, TRIES, Field, Pass
from bench.rows import Row
from watchword import Code, Engine
from watchword.store import Store, open_store

BATCH = 1024
SYNCS = 300


def resident_bytes() -> int:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def huge_bytes() -> int:
    """How much of it is in huge pages."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("AnonHugePages"))


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


# ---- the children ----


def run_child(options: argparse.Namespace, kind: str, users: int) -> None:
    field, folder = Field(users, options.seed), Path(options.folder)
    if kind == "add":
        run_add(field, folder)
    else:
        run_open(options, field, folder)


def run_add(field: Field, folder: Path) -> None:
    """Users onto the disk from columns: time until durable, and until closed with all pages."""
    names, keys = field.names, field.keys
    for turn in children.rounds(0):
        engine = Engine.open(folder / "store", clock=lambda: START_S * 1000)
        wall, cpu = time.perf_counter(), time.thread_time()
        engine.add_users(names, keys)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        journal, closing = engine.counters()["journal_bytes"], time.perf_counter()
        engine.close()
        children.tell({
            "what": "add on disk", "users": field.users, "round": turn, "wall_s": wall,
            "cpu_s": cpu, "close_s": time.perf_counter() - closing, "journal_bytes": journal,
            "disk_bytes": folder_bytes(folder),
        })  # fmt: skip


def run_open(options: argparse.Namespace, field: Field, folder: Path) -> None:
    names, now_ms = field.names, START_S * 1000
    before = resident_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    engine = Engine.open(folder / "store", clock=lambda: now_ms)
    opened = time.perf_counter() - wall
    first = engine.verify(names[0].decode(), "none")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if first.code != Code.REJECTED:
        raise SystemExit(f"a code that is no code got {first.code.name}")
    children.tell({
        "what": "open", "users": field.users, "opened_s": opened, "wall_s": wall, "cpu_s": cpu,
        "page_cache": "warm", "resident_bytes": resident_bytes() - before,
        "memory_bytes": engine.counters()["memory_bytes"], "disk_bytes": folder_bytes(folder),
    })  # fmt: skip
    batches = min(options.batches, TRIES * field.users // BATCH)
    alone, row = open_store(folder / "alone"), b""
    for turn in children.rounds(options.rounds):
        sample, done = field.wrong(2 * turn + 1, BATCH), field.wrong(2 * turn + 2, batches * BATCH)
        now_ms, engine.tap = sample.time_s * 1000, []
        engine.verify_many(names[sample.users], sample.codes)
        row, engine.tap = engine.tap[0], None
        now_ms = done.time_s * 1000
        run_durable(engine, field, turn, done)
        run_journal(alone, field.users, turn, row, batches)
        run_syncs(folder / "syncs", field.users, turn)
    alone.close()
    engine.close()


def run_durable(engine: Engine, field: Field, turn: int, done: Pass) -> None:
    """Batch after batch through verify_many; each one is on the disk when it returns."""
    names, codes = field.names[done.users], done.codes
    took, answers = [], []
    began, cpu = time.perf_counter(), time.thread_time()
    for start in range(0, len(names), BATCH):
        at = time.perf_counter()
        answers.append(engine.verify_many(names[start : start + BATCH],
                                          codes[start : start + BATCH]))  # fmt: skip
        took.append(time.perf_counter() - at)
    wall, cpu = time.perf_counter() - began, time.thread_time() - cpu
    given = np.concatenate(answers)
    field.expect(done, given, Code.REJECTED)
    verdicts = Counter(Code(code).name for code in given.tolist())
    children.tell({
        "what": "durable", "users": field.users, "round": turn, "batch": BATCH,
        "attempts": len(given), "wall_s": wall, "cpu_s": cpu, **spread(took),
        "verdicts": dict(verdicts), "journal_bytes": engine.counters()["journal_bytes"],
    })  # fmt: skip


def run_journal(store: Store, users: int, turn: int, row: bytes, batches: int) -> None:
    """Rows of the length the engine wrote, and nothing but the journal."""
    store.tick()
    took = []
    began, cpu = time.perf_counter(), time.thread_time()
    for _ in range(batches):
        at = time.perf_counter()
        store.append([(store.head + 1, row)])
        took.append(time.perf_counter() - at)
    wall, cpu = time.perf_counter() - began, time.thread_time() - cpu
    children.tell({
        "what": "journal", "users": users, "round": turn, "rows": batches, "batch": BATCH,
        "row_bytes": len(row), "wall_s": wall, "cpu_s": cpu, **spread(took),
    })  # fmt: skip


def run_syncs(path: Path, users: int, turn: int) -> None:
    children.tell({"what": "sync", "users": users, "round": turn, **syncs(path)})


def syncs(path: Path) -> Row:
    """What the disk takes to sync 4 KiB appended."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    block, took = os.urandom(4096), []
    try:
        for number in range(SYNCS):
            at = time.perf_counter()
            os.pwrite(file, block, number * len(block))
            os.fdatasync(file)
            took.append(time.perf_counter() - at)
    finally:
        os.close(file)
    return spread(took)


def spread(took: list[float]) -> Row:
    took = sorted(took)
    return {
        "p50_s": statistics.median(took), "p99_s": took[len(took) * 99 // 100], "max_s": took[-1],
    }  # fmt: skip


# ---- the parent ----


def run(options: argparse.Namespace, arguments: list[str], users: int) -> list[Row]:
    """A store of so many users: made, opened and used, each in its process, then removed."""
    place = tempfile.mkdtemp(prefix="watchword-scale-", dir=options.folder)
    try:
        here = [*arguments, "--folder", os.path.abspath(place)]
        rows = children.take_turns("scale", {f"add/{users}": {}}, here, 0)
        return rows + children.take_turns("scale", {f"open/{users}": {}}, here, options.rounds)
    finally:
        shutil.rmtree(place)
