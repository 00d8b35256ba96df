"""Races on purpose, which the contests must see, and the daemon that serves one of them.

`python -m tests.races.plants CONFIG` serves with Forgetful in place of the engine.
"""

import contextlib
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tests.races.contests import (
    CLIENTS,
    SETTINGS,
    Codes,
    Connections,
    Contest,
    contended,
    enrol_over,
)
from tests.served import Served
from watchword import Engine, Verdict
from watchword.serve import daemon
from watchword.serve.config import Config

__all__ = ["Forgetful", "ForgetfulConnections", "LostUpdate", "TwoOwners"]


class LostUpdate(Engine):
    """A refused attempt writes back the state it read before it had the lock."""

    def verify(self, *words: Any, **figures: Any) -> Verdict:
        before = self._core.page_state(0)
        time.sleep(0)
        verdict = super().verify(*words, **figures)
        if not verdict:
            with self._lock:
                self._core.load_state(0, before)
        return verdict


class Forgetful(Engine):
    """Two turns of one moment begin from one state: the first one's effects are gone."""

    def _take(self, *given: Any) -> int:
        before = self._core.page_state(0)
        turn = super()._take(*given)
        self._core.load_state(0, before)
        return turn


class ForgetfulConnections(Connections):
    """Connections to a daemon that is forgetful."""

    name = "connections to a forgetful daemon"
    driver = ("-m", "tests.races.plants")


class TwoOwners(Contest):
    """Processes whose two daemons have a copy of the store each."""

    name = "two owners"

    def play(self) -> list[int]:
        codes = Codes(self.rng, self.rounds, timed=False)
        places = [self.folder / "one", self.folder / "two"]
        with contextlib.ExitStack() as stack:
            for place in places:
                place.mkdir()
            first = Served(places[0], SETTINGS).start()
            enrol_over(first, codes)
            assert first.stop() == 0
            shutil.copytree(first.store, places[1] / "store")
            shutil.copy(f"{first.store}.key", places[1] / "store.key")
            ports = []
            for place in places:
                owner = Served(place, SETTINGS).start()
                stack.callback(owner.stop)
                ports.append(owner.port)
            return contended(codes, ports * (CLIENTS // 2), self.rounds)


def main() -> int:
    vars(daemon)["Engine"] = Forgetful
    return daemon.run(Config.load(Path(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(main())
