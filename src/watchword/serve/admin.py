"""Administration, on the 0600 socket `admin.sock` in the store's directory.

    USER ADD name [STATE s] [REALM r]      USER SET name [STATE s] [REALM r]
    USER GET name                          USER LIST [AFTER name] [COUNT n]
    USER REMOVE name                       USER UNLOCK name
    DEVICE ADD user kind KEY hex | BASE32 text [SERIAL s] and, by kind,
               TOTP, ALPINE: [DIGITS n] [ALGORITHM a] [PERIOD s] [WINDOW back forward] [DRIFT n]
                   [T0 s] [PIN p]
               HOTP, DSC: [DIGITS n] [ALGORITHM a] [COUNTER n] [LOOKAHEAD n] [PIN p]
               SMS: nothing more, and the key is made here where none is given
               OCRA, DSC-PLUS, GOLD, PLATINUM, IB-KEY: [SUITE s] [COUNTER n] [LOOKAHEAD n]
                   [WINDOW back forward] [DRIFT n] [PIN p | PINHASH hex]
               IB-KEY: [PHONE public-key] as well
               CODE-CARD, ONLINE-CODE-CARD: [COUNTER n]
    DEVICE GET user serial                 DEVICE LIST user
    DEVICE SET user serial STATE s         DEVICE RESYNC user serial code code [ADDRESS ip]
    DEVICE PASSCODE user [SERIAL s]        DEVICE REMOVE user serial
    USER PASSWORD, QUESTIONS: see secrets.py    DEVICE CELLS user serial
    USER ADDRESSES, IDENTITY, OPTOUT, ENTRY, LIMITS, WITHDRAWAL, DEVICE UNSHARE: see entering.py
    DEVICE SHIP, REPLACE, DATES, ...: see life.py
    KEY ROTATE                             CLOCK ACCEPT
    AUDIT, BACKUP, STATS, SUBSCRIBE, POLICY, IMPORT, EXPORT: see audit, backup, feeds, files.py

Every act takes BY who besides: who does it, for the record; else the user at the other end.

The rules: the kernel says who is at the other end, and only root and the daemon's own user may
speak; an act runs on a thread of its own while the loop goes on, and is answered when it is
durable; a key comes in and never goes out, into a reply or a message. A passcode goes out once.
What a code card shows goes out by CELLS alone, and who asked for it stands in the journal.
"""

import asyncio
import base64
import binascii
import os
import sys
import traceback
from asyncio import Future, Transport
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from watchword.devices.device import Device
from watchword.engine import Engine
from watchword.errors import Error, Exists, InvalidArgument, NotFound
from watchword.serve import limits
from watchword.serve.commands import Client, Commands, arity
from watchword.serve.device_words import FIGURES, OF_KIND, hex_bytes
from watchword.serve.entering import ENTERING, UNSHARE
from watchword.serve.knowing import Knowing
from watchword.serve.peers import peer_name, peer_of
from watchword.serve.phones import Phones
from watchword.serve.resp import Refusal, Reply, Simple, capitals, encode
from watchword.serve.secrets import user_password, user_questions
from watchword.serve.speaking import BY, speaker, speaking, through

__all__ = ["Admin"]

OK = Simple("OK")
COUNTS = ("DIGITS", "PERIOD", "DRIFT", "T0", "COUNTER", "LOOKAHEAD")


class MisuseError(Exception):
    """The command is not one: the refusal is the reply."""


