"""What users know, over the wire: passwords, security questions, changes of PIN and password; and
that they have a new device at hand.

    VERIFY user response PASSWORD p [...]       the options of VERIFY, in any order; it comes here
                                                when it has waited for a push, if it had to
    QUESTION user                               ANSWER user id answer [ADDRESS ip] [ID request-id]
    ACTIVATE user serial response [PLATFORM p] [CHALLENGE id] [ADDRESS ip] [PASSWORD p] [PIN p]
             [ID request-id]
    CHANGEPIN user old response new [PLATFORM p] [DEVICE serial] [CHALLENGE id] [ADDRESS ip]
              [PERSONAL what is known of the user, a line each]
    CHANGEPASSWORD user old response new [PLATFORM p] [DEVICE serial] [CHALLENGE id] [ADDRESS ip]
              [PIN p]
    OPTIN, SHARE                                see entering.py

The rule: a connection waits for its own reply and nobody else does. A password is hashed off the
loop; a change runs on a thread of its own; attempts join the turns of all others.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from watchword._engine import (
    ID_BYTES_MAX,
    ID_BYTES_MIN,
    MISUSED_ID,
    PLATFORMS,
    REALMS,
    Code,
    Gather,
    Verdict,
    pack_address,
)
from watchword.confining import said_within
from watchword.engine import Engine
from watchword.errors import Busy, Error, InvalidArgument
from watchword.hashing import UNTOLD
from watchword.serve import entering
from watchword.serve.resp import Refusal, Reply, Simple, capitals, encode
from watchword.sharing import Shared

__all__ = ["VERBS", "Knowing"]

Options = dict[str, bytes]
OF_CHANGE = ("PLATFORM", "DEVICE", "CHALLENGE", "ADDRESS")
OF_VERIFY = (*OF_CHANGE, "REALM", "SESSION", "PASSWORD", "PIN", "ID", "WAIT")

# words that must be there, and the options behind them
VERBS: dict[str, tuple[int, tuple[str, ...]]] = {
    "VERIFY": (2, OF_VERIFY),
    "QUESTION": (1, ()),
    "ANSWER": (3, ("ADDRESS", "ID")),
    "ACTIVATE": (3, ("PLATFORM", "CHALLENGE", "ADDRESS", "PASSWORD", "PIN", "ID")),
    "CHANGEPIN": (4, (*OF_CHANGE, "PERSONAL")),
    "CHANGEPASSWORD": (4, (*OF_CHANGE, "PIN")),
    **entering.VERBS,
}


class Knowing:
    """The verbs of one engine, for every door of a daemon."""

    def __init__(self, engine: Engine, gather: Gather) -> None:
        self._engine = engine
        self._gather = gather
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="watchword-changes")
        self._attempts: dict[str, Callable[[list[bytes], Options, str], Verdict | Shared]] = {
            "CHANGEPIN": self._pin, "CHANGEPASSWORD": self._password, "ACTIVATE": self._activate,
            **{verb: partial(run, engine) for verb, run in entering.CHANGES.items()},
        }  # fmt: skip

    def close(self) -> None:
        self._worker.shutdown()

    def answer(
        self, args: list[bytes], protocol: int, gateway: int, name: str, reasons: bool
    ) -> "bytes | Future[bytes]":
        """The promise of a reply; or what is wrong with the command."""
        verb = capitals(args[0].decode())
        needed, legal = VERBS[verb]
        if len(args) <= needed:
            return encode(
                Refusal(f"ERR wrong number of arguments for '{verb.lower()}' command"), protocol
            )
        given = options(args[needed + 1 :], legal, verb == "VERIFY")
        if isinstance(given, Refusal):
            return encode(given, protocol)
        words, platform = args[1 : needed + 1], given.get("PLATFORM", b"trading")
        if platform.decode("ascii", "replace").lower() not in PLATFORMS:
            return encode(Refusal("ERR PLATFORM is trading or portal"), protocol)
        return asyncio.ensure_future(
            self._reply(verb, words, given, protocol, gateway, name, reasons)
        )

    async def _reply(
        self, verb: str, words: list[bytes], given: Options, protocol: int, gateway: int,
        name: str, reasons: bool,
    ) -> bytes:  # fmt: skip
        reply: Reply
        try:
            if verb == "VERIFY":
                verdict = await self._verify(words, given, gateway, name)
                reply = shown(verdict, reasons, "DETAIL" in given)
            elif verb == "ANSWER":
                self._engine._expect_questions()
                reply = shown(await self._answer(words, given, gateway, name), reasons, False)
            elif verb == "QUESTION":
                asked = await self._engine.aquestion(words[0].decode(), gateway=name)
                reply = {"id": asked.id, "question": asked.question}
            else:
                loop = asyncio.get_running_loop()
                change = self._attempts[verb]
                made = await loop.run_in_executor(self._worker, change, words, given, name)
                if isinstance(made, Shared):
                    said = shown(made.verdict, reasons, False)
                    reply = {"verdict": said, "serial": made.serial, "refused": made.refused}
                else:
                    reply = shown(made, reasons, False)
        except UnicodeDecodeError:
            reply = Refusal("ERR an argument is not UTF-8")
        except InvalidArgument as error:
            kind = "ERR" if error.args[0] == MISUSED_ID else "INVALID"
            reply = Refusal(f"{kind} {error.args[0]}")
        except Busy as error:
            reply = Refusal(f"BUSY {error.args[0]}")
        except Error as error:
            reply = Refusal(f"ERR {error.args[0]}")
        return encode(reply, protocol)

    async def _verify(
        self, words: list[bytes], given: Options, gateway: int, name: str
    ) -> Verdict:
        _, bound = said_within(self._engine._asker(name)[1])
        fact = await self._engine._fact_soon(words[0], given["PASSWORD"], False)
        session = given.get("SESSION")
        verdict: Verdict = await self._gather.ask(
            words[0], words[1],
            PLATFORMS.index(lower(given.get("PLATFORM", b"trading"))),
            REALMS.index(lower(given.get("REALM", b"live"))),
            given.get("DEVICE"), address(given), given.get("CHALLENGE"),
            None if session is None else bytes.fromhex(session.decode()),
            given.get("PIN"), (fact or UNTOLD).first | bound, (fact or UNTOLD).number,
            gateway=gateway, shed=fact is None,
            request_id=given.get("ID"), secret=given["PASSWORD"],
        )  # fmt: skip
        self._engine._renew(words[0], given["PASSWORD"], fact, bool(verdict))
        return verdict

    async def _answer(
        self, words: list[bytes], given: Options, gateway: int, name: str
    ) -> Verdict:
        realm, first = said_within(self._engine._asker(name)[1])
        verdict: Verdict = await self._gather.ask(
            words[0], words[2], 0, realm, None, address(given), words[1], first=first, answer=True,
            gateway=gateway, request_id=given.get("ID"),
        )
        return verdict

    def _pin(self, words: list[bytes], given: Options, name: str) -> Verdict:
        user, old, response, new = (word.decode() for word in words)
        personal = given.get("PERSONAL", b"").decode().splitlines()
        return self._engine.change_pin(
            user, old, response, new, personal=personal, gateway=name, **of_change(given)
        )

    def _activate(self, words: list[bytes], given: Options, name: str) -> Verdict:
        user, serial, response = (word.decode() for word in words)
        password, pin = (
            given[option].decode() if option in given else None for option in ("PASSWORD", "PIN")
        )
        return self._engine.activate(
            user, serial, response, password=password, pin=pin, gateway=name,
            request_id=given.get("ID"), **of_change(given)
        )

    def _password(self, words: list[bytes], given: Options, name: str) -> Verdict:
        user, old, response, new = (word.decode() for word in words)
        pin = given["PIN"].decode() if "PIN" in given else None
        return self._engine.change_password(
            user, old, response, new, pin=pin, gateway=name, **of_change(given)
        )


def options(words: Sequence[bytes], legal: Sequence[str], detail: bool) -> Options | Refusal:
    """NAME value ..., in any order, each at most once; DETAIL has no value."""
    found: Options = {}
    at = 0
    while at < len(words):
        name = capitals(words[at].decode("ascii", "replace"))
        if name in found:
            return Refusal("ERR syntax error, an option is given twice")
        if detail and name == "DETAIL":
            found[name] = b""
            at += 1
            continue
        if name not in legal:
            return Refusal("ERR syntax error")
        if at + 1 == len(words):
            return Refusal("ERR syntax error, an option lacks its value")
        found[name] = words[at + 1]
        at += 2
    if not ID_BYTES_MIN <= len(found.get("ID", bytes(ID_BYTES_MIN))) <= ID_BYTES_MAX:
        return Refusal("ERR ID is 8 to 64 bytes")
    if "ADDRESS" in found:
        try:
            pack_address(address(found))
        except InvalidArgument:
            return Refusal("ERR ADDRESS is not an IPv4 or IPv6 address")
    return found


def lower(word: bytes) -> str:
    return word.decode("ascii").lower()


def address(given: Options) -> str | None:
    return given["ADDRESS"].decode("ascii", "replace") if "ADDRESS" in given else None


def of_change(given: Options) -> dict[str, Any]:
    """What both changes take; the portal is where one changes what one knows."""
    found: dict[str, Any] = {"platform": lower(given.get("PLATFORM", b"portal"))}
    for option, name in (("DEVICE", "device"), ("CHALLENGE", "challenge")):
        if option in given:
            found[name] = given[option].decode()
    return {**found, "address": address(given)}


def shown(verdict: Verdict, reasons: bool, detail: bool) -> Reply:
    """A verdict as this gateway may see it, as the compiled road says it."""
    code = verdict.code if reasons else verdict.shown
    if not detail:
        return Simple(code.name)
    accepted = code is Code.ACCEPTED
    return {
        "verdict": Simple(code.name),
        "code": int(code),
        "scope": verdict.scope if accepted else None,
        "device": verdict.device if accepted else None,
        "kind": verdict.kind if accepted else None,
        "rank": verdict.rank if accepted else 0,
        "session_ms": verdict.session_ms if accepted else 0,
        "retry_after_ms": verdict.retry_after_ms if code is Code.LOCKED else 0,
    }
