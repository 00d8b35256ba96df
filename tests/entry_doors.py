"""Three ways into the same rules for the tables of tests/test_entry.py: the slow twin, the engine
and the daemon over its two sockets. A door does as those of secret_doors.py do, and also restricts,
opts out and in, shares and withdraws.
"""

import hmac
from typing import Any

import secret_doors
from challenge_doors import KEY
from served import ReplyError

import watchword
from watchword import reference, reference_shares
from watchword.reference import Attempt
from watchword.reference_entry import business_day, left_cents, withdrawn

Said = tuple[str, str, str]

# serial -> kind; each has a key of its own, and some a PIN
DEVICES = {
    "plain": "dsc", "app": "totp", "gold": "gold", "sms": "sms", "pass": "temporary-passcode",
    "card": "code-card", "online": "online-code-card", "key": "ib-key", "pinned": "dsc",
    "alpine": "alpine", "plus": "dsc-plus", "platinum": "platinum", "new": "dsc",
}  # fmt: skip
PINS = {"key": "4711", "pinned": "4711"}
PASSCODE = b"ABCDEFGH23"


def key_of(serial: str, title: str = "") -> bytes:
    """A table's own: what was removed in another leaves its floor behind."""
    return PASSCODE if serial == "pass" else hmac.digest(KEY, (serial + title).encode(), "sha1")


def device_of(serial: str, title: str = "") -> watchword.Device:
    figures = {"pin": PINS[serial]} if serial in PINS else {}
    return watchword.Device.of(DEVICES[serial], key_of(serial, title), **figures)


class TwinDoor(secret_doors.TwinDoor):
    """The slow twin."""

    title = ""

    def made(self, serial: str) -> reference.Device:
        made = device_of(serial, self.title)
        back, forward = made.window
        return reference.Device(
            made.mechanism, made.key, serial, algorithm=made.algorithm, digits=made.digits,
            look_ahead=made.look_ahead, period=made.period, back=back, forward=forward,
            suite=made.suite, label=made.kind if made.label else "", pin=made.pin,
            pin_hash=made.pin_hash,
        )  # fmt: skip

    def add_device(self, name: str, serial: str) -> None:
        self.twin.add_device(name, self.made(serial), self.now_s * 1000)

    def remove_device(self, name: str, serial: str) -> None:
        self.twin.remove_device(name, serial, self.now_s * 1000)

    def replace_device(self, name: str, old: str, new: str, state: str) -> None:
        self.twin.replace_device(name, old, self.made(new), self.now_s * 1000, state=state)

    def restrict(self, name: str, ranges: list[str]) -> str:
        held = reference_shares.set_addresses(self.twin, name, tuple(ranges), self.now_s * 1000)
        return "done" if held else "refused"

    def identity(self, name: str, texts: list[str]) -> None:
        reference_shares.set_identity(self.twin, name, tuple(texts), self.now_s * 1000)

    def opt_out(self, name: str) -> str:
        done = reference_shares.opt_out(self.twin, name, self.now_s * 1000)
        return "done" if done else "refused"

    def opt_in(self, user: str, response: str, **options: Any) -> Said:
        attempt = Attempt(user, response, platform="portal", **options)
        answer = reference_shares.opt_in(self.twin, attempt, self.now_s * 1000)
        return answer.verdict.name, answer.reason.name, answer.device or "-"

    def share(self, user: str, owner: str, serial: str, response: str, **options: Any) -> Said:
        attempt = Attempt(owner, response, platform="portal", device=serial, **options)
        said = reference_shares.share(self.twin, user, attempt, self.now_s * 1000)
        return said.answer.verdict.name, said.answer.reason.name, said.refused

    def unshare(self, name: str, serial: str) -> str:
        done = reference_shares.unshare(self.twin, name, serial, self.now_s * 1000)
        return "done" if done else "refused"

    def withdraw(self, name: str, cents: int) -> str:
        within = reference_shares.withdraw(self.twin, name, cents, self.now_s * 1000)
        return "within" if within else "beyond"

    def limits(self, name: str) -> tuple[int | None, int, int]:
        user, now_ms = self.twin.users[name], self.now_s * 1000
        devices = reference_shares.usable(self.twin, user, now_ms)
        at_ms = max(now_ms, self.twin.latest_ms)
        return left_cents(devices, user, at_ms), *withdrawn(user, business_day(at_ms))

    def blind(self, user: str, response: str, **options: Any) -> str:
        """What a gateway without the right `reasons` reads."""
        return self.twin.attempt(Attempt(user, response, **options), self.now_s * 1000).shown.name

    def failures(self, name: str) -> tuple[int, list[int]]:
        return self.twin.users[name].streak.count, []


