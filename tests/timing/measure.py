"""Measuring: which targets there are, the classes of each, and the control that must be caught.

A target comes from clock.c, or is the engine's own `verify`. Every class is held against the first;
the count asked for is of each such pair.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.timing.built import CORE, HERE, Plant, Tree
from tests.timing.kinds import KINDS
from tests.timing.verify import CLASSES, Users, Verify, classes_of, measured
from tests.timing.welch import Column, Weighed, weighed
from watchword import Verdict

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
    "control": BYTES, "match with a plant": CLASSES, "verify with a plant": CLASSES,
    "verify passcode with a plant": CLASSES,
}
# Differences that are there and are known: of which classes, and how many nanoseconds from `wrong`
# their medians may be. Of plain devices they are the places in memory of what is read, which a
# measurement of so many finds (ext/alone.c). Of other kinds they are branches on what no code and
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
BLOCK = 1 << 22


def clock_program(tree: Tree) -> Path:
    """clock.c, which includes three files of the core, over the rest of it."""
    rest = [name for name in CORE if name not in ("alone.c", "match.c", "verify.c")]
    return tree.program(HERE / "clock.c", core=rest)


def measure(name: str, tree: Tree, count: int, seed: int,
            told: Callable[[int], None] = lambda done: None) -> list[Weighed]:
    """`count` measurements of each pair of classes. told: how many more are done, now and then."""
    classes = (TARGETS | CONTROLS)[name]
    total = count // 2 * len(classes)
    if name.startswith("verify"):
        kind = next((kind for kind in KINDS if name.startswith(f"verify {kind}")), "totp")
        plant = leaky if kind == "totp" else compares_first
        source = measured(total, seed, plant if name in CONTROLS else None, kind)
    elif name.startswith("match with"):
        source = _clocked(clock_program(tree.planted(PLANT)), "match", total, seed)
    else:
        source = _clocked(clock_program(tree), name, total, seed)
    times, groups = [], []
    for ns, numbers in source:
        times.append(ns.astype(np.float32))
        groups.append(numbers.astype(np.uint8))
        told(len(ns))
    return weighed(np.concatenate(times).astype(np.float64), np.concatenate(groups), classes)


def _clocked(program: Path, target: str, count: int, seed: int) -> Iterator[tuple[Column, Column]]:
    command = [str(program), target, str(count), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as clock:
        assert clock.stdout is not None
        assert clock.stderr is not None
        blocks = []
        while block := clock.stdout.read(BLOCK):
            blocks.append(np.frombuffer(block, np.uint32).reshape(-1, 2))
        said = clock.stderr.read().decode()
    assert clock.returncode == 0, f"clock {target}: {said}"
    ns_per_tick = float(said)
    for block_of in blocks:
        yield block_of[:, 0] * ns_per_tick, block_of[:, 1]


def leaky(users: Users) -> Verify:
    """A door that refuses whom it does not know without asking the engine."""
    verify = users.engine.verify
    refused = verify(*users.asks["wrong"][0])
    known = {user for name in ("wrong", "locked") for user, _ in users.asks[name]}

    def looks_first(user: str, typed: str) -> Verdict:
        return verify(user, typed) if user in known else refused

    return looks_first


def compares_first(users: Users) -> Verify:
    """A door that looks at the first character, and asks the engine where that is right."""
    verify = users.engine.verify
    refused = verify(*users.asks["wrong"][0])
    first = {user: text[0] for name in ("wrong", "locked") for user, text in users.asks[name]}

    def looks_first(user: str, typed: str) -> Verdict:
        return verify(user, typed) if first.get(user, typed[0]) == typed[0] else refused

    return looks_first
