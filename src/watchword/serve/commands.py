"""What client libraries send by themselves, answered as a Redis server answers it; and CHALLENGE.
PUSH and PHONE are phones.py's.

    CHALLENGE user [PLATFORM p] [DEVICE serial] [PURPOSE text] [QUESTION text] [CLIENT text]
    CHALLENGE user [PLATFORM p] [DEVICE serial] [PURPOSE text] KIND sms

and what serve/knowing.py has of passwords, questions and PINs.

VERIFY, VERIFYMANY and a bare PING never come here: they are compiled. The rule: a reply is made
from the command and the connection alone; nothing here decides or waits. A challenge is asked of
the engine, and its reply is a promise that is kept when the ask is durable.
"""

import asyncio
from asyncio import Future, Transport
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from watchword._engine import PLATFORMS
from watchword.errors import Busy, Error, InvalidArgument
from watchword.serve.knowing import VERBS as KNOWN
from watchword.serve.knowing import Knowing
from watchword.serve.phones import Phones
from watchword.serve.resp import ECHOED_CHARS_MAX, Refusal, Reply, Simple, capitals, encode

__all__ = ["GATEWAYS", "Client", "Commands", "arity", "unknown"]

OK = Simple("OK")
GATEWAYS = ("tcp", "admin", "unix")  # who asked, in the journal; a door's gateway is an index
SERVER_VERSION = "7.0.15"  # the Redis whose answers these are; client libraries look at it
NAME_BYTES_MAX = 512  # of CLIENT SETNAME: a connection keeps it
NOT_HERE = (
    "USER", "DEVICE", "KEY", "CLOCK", "AUDIT", "POLICY", "IMPORT", "EXPORT", "BACKUP",
    "STATS", "SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE",
)  # fmt: skip
ASKS = {
    "PLATFORM": "platform", "DEVICE": "device", "PURPOSE": "purpose", "KIND": "kind",
    "QUESTION": "question", "CLIENT": "client_question",
}  # fmt: skip
SETTINGS = {"save": "", "appendonly": ""}  # all that redis-benchmark asks for

WRONG_NAME = "WRONGPASS invalid username-password pair or user is disabled."
NONE_SET = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)


class Client(Protocol):
    """The connection a command came by."""

    id: int
    protocol: int
    name: bytes

    def drain(self) -> None: ...


