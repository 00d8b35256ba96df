"""`python -m bench engine`, its second table: verify_many for every kind of device, on one core.

A row is a kind, in a process of its own, and the rows take turns, a round each. A round asks every
device that is asked, untimed, then times three passes over all users in random order: wrong
answers, right ones, the right ones again. Every verdict is compared with what the round was made to
give. Phones are in pushes.py, the lanes of answers without the engine in answers.py. The peers of
two suites compute the same responses in Python. A share is of what the hash could do: the kernel's
newest kept rate over the compressions that an attempt takes.
"""

import argparse
import random
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import answers, pushes
from bench.children import tell, timed
from bench.engine import PASSES, Child
from bench.native import MissingError
from bench.peers import ocra as least
from bench.rows import Row, host, load, save
from watchword import Card, Code, Device, Engine, Policy, hotp, totp
from watchword.devices import passcode
from watchword.devices.card import cells

START_MS = 1_700_000_000_000
ROUND_MS = 25 * 3600 * 1000  # apart: failures of the one before no longer count
SUITES = {
    "ocra-sha1": "OCRA-1:HOTP-SHA1-6:QN08",
    "ocra-sha1-counter": "OCRA-1:HOTP-SHA1-6:C-QN08",
    "ocra-sha256": "OCRA-1:HOTP-SHA256-6:QN08",
    "ocra-sha512": "OCRA-1:HOTP-SHA512-6:QN08",
}
# Kind: its hash, and compressions of an attempt: a message's blocks and the outer hash's one.
COMPRESSIONS = {
    "totp": ("sha1", 6), "hotp": ("sha1", 22), "ocra-sha1": ("sha1", 4),
    "ocra-sha1-counter": ("sha1", 44), "ocra-sha256": ("sha256", 4), "ocra-sha512": ("sha512", 3),
    "card": ("sha1", 4), "passcode": ("sha256", 2), answers.KIND: ("sha1", 4),
}  # fmt: skip
MIXED = ("totp", "hotp", "ocra-sha1", "card", "passcode")
KINDS = (*COMPRESSIONS, "mixed", *pushes.KINDS)
COUNTERS = {"hotp": 11, "ocra-sha1-counter": 11}  # that a wrong code or answer is held against
# Of the suites of SHA-1, and how many attempts they make.
PEERS = tuple(f"{peer}/{kind}" for kind in ("ocra-sha1", "ocra-sha1-counter")
              for peer in ("oath", "ocra"))
PEER_ATTEMPTS = 20_000


def device_of(kind: str, key: bytes) -> Device:
    if kind in SUITES:
        return Device.ocra(key, SUITES[kind])
    if kind == "passcode":
        return Device.temporary_passcode(text_of(key))
    return {"totp": Device.totp, "hotp": Device.hotp, "card": Device.code_card}[kind](key)


def text_of(key: bytes) -> str:
    return "".join(passcode.ALPHABET[byte % 32] for byte in key[: passcode.CHARS])


def right_of(kind: str, key: bytes, prompt: str, now_s: int, counter: int) -> str:
    """What the device answers, by the plain functions, and for OCRA by the least Python."""
    if kind in SUITES:
        return least.response(SUITES[kind], key, prompt, counter)
    if kind == "card":
        return Card("", "", cells(key)).answer(prompt)
    if kind == "passcode":
        return text_of(key)
    return totp(key, now_s) if kind == "totp" else hotp(key, counter)


def wrong_of(kind: str, number: int) -> str:
    """No right answer: digits of which one in a million would be, and is left out by the caller."""
    if kind == "card":
        return f"{222_222 + number % 700_000:06d}".replace("0", "2").replace("1", "3")
    return "ABCDEFGHJK" if kind == "passcode" else f"{number % 1_000_000:06d}"


