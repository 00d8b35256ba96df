"""A store over which a clock stands, to be lost and made again of a copy."""

from dataclasses import dataclass, field
from pathlib import Path

import watchword
from watchword import Engine

KEY = bytes(range(32))
SEED = b"twenty bytes of a key"
START_MS = 1_800_000_000_000


@dataclass
class Day:
    """A store over which a clock stands, and everything that was ever accepted by it."""

    place: Path
    now_ms: int = START_MS
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.open("store")

    def open(self, name: str, **more: object) -> Engine:
        self.engine = Engine.open(
            self.place / name, KEY, clock=lambda: self.now_ms, deliver=self.sent.append, **more
        )
        return self.engine

    sent: list[watchword.Delivery] = field(default_factory=list)

    def lose(self) -> None:
        self.engine.close()

    def restore(self, to: str = "again", **more: object) -> watchword.Restored:
        given = {"by": "desk 4", "acknowledge": lambda lost: True, "clock": lambda: self.now_ms}
        return watchword.restore(
            self.place / "backup", self.place / to, KEY, **{**given, **more}
        )