class Challenge(Protocol):
    """What the engine shows to whoever asks."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def prompt(self) -> str: ...
    @property
    def expires_ms(self) -> int: ...
    @property
    def answer(self) -> str: ...


Ask = Callable[..., Awaitable[Challenge]]
Facts = Callable[[], dict[str, dict[str, object]]]


def text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def arity(name: str) -> Refusal:
    return Refusal(f"ERR wrong number of arguments for '{name.lower()}' command")


def unknown(args: Sequence[bytes]) -> Refusal:
    """What Redis says, without the arguments that it repeats: a code may be among them, and what a
    client library is told ends in its log."""
    return Refusal(f"ERR unknown command '{text(args[0])[:ECHOED_CHARS_MAX]}'")


class Commands:
    """What a listening socket gives its connections: their rights, and the answers here.

    gateway: index into the gather's gateways. reasons: whether LOCKED, EXPIRED and NOT_PERMITTED
    may be seen, or read REJECTED. facts: INFO's sections. ask, send: the engine's
    achallenge and asend_code; without the second, no kind is told from another. knowing: the
    verbs of passwords, questions and PINs. phones: who serves PUSH and PHONE; without it nobody
    does.
    """

    acts = False
    curbed = False      # whether whoever connects has to say first who it is

    def __init__(
        self, gateway: int, reasons: bool, facts: Facts, ask: Ask,
        send: Ask | None = None, knowing: Knowing | None = None, phones: Phones | None = None,
    ) -> None:  # fmt: skip
        self.gateway = gateway
        self.name = GATEWAYS[gateway] if gateway < len(GATEWAYS) else ""
        self.reasons = reasons
        self._facts = facts
        self._ask = ask
        self._send = send or ask
        self._knowing = knowing
        self._phones = phones

    def admits(self, transport: Transport) -> bool:
        """Whether a client that has just connected may speak at all."""
        return True

    def answer(self, client: Client, args: list[bytes]) -> bytes | Future[bytes]:
        """The whole reply to a command, or a promise of it."""
        name = capitals(text(args[0]))
        if name == "CHALLENGE":
            return self.challenge(client, args)
        if name in KNOWN and self._knowing is not None:
            return self._knowing.answer(
                args, client.protocol, self.gateway, self.name, self.reasons
            )
        if self._phones is not None and name in ("PUSH", "PHONE"):
            if name == "PUSH":
                return self._phones.push(args, client.protocol, self.name)
            return self._phones.phone(args, client.protocol, self.name, self.reasons)
        verb = getattr(self, f"_{name.lower()}", None) if name in VERBS_HERE else None
        if verb is None:
            reply: Reply = self.foreign(name, args)
        else:
            reply = verb(client, args)
        return encode(reply, client.protocol)

    def foreign(self, name: str, args: list[bytes]) -> Refusal:
        if name in NOT_HERE:
            return Refusal(f"NOPERM '{name}' is answered on the store's own socket alone")
        return unknown(args)

    # ---- challenges ----

    def challenge(self, client: Client, args: list[bytes]) -> bytes | Future[bytes]:
        """The promise of a challenge as a map; or what is wrong with the asking."""
        asked = ask_of(args)
        if isinstance(asked, Refusal):
            return encode(asked, client.protocol)
        return asyncio.ensure_future(self._asked(asked, client.protocol))

    async def _asked(self, asked: dict[str, str], protocol: int) -> bytes:
        reply: Reply
        ask = self._send if asked.pop("kind", None) else self._ask
        try:
            found = await ask(asked.pop("user"), gateway=self.name, **asked)
        except InvalidArgument as error:
            reply = Refusal(f"INVALID {error.args[0]}")
        except Busy as error:
            reply = Refusal(f"BUSY {error.args[0]}")
        except Error as error:
            reply = Refusal(f"ERR {error.args[0]}")
        else:
            reply = {
                "id": found.id,
                "kind": found.kind,
                "prompt": found.prompt,
                "expires_ms": found.expires_ms,
                **({"answer": found.answer} if found.answer else {}),
            }
        return encode(reply, protocol)

    # ---- greetings ----

    def _hello(self, client: Client, args: list[bytes]) -> Reply:
        protocol, name = client.protocol, client.name
        if len(args) > 1:
            if not args[1].isdigit():
                return Refusal("ERR Protocol version is not an integer or out of range")
            if args[1] not in (b"2", b"3"):
                return Refusal("NOPROTO unsupported protocol version")
            protocol = int(args[1])
        at = 2
        while at < len(args):
            option = capitals(text(args[at]))
            if option == "AUTH" and at + 2 < len(args):
                refusal = self.let_in(client, args[at + 1], args[at + 2])
                if refusal is not None:
                    return refusal
                at += 3
            elif option == "SETNAME" and at + 1 < len(args):
                if not legal_name(args[at + 1]):
                    return bad_name()
                name = args[at + 1]
                at += 2
            else:
                named = f" '{option}'" if option in ("AUTH", "SETNAME") else ""
                return Refusal(f"ERR Syntax error in HELLO option{named}")
        client.protocol, client.name = protocol, name
        return {
            "server": "redis",
            "version": SERVER_VERSION,
            "proto": protocol,
            "id": client.id,
            "mode": "standalone",
            "role": "master",
            "modules": [],
        }

    def let_in(self, client: Client, name: bytes, token: bytes) -> Refusal | None:
        """No password is set, and Redis then lets the user `default` in with any."""
        return None if name == b"default" else Refusal(WRONG_NAME)

    def _auth(self, client: Client, args: list[bytes]) -> Reply:
        if len(args) == 2:
            return Refusal(NONE_SET)
        if len(args) != 3:
            return arity("auth") if len(args) < 2 else Refusal("ERR syntax error")
        return self.let_in(client, args[1], args[2]) or OK

    def _client(self, client: Client, args: list[bytes]) -> Reply:
        if len(args) < 2:
            return arity("client")
        verb, rest = capitals(text(args[1])), args[2:]
        wanted = {"SETINFO": 2, "SETNAME": 1, "GETNAME": 0, "ID": 0}.get(verb)
        if wanted is None:
            return unknown_verb(args)
        if len(rest) != wanted:
            return arity(f"client|{verb}")
        if verb == "ID":
            return client.id
        if verb == "GETNAME":
            return client.name or None
        if verb == "SETNAME":
            if not legal_name(rest[0]):
                return bad_name()
            client.name = rest[0]
        elif capitals(text(rest[0])) not in ("LIB-NAME", "LIB-VER"):
            return Refusal(f"ERR Unrecognized option '{text(rest[0])[:ECHOED_CHARS_MAX]}'")
        return OK

    def _reset(self, client: Client, args: list[bytes]) -> Reply:
        client.protocol, client.name = 2, b""
        return Simple("RESET")

    def _quit(self, client: Client, args: list[bytes]) -> Reply:
        client.drain()
        return OK

    # ---- small talk ----

    def _ping(self, client: Client, args: list[bytes]) -> Reply:
        return args[1] if len(args) == 2 else arity("ping")

    def _echo(self, client: Client, args: list[bytes]) -> Reply:
        return args[1] if len(args) == 2 else arity("echo")

    def _select(self, client: Client, args: list[bytes]) -> Reply:
        if len(args) != 2:
            return arity("select")
        if not args[1].removeprefix(b"-").isdigit():
            return Refusal("ERR value is not an integer or out of range")
        return OK if args[1] == b"0" else Refusal("ERR DB index is out of range")

    # ---- about the server ----

    def _command(self, client: Client, args: list[bytes]) -> Reply:
        verb = capitals(text(args[1])) if len(args) > 1 else ""
        if verb == "COUNT":
            return len(VERBS_HERE) + len(KNOWN) + 4     # VERIFYMANY, CHALLENGE, PUSH and PHONE
        if verb == "DOCS":
            return {}
        if verb in ("", "LIST", "INFO"):
            return []
        return unknown_verb(args)

    def _config(self, client: Client, args: list[bytes]) -> Reply:
        if len(args) < 2:
            return arity("config")
        if capitals(text(args[1])) != "GET":
            return unknown_verb(args)
        if len(args) < 3:
            return arity("config|get")
        asked = [text(word).lower() for word in args[2:]]
        return {name: SETTINGS[name] for name in asked if name in SETTINGS}

    def _info(self, client: Client, args: list[bytes]) -> Reply:
        sections: dict[str, dict[str, object]] = {
            "Server": {"redis_version": SERVER_VERSION, "redis_mode": "standalone"},
        }
        for title, facts in self._facts().items():
            sections.setdefault(title, {}).update(facts)
        asked = {text(word).lower() for word in args[1:]} - {"all", "default", "everything"}
        return "\r\n".join(
            f"# {title}\r\n" + "".join(f"{name}:{fact}\r\n" for name, fact in facts.items())
            for title, facts in sections.items()
            if not asked or title.lower() in asked
        )


VERBS_HERE = frozenset(
    [
        *("HELLO", "AUTH", "CLIENT", "RESET", "QUIT", "PING", "ECHO", "SELECT"),
        *("COMMAND", "CONFIG", "INFO"),
    ]
)


def ask_of(args: Sequence[bytes]) -> dict[str, str] | Refusal:
    """CHALLENGE's user and options, in any order, each at most once; or the reply to a mistake."""
    if len(args) < 2:
        return arity("challenge")
    try:
        words = [word.decode() for word in args[1:]]
    except UnicodeDecodeError:
        return Refusal("ERR an argument is not UTF-8")
    asked = {"user": words[0]}
    for at in range(1, len(words), 2):
        option = ASKS.get(capitals(words[at]))
        if option is None:
            return Refusal("ERR syntax error")
        if option in asked:
            return Refusal("ERR syntax error, an option is given twice")
        if at + 1 == len(words):
            return Refusal("ERR syntax error, an option lacks its value")
        asked[option] = words[at + 1]
    if "platform" in asked:
        asked["platform"] = asked["platform"].lower()
        if asked["platform"] not in PLATFORMS:
            return Refusal("ERR PLATFORM is trading or portal")
    if asked.get("kind", "sms").lower() != "sms":
        return Refusal("ERR KIND is sms")
    if "kind" in asked and ("question" in asked or "client_question" in asked):
        return Refusal("ERR a code that is sent has no QUESTION and no CLIENT")
    return asked


def unknown_verb(args: Sequence[bytes]) -> Refusal:
    said, name = text(args[1])[:ECHOED_CHARS_MAX], capitals(text(args[0]))
    return Refusal(f"ERR unknown subcommand '{said}'. Try {name} HELP.")


def legal_name(name: bytes) -> bool:
    return len(name) <= NAME_BYTES_MAX and all(0x21 <= byte <= 0x7E for byte in name)


def bad_name() -> Refusal:
    return Refusal(
        "ERR Client names cannot contain spaces, newlines or special characters, and are at most "
        f"{NAME_BYTES_MAX} bytes."
    )
