"""Bugs put into the access list on purpose, each for as long as a `with` block lasts."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from tests.crash.plants import broken
from watchword import Engine
from watchword.serve import knowing, limits, roll
from watchword.serve.commands import Commands
from watchword.serve.roll import Gated, Roll

__all__ = ["PLANTS", "planted"]

Change = tuple[object, str, object]


def another(**figures: Any) -> Change:
    """Rights that the list does not say."""
    made = roll.rights_of
    return (roll, "rights_of", lambda access, n: made(replace(access, **figures), n))


def keeps_rights() -> Change:
    """Another list ends connections and changes nobody's rights."""

    def readmit(self: Roll, clients: Any, before: Any) -> int:
        gone = [c for c in clients.of_gateways() if c.who and c.who.name not in self._listed]
        for connection in gone:
            connection.leave()
        return len(gone)

    return (Roll, "readmit", readmit)


def whoever(self: Roll, name: bytes, token: bytes, *_: str) -> Any:
    """A token is right for any name."""
    return next((r for a, r in self._listed.values()
                 if roll.digest(token).hex() == a.token_sha256), None)  # fmt: skip


def begins_like(self: Roll, name: bytes, token: bytes, *_: str) -> Any:
    """What begins as a token does is one."""
    kept = {n: r for n, (_, r) in self._listed.items()}
    if name.decode() in kept and token.startswith(b"wwt_" + name):
        return kept[name.decode()]
    return None


def forgets(self: Gated, client: Any, name: bytes, token: bytes) -> Any:
    """A wrong token leaves a connection without its gateway."""
    client.admit(self._roll.by_token(name, token, "", ""))
    return None if client.who is not None else roll.Refusal(roll.WRONG_NAME)


def late(who: Any, name: str, args: Any) -> Any:
    """Names are looked at where a command has one user alone."""
    said = REFUSED(who, name, args)
    return None if said and "that user" in said and name == "USER" else said


REFUSED = roll.refused

PLANTS: dict[str, Callable[[], list[Change]]] = {
    "any token is right": lambda: [(roll, "hmac", SimpleNamespace(compare_digest=lambda *_: True))],
    "a token is right for any name": lambda: [(Roll, "by_token", whoever)],
    "what begins like a token is one": lambda: [(Roll, "by_token", begins_like)],
    "a wrong token makes a stranger": lambda: [(Gated, "let_in", forgets)],
    "HELLO greets strangers": lambda: [(Gated, "_hello", Commands._hello)],
    "strangers are answered": lambda: [(roll, "STRANGERS", roll.SMALL_TALK)],
    "strangers may say what they like": lambda: [(limits, "STRANGER_COMMANDS_MAX", 1_000)],
    "RESET keeps who one is": lambda: [(Gated, "_reset", Commands._reset)],
    "verbs are not looked at": lambda: [another(verbs=roll.VERBS)],
    "users are not looked at": lambda: [another(users="")],
    "administration names anybody": lambda: [(roll, "refused", late)],
    "platforms are not looked at": lambda: [another(platforms=())],
    "what is changed is changed on no platform": lambda: [
        (roll, "OPTIONS_AT", {**roll.OPTIONS_AT, "ACTIVATE": (4, ""), "OPTIN": (3, "")})
    ],
    "realms are not looked at": lambda: [another(realm="")],
    "realms bound logins alone": lambda: [(Engine, "confine", lambda *_: None)],
    "administration knows everybody": lambda: [(Engine, "expect_within", lambda *_: None)],
    "reasons are everybody's": lambda: [another(rights=("reasons", "first-factor"))],
    "reasons of changes are everybody's": lambda: [
        (knowing, "shown", lambda verdict, _, detail: SHOWN(verdict, True, detail))
    ],
    "rates are not kept": lambda: [another(rate=0)],
    "who was taken off stays": lambda: [(Roll, "readmit", lambda *_: 0)],
    "another list changes no rights": lambda: [keeps_rights()],
    "an id is any gateway's": lambda: [
        (roll, "names_packed", lambda names: PACKED(("one",) * len(names)))
    ],
}
SHOWN, PACKED = knowing.shown, roll.names_packed


def planted(name: str) -> contextlib.AbstractContextManager[None]:
    return broken(*PLANTS[name]())