class Admin(Commands):
    """What the administration socket gives its connections: every verb of an operator."""

    acts = True

    def __init__(
        self,
        engine: Engine,
        worker: ThreadPoolExecutor,
        gateway: int,
        facts: Callable[[], dict[str, dict[str, object]]],
        knowing: Knowing | None = None,
        phones: Phones | None = None,
        more: "Mapping[bytes, dict[str, Verb]] | None" = None,
    ) -> None:
        """more: verbs of other files, by their first word."""
        super().__init__(
            gateway, True, facts, engine.achallenge, engine.asend_code, knowing, phones
        )
        self.verbs = {b"USER": USER, b"DEVICE": DEVICE, b"KEY": KEY, b"CLOCK": CLOCK}
        self.verbs |= more or {}
        self._engine = engine
        self._worker = worker

    def admits(self, transport: Transport) -> bool:
        """Root, or the user the daemon runs as: whoever else got at the socket hears nothing."""
        return peer_of(transport) in (0, os.geteuid())

    def answer(self, client: Client, args: list[bytes]) -> bytes | Future[bytes]:
        verbs = self.verbs.get(args[0].upper())
        if verbs is None:
            return super().answer(client, args)
        loop, who = asyncio.get_running_loop(), getattr(client, "who", None)
        by, through = (f"gateway {who.name}", who.name) if who else (peer_name(client, BY), "")
        return loop.run_in_executor(
            self._worker, self._act, verbs, args, client.protocol, by, through
        )

    def _act(
        self, verbs: dict[str, "Verb"], args: list[bytes], protocol: int, by: str = BY,
        through: str = "",
    ) -> bytes:  # fmt: skip
        """One act and its reply, on the worker's thread. through: the gateway it came by."""
        reply: Reply
        speaking.by, speaking.through = by, through
        try:
            words = [word.decode() for word in args]
            reply = self._reply(verbs, words)
        except UnicodeDecodeError:
            reply = Refusal("ERR an argument is not UTF-8")
        except MisuseError as misuse:
            reply = Refusal(str(misuse))
        except InvalidArgument as error:
            reply = Refusal(f"INVALID {error.args[0]}")
        except NotFound as error:
            reply = Refusal(f"NOTFOUND {error.args[0]}")
        except Exists as error:
            reply = Refusal(f"EXISTS {error.args[0]}")
        except Error as error:
            reply = Refusal(f"ERR {error.args[0]}")
        except Exception as error:
            # Whatever it was, it is ours. The frames say where; the values stay where they are.
            traceback.print_tb(error.__traceback__, file=sys.stderr)
            print(f"watchword: {type(error).__name__} in an act", file=sys.stderr)
            reply = Refusal("ERR internal error, see the daemon's log")
        return encode(reply, protocol)

    def _reply(self, verbs: dict[str, "Verb"], words: list[str]) -> Reply:
        name = words[0].lower()
        if len(words) < 2:
            raise MisuseError(arity(name))
        verb = verbs.get(capitals(words[1]))
        if verb is None:
            raise MisuseError(f"ERR unknown subcommand '{words[1]}', one of {', '.join(verbs)}")
        needed, run = verb
        if len(words) < 2 + needed:
            raise MisuseError(arity(f"{name}|{words[1]}"))
        if name in ("user", "device") and len(words) > 2:
            self._engine.expect_within(speaking.through, words[2])
        return run(self._engine, words[2:])


Verb = tuple[int, Callable[[Engine, list[str]], Reply]]


def by(given: dict[str, Any]) -> str:
    """Who does the act under way; where a gateway says who, the gateway as well."""
    return through(str(given["BY"])) if "BY" in given else speaker()


def options(words: Sequence[str], legal: Sequence[str]) -> dict[str, Any]:
    """NAME value ..., each at most once; WINDOW takes two values, counts are whole numbers."""
    found: dict[str, Any] = {}
    at = 0
    while at < len(words):
        name = capitals(words[at])
        taken = 3 if name == "WINDOW" else 2
        if name not in legal or name in found or at + taken > len(words):
            raise MisuseError(
                f"ERR syntax error, options are {', '.join(legal)}, each at most once"
            )
        if name == "WINDOW":
            found[name] = (whole(name, words[at + 1]), whole(name, words[at + 2]))
        else:
            word = words[at + 1]
            found[name] = whole(name, word) if name in COUNTS or name == "COUNT" else word
        at += taken
    return found


def whole(name: str, word: str) -> int:
    if not word.isascii() or not word.removeprefix("-").isdecimal() or len(word) > 20:
        raise InvalidArgument(f"{name} is a whole number")
    return int(word)


def no_more(words: Sequence[str]) -> None:
    if words:
        raise MisuseError("ERR syntax error")


# ---- users ----


def user_add(engine: Engine, words: list[str]) -> Reply:
    given = options(words[1:], ("STATE", "REALM", "BY"))
    state, realm = given.get("STATE", "open"), given.get("REALM", "live")
    engine.add_user(words[0], state, realm, by=by(given))
    return OK


def user_get(engine: Engine, words: list[str]) -> Reply:
    no_more(words[1:])
    user = engine.user(words[0])
    return {
        "name": user.name,
        "state": user.state,
        "realm": user.realm,
        "failures": user.failures,
        "locked_until_ms": user.locked_until_ms or 0,
        "last_failure_ms": user.last_failure_ms or 0,
        "devices": [view.serial for view in user.devices],
    }


def user_set(engine: Engine, words: list[str]) -> Reply:
    given = options(words[1:], ("STATE", "REALM", "BY"))
    engine.set_user(words[0], state=given.get("STATE"), realm=given.get("REALM"), by=by(given))
    return OK


def user_remove(engine: Engine, words: list[str]) -> Reply:
    engine.remove_user(words[0], by=by(options(words[1:], ("BY",))))
    return OK


def user_unlock(engine: Engine, words: list[str]) -> Reply:
    engine.unlock(words[0], by=by(options(words[1:], ("BY",))))
    return OK


def user_list(engine: Engine, words: list[str]) -> Reply:
    given = options(words, ("AFTER", "COUNT"))
    count = given.get("COUNT", limits.NAMES_PER_LIST_MAX)
    if not 1 <= count <= limits.NAMES_PER_LIST_MAX:
        raise InvalidArgument(f"COUNT is 1 to {limits.NAMES_PER_LIST_MAX}")
    return engine.users(given.get("AFTER", ""), count)