class Standing:
    """An engine in memory whose users have a device each."""

    def __init__(self, kind: str, users: int, seed: int) -> None:
        rng = random.Random(seed)
        self.kind, self.now_ms, self.rounds = kind, START_MS, 0
        policy = Policy(passcode_ms=366 * 86_400_000)  # as long as a run
        self.engine = Engine.open(policy=policy, clock=lambda: self.now_ms)
        self.names = [f"user{n:07d}" for n in range(users)]
        self.keys = [rng.randbytes(20) for _ in range(users)]
        self.kinds = [MIXED[n % len(MIXED)] if kind == "mixed" else kind for n in range(users)]
        for name, key, own in zip(self.names, self.keys, self.kinds, strict=True):
            self.engine.add_user(name)
            self.engine.add_device(name, device_of(own, key))

    def round(self, seed: str) -> dict[str, tuple[Any, list[Code]]]:
        """What every pass types, in which order, and the verdicts due."""
        rng = random.Random(seed)
        self.now_ms += ROUND_MS
        order = list(range(len(self.names)))
        rng.shuffle(order)
        right, wrong = [], []
        for at in order:
            kind = self.kinds[at]
            asked = kind in SUITES or kind == "card"
            prompt = self.engine.challenge(self.names[at]).prompt if asked else ""
            now_s = self.now_ms // 1000
            answers = [right_of(kind, self.keys[at], prompt, now_s, self.rounds + k)
                       for k in range(COUNTERS.get(kind, 1))]
            answers += [totp(self.keys[at], now_s + k) for k in (-30, 30) if kind == "totp"]
            right.append(answers[0])
            guess = wrong_of(kind, rng.randrange(1_000_000))
            while guess in answers:
                guess = wrong_of(kind, rng.randrange(1_000_000))
            wrong.append(guess)
        self.rounds += 1
        users = np.array([self.names[at] for at in order], dtype="S")
        static = [self.kinds[at] == "passcode" for at in order]
        return {
            "wrong": ((users, np.array(wrong, dtype="S")), [Code.REJECTED] * len(order)),
            "right": ((users, np.array(right, dtype="S")), [Code.ACCEPTED] * len(order)),
            "again": ((users, np.array(right, dtype="S")),
                      [Code.ACCEPTED if stays else Code.REJECTED for stays in static]),
        }


def measure(kind: str, users: int, rounds: int, seed: int) -> None:
    """The child's part, as bench.engine's: a round for each line it is told."""
    if kind in PEERS:
        measure_peer(*kind.split("/"), users, rounds, seed)
    elif kind in pushes.KINDS:
        pushes.measure(kind, users, rounds, seed)
    elif kind == answers.KIND:
        answers.measure(SUITES["ocra-sha1"], users, rounds, seed)
    else:
        measure_devices(kind, users, rounds, seed)


