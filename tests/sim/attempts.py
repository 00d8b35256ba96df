"""Attempts in a world: what is typed, spelled by the twin for the time that it is, and an embedding
program's calls with it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked, answer_of
from watchword import reference_card, reference_ocra
from watchword.reference import PLATFORMS, Attempt

__all__ = ["Attempts"]


class Attempts:
    """Steps of a world that verify, and the words of all that do."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        asked: Callable[..., Any]
        own_password: Callable[[str], str | None]
        shown: dict[str, str]
        typed_last: dict[str, str]

    def attempt(self, who: str, typed: Any, options: dict[str, Any], second: Any = None) -> Attempt:
        """What is really said: codes are spelled by the twin, for the time that it is."""
        platform, posed = options.get("platform", "trading"), ""
        if options.get("by_id") and isinstance(typed, tuple):
            sealed = reference_ocra.unseal(self.checker.twin.keys.token, self.shown.get(who, ""))
            numbers = [device.number for device in self.devices(who)]
            if sealed and sealed.device in numbers:
                typed, posed = (numbers.index(sealed.device), typed[1]), sealed.posed
        response = self.spell(who, typed, platform, posed)
        if response:
            self.typed_last[who] = response
        return Attempt(
            who, response, platform, options.get("realm", "live"),
            self.serial(who, options.get("device")), options.get("address"),
            None if second is None else self.spell(who, second, platform),
            challenge=self.shown.get(who) if options.get("by_id") else None,
        )  # fmt: skip

    @staticmethod
    def apart(a: Attempt, pin: tuple[int, str | None] | None) -> Attempt:
        """pin: so many characters are not typed in front, and said apart; or something else is."""
        if pin is None:
            return a
        count, said = pin
        return replace(
            a, response=a.response[count:], pin=a.response[:count] if said is None else said
        )

    def spell(self, who: str, typed: Any, platform: str, posed: str = "") -> str:
        if typed == "again":
            return self.typed_last.get(who, "000000")
        if isinstance(typed, str):
            return typed
        index, near = typed
        devices = self.devices(who)
        if not devices:
            return "314159"
        device = devices[index % len(devices)]
        now_ms = self.machine.clock.wall_ms()
        if device.kind == "ocra":
            standing = device.standing.get(PLATFORMS.index(platform))
            n = standing.n if standing else max(0, device.issued - 1)
            question = posed or self.checker.twin._question(device, n)
            further = 0 if near == "fresh" else near
            return device.response(question, (device.moving + further) % 2**64, b"", 0)
        if device.kind == "card":
            n = max(0, device.moving + (0 if near == "fresh" else near))
            n = min(n, reference_card.answers_max(device.once) - 1)
            keys, card = self.checker.twin.keys, reference_card.who_of(device.key)
            pair = reference_card.pair(keys.question, card, device.once, n)
            return reference_card.answer(device.key, pair)
        if device.label == "temporary-passcode":
            text: str = device.key.decode()
            return text if near in ("fresh", 0, 1) else text[:-1]
        if near == "fresh":
            near = max(0, device.moving - device.expected(now_ms))
        position = device.expected(now_ms) + near
        before = "" if not device.pin else "0000" if near == -1 else device.pin
        return before + device.code(position) if 0 <= position < 2**64 else "271828"

    def devices(self, who: str) -> list[Any]:
        user = self.checker.twin.users.get(who)
        return user.devices if user else []

    def serial(self, who: str, word: Any) -> str | None:
        devices = self.devices(who)
        if isinstance(word, int):
            return devices[word % len(devices)].serial if devices else "none-such"
        return word  # type: ignore[no-any-return]

    def on_verify(self, who: str, typed: Any, options: dict[str, Any]) -> None:
        a = self.attempt(who, typed, options)
        own = self.own_password(who) if options.get("first", True) else "wrong"
        a = replace(a, password=own)
        asked = Asked(a)
        self.checker.asking = [asked]
        verdict = self.asked(
            lambda: self.engine.verify(
                a.name, a.response, platform=a.platform, realm=a.realm, device=a.device,
                address=a.address, challenge=a.challenge, password=a.password,
            )
        )  # fmt: skip
        if verdict is not None:
            self.checker.answered(asked, answer_of(verdict), self.engine._turn)

    def on_resync(self, who: str, first: Any, second: Any, options: dict[str, Any]) -> None:
        a = self.attempt(who, first, {"device": options.get("device", 0)}, second)
        asked = Asked(a)
        self.checker.asking = [asked]
        verdict = self.asked(
            lambda: self.engine.resync(a.name, a.response, str(a.second), device=str(a.device))
        )
        if verdict is not None:
            self.checker.answered(asked, answer_of(verdict), self.engine._turn)

    def on_verify_many(
        self, words: Sequence[tuple[str, Any]], platform: str, threads: int = 1
    ) -> None:
        asked = [Asked(self.attempt(who, typed, {"platform": platform})) for who, typed in words]
        self.checker.asking = list(asked)
        codes = self.asked(
            lambda: self.engine.verify_many(
                [one.attempt.name for one in asked], [one.attempt.response for one in asked],
                platform=platform, threads=threads,
            )
        )  # fmt: skip
        if codes is not None:
            for one, code in zip(asked, codes, strict=True):
                self.checker.answered(one, (int(code),), self.engine._turn)
