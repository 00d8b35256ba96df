"""The engine and its slow twin with files between them: another policy, and rows of users and
devices. For tests/both.py.
"""

import json
from dataclasses import asdict, replace
from typing import Any

from filed import filed
from said import made_of

import watchword
from watchword import reference
from watchword.devices import passcode
from watchword.reference import Device, Event, Figures, Reference
from watchword.reference_rows import Line, import_rows

BY = "client services"
FILED = (Event.POLICY, Event.IMPORT)


def policy_of(figures: Figures) -> watchword.Policy:
    words = dict(vars(figures))
    words["names"] = "any" if words.pop("names_any") else "sls"
    words |= {"password_memory_kib": 32, "password_passes": 1, "security_questions": True}
    return watchword.Policy(**words)


def told_alike(own: reference.Record, text: bytes) -> bool:
    """Whether a record's text says what the twin's has."""
    if own.event is Event.IMPORT:
        return text == BY.encode()
    assert isinstance(own.tail, Figures)
    figures = json.loads(json.dumps(asdict(policy_of(own.tail))))
    return bool(json.loads(text)["policy"] == figures)


class BothFiles:
    """What both do with a file."""

    engine: watchword.Engine
    twin: Reference
    now_ms: int
    number: int
    serials: int
    seen: set[str]
    name: Any
    serial: Any
    keys: list[bytes]

    def set_policy(self, words: dict[str, Any]) -> None:
        figures = replace(self.twin.figures, **words)
        self.engine.set_policy(policy_of(figures), by=BY, force=True)
        self.twin.set_policy(figures, self.now_ms)

    def import_rows(self, rows: list[Any], skip_bad: bool) -> tuple[Any, Any]:
        """Rows of a file; their serials are their own, one that there is already, or none."""
        lines = []
        for who, state, realm, words, serial in rows:
            device = None
            if words is not None:
                self.serials += 1
                own = serial if serial is not None else f"f{self.number}x{self.serials}"
                own = self.serial(who, own) if isinstance(own, int) else own
                words = {name: word for name, word in words.items() if name != "phone"}
                device = self.made(words, "" if own == "none-such" else str(own))[1]
            lines.append(Line(self.name(who), state, realm, device))
        found = self.engine.import_csv(filed(lines), by=BY, skip_bad=skip_bad)
        twins = import_rows(self.twin, lines, self.now_ms, skip_bad)
        self.seen |= {f"a row {word}" for word in ("wrong", "there") if getattr(twins, word)}
        wrong = [fault.row - 2 for fault in found.faults]
        return (found.users, found.devices, found.there, wrong), tuple(twins)

    def made(self, words: dict[str, Any], serial: str) -> tuple[watchword.Device, Device]:
        """A device in the library's words and in the twin's."""
        mechanism, key = words.pop("kind"), self.keys[words.pop("key")]
        if words["label"] == "temporary-passcode":
            key = "".join(passcode.ALPHABET[byte % 32] for byte in key[:10]).encode()
        plain = {name: word for name, word in words.items() if name not in ("state", "drift")}
        device = made_of(mechanism, key, plain)
        own = {"algorithm": device.algorithm, "digits": device.digits, **words}
        if mechanism in reference.ASKED:
            plain = {"moving": 0, "look_ahead": 0, "back": 0, "forward": 0}
            own = {**plain, **own, "pin_hash": device.pin_hash}
        return device, Device(mechanism, key, serial, **own)
