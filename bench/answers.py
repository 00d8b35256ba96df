"""Answers to challenges without the engine: `python -m bench engine`, its row of lanes alone.

A table of OCRA devices in memory, laid out as the engine's, read at random by the loop of
peers/kernel.c: messages, HMACs, codes, and which of them were typed, by the functions and in the
groups that a turn uses. Nobody is found by name, nothing is decided and nothing recorded; every
answer is compared.
"""

import ctypes
import random
import sys
from functools import partial

import numpy as np

from bench.children import tell, timed
from bench.native import load_with_core
from bench.peers import ocra as least
from watchword import _engine

KIND = "ocra-sha1, lanes alone"
PASSES = ("wrong", "right", "again")
ATTEMPTS_LEAST = 2**19  # of a pass, everybody in turn: one pass over few is over in a millisecond


class Devices:
    """Of one suite, each with a key, and with the question that was asked last."""

    def __init__(self, suite: str, users: int, rng: random.Random) -> None:
        self.core = load_with_core("kernel")
        self.core.ocra_make.restype = ctypes.c_void_p
        self.core.ocra_suite_bytes.restype = ctypes.c_size_t
        self.suite, self.keys = suite, [rng.randbytes(20) for _ in range(users)]
        self.read = ctypes.create_string_buffer(self.core.ocra_suite_bytes())
        text = suite.encode()
        if self.core.ww_suite_read(text, ctypes.c_size_t(len(text)), self.read):
            raise SystemExit(f"{suite} is no suite")
        made = self.core.ocra_make(self.read, b"".join(self.keys), ctypes.c_size_t(users))
        if not made:
            raise SystemExit(f"no memory for {users} devices, or {suite} has no words of its own")
        self.at = ctypes.c_void_p(made)

    def ask(self, questions: list[str]) -> None:
        text = "".join(questions).encode()
        self.core.ocra_ask(self.read, self.at, text, ctypes.c_size_t(len(questions)))

    def match(self, row: str, devices: np.ndarray, typed: np.ndarray) -> np.ndarray:
        """1 where the device's answer was typed."""
        hits = np.zeros(len(devices), np.uint8)
        columns = [column.ctypes.data_as(ctypes.c_void_p) for column in (devices, typed)]
        if self.core.ocra_match(
            row.encode(), self.read, self.at, *columns, ctypes.c_size_t(len(devices)),
            hits.ctypes.data_as(ctypes.c_void_p),
        ):  # fmt: skip
            raise SystemExit(f"there is no kernel row {row}")
        return hits


def measure(suite: str, users: int, rounds: int, seed: int) -> None:
    """The child's part, as bench.engine's: a round for each line it is told."""
    rng = random.Random(seed)
    standing = Devices(suite, users, rng)
    for number in range(rounds + 1):
        sys.stdin.readline()
        questions = [f"{rng.randrange(10**8):08d}" for _ in range(users)]
        standing.ask(questions)
        order = np.array(rng.sample(range(users), users), np.uint32)
        order = np.tile(order, -(-ATTEMPTS_LEAST // users))
        answers = [least.response(suite, key, question)
                   for key, question in zip(standing.keys, questions, strict=True)]
        right = np.array([int(answers[at]) for at in order], np.uint32)
        for name in PASSES:
            typed = right if name != "wrong" else (right + 1) % 10**6
            match = partial(standing.match, _engine.kernel_in_use(), order, typed)
            hits, took = timed(match)
            if not (hits == (name != "wrong")).all():
                raise SystemExit(f"{KIND}: {name} answers were not all decided as made")
            tell({"kind": KIND, "pass": name, "round": number, "attempts": len(order), **took})
