"""The access list in force: who a client is, and whether it may have what it asks.

    AUTH token            AUTH name token            HELLO 3 AUTH name token

The rules: whoever has not said who it is hears -NOAUTH, whoever may not -NOPERM, before anything is
looked up, evaluated or charged. A token is hashed and held against every gateway's in constant
time, and a name that no gateway has costs what any other does. Gateways are numbered once and for
all while the daemon runs: an attempt under way names its gateway by number.
"""

import hmac
import socket
from asyncio import Future
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from watchword._engine import Clients, Connection, Gather
from watchword._engine import Gateway as Rights
from watchword.errors import InvalidArgument
from watchword.lifecycle import names_packed
from watchword.serve.commands import (
    GATEWAYS,
    OK,
    WRONG_NAME,
    Commands,
    Facts,
    arity,
    text,
)
from watchword.serve.feeds import Feeds
from watchword.serve.gateways import TOKEN_BYTES_MAX, VERBS, Access, digest
from watchword.serve.knowing import VERBS as KNOWN
from watchword.serve.peers import name_of, peer_of
from watchword.serve.resp import ECHOED_CHARS_MAX, Refusal, Reply, capitals, encode
from watchword.serve.tls import subject_of

__all__ = ["Gated", "Roll"]

NOAUTH: Final = Refusal("NOAUTH Authentication required.")
NOAUTH_HELLO: Final = Refusal(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
    "version at the same time"
)
# What a client library says by itself, and what tells nobody anything.
SMALL_TALK: Final = frozenset(
    ("HELLO", "AUTH", "CLIENT", "RESET", "QUIT", "PING", "ECHO", "SELECT", "COMMAND", "CONFIG",
     "INFO")
)  # fmt: skip
STRANGERS: Final = frozenset(("HELLO", "AUTH", "QUIT", "RESET"))
NAMELESS: Final = (b"", b"default")  # what a library says as the name when it was given none
NUMBERS_MAX: Final = 255  # a record holds one in a byte
NOBODY: Final = bytes(32)  # held against every token where a gateway has none: nothing hashes to it
# Where options begin, and the platform that is meant when none is said: one changes what one knows
# and has on the portal. VERIFY's are the compiled road's.
OPTIONS_AT: Final = {
    **{name: (1 + needed, "portal") for name, (needed, legal) in KNOWN.items()
       if "PLATFORM" in legal and name != "VERIFY"},
    "CHALLENGE": (2, "trading"), "PUSH": (2, "trading"), "PHONE ENROL": (7, "trading"),
}  # fmt: skip
# Which words name users: the second, where it is not said here.
USERS_AT: Final = {"PHONE": (2,), "SHARE": (1, 2), "USER": (2,), "DEVICE": (2,)}