class EngineDoor(secret_doors.EngineDoor):
    """The engine, one call at a time."""

    title = ""

    def add_device(self, name: str, serial: str) -> None:
        self.engine.add_device(name, device_of(serial, self.title), serial=serial)

    def remove_device(self, name: str, serial: str) -> None:
        self.engine.remove_device(name, serial)

    def replace_device(self, name: str, old: str, new: str, state: str) -> None:
        self.engine.replace_device(name, old, device_of(new, self.title), new, state=state)

    def restrict(self, name: str, ranges: list[str]) -> str:
        return done(lambda: self.engine.set_addresses(name, ranges))

    def identity(self, name: str, texts: list[str]) -> None:
        self.engine.set_identity(name, *texts)

    def opt_out(self, name: str) -> str:
        return done(lambda: self.engine.opt_out(name))

    def opt_in(self, user: str, response: str, **options: Any) -> Said:
        verdict = self.engine.opt_in(user, response, **options)
        return verdict.code.name, verdict.reason.name, verdict.device or "-"

    def share(self, user: str, owner: str, serial: str, response: str, **options: Any) -> Said:
        try:
            said = self.engine.share_device(user, owner, serial, response, **options)
        except watchword.Error:
            return "ACCEPTED", "NONE", reference_shares.UNFIT
        assert bool(said) == (said.serial == serial)
        return said.verdict.code.name, said.verdict.reason.name, said.refused

    def unshare(self, name: str, serial: str) -> str:
        return done(lambda: self.engine.unshare_device(name, serial))

    def withdraw(self, name: str, cents: int) -> str:
        made = self.engine.report_withdrawal(name, cents, by="a gateway")
        assert made.limits == self.engine.limits(name)
        return "within" if made else "beyond"

    def limits(self, name: str) -> tuple[int | None, int, int]:
        found = self.engine.limits(name)
        return found.left_cents, found.day_used_cents, found.five_days_used_cents

    def blind(self, user: str, response: str, **options: Any) -> str:
        return str(self.engine.verify(user, response, **options).shown.name)

    def failures(self, name: str) -> tuple[int, list[int]]:
        return self.engine.user(name).failures, []


def done(call: Any) -> str:
    try:
        call()
    except watchword.InvalidArgument:
        return "refused"
    return "done"


class DaemonDoor(secret_doors.DaemonDoor):
    """The daemon, on its two sockets."""

    title = ""

    def add_device(self, name: str, serial: str) -> None:
        kind = DEVICES[serial]
        words = ["SERIAL", serial, "KEY", key_of(serial, self.title).hex()]
        words += ["PIN", PINS[serial]] if serial in PINS else []
        if kind == "temporary-passcode":
            self._acts.ask("DEVICE", "PASSCODE", self._prefix + name, "SERIAL", serial)
        else:
            self._acts.ask("DEVICE", "ADD", self._prefix + name, kind, *words)

    def remove_device(self, name: str, serial: str) -> None:
        self._acts.ask("DEVICE", "REMOVE", self._prefix + name, serial)

    def replace_device(self, name: str, old: str, new: str, state: str) -> None:
        words = [DEVICES[new], "SERIAL", new, "KEY", key_of(new, self.title).hex()]
        self._acts.ask("DEVICE", "REPLACE", self._prefix + name, old, *words, "STATE", state)

    def _done(self, *words: str) -> str:
        try:
            assert self._acts.ask(*words) == "OK"
        except ReplyError as error:
            assert str(error).startswith("INVALID "), error
            return "refused"
        return "done"

    def restrict(self, name: str, ranges: list[str]) -> str:
        words = ["SET", *ranges] if ranges else ["CLEAR"]
        return self._done("USER", "ADDRESSES", self._prefix + name, *words)

    def identity(self, name: str, texts: list[str]) -> None:
        words = ["SET", *texts] if texts else ["CLEAR"]
        assert self._done("USER", "IDENTITY", self._prefix + name, *words, "BY", "desk 4") == "done"

    def opt_out(self, name: str) -> str:
        return self._done("USER", "OPTOUT", self._prefix + name)

    def opt_in(self, user: str, response: str, **options: Any) -> Said:
        words = [word for pair in options.items() for word in pair]
        return self._tcp.ask("OPTIN", self._prefix + user, response, *words), "", ""

    def share(self, user: str, owner: str, serial: str, response: str, **options: Any) -> Said:
        words = [word for pair in options.items() for word in pair]
        users = self._prefix + user, self._prefix + owner
        try:
            said = self._tcp.ask("SHARE", *users, serial, response, *words)
        except ReplyError as error:
            assert str(error).startswith(("INVALID ", "ERR ")), error
            return "ACCEPTED", "", reference_shares.UNFIT
        return said["verdict"], "", said["refused"]

    def unshare(self, name: str, serial: str) -> str:
        return self._done("DEVICE", "UNSHARE", self._prefix + name, serial)

    def withdraw(self, name: str, cents: int) -> str:
        made = self._acts.ask("USER", "WITHDRAWAL", self._prefix + name, cents, "BY", "a gateway")
        return "within" if made["within"] else "beyond"

    def limits(self, name: str) -> tuple[int | None, int, int]:
        found = self._acts.ask("USER", "LIMITS", self._prefix + name)
        used = found["day_used_cents"], found["five_days_used_cents"]
        most = found["day_cents"], found["five_days_cents"]
        left = [max(0, a - b) for a, b in zip(most, used, strict=True) if a is not None]
        return min(left, default=None), *used

    def failures(self, name: str) -> tuple[int, list[int]]:
        return self._acts.ask("USER", "GET", self._prefix + name)["failures"], []
