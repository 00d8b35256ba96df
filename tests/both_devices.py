"""The engine and its slow twin side by side: devices that come, and come again under one key."""

import contextlib
from typing import Any

from both_phones import PHONES

import watchword
from watchword.reference import Reference


class BothDevices:
    """A part of Both."""

    engine: watchword.Engine
    twin: Reference
    serials: int
    number: int
    keys: list[bytes]
    act: Any
    devices: Any
    made: Any
    may_have: Any

    def add_device(self, name: str, now_ms: int, words: dict[str, Any]) -> None:
        self.serials += 1
        serial = f"{'qzajm'[self.serials % 5]}{self.number}x{self.serials}"
        if words.get("phone") is not None and self.may_have(name, words["phone"]):
            words["phone"] = PHONES[words["phone"]]
        else:
            words.pop("phone", None)
        device, own = self.made(words, serial)
        if self.twin.bars(name, own):
            with contextlib.suppress(watchword.InvalidArgument):
                raise AssertionError(self.engine.add_device(name, device, serial=own.serial))
            return
        self.twin.add_device(name, own, now_ms)
        assert self.engine.add_device(name, device, serial=own.serial) == own.serial

    def enrol_again(self, who: str, index: int, whole_user: bool, words: dict[str, Any]) -> None:
        """The same key in another device, after the old one or the whole user has gone."""
        if index >= len(self.devices(who)):
            return
        gone = self.devices(who)[index]
        if gone.phone:      # its key was made when it was enrolled
            return
        if whole_user:
            self.act("remove_user", who)
            self.act("add_user", who, "open", "live")
        else:
            self.act("remove_device", who, index)
        if gone.key in self.keys:      # else it was made here: a passcode, an online card
            words = {**words, "key": self.keys.index(gone.key)}
        self.act("add_device", who, words)
