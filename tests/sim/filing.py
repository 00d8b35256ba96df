"""Files in a story: another policy, and rows of users and devices."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from watchword.reference import Figures

__all__ = ["Filing"]

Step = tuple[Any, ...]


class Filing:
    """Steps that an author draws."""

    if TYPE_CHECKING:
        rng: random.Random
        users: list[str]
        device: Callable[..., dict[str, Any]]
        figures_of: Callable[[random.Random], Figures]

    def policy(self) -> Step:
        """Some figures of another policy."""
        other = vars(self.figures_of(self.rng))
        names = self.rng.sample(sorted(other), self.rng.choice([1, 2, len(other)]))
        return "policy", {name: other[name] for name in names}

    def file(self) -> Step:
        """Rows of a file: users of the story and others, with devices or without."""
        rng = self.rng
        rows: list[Any] = []
        for _ in range(rng.choice([1, 2, 3, 6])):
            who = rng.choice([*self.users, "newcomer", "other"])
            kind = rng.choice(["totp", "hotp", "ocra", "card"])
            words = self.device(kind) if rng.random() < 0.8 else None
            if words is not None and "phone" in words:  # which is enrolled, not brought
                words = self.device("hotp")
            state = rng.choice(["", "", "", "open", "closed"])
            rows.append((who, state, words, rng.choice(["own", "own", "own", "none", "first"])))
        return "import", tuple(rows), rng.random() < 0.5
