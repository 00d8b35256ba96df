"""Copies of the store at work, and proof of what it keeps, on the administration socket.

    BACKUP TO path [BY who]          begins one copy; path is the daemon's, and absolute
    BACKUP STATUS                    a map: state (none, running, done, failed), done, total, turn,
                                     bytes, path, error
    BACKUP FLOORS [ENDED ms] [BY who]    every floor raised; how many devices
    AUDIT SIGNED                     the journal's head as the text of its file
    AUDIT KNOWN head                 an error if the store is older than that head
    AUDIT VERIFYROWS after           the next rows verified: a map, see Proof
    AUDIT VERIFYPAGES after          the next pages
    AUDIT KEPT                       a map: how much of the journal is kept, and may be

The rule: an act of a second at most holds the thread of acts; a copy has a thread of its own, and
the daemon's end ends it.
"""

import os
import threading
from dataclasses import asdict
from weakref import WeakKeyDictionary

from watchword.engine import Engine
from watchword.errors import Error, InvalidArgument
from watchword.serve.admin import Verb, by, no_more, options, whole
from watchword.serve.resp import Reply, Simple
from watchword.store import Backup, Head

__all__ = ["BACKUP", "PROOF"]


class Copying:
    """One copy under way, or the last that was."""

    def __init__(self, engine: Engine, path: str, who: str) -> None:
        self.path = path
        self.done = self.total = 0
        self.made: Backup | None = None
        self.error = ""
        self._engine, self._who = engine, who
        self.thread = threading.Thread(target=self._run, name="watchword-backup", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.made = self._engine.backup(self.path, by=self._who, progress=self._note)
        except Error as error:
            self.error = str(error.args[0])
        except OSError as error:
            self.error = f"{self.path}: {error.strerror}"

    def _note(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def told(self) -> Reply:
        state = "running" if self.thread.is_alive() else "done" if self.made else "failed"
        return {
            "state": state, "done": self.done, "total": self.total,
            "turn": self.made.turn if self.made else 0,
            "bytes": self.made.bytes if self.made else 0, "path": self.path, "error": self.error,
        }  # fmt: skip


copies: "WeakKeyDictionary[Engine, Copying]" = WeakKeyDictionary()


def backup_to(engine: Engine, words: list[str]) -> Reply:
    who = by(options(words[1:], ("BY",)))
    if not os.path.isabs(words[0]):
        raise InvalidArgument("path is absolute: it is the daemon that writes there")
    before = copies.get(engine)
    if before is not None and before.thread.is_alive():
        raise Error(f"a backup to {before.path} is under way")
    copies[engine] = Copying(engine, words[0], who)
    return Simple("OK")


def backup_status(engine: Engine, words: list[str]) -> Reply:
    no_more(words)
    last = copies.get(engine)
    return {"state": "none"} if last is None else last.told()


def raise_floors(engine: Engine, words: list[str]) -> Reply:
    given = options(words, ("ENDED", "BY"))
    ended = whole("ENDED", given["ENDED"]) if "ENDED" in given else None
    return engine.raise_floors(by=by(given), ended_ms=ended)


def kept(engine: Engine, words: list[str]) -> Reply:
    no_more(words)
    return asdict(engine.journal_kept)


def head_signed(engine: Engine, words: list[str]) -> Reply:
    no_more(words)
    return engine.journal_head().text()


def known(engine: Engine, words: list[str]) -> Reply:
    no_more(words[1:])
    engine.expect_known(Head.read(words[0]))
    return Simple("OK")


def verify_rows(engine: Engine, words: list[str]) -> Reply:
    no_more(words[1:])
    return asdict(engine.prove_rows(whole("after", words[0])))


def verify_pages(engine: Engine, words: list[str]) -> Reply:
    no_more(words[1:])
    return asdict(engine.prove_pages(whole("after", words[0])))


BACKUP: dict[str, Verb] = {
    "TO": (1, backup_to),
    "STATUS": (0, backup_status),
    "FLOORS": (0, raise_floors),
}
PROOF: dict[str, Verb] = {
    "KEPT": (0, kept),
    "SIGNED": (0, head_signed),
    "KNOWN": (1, known),
    "VERIFYROWS": (1, verify_rows),
    "VERIFYPAGES": (1, verify_pages),
}
