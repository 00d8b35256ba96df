"""Passwords in a story, drawn by dice of its own and put between its other steps: given, used,
changed and taken away, beside crashes, closings and whatever else may come while one is hashed.
"""

import random
from collections.abc import Sequence
from typing import Any

from tests.sim.doors import VOUCHES
from tests.sim.knowing import PASSWORDS
from tests.sim.tears import POLICIES

__all__ = ["Episode"]

Step = tuple[Any, ...]


class Episode:
    """A user gets a password, it is used and changed, and more often than not it goes again."""

    def __init__(self, rng: random.Random, users: Sequence[str]) -> None:
        self.rng, self.who = rng, rng.choice(users)
        self.platform = rng.choice(["trading", "portal"])

    def steps(self) -> list[Step]:
        rng, who = self.rng, self.who
        steps: list[Step] = []
        if rng.random() < 0.8:      # nothing else is in the way; nobody lends such a device
            counts = {"kind": "hotp", "key": 0, "algorithm": "sha256", "look_ahead": 3}
            steps += [("room", True), ("keep", ()), ("accept_clock",)]
            steps += [("user", "add_user", who, "open", "live"), ("user", "unlock", who)]
            steps += [("remove_device", who, 0), ("add_device", who, counts)]
        steps += self.given(rng.randrange(2))
        for _ in range(rng.choice([1, 2, 3])):
            sort = [self.logins, self.late, self.change, self.by_id, self.renewal, self.pushed]
            steps += rng.choice([*sort, self.late, self.change, self.renewal])()
        steps += [("settle",), ("login", who, self.typed(), "own", self.options())]
        return steps + [("password", who, None)] * (rng.random() < 0.7)

    def typed(self, n: int = 0) -> Any:
        return self.rng.choice([("shown", n)] * 9 + [(0, "fresh"), "wrong", "again", ""])

    def word(self) -> Any:
        return self.rng.choice(["own"] * 6 + [0, 1, 2, None, "vouched"])

    def options(self) -> dict[str, Any]:
        return {"platform": self.platform}

    def tear(self) -> tuple[str, int]:
        return self.rng.choice((*POLICIES, "dropped", "killed")), self.rng.randrange(2**16)

    def crash(self) -> Step:
        return "crash", *self.tear(), ()

    def crash_in(self) -> Step:
        moment = self.rng.choice([1, 2, 3, 4, 6]), self.rng.random() < 0.5
        return "crash_in", *moment, *self.tear(), ()

    def given(self, word: int, amid: Sequence[Step] = ()) -> list[Step]:
        """By a program, or by the administration socket."""
        if amid or self.rng.random() < 0.6:
            return [("password", self.who, word, amid)]
        told = "tell", "set_password", self.who, (PASSWORDS[word],)
        return [told, ("settle",)] if self.rng.random() < 0.7 else [told, ("pass",), ("work",)]

    def taken(self) -> list[Step]:
        if self.rng.random() < 0.5:
            return [("password", self.who, None)]
        return [("tell", "clear_password", self.who, ()), ("settle",)]

    def other(self) -> list[Step]:
        """What a password meets that is hashed for long."""
        rng, who = self.rng, self.who
        dice = rng.random()
        if dice < 0.35:
            return self.given(rng.randrange(3))[:1]
        if dice < 0.5:
            return [self.repass(None)]
        if dice < 0.6:
            return rng.choice([[("password", who, None)], [
                ("user", "remove_user", who), ("user", "add_user", who, "open", "live"),
                ("password", who, rng.randrange(2)),
            ]])  # fmt: skip
        if dice < 0.7:
            return [("verify", who, "wrong", {})] * rng.choice([2, 5])
        if dice < 0.75:
            return [("login", who, self.typed(), self.word(), self.options())]
        steps: list[Step] = [
            ("close",), ("keep", ()), self.crash(), self.crash_in(), ("wait", 30_000),
            ("jump", rng.choice([-30_000, 3_600_000])), ("user", "unlock", who),
        ]  # fmt: skip
        return [rng.choice(steps)]

    def repass(self, number: int | None, amid: Sequence[Step] = ()) -> Step:
        old, new = self.rng.choice(["own"] * 5 + [0, 1]), self.rng.randrange(3)
        words = self.who, self.typed(), old, new, self.platform, number
        return "repass", *words, tuple(amid), self.rng.choice([0, 1])

    def enter(self, by_id: bool = False, n: int = 0) -> Step:
        number = self.rng.choice([0, 1, VOUCHES, VOUCHES] + [None] * (not by_id))
        return "enter", number, self.who, self.typed(n), self.word(), self.platform, by_id

    # ---- sorts of episodes

    def logins(self) -> list[Step]:
        rng, steps = self.rng, []
        for _ in range(rng.choice([1, 2, 4])):
            amid = tuple(self.other()) if rng.random() < 0.5 else ()
            steps.append((
                "login", self.who, self.typed(), self.word(), self.options(), amid,
                rng.random() < 0.1,
            ))  # fmt: skip
        if rng.random() < 0.2:
            words = [(self.who, self.typed(n), rng.choice(["own", 0, 1, None])) for n in range(3)]
            steps.append(("login_many", tuple(words), self.platform))
        return steps

    def late(self) -> list[Step]:
        """Some on their way at once, hashed in any order, and something else between."""
        rng = self.rng
        steps: list[Step] = [self.enter(n=n) for n in range(rng.choice([1, 2, 3, 5]))]
        steps += [("pass",)] + [("hash", rng.randrange(4))] * rng.choice([0, 0, 1])
        steps += self.other() if rng.random() < 0.8 else []
        for _ in range(rng.choice([1, 2, 4])):
            steps += [("hash", rng.randrange(4)), *[("pass",)] * rng.choice([0, 1, 2])]
            steps += self.other() * (rng.random() < 0.2)
        return [*steps, *rng.choice([[("settle",)], [("land",), ("pass",)], []])]

    def change(self) -> list[Step]:
        """A change, by whom it may be, a crash about its time; then who knows which."""
        rng, number = self.rng, self.rng.choice([None, None, 0, 1])
        steps = [self.crash_in()] if rng.random() < 0.4 else []
        amid = self.other() if number is None and rng.random() < 0.4 else ()
        steps.append(self.repass(number, amid))
        if number is not None:
            steps += rng.choice([[("settle",)]] * 3 + [[("pass",), ("lose", number, False)]])
        steps += rng.choice([[], [], [("keep", ())], [self.crash()], [("kill",)]])
        steps += [("repass_again", rng.choice([None, number]))] * rng.choice([0, 1])
        steps += [("settle",)] * (number is not None)
        for word in rng.sample([0, 1, 2, "own", None], rng.choice([1, 2, 3])):
            steps.append(("login", self.who, ("shown", 0), word, self.options()))
        return steps

    def by_id(self) -> list[Step]:
        """A login that is asked again by whoever did not hear; charged once, or let in once."""
        rng, first = self.rng, self.enter(by_id=True)
        steps: list[Step] = [first, ("pass",), ("hash", 0), ("pass",)]
        steps += [("settle",)] * (rng.random() < 0.7)
        steps += [("lose", first[1], False)] * (rng.random() < 0.5)
        steps += rng.choice([[], [], self.other(), [self.crash()], [("keep", ()), self.crash()]])
        steps += [("enter_again", rng.random() < 0.2)] * rng.choice([1, 2])
        return steps + [self.crash(), ("enter_again", False)] * rng.choice([0, 1])

    def renewal(self) -> list[Step]:
        """Another cost for passwords from now on: the next login has its own kept so, unless it is
        another by then."""
        rng = self.rng
        dearer: Step = ("policy", {"password_passes": 2})
        right: Step = ("login", self.who, ("shown", 0), "own", self.options())
        steps = [("user", "unlock", self.who), ("password", self.who, 0), dearer, right]
        steps += rng.choice([[], [], self.other(), [("password", self.who, 1)]])
        steps += [("hash", 0)] * rng.choice([0, 2, 2, 2])
        steps += rng.choice([[], [], [("close",)], [("keep", ())], [self.crash()]])
        for word in rng.sample([0, 1, "own"], 2):
            steps.append(("login", self.who, ("shown", 0), word, self.options()))
        return [*steps, ("policy", {"password_passes": 1})]

    def pushed(self) -> list[Step]:
        """What a phone approved stands where a code would."""
        rng, who = self.rng, self.who
        steps: list[Step] = [("phone", who, rng.randrange(2)), ("push", who, self.platform)]
        steps.append(("decide", who, 0, "approve", False, "pin", False))
        claimed = rng.choice(["login", "enter", "repass"])
        old = rng.choice(["own", "own", 0, None])
        if claimed == "login":
            steps.append(("login", who, "push", old, self.options(), tuple(self.other())))
        elif claimed == "enter":
            words = who, "push", rng.choice([old, "vouched"]), self.platform, False
            steps += [("enter", rng.choice([0, VOUCHES]), *words), ("pass",), ("settle",)]
        else:
            steps.append(("repass", who, "push", old, rng.randrange(3), self.platform, None))
        return [*steps, ("login", who, "push", old, self.options())]
