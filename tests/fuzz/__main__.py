"""python -m tests.fuzz: builds the fuzz targets and runs them, in slices that can be stopped.

    python -m tests.fuzz --target wire --executions 3000000
    python -m tests.fuzz --target wire --until 1000000000 --keep
    python -m tests.fuzz --planted

Without --target every target runs, each with its share. A slice is one run of libFuzzer over the
committed seeds and what earlier slices found (build/fuzz/found-*). Most slices of the parser are
tuned for executions: short inputs, no hit counters; every eighth goes deep instead.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import totals
from tests.fuzz.built import HERE, OUT, PLANTS, TARGETS, build

# What a slice takes, so that a line is kept about every half minute; and shares of one budget.
SLICE = {"wire": 10_000_000, "rows": 1_000_000, "pages": 1_000_000, "kernels": 150_000,
         "turn": 80_000}  # fmt: skip
SHARE = {"wire": 1.0, "rows": 0.1, "pages": 0.1, "kernels": 0.02, "turn": 0.01}
DEEP_EVERY = 8
# Within how many executions a plant has to be found.
# A hunt ends where its bug is found; one seed in ten needs more kernels than 20,000 for the rarest.
PLANTED = {"wire": 1_000_000, "rows": 100_000, "pages": 100_000, "kernels": 200_000, "turn": 50_000}
ALONE = {"-close_fd_mask": 0, "-print_final_stats": 1, "-timeout": 20, "-rss_limit_mb": 4096}


class Found(Exception):  # noqa: N818 (it is what happened)
    """An input that breaks a target."""


def fuzz(fuzzer: Path, target: str, executions: int, seed: int, corpus: Path, deep: bool) -> int:
    """One slice. Returns the executions done; raises Found with libFuzzer's words."""
    corpus.mkdir(parents=True, exist_ok=True)
    flags = dict(ALONE)
    flags |= {"-runs": executions, "-seed": seed % 2**31 + 1}
    flags["-max_len"] = TARGETS[target].max_len * (16 if deep else 1)
    if target == "wire":
        flags |= {"-use_counters": int(deep), "-entropic": 0}
    command = [str(fuzzer), *(f"{name}={value}" for name, value in flags.items())]
    command += [f"-artifact_prefix={corpus.parent}/", str(corpus), str(HERE / "corpus" / target)]
    environment = {"PATH": os.environ["PATH"],
                   "ASAN_OPTIONS": "malloc_context_size=0:detect_leaks=0"}  # fmt: skip
    done = subprocess.run(command, text=True, errors="replace", capture_output=True, check=False,
                          env=environment)  # fmt: skip
    counted = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    if done.returncode != 0 or counted is None:
        raise Found(f"{' '.join(command)}\n{trimmed(done.stderr)}")
    return int(counted[1])


def trimmed(text: str) -> str:
    """What libFuzzer said of a failure, without its progress and the dictionary it proposes."""
    lines = [line for line in text.splitlines() if not line.startswith(("#", '"', "INFO", "stat:"))]
    return "\n".join(lines[:60])


def campaign(target: str, executions: int, seed: int, keep: bool) -> int:
    """So many executions of one target, slice by slice. Returns how many there were."""
    fuzzer, corpus, done, number = build(target), OUT / f"found-{target}", 0, 0
    start = time.monotonic()
    while done < executions:
        ask = min(SLICE[target], executions - done)
        deep = target == "wire" and number % DEEP_EVERY == DEEP_EVERY - 1
        if deep:
            ask = min(ask, SLICE[target] // 8)
        before = time.monotonic()
        ran = fuzz(fuzzer, target, ask, seed + number, corpus, deep)
        done += ran
        number += 1
        seconds = time.monotonic() - before
        if keep:
            totals.add(f"fuzz {target}", executions=ran, seconds=round(seconds), found=0)
        rate = done / max(time.monotonic() - start, 1e-9)
        say(f"{target}: {done:,} of {executions:,} executions, {rate:,.0f}/s, none breaks it")
    return done


def hunt(plant: str, seed: int, corpus: Path) -> str:
    """What the fuzzer says of a planted bug; empty when it was not found."""
    target = PLANTS[plant].target
    try:
        fuzz(build(target, plant), target, PLANTED[target], seed, corpus, deep=False)
    except Found as found:
        return str(found)
    return ""


def hunt_all(seed: int) -> int:
    missed = 0
    with tempfile.TemporaryDirectory() as place:
        for number, plant in enumerate(PLANTS):
            start = time.monotonic()
            found = hunt(plant, seed, Path(place) / str(number) / "corpus")
            missed += not found
            said = "found" if found else "NOT FOUND"
            print(f"{said} in {time.monotonic() - start:.1f} s: {plant}", flush=True)
    print(f"{len(PLANTS) - missed} of {len(PLANTS)} planted bugs found; seed {seed}")
    return int(missed > 0)


def say(text: str) -> None:
    """A progress line: over the last one on a terminal, else a line of its own."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]:<{width}}", end="", flush=True)
    else:
        print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=sorted(TARGETS), help="one target; without it all")
    parser.add_argument("--executions", type=int, default=300_000,
                        help="of the parser; others take their share when no target is named")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="add up in tests/totals.jsonl")
    parser.add_argument("--until", type=int, help="go on until the kept total is this much")
    parser.add_argument("--planted", action="store_true", help="hunt the planted bugs instead")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**31) if given.seed is None else given.seed
    if given.planted:
        return hunt_all(seed)
    for target in [given.target] if given.target else TARGETS:
        share = 1.0 if given.target else SHARE[target]
        count = round(given.executions * share)
        if given.until is not None:
            count = round(given.until * share) - totals.so_far(f"fuzz {target}", "executions")
        start = time.monotonic()
        try:
            done = campaign(target, count, seed, given.keep)
        except Found as found:
            if given.keep:
                totals.add(f"fuzz {target}", executions=0, found=1)
            print(f"\n{target} is broken (seed {seed})\n{found}")
            return 1
        if done:
            say(f"{target}: {done:,} executions in {time.monotonic() - start:.0f} s, "
                f"none breaks it; seed {seed}")  # fmt: skip
            print(end="\n" if sys.stdout.isatty() else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
