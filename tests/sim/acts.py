"""Administration in a world: what the twin says an act must come to, and the act itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import watchword
from tests.sim.phones import PHONES
from watchword.devices import passcode
from watchword.errors import Busy
from watchword.reference import Device

__all__ = ["Acts"]

DEVICES_MAX = 4  # of one user of a story: fewer than an engine allows
KEYS = [bytes([65 + i]) * 20 for i in range(12)]  # from the fifth on, of what each user lends
REFUSALS = {watchword.Exists: "-EXISTS", watchword.NotFound: "-NOTFOUND"}


class Acts:
    """Steps of a world that administer."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        serials: int
        asked: Callable[..., Any]
        devices: Callable[[str], list[Any]]
        serial: Callable[[str, Any], str | None]
        shown: dict[str, str]
        met: Any
        expect_becomes: Callable[[str, str, str], str]
        expect_unshare: Callable[[str, str], str]
        pin_of: Callable[[bytes], str]
        _refused: Callable[[Callable[[], Any]], None]

    def expect_act(self, verb: str, who: str, *words: Any) -> str:
        """Prepares the twin's act; how the refusal begins that it must meet instead, or nothing."""
        twin, there = self.checker.twin, who in self.checker.twin.users
        if verb == "add_user":
            if there:
                return "-EXISTS"
            self.checker.acting = lambda now_ms: twin.add_user(
                who, now_ms, state=words[0], realm=words[1]
            )
            return ""
        if not there:
            return "-NOTFOUND"
        if verb == "set_user":
            self.checker.acting = lambda now_ms: twin.set_user(
                who, now_ms, state=words[0], realm=words[1]
            )
        elif verb in ("set_password", "clear_password"):
            self.checker.acting = lambda now_ms: twin.set_password(who, (*words, None)[0], now_ms)
        elif verb == "remove_user":
            self.checker.acting = lambda now_ms: twin.remove_user(who, now_ms)
        elif verb == "unshare":
            return self.expect_unshare(who, words[0])
        elif verb == "becomes":
            return self.expect_becomes(who, *words)
        elif verb == "unlock":
            self.checker.acting = lambda now_ms: twin.unlock(who, now_ms, by="client services")
        return ""

    def _done(self, expects: str | Callable[[], str], call: Callable[[], Any]) -> None:
        """Calls the engine, which must do as its twin: the act, or the same refusal. expects:
        the refusal or nothing, or what tells it once the call is over."""

        def told() -> str:
            try:
                call()
            except (watchword.Exists, watchword.NotFound) as error:
                return REFUSALS[type(error)]
            return ""

        said = self.asked(told)
        if said is None:
            return
        expected = expects if isinstance(expects, str) else expects()
        if said != expected:
            self.checker.fail(f"an act came to {said!r}, its twin says {expected!r}")
        self.checker.acknowledge(self.engine._turn)

    def on_user(self, verb: str, who: str, *words: str) -> None:
        """add_user, set_user, remove_user, unlock."""
        expected = self.expect_act(verb, who, *words)
        engine = self.engine
        calls: dict[str, Callable[[], Any]] = {
            "add_user": lambda: engine.add_user(who, *words),
            "set_user": lambda: engine.set_user(who, state=words[0], realm=words[1]),
            "remove_user": lambda: engine.remove_user(who),
            "unlock": lambda: engine.unlock(who, by="client services"),
        }
        self._done(expected, calls[verb])

    def on_look(self, who: str) -> None:
        """What is shown of a user is durable too."""
        user = self.checker.twin.users.get(who)
        seen: list[Any] = []
        self._done(
            "-NOTFOUND" if user is None else "", lambda: seen.append(self.engine.user(who))
        )
        if seen and user is not None and seen[0].failures != user.streak.count:
            self.checker.fail(f"{who} is shown with {seen[0].failures} failures")

    def on_add_device(self, who: str, words: dict[str, Any]) -> None:
        if len(self.devices(who)) < DEVICES_MAX:
            self._enrol(who, words, KEYS[words["key"]])

    def _enrol(self, who: str, words: dict[str, Any], key: bytes) -> None:
        self.serials += 1
        serial = f"{'qzajm'[self.serials % 5]}{self.serials}"
        figures = {name: word for name, word in words.items() if name not in ("kind", "key")}
        if figures.get("label") == "temporary-passcode":
            key = "".join(passcode.ALPHABET[byte % 32] for byte in key[:10]).encode()
        own = Device(words["kind"], key, serial, **figures)
        if "back" in figures:
            figures["window"] = (figures.pop("back"), figures.pop("forward"))
        if "moving" in figures:
            figures["counter"] = figures.pop("moving")
        device = self._made(who, own, figures)
        own.algorithm, own.digits = device.algorithm, device.digits
        twin, there = self.checker.twin, who in self.checker.twin.users
        if there and twin.bars(who, own):
            self._refused(lambda: self.engine.add_device(who, device, serial))
            return
        if there:
            self.checker.acting = lambda now_ms: twin.add_device(who, own, now_ms)
        self._done(
            "" if there else "-NOTFOUND", lambda: self.engine.add_device(who, device, serial)
        )

    def _made(self, who: str, own: Device, figures: dict[str, Any]) -> watchword.Device:
        """The library's device, and what of it the twin's lacks. One phone a user."""
        if own.kind == "ocra":     # of suites without time: there is no window
            own.back = own.forward = 0
        if own.label != "ib-key":
            return watchword.Device.of(figures.pop("label", "") or own.kind, own.key, **figures)
        own.phone = b"" if any(d.phone for d in self.devices(who)) else PHONES[int(own.phone)]
        device = watchword.Device.ib_key(own.key, self.pin_of(own.phone), own.phone or None)
        own.pin_hash, own.suite = device.pin_hash, device.suite
        own.look_ahead = 0
        return device

    def on_challenge(
        self, who: str, platform: str, purpose: str | None, index: Any, sms: bool = False,
        question: str | None = None, client_question: str | None = None,
    ) -> None:  # fmt: skip
        """Asking: the engine shows what its twin shows, and what is shown, or sent, is durable."""
        twin, twins, phone = self.checker.twin, [], self.engine.phone
        named = {"platform": platform, "purpose": purpose, "device": self.serial(who, index)}
        if not sms:
            named |= {"question": question, "client_question": client_question}
        phone.sent.clear()

        def act(now_ms: int) -> None:
            twins.append(twin.challenge(who, now_ms, **named, sends=True, sms=sms))

        def told() -> Any:
            try:
                return (self.engine.send_code if sms else self.engine.challenge)(who, **named)
            except Busy:
                return ""

        self.checker.acting = act
        found = self.asked(told)
        self.checker.acting = None
        if found == "" and not self.checker.guard.busy and twins != [None]:
            self.checker.fail("a challenge was refused, and the engine is not busy")
        too_many = "too many answers" if client_question and not sms else "too many codes"
        self.met[too_many] += found == "" and twins == [None]
        if not found:
            return
        shown = found.id, found.kind, found.prompt, found.expires_ms, found.answer
        self.met["something posed"] += len(found.id) > 96
        self.met["an answer to a client"] += bool(found.answer)
        if shown != twins[0]:
            self.checker.fail(f"{who} was shown {found}, its twin says {twins[0]}")
        codes = [twin.sent_code] if found.kind == "sms" and twin.sent_code else []
        if [delivery.code for delivery in phone.sent] != codes:
            self.checker.fail(f"{who} was sent {phone.sent}, its twin sends {codes}")
        self.met["a code sent"] += len(codes)
        self.shown[who] = found.id
        self.checker.acknowledge(self.engine._turn)

    def on_remove_device(self, who: str, index: int) -> None:
        if self.devices(who):
            serial, twin = self._serial(who, index), self.checker.twin
            self.checker.acting = lambda now_ms: twin.remove_device(who, serial, now_ms)
            self._done("", lambda: self.engine.remove_device(who, serial))

    def on_enrol_again(
        self, who: str, index: int, whole_user: bool, words: dict[str, Any]
    ) -> None:
        """The same key in another device, after the old one or the whole user has gone."""
        if not self.devices(who):
            return
        key = self.devices(who)[index % len(self.devices(who))].key
        if whole_user:
            self.on_user("remove_user", who)
            self.on_user("add_user", who, "open", "live")
        else:
            self.on_remove_device(who, index)
        if not self.machine.disk.off:
            self._enrol(who, words, key)

    def _serial(self, who: str, index: int) -> str:
        devices = self.devices(who)
        return str(devices[index % len(devices)].serial)

    # ---- the store and its clock

    def on_accept_clock(self) -> None:
        if self.engine._ended is None:
            self.checker.guard.accepted()
        self._done("", lambda: self.engine.accept_clock(by="client services"))

    def on_rotate(self) -> None:
        self._done("", self.engine.rotate_key)
