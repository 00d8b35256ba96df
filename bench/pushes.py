"""Pushes, the rows of `python -m bench engine` for phones: logins put before a phone in bulk.

`push`: claims, verify_many of one id a user; of pushes that were denied, then of approved ones,
then the same ids again, which are claimed once. `push-poll`: the same of pushes that nobody has
answered yet. `push-approval`: phones' answers as they come in, a call of decide_push each with its
Ed25519 signature: denials, approvals, and the approvals again. Asking and signing are not timed.
"""

import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.children import tell, timed
from watchword import Code, Device, Engine
from watchword.devices.phone import answer_message

KINDS = ("push", "push-poll", "push-approval")
USERS_MAX = 5_000  # a phone signs about as slowly as the engine reads what it signed
PASSES = ("wrong", "right", "again")
START_MS = 1_700_000_000_000
ROUND_MS = 25 * 3600 * 1000
PIN = "4711"

Act = tuple[Callable[[], Any], list[Any]]  # what is timed, and what it must say


class Phones:
    """An engine in memory whose users have a phone each."""

    def __init__(self, users: int, rng: random.Random) -> None:
        self.now_ms = START_MS
        self.engine = Engine.open(clock=lambda: self.now_ms)
        self.phones: dict[str, Ed25519PrivateKey] = {}
        for number in range(users):
            name = f"user{number:07d}"
            own = self.phones[name] = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
            self.engine.add_user(name)
            phone = own.public_key().public_bytes_raw()
            self.engine.add_device(name, Device.ib_key(rng.randbytes(32), PIN, phone=phone))

    def asked(self, order: list[str]) -> list[Any]:
        return [self.engine.push(name) for name in order]

    def answers(self, order: list[str], pushes: list[Any], decision: str) -> list[dict[str, Any]]:
        """What the phones send."""
        sent = []
        for name, push in zip(order, pushes, strict=True):
            number = push.number if decision == "approve" else None
            message = answer_message(push.id, number, name, "trading", None, "", decision, "pin")
            sent.append({"id": push.id, "number": number, "decision": decision, "unlocked": "pin",
                         "signature": self.phones[name].sign(message)})  # fmt: skip
        return sent

    def decided(self, answers: list[dict[str, Any]]) -> list[str]:
        return [self.engine.decide_push(**answer) for answer in answers]

    def claimed(self, order: list[str], pushes: list[Any]) -> list[int]:
        ids = [push.id for push in pushes]
        return self.engine.verify_many(order, [""] * len(order), challenges=ids).tolist()

    def claims(self, order: list[str]) -> Iterator[Act]:
        """The three passes of `push`; a user's next push is asked when the one before is over."""
        count, pushes = len(order), self.asked(order)
        self.decided(self.answers(order, pushes, "deny"))
        yield partial(self.claimed, order, pushes), [Code.REJECTED] * count
        pushes = self.asked(order)
        self.decided(self.answers(order, pushes, "approve"))
        yield partial(self.claimed, order, pushes), [Code.ACCEPTED] * count
        yield partial(self.claimed, order, pushes), [Code.REJECTED] * count

    def polls(self, order: list[str]) -> Iterator[Act]:
        pushes = self.asked(order)
        for _ in PASSES:
            yield partial(self.claimed, order, pushes), [Code.CHALLENGE] * len(order)

    def approvals(self, order: list[str]) -> Iterator[Act]:
        denials = self.answers(order, self.asked(order), "deny")
        yield partial(self.decided, denials), ["denied"] * len(order)
        approvals = self.answers(order, self.asked(order), "approve")
        for _ in PASSES[1:]:
            yield partial(self.decided, approvals), ["approved"] * len(order)


def measure(kind: str, users: int, rounds: int, seed: int) -> None:
    """The child's part, as bench.engine's: a round for each line it is told."""
    rng = random.Random(seed)
    standing = Phones(min(users, USERS_MAX), rng)
    order = list(standing.phones)
    acts = {"push": standing.claims, "push-poll": standing.polls,
            "push-approval": standing.approvals}[kind]
    for number in range(rounds + 1):
        sys.stdin.readline()
        standing.now_ms += ROUND_MS
        rng.shuffle(order)
        for name, (act, due) in zip(PASSES, acts(order), strict=True):
            said, took = timed(act)
            if said != due:
                raise SystemExit(f"{kind}: {name} was not all decided as made")
            tell({"kind": kind, "pass": name, "round": number, "attempts": len(order), **took})
