"""Devices that come and go in the engine and its slow twin, side by side: a part of Both."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from said import answer_of

import watchword
from watchword import reference
from watchword.reference import Attempt, Device
from watchword.reference_ids import Ids

DEVICES_MAX = 16
CARD_KEY = bytes(20)                # the engine's entropy in a history is zeros
LIFE_ACTS = ("ship_device", "online_card", "replace_device", "set_dates", "set_device")
NAMES = {"ended": "expired"}


class Living:
    """Acts of a history on devices, where they are legal, and the attempt that activates one."""

    if TYPE_CHECKING:
        engine: watchword.Engine
        twin: reference.Reference
        now_ms: int
        number: int
        serials: int
        seen: set[str]
        by_id: Ids
        sent: dict[str, Attempt]
        ids: dict[Any, Any]
        name: Callable[[str], str]
        devices: Callable[[str], list[Device]]
        attempt: Callable[[str, Any, dict[str, Any]], Attempt]
        made: Callable[[dict[str, Any], str], tuple[watchword.Device, Device]]

    def place(self, who: str, word: Any) -> Any:
        """Where the device stands that was shipped last, or the first phone; or the word itself."""
        if word == "phone":
            return next((at for at, d in enumerate(self.devices(who)) if d.phone), 0)
        shipped = [at for at, d in enumerate(self.devices(who)) if d.state == "shipped"]
        return max(shipped, default=0) if word == "shipped" else word

    def dates_of(self, d: Device) -> tuple[int, ...] | None:
        """A device's dates in the engine's numbers; None where there are none."""
        replaces = self.ids.get(("device", "twin", d.dates.replaces), 0)
        return tuple(d.dates._replace(replaces=replaces)) if any(d.dates) else None

    def activate(self, who: str, word: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        """What was sent under an id goes as it was, or changed in a word."""
        a = self.attempt(who, word, options)
        asked = Attempt(
            a.name, a.response, a.platform, device=a.device or "unheard-of",
            challenge=a.challenge, address=a.address, password=a.password, vouched=a.vouched,
            activates=True,
        )  # fmt: skip
        if not options.get("id"):
            mine, answer = self.activated(asked), self.twin.attempt(asked, self.now_ms)
        else:
            id = f"history {self.number} activation {options['id']}"
            asked = replace(self.sent.setdefault(id, asked), **options["change"])
            mine = self.activated(asked, request_id=id, gateway="tcp")
            told, again = self.by_id.attempt(self.twin, asked, self.now_ms, "tcp", id)
            if told is None:
                self.seen.add("activation misused")
                return mine, None
            answer = told
            self.seen |= {f"activation told again: {answer.verdict.name}"} if again else set()
        self.seen |= {repr(answer.verdict), repr(answer.reason), f"activate {answer.verdict.name}"}
        return mine, tuple(answer)

    def activated(self, a: Attempt, **given: Any) -> Any:
        """The engine's answer; None: misuse."""
        try:
            return answer_of(self.engine.activate(
                a.name, str(a.device), a.response, challenge=a.challenge, platform=a.platform,
                password=a.password, address=a.address, first_factor=a.vouched, **given,
            ))  # fmt: skip
        except watchword.InvalidArgument:
            return None

    def new(self, words: dict[str, Any]) -> tuple[watchword.Device, Device]:
        self.serials += 1
        words = {name: word for name, word in words.items() if name != "phone"}
        return self.made(words, f"{'qzajm'[self.serials % 5]}{self.number}x{self.serials}")

    def moments(self, words: dict[str, int]) -> tuple[dict[str, Any], dict[str, int]]:
        """Dates as the engine takes them, and as the twin does."""
        own = {name: time and time + self.now_ms for name, time in words.items()}
        named: dict[str, Any] = dict(own)
        if "delivery_day" in words:
            own["delivery_day"] = words["delivery_day"]
            del named["delivery_day"]
            named["delivery"] = "2024-10-04" if words["delivery_day"] else ""
        return named, own

    def ship_device(self, who: str, words: dict[str, Any], dates: dict[str, int]) -> None:
        if len(self.devices(who)) >= DEVICES_MAX:
            return
        (device, own), (named, moments) = self.new(dict(words)), self.moments(dates)
        name = self.name(who)
        if self.twin.bars(name, own):
            return
        assert self.engine.ship_device(name, device, own.serial, **named) == own.serial
        self.twin.ship_device(name, own, self.now_ms, **moments)

    def online_card(self, who: str, _: int) -> None:
        if len(self.devices(who)) >= DEVICES_MAX:
            return
        self.serials += 1
        serial = f"c{self.number}x{self.serials}"
        own = Device("card", CARD_KEY, serial, label="online-code-card", look_ahead=0, back=0,
                     forward=0)  # fmt: skip
        if self.twin.bars(self.name(who), own):
            return
        self.engine.issue_online_card(self.name(who), serial)
        self.twin.online_card(self.name(who), own, self.now_ms)

    def replace_device(
        self, who: str, at: int, words: dict[str, Any], state: str, until: int
    ) -> None:
        devices, name = self.devices(who), self.name(who)
        if at >= len(devices) or len(devices) >= DEVICES_MAX:
            return
        until_ms = until and until + self.now_ms if state == "active" else 0
        (device, own), old = self.new(dict(words)), devices[at].serial
        if self.twin.bars(name, own):
            return
        made = None
        with contextlib.suppress(watchword.InvalidArgument):
            made = self.engine.replace_device(
                name, old, device, own.serial, state=NAMES.get(state, state), until_ms=until_ms
            )
        legal = self.twin.may_become(name, old, state, self.now_ms)
        assert (made is not None) == legal, "one calls it legal"
        if legal:
            self.twin.replace_device(name, old, own, self.now_ms, state=state, until_ms=until_ms)

    def set_dates(self, who: str, at: int, dates: dict[str, int]) -> None:
        devices, name = self.devices(who), self.name(who)
        if at >= len(devices):
            return
        named, moments = self.moments(dates)
        self.engine.set_dates(name, devices[at].serial, **named)
        self.twin.set_dates(name, devices[at].serial, self.now_ms, **moments)

    def set_device(self, who: str, at: int, state: str) -> None:
        devices, name = self.devices(who), self.name(who)
        if at >= len(devices):
            return
        serial, legal = devices[at].serial, True
        try:
            self.engine.set_device(name, serial, state=NAMES.get(state, state))
        except watchword.InvalidArgument:
            legal = False
        assert self.twin.may_become(name, serial, state, self.now_ms) == legal, "one calls it legal"
        self.seen |= set() if legal else {"an illegal state"}
        if legal:
            self.twin.set_device(name, serial, state, self.now_ms)