class Roll:
    """Every gateway that is listed, by name; and all that ever were since the daemon began."""

    def __init__(
        self, listed: Iterable[Access], gather: Gather, verbs: Mapping[bytes, Mapping[str, Any]]
    ) -> None:
        """verbs: of administration, by first word and second, that `admin` may name."""
        self._gather = gather
        self._verbs = verbs
        self._names = list(GATEWAYS)
        self._listed: dict[str, tuple[Access, Rights]] = {}
        self.refused = 0
        self.take(listed)

    def take(self, listed: Iterable[Access]) -> None:
        """Another list: all of it or, with an error, nothing. Errors: InvalidArgument."""
        wanted = list(listed)
        names = self._names + [a.name for a in wanted if a.name not in self._names]
        if len(names) > NUMBERS_MAX:
            raise InvalidArgument(
                f"the access list has had more than {NUMBERS_MAX - len(GATEWAYS)} names since the "
                "daemon began",
                hint="start it again",
            )
        for access in wanted:
            self._expect_verbs(access)
        self._listed = {a.name: (a, rights_of(a, names.index(a.name))) for a in wanted}
        self._names = names
        self._gather.names, self._gather.gateways = names_packed(tuple(names)), len(names)

    def _expect_verbs(self, access: Access) -> None:
        for word in access.admin:
            first, _, second = word.partition(" ")
            known = self._verbs.get(first.encode())
            if known is None or (second and second not in known):
                legal = known or [name.decode() for name in self._verbs]
                raise access.wrong(f"admin names {word!r}, which is none of {', '.join(legal)}")

    def __len__(self) -> int:
        return len(self._listed)

    @property
    def rights(self) -> list[Rights]:
        return [rights for _, rights in self._listed.values()]

    @property
    def realms(self) -> dict[str, str]:
        """The realm of those gateways that have the users of one alone."""
        return {name: a.realm for name, (a, _) in self._listed.items() if a.realm}

    # ---- who it is ----

    def by_token(self, name: bytes, token: bytes, subject: str, user: str) -> Rights | None:
        """Whose token this is. Every gateway's is looked at, whatever is found."""
        shown, called = digest(token[:TOKEN_BYTES_MAX]), digest(name)
        found: Rights | None = None
        for access, rights in self._listed.values():
            kept = bytes.fromhex(access.token_sha256) or NOBODY
            right = hmac.compare_digest(shown, kept) & bool(access.token_sha256)
            named = hmac.compare_digest(called, digest(access.name.encode()))
            named |= name in NAMELESS
            if right & named & suits(access, subject, user):
                found = rights
        if found is None:
            self.refused += 1
        return found

    def by_place(self, subject: str, user: str) -> Rights | None:
        """Who is known by certificate, or by the user at the other end, and needs no token."""
        for access, rights in self._listed.values():
            if not access.token_sha256 and suits(access, subject, user):
                return rights
        return None

    # ---- another list ----

    def readmit(self, clients: Clients, before: Mapping[str, Access]) -> int:
        """Connections under another list: who is still known has its new rights, who is not is let
        go when it has its answers. Returns how many those are. before: the list until now."""
        gone = 0
        for connection in clients.of_gateways():
            who = connection.who
            if who is None or connection.transport is None:
                continue
            access, rights = self._listed.get(who.name, (None, None))
            if access is not None and access.known_by == before[who.name].known_by:
                connection.admit(rights)
            else:
                connection.leave()
                gone += 1
        return gone

    def listed(self) -> dict[str, Access]:
        return {name: access for name, (access, _) in self._listed.items()}


def suits(access: Access, subject: str, user: str) -> bool:
    """Whether certificate and local user are those that are asked for, if any are."""
    return access.certificate in ("", subject) and access.local_user in ("", user)


def rights_of(access: Access, number: int) -> Rights:
    return Rights(
        access.name, number, (*access.verbs, *access.admin), reasons="reasons" in access.rights,
        first_factor="first-factor" in access.rights, acts=bool(access.admin),
        prefix=access.users.encode(), realm=access.realm, platforms=access.platforms,
        rate=access.rate,
    )  # fmt: skip


class Gated(Commands):
    """A listening socket for gateways of the list: each is answered at a door of its own.

    inner: makes the door of a gateway, on its first word. feeds: what a gateway that listens to
    events may still say.
    """

    curbed = True

    def __init__(
        self, roll: Roll, gateway: int, facts: Facts, inner: Callable[[Rights], Commands],
        feeds: Feeds,
    ) -> None:  # fmt: skip
        super().__init__(gateway, False, facts, nobody)
        self._roll = roll
        self._inner = inner
        self._feeds = feeds

    def arrived(self, connection: Connection) -> None:
        """A connection was made: whoever is known by where it comes from needs to say nothing."""
        who = self._roll.by_place(*place_of(connection))
        if who is not None:
            connection.admit(who)

    def answer(self, client: Any, args: list[bytes]) -> bytes | Future[bytes]:
        name, who = capitals(text(args[0])), client.who
        if getattr(client, "feed", None) is not None and name != "STATS":
            told = self._feeds.answer(client, args)
            if told is not None:
                return told
        if name in (SMALL_TALK if who is not None else STRANGERS):
            return super().answer(client, args)
        if who is None:
            return encode(NOAUTH, client.protocol)
        refusal = refused(who, name, args)
        if refusal is None and name != "VERIFY" and not who.take():  # which the compiled road asks
            refusal = Refusal("BUSY this gateway asks more often than it may")
        if refusal is not None:
            return encode(refusal, client.protocol)
        if who.door is None:
            who.door = self._inner(who)
        door: Commands = who.door
        return door.answer(client, args)

    # ---- saying who one is ----

    def let_in(self, client: Any, name: bytes, token: bytes) -> Refusal | None:
        """Admits whoever the token is that of. Who was somebody before stays so, when it is not."""
        who = self._roll.by_token(name, token, *place_of(client))
        if who is None:
            return Refusal(WRONG_NAME)
        client.admit(who)
        return None

    def _auth(self, client: Any, args: list[bytes]) -> Reply:
        if len(args) not in (2, 3):
            return arity("auth") if len(args) < 2 else Refusal("ERR syntax error")
        return self.let_in(client, args[1] if len(args) == 3 else b"", args[-1]) or OK

    def _hello(self, client: Any, args: list[bytes]) -> Reply:
        if client.who is None and not any(word.upper() == b"AUTH" for word in args[2:]):
            return NOAUTH_HELLO
        return super()._hello(client, args)

    def _reset(self, client: Any, args: list[bytes]) -> Reply:
        client.admit(None)
        self.arrived(client)
        return super()._reset(client, args)


