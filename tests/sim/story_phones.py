"""What a story's author has to say of phones: pushes, what is answered to them, and who claims."""

import random
from typing import TYPE_CHECKING, Any

__all__ = ["Approving"]

Step = tuple[Any, ...]


class Approving:
    """A part of Author."""

    if TYPE_CHECKING:
        rng: random.Random
        users: list[str]

        def who(self) -> str: ...
        def threads(self) -> int: ...
        def challenge(self) -> Step: ...
        def crash(self) -> Step: ...
        def keep(self) -> Step: ...
        def device_act(self) -> Step: ...

    def phone(self) -> dict[str, Any]:
        which, key = self.rng.choice([0, 0, 1]), self.rng.randrange(4)
        return {"kind": "ocra", "key": key, "label": "ib-key", "phone": which}

    def push(self) -> Step:
        return "push", *self.challenge()[1:3]

    def decide(self) -> Step:
        rng = self.rng
        decision = rng.choice(["approve"] * 4 + ["deny"])
        wrong, forged = rng.random() < 0.3, rng.random() < 0.15
        back = rng.choice([0, 0, 0, 0, 1])
        return "decide", self.who(), back, decision, wrong, rng.choice(["pin", "biometric"]), forged

    def claim(self) -> Step:
        back, count = self.rng.choice([0, 0, 0, 1]), self.rng.choice([1, 1, 1, 2, 4])
        return "claim", self.who(), back, self.challenge()[2], count, self.threads()

    def approving(self) -> list[Step]:
        """A push, its phone's answer and its claim, perhaps late, twice, or after a crash."""
        rng = self.rng
        asked = "push", rng.choice(self.users), rng.choice(["trading", "portal"])
        decided, claim = self.decide(), self.claim()
        steps: list[Step] = [asked] * rng.choice([1, 1, 2])
        steps.append(("decide", asked[1], *decided[2:]))
        if rng.random() < 0.3:
            steps.append(rng.choice([self.crash, self.keep, self.push, self.device_act])())
        steps.append(("wait", rng.choice([0, 0, 0, 59_999, 60_000, 600_000])))
        return steps + [("claim", asked[1], claim[2], asked[2], *claim[4:])] * rng.choice([1, 2])
