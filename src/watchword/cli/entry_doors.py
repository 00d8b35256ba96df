"""Entry's verbs through either door: Engine's methods, or the daemon's commands (doors.py).

Rule: whoever does an act is said with it; a secret is a parameter and never a text that is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from watchword import Code, Engine, EntryView, Limits, Verdict
from watchword.cli.answers import Answer
from watchword.cli.connection import Connection, Reply, listed, mapping, number
from watchword.cli.options import who

__all__ = ["Credentials", "EntryDoor", "OwnEntryDoor", "RemoteEntryDoor"]


@dataclass(frozen=True)
class Credentials:
    """What proves who asks, and from where."""

    response: str
    password: str | None = None
    platform: str = "portal"
    device: str | None = None
    challenge: str | None = None
    address: str | None = None

    def words(self) -> list[str]:
        """As the daemon takes them."""
        said = ["PLATFORM", self.platform]
        for option in ("password", "device", "challenge", "address"):
            given = getattr(self, option)
            said += [] if given is None else [option.upper(), given]
        return said


class EntryDoor(Protocol):
    """What cli/entering.py asks for."""

    def entry(self, name: str) -> EntryView: ...
    def set_addresses(self, name: str, addresses: Sequence[str]) -> None: ...
    def set_identity(self, name: str, texts: Sequence[str]) -> None: ...
    def opt_out(self, name: str) -> None: ...
    def opt_in(self, name: str, by: Credentials) -> Answer: ...
    def share(self, name: str, owner: str, serial: str, by: Credentials) -> tuple[Answer, str]: ...
    def unshare(self, name: str, serial: str) -> None: ...
    def limits(self, name: str) -> Limits: ...
    def withdraw(self, name: str, cents: int) -> tuple[bool, Limits]: ...


class OwnEntryDoor:
    """The store opened here."""

    if TYPE_CHECKING:
        _engine: Engine

    def entry(self, name: str) -> EntryView:
        return self._engine.entry(name)

    def set_addresses(self, name: str, addresses: Sequence[str]) -> None:
        self._engine.set_addresses(name, addresses, by=who())

    def set_identity(self, name: str, texts: Sequence[str]) -> None:
        self._engine.set_identity(name, *texts, by=who())

    def opt_out(self, name: str) -> None:
        self._engine.opt_out(name, by=who())

    def opt_in(self, name: str, by: Credentials) -> Answer:
        return told(self._engine.opt_in(
            name, by.response, password=by.password, platform=by.platform, device=by.device,
            challenge=by.challenge, address=by.address,
        ))  # fmt: skip

    def share(self, name: str, owner: str, serial: str, by: Credentials) -> tuple[Answer, str]:
        said = self._engine.share_device(
            name, owner, serial, by.response, password=by.password, platform=by.platform,
            challenge=by.challenge, address=by.address,
        )  # fmt: skip
        return told(said.verdict), said.refused

    def unshare(self, name: str, serial: str) -> None:
        self._engine.unshare_device(name, serial, by=who())

    def limits(self, name: str) -> Limits:
        return self._engine.limits(name)

    def withdraw(self, name: str, cents: int) -> tuple[bool, Limits]:
        made = self._engine.report_withdrawal(name, cents, by=who())
        return made.within, made.limits


class RemoteEntryDoor:
    """The daemon that owns the store."""

    if TYPE_CHECKING:
        _connection: Connection

    def entry(self, name: str) -> EntryView:
        fields = mapping(self._connection.ask("USER", "ENTRY", name))
        return EntryView(
            bool(number(fields["opted_out"])),
            tuple(str(one) for one in listed(fields["addresses"])),
            bool(number(fields["identity_set"])), bool(number(fields["has_password"])),
            number(fields["questions"]), tuple(str(one) for one in listed(fields["shared"])),
        )  # fmt: skip

    def _set(self, verb: str, name: str, words: Sequence[str]) -> None:
        what = ["SET", *words] if words else ["CLEAR"]
        self._connection.ask("USER", verb, name, *what, "BY", who())

    def set_addresses(self, name: str, addresses: Sequence[str]) -> None:
        self._set("ADDRESSES", name, addresses)

    def set_identity(self, name: str, texts: Sequence[str]) -> None:
        self._set("IDENTITY", name, texts)

    def opt_out(self, name: str) -> None:
        self._connection.ask("USER", "OPTOUT", name, "BY", who())

    def opt_in(self, name: str, by: Credentials) -> Answer:
        return spoken(self._connection.ask("OPTIN", name, by.response, *by.words()))

    def share(self, name: str, owner: str, serial: str, by: Credentials) -> tuple[Answer, str]:
        reply = self._connection.ask("SHARE", name, owner, serial, by.response, *by.words())
        fields = mapping(reply)
        return spoken(fields["verdict"]), str(fields["refused"] or "")

    def unshare(self, name: str, serial: str) -> None:
        self._connection.ask("DEVICE", "UNSHARE", name, serial, "BY", who())

    def limits(self, name: str) -> Limits:
        return limits_of(mapping(self._connection.ask("USER", "LIMITS", name)))

    def withdraw(self, name: str, cents: int) -> tuple[bool, Limits]:
        fields = mapping(self._connection.ask("USER", "WITHDRAWAL", name, cents, "BY", who()))
        return bool(number(fields["within"])), limits_of(fields)


def told(verdict: Verdict) -> Answer:
    return Answer(verdict.code, verdict.device, verdict.retry_after_ms)


def spoken(reply: Reply) -> Answer:
    return Answer(Code[str(reply)], None, 0)


def limits_of(fields: dict[str, Reply]) -> Limits:
    def most(name: str) -> int | None:
        return None if fields[name] is None else number(fields[name])

    return Limits(
        str(fields["device"] or ""), str(fields["kind"]), number(fields["rank"]),
        most("day_cents"), most("five_days_cents"), number(fields["day_used_cents"]),
        number(fields["five_days_used_cents"]),
    )  # fmt: skip
