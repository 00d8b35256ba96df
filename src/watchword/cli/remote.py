"""The door through a daemon: every verb as one command on the store's administration socket."""

import base64
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from watchword import (
    Card,
    Challenge,
    Code,
    Device,
    DeviceView,
    Entry,
    Explanation,
    Imported,
    Passcode,
    Policy,
    Push,
    PushShown,
    Question,
    User,
    Wanted,
)
from watchword.audit import Page
from watchword.cli.answers import Answer, Change, Enrolled
from watchword.cli.carrier import Carrier
from watchword.cli.connection import Connection, Reply, listed, mapping, number
from watchword.cli.entry_doors import RemoteEntryDoor
from watchword.cli.keeping import Keeping
from watchword.cli.life_doors import Life, RemoteLife
from watchword.cli.options import who
from watchword.errors import InvalidArgument
from watchword.explain import Told
from watchword.figures import text_of
from watchword.views import OpenChallenge

__all__ = ["RemoteDoor"]

FILTERS = {
    "user": "USER", "device": "DEVICE", "verdict": "VERDICT", "since_ms": "SINCE",
    "until_ms": "UNTIL", "gateway": "GATEWAY", "only": "ONLY",
}  # fmt: skip


class RemoteDoor(RemoteEntryDoor, Keeping):
    """Engine's verbs, asked of the daemon that owns the store."""

    def __init__(self, to: Path | int) -> None:
        self._connection = Connection(to)
        self._ask = self._connection.ask
        self.close = self._connection.close
        self.life: Life = RemoteLife(self._ask, enrolment)

    def add_user(self, name: str, state: str, realm: str) -> None:
        self._ask("USER", "ADD", name, "STATE", state, "REALM", realm, "BY", who())

    def user(self, name: str) -> User:
        fields = mapping(self._ask("USER", "GET", name))
        devices = [mapping(device) for device in listed(self._ask("DEVICE", "LIST", name))]
        return User(
            name=str(fields["name"]),
            state=str(fields["state"]),
            realm=str(fields["realm"]),
            failures=number(fields["failures"]),
            locked_until_ms=number(fields["locked_until_ms"]) or None,
            last_failure_ms=number(fields["last_failure_ms"]) or None,
            devices=tuple(device_view(device) for device in devices),
        )

    def users(self, after: str, count: int) -> list[str]:
        words = ["AFTER", after] if after else []
        return [str(name) for name in listed(self._ask("USER", "LIST", *words, "COUNT", count))]

    def remove_user(self, name: str) -> None:
        self._ask("USER", "REMOVE", name, "BY", who())

    def unlock(self, name: str, by: str) -> None:
        self._ask("USER", "UNLOCK", name, "BY", by)

    def add_device(self, user: str, device: Device, serial: str | None) -> str:
        words = enrolment(device)
        if serial is not None:
            words += ["SERIAL", serial]
        return str(self._ask("DEVICE", "ADD", user, *words, "BY", who()))

    def issue_passcode(self, user: str, serial: str | None) -> Passcode:
        words = ["SERIAL", serial] if serial is not None else []
        fields = mapping(self._ask("DEVICE", "PASSCODE", user, *words, "BY", who()))
        return Passcode(str(fields["serial"]), str(fields["passcode"]))

    def remove_device(self, user: str, serial: str) -> None:
        self._ask("DEVICE", "REMOVE", user, serial, "BY", who())

    def card(self, user: str, serial: str, by: str) -> Card:
        fields = mapping(self._ask("DEVICE", "CELLS", user, serial, "BY", by))
        cells = tuple(str(cell) for cell in listed(fields["cells"]))
        return Card(str(fields["serial"]), str(fields["kind"]), cells)

    def resync(
        self, user: str, first: str, second: str, serial: str, address: str | None
    ) -> Answer:
        words = ["ADDRESS", address] if address is not None else []
        verdict = self._ask("DEVICE", "RESYNC", user, serial, first, second, *words)
        return Answer(Code[str(verdict)], serial, 0)

    def challenge(
        self, user: str, platform: str, serial: str | None, purpose: str | None, sms: bool,
        question: str | None = None, client_question: str | None = None,
    ) -> Challenge:  # fmt: skip
        words = ["DEVICE", serial] if serial is not None else []
        words += ["PURPOSE", purpose] if purpose is not None else []
        words += ["KIND", "sms"] if sms else []
        words += ["QUESTION", question] if question is not None else []
        words += ["CLIENT", client_question] if client_question is not None else []
        fields = mapping(self._ask("CHALLENGE", user, "PLATFORM", platform, *words))
        return Challenge(
            id=str(fields["id"]),
            kind=str(fields["kind"]),
            prompt=str(fields["prompt"]),
            expires_ms=number(fields["expires_ms"]),
            answer=str(fields.get("answer", "")),
        )

    def verify(
        self, user: str, response: str, platform: str, serial: str | None, challenge: str | None,
        session: bytes | None, password: str | None, pin: str | None,
        request_id: str | None = None, address: str | None = None,
    ) -> Answer:  # fmt: skip
        words = ["DEVICE", serial] if serial is not None else []
        words += ["CHALLENGE", challenge] if challenge is not None else []
        words += ["SESSION", session.hex()] if session is not None else []
        words += ["PASSWORD", password] if password is not None else []
        words += ["PIN", pin] if pin is not None else []
        words += ["ID", request_id] if request_id is not None else []
        words += ["ADDRESS", address] if address is not None else []
        reply = self._ask("VERIFY", user, response, "PLATFORM", platform, *words, "DETAIL")
        return answer_of(reply)

    def push(self, user: str, platform: str, purpose: str | None, text: str) -> Push:
        words = ["PURPOSE", purpose] if purpose is not None else []
        words += ["TEXT", text] if text else []
        fields = mapping(self._ask("PUSH", user, "PLATFORM", platform, *words))
        return Push(
            str(fields["id"]), number(fields["number"]), str(fields["prompt"]),
            number(fields["expires_ms"]),
        )  # fmt: skip

    def claim(self, user: str, platform: str, push: str, wait_ms: int) -> Answer:
        words = ("CHALLENGE", push, "WAIT", wait_ms, "DETAIL")
        return answer_of(self._ask("VERIFY", user, "", "PLATFORM", platform, *words))

    def pushes(
        self, user: str, serial: str, time_ms: int, signature: str
    ) -> list[PushShown]:
        found = listed(self._ask("PHONE", "PUSHES", user, serial, time_ms, signature))
        return [push_shown(mapping(one)) for one in found]

    def decide_push(
        self, push: str, decision: str, number: int | None, unlocked: str, signature: str
    ) -> str:
        words = [] if number is None else [number]
        reply = self._ask("PHONE", "ANSWER", push, decision, *words, unlocked, signature)
        return str(reply).lower()

    def enrol_phone(
        self, user: str, challenge: str, token: str, public_key: str, pin: str, platform: str,
        serial: str | None,
    ) -> Enrolled:  # fmt: skip
        words = ["SERIAL", serial] if serial is not None else []
        reply = self._ask(
            "PHONE", "ENROL", user, challenge, token, public_key, pin, "PLATFORM", platform, *words
        )
        fields = mapping(reply)
        serial = str(fields["serial"] or "")
        return Enrolled(
            Answer(Code[str(fields["verdict"])], serial or None, 0), serial,
            bytes.fromhex(str(fields["key"] or "")), str(fields["suite"] or ""),
            tuple(str(gone) for gone in listed(fields["replaced"])),
        )  # fmt: skip

    def set_password(self, name: str, password: str) -> None:
        self._ask("USER", "PASSWORD", name, "SET", password, "BY", who())

    def clear_password(self, name: str) -> None:
        self._ask("USER", "PASSWORD", name, "CLEAR", "BY", who())

    def set_questions(self, name: str, questions: Sequence[tuple[str, str, str]]) -> None:
        words = (word for one in questions for word in one)
        self._ask("USER", "QUESTIONS", name, "SET", *words, "BY", who())

    def clear_questions(self, name: str) -> None:
        self._ask("USER", "QUESTIONS", name, "CLEAR", "BY", who())

    def question(self, user: str) -> Question:
        fields = mapping(self._ask("QUESTION", user))
        return Question(str(fields["id"]), str(fields["question"]))

    def answer(self, user: str, id: str, answer: str, address: str | None) -> Answer:
        words = ["ADDRESS", address] if address is not None else []
        return said(self._ask("ANSWER", user, id, answer, *words))

    def change_pin(self, user: str, old: str, code: str, new: str, by: Change) -> Answer:
        words = ["PERSONAL", "\n".join(by.personal)] if by.personal else []
        return said(self._ask("CHANGEPIN", user, old, code, new, *of_change(by), *words))

    def change_password(self, user: str, old: str, code: str, new: str, by: Change) -> Answer:
        return said(self._ask("CHANGEPASSWORD", user, old, code, new, *of_change(by)))

    def rotate_key(self) -> None:
        self._ask("KEY", "ROTATE", "BY", who())

    def accept_clock(self, by: str) -> None:
        self._ask("CLOCK", "ACCEPT", "BY", by)

    def head(self) -> int:
        return number(self._ask("AUDIT", "HEAD"))

    def audit_page(self, wanted: Wanted, turn: int, place: int) -> Page:
        words: list[str | int] = ["TURN", turn, "PLACE", place]
        for name, option in FILTERS.items():
            if (given := getattr(wanted, name)) is not None:
                words += [option, given]
        fields = mapping(self._ask("AUDIT", "READ", *words))
        entries = tuple(entry(mapping(one)) for one in listed(fields["entries"]))
        return Page(
            entries, number(fields["turn"]), number(fields["place"]), number(fields["head"])
        )

    def explain(self, user: str, last: int) -> Explanation:
        fields = mapping(self._ask("AUDIT", "EXPLAIN", user, "LAST", last))
        attempts = [mapping(one) for one in listed(fields["attempts"])]
        return Explanation(
            user=str(fields["user"]),
            known=bool(number(fields["known"])),
            standing=tuple(map(str, listed(fields["standing"]))),
            attempts=tuple(
                Told(entry(mapping(one["entry"])), str(one["why"])) for one in attempts
            ),
            remedies=tuple(map(str, listed(fields["remedies"]))),
        )

    def bare_rows(self) -> Iterator[tuple[int, bytes, int]]:
        """Up to the row that is the last one now."""
        head, turn = self.head(), 0
        while turn < head:
            fields = mapping(self._ask("AUDIT", "ROWS", "AFTER", turn))
            rows = listed(fields["rows"])
            if not rows:
                return
            for row in rows:
                at, file, text = listed(row)
                turn = number(at)
                if turn > head:
                    return
                yield turn, base64.b64decode(str(text)), number(file)

    def import_csv(
        self, file: BinaryIO, by: str, dry_run: bool, skip_bad: bool,
        progress: Callable[[int], object] | None,
    ) -> Imported:  # fmt: skip
        return Carrier(self._ask, by).import_csv(file, dry_run, skip_bad, progress)

    def export_rows(self, after: str, keys: bool, by: str) -> tuple[int, str, list[str]]:
        if keys:
            raise InvalidArgument(
                "keys never leave a daemon",
                hint="stop it, and export them where the store and its key are",
            )
        fields = mapping(self._ask("EXPORT", "ROWS", *(["AFTER", after] if after else [])))
        lines = [str(line) for line in listed(fields["rows"])]
        return number(fields["users"]), str(fields["last"]), lines

    def policy(self) -> Policy:
        return Policy.from_text(str(self._ask("POLICY", "SHOW")), name="the daemon's policy")

    def check_policy(self, policy: Policy) -> list[str]:
        return [str(danger) for danger in listed(self._ask("POLICY", "CHECK", text_of(policy)))]

    def set_policy(self, policy: Policy, by: str, force: bool) -> int:
        words = ["FORCE"] if force else []
        return len(listed(self._ask("POLICY", "SET", text_of(policy), "BY", by, *words)))