def measure_devices(kind: str, users: int, rounds: int, seed: int) -> None:
    standing = Standing(kind, users, seed)
    for number in range(rounds + 1):
        sys.stdin.readline()
        for name, (typed, due) in standing.round(f"{seed}:{number}").items():
            codes, took = timed(partial(standing.engine.verify_many, *typed))
            odd = int((codes != np.array(due, np.uint8)).sum())
            if odd > max(2, users // 20_000):  # a used code may be another step's, by chance
                raise SystemExit(f"{kind}: {odd} of {name} were not decided as made")
            tell({"kind": kind, "pass": name, "round": number, "attempts": users, **took})


def measure_peer(peer: str, kind: str, users: int, rounds: int, seed: int) -> None:
    """Devices at any counter of 32 bits; what is right is so at the first, which is tried first."""
    rng, suite = random.Random(seed), SUITES[kind]
    adapter = import_module(f"bench.peers.{peer}")
    keys = [rng.randbytes(20) for _ in range(min(users, PEER_ATTEMPTS))]
    does = adapter.describe(suite)
    for number in range(rounds + 1):
        sys.stdin.readline()
        prompts = [f"{rng.randrange(10**8):08d}" for _ in keys]
        ahead = COUNTERS.get(kind, 1)
        counters = [range(at, at + ahead) for at in (rng.randrange(2**32) for _ in keys)]
        right = [least.response(suite, key, q, those[0])
                 for key, q, those in zip(keys, prompts, counters, strict=True)]
        for name in PASSES:
            codes = right if name != "wrong" else [f"{(int(c) + 1) % 10**6:06d}" for c in right]
            decide = partial(adapter.decide, suite, keys, prompts, codes, counters)
            said, took = timed(decide)
            odd = len(keys) - said.count(name != "wrong")
            if odd > (2 if name == "wrong" else 0):  # another counter's, by chance
                raise SystemExit(f"{peer}: {name} codes were not all decided as made")
            tell({"kind": does, "peer": peer, "pass": name, "round": number,
                  "attempts": len(keys), **took})


def peers_here() -> list[str]:
    """Those whose library is installed; of the others it is said."""
    here = []
    for kind in PEERS:
        peer, suite = kind.split("/")
        try:
            import_module(f"bench.peers.{peer}").describe(SUITES[suite])
            here.append(kind)
        except MissingError as missing:
            print(f"  left out: {missing}", file=sys.stderr)
    return here


def run(options: argparse.Namespace) -> list[Row]:
    """All kinds, the rounds of one number of users side by side."""
    rows: list[Row] = []
    for most in options.kinds:
        users = max(100, int(most * options.scale))
        children = [
            Child(f"kinds/{kind}", users, options) for kind in (*KINDS, *peers_here())
        ]
        for number in range(options.rounds + 1):
            for child in children:
                child.round()
            print(f"  {users} users, round {number}: all verdicts as made", file=sys.stderr)
        for child in children:
            child.end()
            rows += [{**row, "users": users} for row in child.rows]
    return rows


def keep(options: argparse.Namespace, rows: list[Row]) -> Path:
    """The raw rows, for `python -m bench report`."""
    run_host = host(seed=options.seed, quick=options.scale < 1)
    return save("kinds", run_host, rows, options.results)


def rate(rows: list[Row], **wanted: object) -> float:
    """Attempts a second of CPU time, the median of the rounds but the first."""
    kept = [
        row["attempts"] / row["cpu_s"] for row in rows
        if row["round"] and all(row.get(name) == value for name, value in wanted.items())
    ]  # fmt: skip
    return median(kept) if kept else 0.0


def compressions_a_second() -> dict[str, float]:
    """Of each hash, by the newest kept run of `python -m bench kernel`: two make an HMAC there."""
    runs = load("kernel")
    if not runs:
        return {}
    lanes = [
        row for row in runs[-1].rows
        if row.get("what") == "lanes" and row.get("kernel") == "best" and row["lanes"] == 192
    ]  # fmt: skip
    hashes = {row["hash"] for row in lanes}
    return {
        name: 2 * median(row["hmacs"] / row["cpu_s"] for row in lanes if row["hash"] == name)
        for name in hashes
    }


def table(rows: list[Row]) -> str:
    """The Markdown table of README.md."""
    lines = [
        "| users | kind | wrong/s | right/s | compressions | share of the hash | of a TOTP |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    hashes = compressions_a_second()
    for users, kind in dict.fromkeys((row["users"], row["kind"]) for row in rows):
        wrong = rate(rows, users=users, kind=kind, **{"pass": "wrong"})
        right = rate(rows, users=users, kind=kind, **{"pass": "right"})
        name, blocks = COMPRESSIONS.get(kind, ("", 0))
        share = f"{wrong * blocks / hashes[name]:.0%}" if hashes.get(name) else "-"
        plain = rate(rows, users=users, kind="totp", **{"pass": "wrong"})
        lines.append(
            f"| {users:,} | {kind} | {wrong:,.0f} | {right:,.0f} | {blocks or '-'} | {share} "
            f"| {wrong / plain:.{2 if wrong > plain / 10 else 3}f} |"
        )
    return "\n".join(lines)