# ---- devices ----


def device_add(engine: Engine, words: list[str]) -> Reply:
    device, given = device_given(words[1], words[2:])
    return engine.add_device(words[0], device, given.get("SERIAL"), by=by(given))


def device_given(
    kind: str, words: Sequence[str], *more: str
) -> tuple[Device, dict[str, Any]]:  # fmt: skip
    """A device in an operator's words, and the options that are not its own."""
    kind, others = capitals(kind), ("SERIAL", "BY", *more)
    if kind not in OF_KIND:
        raise MisuseError(f"ERR a device is one of {', '.join(OF_KIND)}")
    given = options(words, ("KEY", "BASE32", *others, *OF_KIND[kind]))
    rest = {name: given.pop(name) for name in others if name in given}
    given_key = given.pop("KEY", None), given.pop("BASE32", None)
    if kind == "SMS" and given_key == (None, None):
        return Device.sms(), rest
    key = device_key(*given_key)
    figures = {FIGURES[name]: figure for name, figure in given.items()}
    if kind == "OCRA" and "suite" not in figures:
        raise MisuseError("ERR syntax error, SUITE is needed")
    if "pin_hash" in figures:
        figures["pin_hash"] = hex_bytes("PINHASH", figures["pin_hash"])
    return Device.of(kind.lower(), key, **figures), rest


def device_passcode(engine: Engine, words: list[str]) -> Reply:
    """The one reply with a secret in it: client services tell it to the user, and nobody again."""
    given = options(words[1:], ("SERIAL", "BY"))
    issued = engine.issue_passcode(words[0], given.get("SERIAL"), by=by(given))
    return {"serial": issued.serial, "passcode": issued.passcode}


def device_key(hex_digits: str | None, base32: str | None) -> bytes:
    """The key as bytes. No message repeats any of it."""
    if (hex_digits is None) == (base32 is None):
        raise MisuseError("ERR syntax error, one of KEY hex and BASE32 text is needed")
    try:
        if hex_digits is not None:
            return bytes.fromhex(hex_digits)
        text = str(base32).upper().rstrip("=")
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except (ValueError, binascii.Error):
        raise InvalidArgument("the key is not written as it is said to be") from None


def device_get(engine: Engine, words: list[str]) -> Reply:
    no_more(words[2:])
    for view in engine.user(words[0]).devices:
        if view.serial == words[1]:
            return asdict(view)
    raise NotFound(f"user {words[0]!r} has no device {words[1]!r}")


def device_list(engine: Engine, words: list[str]) -> Reply:
    no_more(words[1:])
    return [asdict(view) for view in engine.user(words[0]).devices]


def device_set(engine: Engine, words: list[str]) -> Reply:
    given = options(words[2:], ("STATE", "BY"))
    if "STATE" not in given:
        raise MisuseError("ERR syntax error, STATE is needed")
    engine.set_device(words[0], words[1], state=given["STATE"], by=by(given))
    return OK


def device_resync(engine: Engine, words: list[str]) -> Reply:
    address = options(words[4:], ("ADDRESS",)).get("ADDRESS")
    verdict = engine.resync(words[0], words[2], words[3], device=words[1], address=address)
    return Simple(verdict.code.name)


def device_cells(engine: Engine, words: list[str]) -> Reply:
    card = engine.card(words[0], words[1], by=by(options(words[2:], ("BY",))))
    return {"serial": card.serial, "kind": card.kind, "cells": list(card.cells)}


def device_remove(engine: Engine, words: list[str]) -> Reply:
    engine.remove_device(words[0], words[1], by=by(options(words[2:], ("BY",))))
    return OK


# ---- the store and its clock ----


def key_rotate(engine: Engine, words: list[str]) -> Reply:
    engine.rotate_key(by=by(options(words, ("BY",))))
    return OK


def clock_accept(engine: Engine, words: list[str]) -> Reply:
    return engine.accept_clock(by=by(options(words, ("BY",))))


# How many words each needs at least.
USER: dict[str, Verb] = {
    "ADD": (1, user_add),
    "GET": (1, user_get),
    "SET": (1, user_set),
    "REMOVE": (1, user_remove),
    "UNLOCK": (1, user_unlock),
    "LIST": (0, user_list),
    "PASSWORD": (2, user_password),
    "QUESTIONS": (2, user_questions),
    **ENTERING,
}
DEVICE: dict[str, Verb] = {
    "ADD": (2, device_add),
    "GET": (2, device_get),
    "LIST": (1, device_list),
    "SET": (2, device_set),
    "RESYNC": (4, device_resync),
    "PASSCODE": (1, device_passcode),
    "CELLS": (2, device_cells),
    "REMOVE": (2, device_remove), "UNSHARE": UNSHARE,
}
KEY: dict[str, Verb] = {"ROTATE": (0, key_rotate)}
CLOCK: dict[str, Verb] = {"ACCEPT": (0, clock_accept)}
