"""Daemons for tables: one for each policy that a table asks for, on a clock that a file tells."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from challenge_doors import DRIVER
from served import Served

__all__ = ["Daemons"]

APART_S = 3_600_000  # whole epochs, hours and minutes: a table's times mean there what they mean


class Daemons:
    """settings: TOML before the table [policy]."""

    def __init__(self, folder: Path, settings: str = "reasons = true\n") -> None:
        self._folder, self._settings = folder, settings
        self.running: dict[str, Served] = {}

    def of(self, figures: dict[str, Any]) -> Served:
        policy = "".join(f"{name} = {json.dumps(figure)}\n" for name, figure in figures.items())
        if policy not in self.running:
            folder = self._folder / f"d{len(self.running)}"
            folder.mkdir()
            (folder / "watchword.toml.now").write_text("0")
            settings = f"{self._settings}[policy]\n{policy}"
            self.running[policy] = Served(folder, settings, driver=["-c", DRIVER]).start()
        return self.running[policy]

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Whatever runs has ended well afterwards; whatever went wrong before is ended."""
        try:
            yield
            for served in self.running.values():
                assert served.stop() == 0
                assert served.healthy(), served.said()
        finally:
            for served in self.running.values():
                served.stop(signal.SIGKILL)
