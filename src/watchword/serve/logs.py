"""The daemon's log: one line an event, to standard error, as text or as JSON.

The rule: no secret, no code and no response is ever in a line, and a user's name only where the
setting log_users says so; else its keyed hash, the same for the same name in one store. Lines that
strangers can cause are counted beyond so many a second, not written.
"""

import hashlib
import hmac
import json
import logging
import sys
import time
from typing import Any, Final

from watchword.audit import duration, iso
from watchword.engine import Engine
from watchword.events import GAP, Event
from watchword.serve import limits

__all__ = ["CHANNELS_OF", "FORMS", "LEVELS", "Told", "configure", "say"]

FORMS: Final = ("text", "json")
LEVELS: Final = {name: getattr(logging, name.upper()) for name in ("info", "warning", "error")}
CHANNELS_OF: Final = {  # what of the engine's events a level has lines for
    "info": ("lockouts", "acts", "policy"), "warning": ("lockouts",), "error": (),
}  # fmt: skip
LOG: Final = logging.getLogger("watchword.serve")
OWN: Final = "watchword_fields"     # where a line's fields are in logging's record
HASH_CHARS: Final = 16


class Line(logging.Formatter):
    """One line, whatever the event's words hold."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().replace("\r", " ").replace("\n", " ")
        if not self._json:
            return f"watchword: {text}"
        line = {"time": iso(int(record.created * 1000)), "level": record.levelname.lower()}
        return json.dumps({**line, **getattr(record, OWN, {}), "text": text}, ensure_ascii=False)


def configure(form: str = "text", level: str = "info") -> None:
    """From here on. Before it, and without it, lines are text."""
    writer = logging.StreamHandler(sys.stderr)
    writer.setFormatter(Line(form))
    LOG.handlers[:] = [writer]
    LOG.setLevel(LEVELS[level])
    LOG.propagate = False


def say(text: str, *, event: str = "note", level: str = "info", **fields: Any) -> None:
    """One event. text: for people; event and fields: for programs."""
    if not LOG.handlers:
        configure()
    LOG.log(LEVELS[level], "%s", text, extra={OWN: {"event": event, **fields}})


class Told:
    """What the engine tells, as lines: lockouts, acts and policies. On the events' own thread."""

    def __init__(self, engine: Engine, users: bool) -> None:
        self._key = engine._mark_key
        self._users = users
        self._second, self._lines, self._more = 0.0, 0, 0

    def __call__(self, event: Event) -> None:
        if event.channel == GAP:
            say(f"warning: {event.lost} events came too fast to be told: `watchword audit` has "
                "them", event="gap", level="warning", lost=event.lost)  # fmt: skip
        elif event.channel == "lockouts":
            self._lockout(event)
        elif event.channel in ("acts", "policy"):
            self._act(event)

    def _lockout(self, event: Event) -> None:
        now = time.monotonic()
        if now - self._second >= 1:
            if self._more:
                say(f"warning: {self._more} more users were locked out", event="lockouts",
                    level="warning", count=self._more)  # fmt: skip
            self._second, self._lines, self._more = now, 0, 0
        self._lines += 1
        if self._lines > limits.LOCKOUT_LINES_PER_SECOND:
            self._more += 1
            return
        entry = event.entry
        user = self.named(entry.user)
        say(
            f"warning: user {user} is locked out for {duration(entry.locked_ms)}",
            event="lockout", level="warning", turn=entry.turn, user=user,
            locked_ms=entry.locked_ms, gateway=entry.gateway, address=entry.address,
        )  # fmt: skip

    def _act(self, event: Event) -> None:
        entry = event.entry
        user, whose = "", ""
        if entry.user:
            user = self.named(entry.user)
            whose = f" {user}"
        device = f" {entry.device}" if entry.device else ""
        by = f" by {entry.by}" if entry.by else ""
        fields: dict[str, Any] = {
            "act": entry.event, "turn": entry.turn, "user": user, "device": entry.device,
            "by": entry.by,
        }  # fmt: skip
        if event.channel == "policy" or self._users:  # others' words may hold a user's name
            fields["said"] = entry.text
        named = "policy" if event.channel == "policy" else "act"
        say(f"{entry.event}{whose}{device}{by}", event=named,
            level="info", **{name: field for name, field in fields.items() if field})  # fmt: skip

    def named(self, user: str) -> str:
        """A user's name as a line may have it."""
        if self._users or user.startswith("?"):
            return user
        mark = hmac.digest(self._key, b"log" + user.encode("utf-8", "replace"), hashlib.sha256)
        return f"~{mark.hex()[:HASH_CHARS]}"