def entry(fields: dict[str, Reply]) -> Entry:
    """An entry from its map: texts, but for a few."""
    told: dict[str, Any] = {
        name: str(value) for name, value in fields.items() if value is not None
    }
    for name in ("turn", "place", "time_ms", "locked_ms"):
        told[name] = number(fields[name])
    told["position"] = None if fields["position"] is None else number(fields["position"])
    told["others"] = tuple(map(str, listed(fields["others"])))
    return Entry(**told)


def said(reply: Reply) -> Answer:
    return Answer(Code[str(reply)], None, 0)


def of_change(by: Change) -> list[str]:
    words = ["PLATFORM", by.platform]
    words += ["DEVICE", by.device] if by.device is not None else []
    words += ["CHALLENGE", by.challenge] if by.challenge is not None else []
    return words + (["ADDRESS", by.address] if by.address is not None else [])


def answer_of(reply: Reply) -> Answer:
    fields = mapping(reply)
    device = str(fields["device"]) if fields.get("device") else None
    return Answer(Code[str(fields["verdict"])], device, number(fields["retry_after_ms"]))


def push_shown(fields: dict[str, Reply]) -> PushShown:
    return PushShown(
        id=str(fields["id"]),
        user=str(fields["user"]),
        platform=str(fields["platform"]),
        purpose=None if fields["purpose"] is None else str(fields["purpose"]),
        text=str(fields["text"]),
        expires_ms=number(fields["expires_ms"]),
        state=str(fields["state"]),
    )


