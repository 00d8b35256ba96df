"""Measuring: which targets there are, the classes of each, and the control that must be caught.

A target comes from clock.c, or is the engine's own `verify`. Every class is held against the first;
the count asked for is of each such pair. It is measured in parts, each in a process of its own:
where in memory things come to lie favours one class or another for as long as a process lives, by
up to some nanoseconds, and another in the next.
"""

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.timing.built import CORE, HERE, Plant, Tree
from tests.timing.kinds import KINDS
from tests.timing.verify import CLASSES, PLANTED, classes_of
from tests.timing.welch import Column, Weighed, weighed

__all__ = ["ALLOWED_NS", "CONTROLS", "TARGETS", "measure"]

OTHERS = [kind for kind in KINDS if kind != "totp"]
BYTES = ("first differs", "equal", "last differs")
TARGETS: dict[str, tuple[str, ...]] = {
    "compare": BYTES,
    "truncate": ("any digest", "one digest", "all ones"),
    "match": CLASSES,
    "turn": CLASSES,
    "verify": CLASSES,
    **{f"verify {kind}": classes_of(kind) for kind in OTHERS},
}
# What must come above welch.CONTROL: an early exit, in each of the ways there are to measure.
CONTROLS = {
    "control": BYTES, "match" + PLANTED: CLASSES, "verify" + PLANTED: CLASSES,
    "verify passcode" + PLANTED: CLASSES,
}
# Differences that are there and are known: of which classes, and how many nanoseconds from `wrong`
# their medians may be. Of plain devices (ext/alone.c) they are the places in memory of what is
# read, of as few processes as a short run has. Of other kinds they are branches on what no code and
# no key has a part in, which the processor foretells wrongly for the rarer class: whether the name
# is found (a decoy is looked up in another table), whether the user is locked (the wait grows in
# place of the streak), and how long a text is that somebody typed, where it is read letter by
# letter or hashed.
ALLOWED_NS = {
    **{(f"verify {kind}", "unknown"): 80.0 for kind in OTHERS},
    **{(f"verify {kind}", "locked"): 40.0 for kind in OTHERS},
    **{(f"verify {kind}", "length"): 40.0 for kind in ("card", "passcode", "pin")},
    ("match", "unknown"): 2.0,
    ("turn", "unknown"): 2.0,
    ("turn", "locked"): 2.0,
    ("verify", "unknown"): 6.0,
    ("verify", "locked"): 6.0,
}
PLANT = Plant(
    "stops_at_a_match", "match.c",
    "if (resync)\n                ww_mask_set(",
    "if (y->mask.lo) { lane += y->count - 1 - j; break; }\n            if (resync)\n"
    "                ww_mask_set(",
)  # fmt: skip


def clock_program(tree: Tree) -> Path:
    """clock.c, which includes three files of the core, over the rest of it."""
    rest = [name for name in CORE if name not in ("alone.c", "match.c", "verify.c")]
    return tree.program(HERE / "clock.c", core=rest)


def measure(name: str, tree: Tree, count: int, seed: int,
            told: Callable[[int], None] = lambda done: None, processes: int = 1) -> list[Weighed]:
    """`count` measurements of each pair of classes. told: how many more are done, now and then."""
    classes = (TARGETS | CONTROLS)[name]
    each = count // 2 * len(classes) // processes + 1
    command, rng = _command(name, tree), random.Random(seed)
    times, groups = [], []
    for _ in range(processes):
        ns, numbers = _clocked([*command, str(each), str(rng.getrandbits(32))])
        times.append(ns.astype(np.float32))
        groups.append(numbers.astype(np.uint8))
        told(len(ns))
    return weighed(np.concatenate(times).astype(np.float64), np.concatenate(groups), classes)


def _command(name: str, tree: Tree) -> list[str]:
    """What measures a target; without the count and the seed."""
    if name.startswith("verify"):
        return [sys.executable, "-m", "tests.timing.verify", name]
    if name.endswith(PLANTED):
        return [str(clock_program(tree.planted(PLANT))), "match"]
    return [str(clock_program(tree)), name]


def _clocked(command: Sequence[str]) -> tuple[Column, Column]:
    done = subprocess.run(command, capture_output=True, check=False)
    said = done.stderr.decode()
    assert done.returncode == 0, f"{' '.join(command)}: {said}"
    found = np.frombuffer(done.stdout, np.uint32).reshape(-1, 2)
    return found[:, 0] * float(said), found[:, 1]
