"""Phones at the daemon: a login is put before one, and what one says comes in.

    PUSH user [PLATFORM p] [DEVICE serial] [PURPOSE text] [TEXT text]
    PHONE PUSHES user serial time-ms signature
    PHONE ANSWER id APPROVE number PIN|BIOMETRIC signature
    PHONE ANSWER id DENY PIN|BIOMETRIC|NONE signature
    PHONE ENROL user challenge-id token public-key pin [PLATFORM p] [SERIAL s] [ADDRESS ip]

The rules: PUSH waits for nothing but the disk; what a phone says is held against its signature on a
thread of its own, so many at a time and no more waiting than PHONES_WAITING_MAX. Who is no phone of
the user's hears the same whatever it got wrong.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from watchword._engine import Verdict
from watchword.engine import Engine
from watchword.errors import Busy, Error, InvalidArgument, NotFound
from watchword.serve import limits
from watchword.serve.resp import ECHOED_CHARS_MAX, Refusal, Reply, Simple, capitals, encode
from watchword.views import Enrolment, Push, PushShown

__all__ = ["Phones"]

ASKS = ("PLATFORM", "DEVICE", "PURPOSE", "TEXT")
VERBS = ("PUSHES", "ANSWER", "ENROL")
ENROLS = ("PLATFORM", "SERIAL", "ADDRESS")


class MisuseError(Exception):
    """The command is not one: the refusal is the reply."""


class Phones:
    """PUSH and PHONE, for any door."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._worker = ThreadPoolExecutor(limits.PHONES_AT_ONCE, "watchword-phone")
        self._waiting = 0

    def close(self) -> None:
        self._worker.shutdown()

    def push(
        self, args: Sequence[bytes], protocol: int, gateway: str
    ) -> bytes | Future[bytes]:
        """The promise of a push as a map; or what is wrong with the asking."""
        try:
            words = text_of(args)
            user, *rest = words[1:] or expected("push")
            asked = options(rest, ASKS)
        except MisuseError as misuse:
            return encode(Refusal(str(misuse)), protocol)

        async def ask() -> bytes:
            try:
                found = await self._engine.apush(user, gateway=gateway, **asked)
            except Error as error:
                return encode(refusal(error), protocol)
            return encode(fields(found), protocol)

        return asyncio.ensure_future(ask())

    def phone(
        self, args: Sequence[bytes], protocol: int, gateway: str, reasons: bool
    ) -> bytes | Future[bytes]:
        """The promise of what becomes of a phone's word; or what is wrong with it."""
        try:
            run = self._verb(text_of(args), gateway, reasons)
        except MisuseError as misuse:
            return encode(Refusal(str(misuse)), protocol)
        except Error as error:
            return encode(refusal(error), protocol)
        if self._waiting >= limits.PHONES_WAITING_MAX:
            return encode(Refusal("BUSY too many phones speak at once"), protocol)
        self._waiting += 1

        def act() -> bytes:
            try:
                return encode(run(), protocol)
            except Error as error:
                return encode(refusal(error), protocol)

        promised = asyncio.get_running_loop().run_in_executor(self._worker, act)
        promised.add_done_callback(self._done)
        return promised

    def _done(self, _: object) -> None:
        self._waiting -= 1

    def _verb(self, words: list[str], gateway: str, reasons: bool) -> Callable[[], Reply]:
        verb, rest = capitals(words[1]) if len(words) > 1 else "", words[2:]
        engine = self._engine
        if verb == "PUSHES" and len(rest) == 4:
            user, serial, time_ms, signature = rest
            at = whole("time-ms", time_ms)
            return lambda: [
                fields(shown)
                for shown in engine.pushes(
                    user, serial, time_ms=at, signature=signature, gateway=gateway
                )
            ]
        if verb == "ANSWER" and len(rest) in (4, 5):
            id, decision, *number, unlocked, signature = rest
            if (len(number) == 1) != (decision.lower() == "approve"):
                raise MisuseError("ERR syntax error, APPROVE takes a number and DENY none")
            shown = whole("number", number[0]) if number else None
            return lambda: Simple(
                engine.decide_push(
                    id, decision=decision.lower(), unlocked=unlocked.lower(), number=shown,
                    signature=signature,
                ).upper()
            )  # fmt: skip
        if verb == "ENROL" and len(rest) >= 5:
            given = options(rest[5:], ENROLS)
            user, challenge, token, key, pin = rest[:5]
            return lambda: enrolled(
                engine.enrol_phone(user, challenge, token, key, pin, gateway=gateway, **given),
                reasons,
            )
        if not verb or verb in VERBS:
            raise expected("phone" + f"|{verb.lower()}" * bool(verb))
        said = words[1][:ECHOED_CHARS_MAX]
        raise MisuseError(f"ERR unknown subcommand '{said}', one of {', '.join(VERBS)}")


def enrolled(made: Enrolment, reasons: bool) -> Reply:
    """The one reply with the phone's key in it, and only where the token was accepted."""
    return {
        "verdict": shown(made.verdict, reasons), "serial": made.serial or None,
        "key": made.key.hex() or None, "suite": made.suite or None,
        "replaced": list(made.replaced),
    }  # fmt: skip


def shown(verdict: Verdict, reasons: bool) -> str:
    return (verdict.code if reasons else verdict.shown).name


def fields(view: Push | PushShown) -> Reply:
    return {name: getattr(view, name) for name in view.__slots__}


def refusal(error: Error) -> Refusal:
    codes = ((InvalidArgument, "INVALID"), (NotFound, "NOTFOUND"), (Busy, "BUSY"))
    code = next((word for kind, word in codes if isinstance(error, kind)), "ERR")
    return Refusal(f"{code} {error.args[0]}")


def expected(name: str) -> Any:
    raise MisuseError(f"ERR wrong number of arguments for '{name}' command")


def text_of(args: Sequence[bytes]) -> list[str]:
    try:
        return [word.decode() for word in args]
    except UnicodeDecodeError:
        raise MisuseError("ERR an argument is not UTF-8") from None


def options(words: Sequence[str], legal: Sequence[str]) -> dict[str, str]:
    """NAME value ..., each at most once, in any order."""
    found: dict[str, str] = {}
    for at in range(0, len(words), 2):
        name = capitals(words[at])
        if name not in legal:
            raise MisuseError(f"ERR syntax error, options are {', '.join(legal)}")
        if name.lower() in found:
            raise MisuseError("ERR syntax error, an option is given twice")
        if at + 1 == len(words):
            raise MisuseError("ERR syntax error, an option lacks its value")
        found[name.lower()] = words[at + 1].lower() if name == "PLATFORM" else words[at + 1]
    return found


def whole(name: str, word: str) -> int:
    if not word.isascii() or not word.isdecimal() or len(word) > 18:
        raise InvalidArgument(f"{name} is a whole number")
    return int(word)
