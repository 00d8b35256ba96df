"""A failing story made short: steps are taken out while it still fails; what is left is told."""

import time
from collections.abc import Sequence

from tests.sim.checker import BrokenError
from tests.sim.story import Step, Story, simpler
from tests.sim.world import World

__all__ = ["outcome_of", "shrunk", "told"]

SECONDS_MAX = 60.0  # a failure is to be read soon, not to be as short as can be


def outcome_of(seed: int, story: Story) -> tuple[str, World]:
    """Plays a story; what was broken, or nothing, and the world as it ended."""
    figures, steps = story
    world = World(seed, figures)
    try:
        world.play(steps)
    except BrokenError as broken:
        return str(broken) or "broken", world
    except Exception as error:  # whatever the engine lets out is as bad
        return f"{type(error).__name__}: {error}", world
    return "", world


class Shrinker:
    """The shortest steps so far that still fail, and how they do."""

    def __init__(self, seed: int, story: Story, seconds_max: float) -> None:
        self.seed = seed
        self.figures, self.steps = story
        self.until_s = time.monotonic() + seconds_max
        self.said = outcome_of(seed, story)[0]

    def tries(self, fewer: list[Step]) -> bool:
        """Whether it still fails so; then that is the story."""
        if time.monotonic() > self.until_s:
            return False
        said = outcome_of(self.seed, (self.figures, fewer))[0]
        if said:
            self.steps, self.said = fewer, said
        return bool(said)

    def cut(self) -> None:
        """Takes out halves, then ever smaller pieces, the last first; single steps until none
        goes any more."""
        size, further = max(1, len(self.steps) // 2), True
        while size > 1 or further:
            further = False
            for at in range(len(self.steps) - size, -size, -size):
                start = max(0, at)
                further |= self.tries(self.steps[:start] + self.steps[at + size :])
            size = max(1, size // 2)

    def simplify(self) -> None:
        """Takes words out of the steps that are left."""
        at = 0
        while at < len(self.steps):
            rest = (self.steps[:at], self.steps[at + 1 :])
            ways = simpler(self.steps[at])
            if not any(self.tries([*rest[0], fewer, *rest[1]]) for fewer in ways):
                at += 1


def shrunk(
    seed: int, story: Story, seconds_max: float = SECONDS_MAX
) -> tuple[list[Step], str]:
    """The shortest steps found that still fail, and how they do."""
    shrinker = Shrinker(seed, story, seconds_max)
    if shrinker.said:
        shrinker.cut()
        shrinker.simplify()
        shrinker.cut()  # a simpler crash may need less before it
    return shrinker.steps, shrinker.said


def told(seed: int, story: Story, said: str, steps: Sequence[Step] = ()) -> str:
    """A failure as a text to read."""
    shown = steps or story[1]
    lines = [f"seed {seed}: {said}", f"under {story[0]}", f"{len(shown)} steps:"]
    return "\n".join(lines + [f"  {step}" for step in shown])