async def nobody(*_: object, **__: object) -> Any:
    """Asks for no challenge: that is done at a gateway's own door."""
    raise AssertionError


def place_of(client: Any) -> tuple[str, str]:
    """The subject of the certificate that was shown, and the user of this machine at the other end;
    "" where there is none."""
    transport = client.transport
    connection, peer = (transport.get_extra_info(what) for what in ("ssl_object", "socket"))
    if peer is None or peer.family != socket.AF_UNIX:
        return subject_of(connection), ""
    return "", name_of(peer_of(transport))


def refused(who: Rights, name: str, args: Sequence[bytes]) -> Refusal | None:
    """Why a gateway may not have this; None: it may. Nothing but the command's words is read."""
    second = capitals(text(args[1])) if len(args) > 1 else ""
    acts = name not in VERBS
    asked = "SUBSCRIBE" if name in ("UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE") else name
    if asked not in who.verbs and not (acts and f"{name} {second}" in who.verbs):
        return Refusal(f"NOPERM this gateway may not use '{name.lower()[:ECHOED_CHARS_MAX]}'")
    if (who.prefix or who.realm) and not names_within(who, name, second, args):
        return Refusal("NOPERM this gateway may not name that user")
    if who.realm and who.realm != realm_of(who, name, second, args):
        return Refusal("NOPERM this gateway may not use that realm")
    platform = platform_of(name, second, args)
    if platform and not who.uses(platform):
        return Refusal("NOPERM this gateway may not use that platform")
    return None


def names_within(who: Rights, name: str, second: str, args: Sequence[bytes]) -> bool:
    """Whether the user that is named, if there must be one, is within a gateway's bounds."""
    if name == "PHONE" and second == "ANSWER":  # it names a push, which only its phone can sign
        return True
    if name not in (*VERBS, "USER", "DEVICE") or (name, second) == ("USER", "LIST"):
        return False  # it concerns everybody
    return all(len(args) <= at or who.names(args[at]) for at in USERS_AT.get(name, (1,)))


def realm_of(who: Rights, name: str, second: str, args: Sequence[bytes]) -> str:
    """The realm that a user is to be of; of whatever says none the gateway's own, for it has nobody
    of another. VERIFY's is the compiled road's."""
    unsaid = "live" if (name, second) == ("USER", "ADD") else who.realm
    for at in range(3, len(args) - 1, 2) if name == "USER" else ():
        if args[at].upper() == b"REALM":
            return text(args[at + 1]).lower()
    return unsaid


def platform_of(name: str, second: str, args: Sequence[bytes]) -> str:
    """The platform that a command is about; "": it is about none."""
    first, unsaid = OPTIONS_AT.get(f"{name} {second}" if name == "PHONE" else name, (0, ""))
    for at in range(first, len(args) - 1, 2) if first else ():
        if args[at].upper() == b"PLATFORM":
            return text(args[at + 1]).lower()
    return unsaid
