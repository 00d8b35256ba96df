"""What an access list promises, written from the README: who a connection speaks for, what it may
have, and what a login then comes to.

The rules: nothing of the daemon is imported; a verdict is worked out for HOTP devices whose codes
the story knows, at one moment, so that nothing runs out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["LOCKOUT", "Gateway", "Model", "Speaker", "Try"]

LOCKOUT = 4  # few, so that conversations this short come to it
STRANGER_COMMANDS_MAX = 5
SMALL_TALK = ("PING", "ECHO", "CLIENT", "SELECT", "COMMAND", "HELLO", "AUTH", "RESET")
STRANGERS = ("HELLO", "AUTH", "RESET")
HIDDEN = ("LOCKED", "EXPIRED", "NOT_PERMITTED")
PORTALS_OWN = ("ACTIVATE", "OPTIN", "CHANGEPIN", "SHARE")  # where no PLATFORM is said


@dataclass(frozen=True)
class Gateway:
    """A line of the list."""

    name: str
    token: str
    verbs: tuple[str, ...]
    reasons: bool = False
    first_factor: bool = False
    users: str = ""
    realm: str = ""
    platforms: tuple[str, ...] = ()
    rate: int = 0
    admin: tuple[str, ...] = ()


@dataclass
class User:
    realm: str
    restricted: bool = False
    moving: int = 0
    failures: int = 0


@dataclass
class Speaker:
    """A connection."""

    who: str | None = None
    said: int = 0  # commands, as a stranger
    closed: bool = False


class Try(NamedTuple):
    """One attempt as it is said."""

    user: str
    code: str
    platform: str = "trading"
    realm: str = "live"
    address: str = ""
    vouched: bool = False


@dataclass
class Model:
    users: dict[str, User]
    listed: dict[str, Gateway]
    counter_of: Callable[[str, str], int | None]  # that a user's code is right for now
    nobodies: dict[tuple[str, bool], int] = field(default_factory=dict)  # failures of such names
    ids: dict[tuple[str, str], tuple[object, list[str]]] = field(default_factory=dict)

    # ---- who it is

    def token_of(self, name: str, token: str) -> str | None:
        for gateway in self.listed.values():
            if gateway.token == token and name in ("", "default", gateway.name):
                return gateway.name
        return None

    def heard(self, speaker: Speaker, verb: str) -> str | None:
        """The error a stranger gets before anything else; None: it is looked at."""
        if speaker.who is not None:
            return None
        speaker.said += 1
        if speaker.said > STRANGER_COMMANDS_MAX:
            speaker.closed = True
            return "NOAUTH"
        return None if verb in STRANGERS else "NOAUTH"

    def let_in(self, speaker: Speaker, name: str, token: str) -> bool:
        who = self.token_of(name, token)
        if who is None:
            return False
        speaker.who, speaker.said = who, 0
        return True

    def relisted(self, listed: dict[str, Gateway], speakers: list[Speaker]) -> None:
        for speaker in speakers:
            before = self.listed.get(speaker.who or "")
            after = listed.get(speaker.who or "")
            if before is not None and (after is None or after.token != before.token):
                speaker.closed = True
        self.listed = listed

    # ---- what it may have

    def may(self, who: str, verb: str, second: str, users: list[str], platform: str, realm: str,
            vouches: bool) -> bool:  # fmt: skip
        g = self.listed[who]
        if verb in ("USER", "DEVICE"):
            if verb not in g.admin and f"{verb} {second}" not in g.admin:
                return False
            if (g.users or g.realm) and (verb, second) == ("USER", "LIST"):
                return False
        elif verb not in g.verbs:
            return False
        if vouches and not g.first_factor:
            return False
        if not all(user.startswith(g.users) for user in users):
            return False
        if platform and g.platforms and platform not in g.platforms:
            return False
        return not (realm and g.realm and realm != g.realm)

    def platform(self, verb: str, said: str) -> str:
        if verb in ("USER", "DEVICE"):
            return ""
        return said or ("portal" if verb in PORTALS_OWN else "trading")

    def exists(self, who: str, user: str) -> bool:
        """To this gateway."""
        realm = self.listed[who].realm
        return user in self.users and realm in ("", self.users[user].realm)

    # ---- what a login comes to

    def verdicts(self, who: str, tries: list[Try], id: str = "", verb: str = "VERIFY"
                 ) -> list[str] | None:  # fmt: skip
        """As this gateway reads them; None: the id came with other arguments before."""
        told = self.ids.get((who, id)) if id else None
        if told is not None and told[0] != tries:
            return None
        found = told[1] if told is not None else [self.verdict(who, one, verb) for one in tries]
        if id:
            self.ids[who, id] = (tries, found)
        return [self.shown(who, one) for one in found]

    def shown(self, who: str, verdict: str) -> str:
        """`NOT_PERMITTED ` with nothing typed from elsewhere: to a gateway without reasons as if
        anybody had been asked."""
        if self.listed[who].reasons:
            return verdict.strip()
        if verdict.endswith(" "):
            return "CHALLENGE"
        return "REJECTED" if verdict in HIDDEN else verdict

    def verdict(self, who: str, one: Try, verb: str) -> str:
        if not self.exists(who, one.user):
            return self.nobody(one)
        user = self.users[one.user]
        locked, empty = user.failures >= LOCKOUT, one.code == ""
        if not locked and user.restricted and one.address != "192.0.2.7":
            return "NOT_PERMITTED " if empty else "NOT_PERMITTED"
        if empty and not locked:
            return "CHALLENGE"
        counter = self.counter_of(one.user, one.code) if verb != "ACTIVATE" else None
        if counter is not None:
            user.moving = counter + 1
        if locked:
            return "LOCKED"
        if counter is None:
            user.failures += 1
            return "REJECTED"
        if user.realm != one.realm:
            return "NOT_PERMITTED"
        user.failures = 0
        return "ACCEPTED"

    def nobody(self, one: Try) -> str:
        """A name that nobody has, to whoever asks: it locks like any other."""
        key = one.user, one.user in self.users
        failures = self.nobodies.get(key, 0)
        if failures >= LOCKOUT:
            return "LOCKED"
        if one.code == "":
            return "CHALLENGE"
        self.nobodies[key] = failures + 1
        return "REJECTED"