def enrolment(device: Device) -> list[str | int]:
    """The words of DEVICE ADD behind the user's name."""
    words: list[str | int] = [device.kind.upper(), "KEY", device.key.hex()]
    if device.mechanism == "card":
        words += ["COUNTER", device.counter]
    elif device.mechanism == "ocra":
        words += ["SUITE", device.suite, "COUNTER", device.counter]
        words += ["LOOKAHEAD", device.look_ahead, "WINDOW", *device.window]
        words += ["DRIFT", device.drift_max]
        words += ["PINHASH", device.pin_hash.hex()] if device.pin_hash else []
        words += ["PHONE", device.phone.hex()] if device.phone else []
    elif device.mechanism != "passcode":
        words += ["DIGITS", device.digits, "ALGORITHM", device.algorithm]
    if device.mechanism == "totp":
        words += ["PERIOD", device.period, "WINDOW", *device.window]
        words += ["DRIFT", device.drift_max, "T0", device.t0]
    if device.mechanism == "hotp":
        words += ["COUNTER", device.counter, "LOOKAHEAD", device.look_ahead]
    if device.pin:
        words += ["PIN", device.pin]
    return words


def device_view(fields: dict[str, Reply]) -> DeviceView:
    back, forward = listed(fields["window"])
    return DeviceView(
        serial=str(fields["serial"]),
        kind=str(fields["kind"]),
        state=str(fields["state"]),
        algorithm=str(fields["algorithm"]),
        digits=number(fields["digits"]),
        period=number(fields["period"]),
        t0=number(fields["t0"]),
        window=(number(back), number(forward)),
        look_ahead=number(fields["look_ahead"]),
        drift_max=number(fields["drift_max"]),
        moving=number(fields["moving"]),
        drift=number(fields["drift"]),
        failures=number(fields["failures"]),
        capped=bool(number(fields["capped"])),
        mechanism=str(fields["mechanism"]),
        suite=str(fields["suite"]),
        issued=number(fields["issued"]),
        challenges=tuple(open_challenge(mapping(one)) for one in listed(fields["challenges"])),
        full_until_ms=number(fields["full_until_ms"]),
        until_ms=number(fields["until_ms"]),
        once=bool(number(fields["once"])),
        answers_left=None if fields["answers_left"] is None else number(fields["answers_left"]),
        phone=str(fields["phone"]),
        resync=bool(number(fields["resync"])),
        delivery=str(fields["delivery"]),
        activates_ms=number(fields["activates_ms"]),
        expires_ms=number(fields["expires_ms"]),
        replaces=str(fields["replaces"]),
    )


def open_challenge(fields: dict[str, Reply]) -> OpenChallenge:
    return OpenChallenge(
        platform=str(fields["platform"]),
        count=number(fields["count"]),
        epoch=number(fields["epoch"]),
        for_purpose=bool(number(fields["for_purpose"])),
    )
