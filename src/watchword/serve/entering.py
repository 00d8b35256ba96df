"""Entry by other roads than a device's, over the wire.

    OPTIN user response [PLATFORM p] [DEVICE serial] [CHALLENGE id] [ADDRESS ip] [PASSWORD p]
          [PIN p] [ID request-id]
    SHARE user owner serial response [PLATFORM p] [CHALLENGE id] [ADDRESS ip] [PASSWORD p] [PIN p]
        the credentials are the owner's; a map: verdict, serial, and refused, which says why it is
        not shared although all was right

on the administration socket:

    USER ADDRESSES name SET range ... | CLEAR        USER IDENTITY name SET text ... | CLEAR
    USER OPTOUT name                                 USER ENTRY name
    USER LIMITS name                                 USER WITHDRAWAL name cents
    DEVICE UNSHARE user serial

The rule: as in knowing.py and admin.py. Every act takes BY who at its end. Identity data come in
and never go out.
"""

from collections.abc import Callable
from typing import Any

from watchword._engine import Verdict
from watchword.engine import Engine
from watchword.errors import InvalidArgument
from watchword.serve.resp import Refusal, Reply, Simple, capitals
from watchword.serve.speaking import by_at_end
from watchword.sharing import Shared
from watchword.withdrawals import Limits

__all__ = ["CHANGES", "ENTERING", "UNSHARE", "VERBS"]

OK = Simple("OK")
OF_ATTEMPT = ("PLATFORM", "CHALLENGE", "ADDRESS", "PASSWORD", "PIN")
SYNTAX = "ERR syntax error"
SET_OR_CLEAR = "ERR syntax error, SET and what is set, or CLEAR"

# words that must be there, and the options behind them
VERBS: dict[str, tuple[int, tuple[str, ...]]] = {
    "OPTIN": (2, (*OF_ATTEMPT, "DEVICE", "ID")),
    "SHARE": (4, OF_ATTEMPT),
}

Options = dict[str, bytes]
Change = Callable[[Engine, list[bytes], Options, str], Verdict | Shared]


def opt_in(engine: Engine, words: list[bytes], given: Options, gateway: str) -> Verdict:
    user, response = (word.decode() for word in words)
    words_of = of_attempt({name: word for name, word in given.items() if name != "ID"})
    return engine.opt_in(
        user, response, gateway=gateway, request_id=given.get("ID"), **words_of
    )


def share(engine: Engine, words: list[bytes], given: Options, gateway: str) -> Shared:
    user, owner, serial, response = (word.decode() for word in words)
    return engine.share_device(
        user, owner, serial, response, gateway=gateway, **of_attempt(given)
    )


CHANGES: dict[str, Change] = {"OPTIN": opt_in, "SHARE": share}


def of_attempt(given: Options) -> dict[str, Any]:
    """The engine's words for these options; the portal is where one changes such things."""
    found = {name.lower(): word.decode() for name, word in given.items()}
    return {**found, "platform": found.get("platform", "portal").lower()}


# ---- administration ----


def user_addresses(engine: Engine, words: list[str]) -> Reply:
    (name, verb, *ranges), who = by_at_end(words, 2)
    if (capitals(verb), bool(ranges)) not in (("SET", True), ("CLEAR", False)):
        return Refusal(SET_OR_CLEAR)
    engine.set_addresses(name, ranges, by=who)
    return OK


def user_identity(engine: Engine, words: list[str]) -> Reply:
    (name, verb, *texts), who = by_at_end(words, 2)
    if (capitals(verb), bool(texts)) not in (("SET", True), ("CLEAR", False)):
        return Refusal(SET_OR_CLEAR)
    engine.set_identity(name, *texts, by=who)
    return OK


def user_optout(engine: Engine, words: list[str]) -> Reply:
    (name, *rest), who = by_at_end(words, 1)
    if rest:
        return Refusal(SYNTAX)
    engine.opt_out(name, by=who)
    return OK


def user_entry(engine: Engine, words: list[str]) -> Reply:
    if words[1:]:
        return Refusal(SYNTAX)
    entry = engine.entry(words[0])
    return {
        "opted_out": int(entry.opted_out),
        "addresses": list(entry.addresses),
        "identity_set": int(entry.identity_set),
        "has_password": int(entry.has_password),
        "questions": entry.questions,
        "shared": list(entry.shared),
    }


def user_limits(engine: Engine, words: list[str]) -> Reply:
    if words[1:]:
        return Refusal(SYNTAX)
    return limits_told(engine.limits(words[0]))


def user_withdrawal(engine: Engine, words: list[str]) -> Reply:
    """The limits as they stand after it, and whether it was within them."""
    (name, amount, *rest), who = by_at_end(words, 2)
    if rest:
        return Refusal(SYNTAX)
    if not (amount.isascii() and amount.isdecimal() and len(amount) < 20):
        raise InvalidArgument("a withdrawal is a whole number of cents")
    made = engine.report_withdrawal(name, int(amount), by=who)
    return {"within": int(made.within), **limits_told(made.limits)}


def limits_told(limits: Limits) -> dict[str, Reply]:
    """None: unlimited."""
    return {
        "device": limits.device,
        "kind": limits.kind,
        "rank": limits.rank,
        "day_cents": limits.day_cents,
        "five_days_cents": limits.five_days_cents,
        "day_used_cents": limits.day_used_cents,
        "five_days_used_cents": limits.five_days_used_cents,
    }


def device_unshare(engine: Engine, words: list[str]) -> Reply:
    (name, serial, *rest), who = by_at_end(words, 2)
    if rest:
        return Refusal(SYNTAX)
    engine.unshare_device(name, serial, by=who)
    return OK


ENTERING: dict[str, tuple[int, Callable[[Engine, list[str]], Reply]]] = {
    "ADDRESSES": (2, user_addresses),
    "IDENTITY": (2, user_identity),
    "OPTOUT": (1, user_optout),
    "ENTRY": (1, user_entry),
    "LIMITS": (1, user_limits),
    "WITHDRAWAL": (2, user_withdrawal),
}
UNSHARE: tuple[int, Callable[[Engine, list[str]], Reply]] = (2, device_unshare)
