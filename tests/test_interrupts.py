"""An interrupt wherever the interpreter may raise one: nobody hangs, nothing counts twice.

CPython looks for signals where a function is entered, after a call and where a loop goes round. A
trace function raises KeyboardInterrupt at the n-th of these moments, for n = 1, 2, 3, ... until an
operation passes untouched. A lock that is taken and not known to be taken hangs whoever comes next.
"""

import contextlib
import dis
import gc
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pyotp
import pytest
from conftest import Seeded

import watchword
from watchword import Code, Device, Engine

KEY = b"12345678901234567890"
CODE = pyotp.HOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").at(0)
SOON = 10.0
USERS = np.array([f"user{n}" for n in range(1_024)], "S")
CODES = np.full(len(USERS), b"000000", "S6")


class Interrupt:
    """Raises at the n-th moment, and says where that was."""

    def __init__(self, n: int) -> None:
        self._left = n
        self._looked = False  # the opcode before this one was one that looks for signals
        self.where = ""

    def __call__(self, frame: FrameType, event: str, _: object) -> "Interrupt":
        frame.f_trace_opcodes = True
        if event == "opcode":
            self._left -= self._looked
            due = self._looked and self._left == 0
            name = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            self._looked = name.startswith(("CALL", "RESUME", "JUMP_BACKWARD"))
            if due:
                self.where = f"{frame.f_code.co_name}, line {frame.f_lineno}"
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


def soon(do: Callable[[], object]) -> bool:
    """Whether it ended, with a result or an error, on a thread of its own."""

    def run() -> None:
        with contextlib.suppress(watchword.Error):
            do()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SOON)
    return not thread.is_alive()


def split(engine: Engine) -> None:
    engine.verify_many(USERS, CODES, threads=8)


def let_in(engine: Engine) -> bool:
    return engine.verify("alice", CODE).code is Code.ACCEPTED


def ask(engine: Engine, seen: list[bool]) -> None:
    seen.append(let_in(engine))


def asked_for(engine: Engine) -> None:
    """Shown, it stands: what an interrupt kept from being shown may stand as well."""
    shown = engine.challenge("alice", purpose="wire")
    assert engine.challenge("alice", purpose="wire") == shown


OPERATIONS: dict[str, tuple[Callable[[Engine], Any], int]] = {
    "verify": (let_in, 1),
    "verify_many": (split, 3),
    "challenge": (asked_for, 1),
    "add_user": (lambda engine: engine.add_user("carol"), 3),
    "rotate_key": (lambda engine: engine.rotate_key(), 61),
    "close": (lambda engine: engine.close(), 31),
}


# Where it falls into a weak reference's callback it is told to nobody: then it did not happen.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_interrupt_anywhere_hangs_nobody(operation: str, tmp_path: Path, rng: Seeded) -> None:
    run, every = OPERATIONS[operation]
    n = 1 + rng.randrange(every)
    before = sys.gettrace()
    while True:
        store, key = tmp_path / f"{n}", tmp_path / f"{n}.key"
        engine = Engine.open(store, key, clock=lambda: 0)
        engine.add_user("alice")
        engine.add_device("alice", Device.hotp(key=KEY))
        engine.add_device("alice", Device.gold(key=KEY))
        interrupt, accepted = Interrupt(n), 0
        sys.settrace(interrupt)
        try:
            accepted += bool(run(engine))
        except (KeyboardInterrupt, watchword.Error):
            pass
        finally:
            sys.settrace(before)
        seen: list[bool] = []
        assert soon(partial(ask, engine, seen)), interrupt.where
        assert soon(engine.close), interrupt.where
        with Engine.open(store, key, clock=lambda: 0) as engine:
            assert accepted + sum(seen) + let_in(engine) <= 1, interrupt.where
        if not interrupt.where:
            return
        n += every
        if n % 50 < every:
            gc.collect()  # a table's addresses are given back with its engine
