"""Users in bulk: columns of names and keys in, rows of records out, thousands in one sync.

Rule: every name is held against the rules, the store and the others before the first is added.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from watchword import lifecycle
from watchword._engine import ACCOUNT_STATES, REALMS
from watchword.acts import one_of, said_by, utf8
from watchword.devices import passcode
from watchword.devices.device import KEY_BYTES_MAX, KEY_BYTES_MIN, Device
from watchword.errors import Exists, InvalidArgument
from watchword.parts import Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Bulk"]

USERS_PER_ROW = 4_096


class Bulk(Parts):
    """add_users."""

    def add_users(
        self,
        names: "Sequence[str] | NDArray[np.bytes_]",
        keys: "Sequence[bytes] | NDArray[np.uint8] | None" = None,
        *,
        device: Device | None = None,
        state: str = "open",
        realm: str = "live",
        by: str | None = None,
    ) -> int:
        """New users in bulk, each with a device when keys are given; how many there were.

        names: sequence of str or numpy 'S' column. keys: one of equal length for each user, as
        bytes or as a (users, key bytes) uint8 column; for passcodes their texts, as ASCII. device:
        the figures every device gets (with any key, and its PIN if it has one); a plain TOTP device
        when None. by: who does it, for the record. Names are held against the rules, the store and
        each other before the first is added.
        Errors: InvalidArgument and Exists name the entry, StoreFailed.
        """
        one_of("state", state, ACCOUNT_STATES)
        one_of("realm", realm, REALMS)
        who = said_by(by).encode()
        if device is not None and not isinstance(device, Device):
            raise InvalidArgument("device is a watchword.Device or None")
        column = _name_column(names)
        key_column = None if keys is None else _key_column(keys, len(column))
        spec = rest = b""
        figures = device
        if key_column is not None:
            figures = self._under_policy(device or Device.totp(bytes(20)))
            key_len = key_column.shape[1]
            given = figures.kind == "temporary-passcode"  # whose keys are texts
            if given:
                for text in key_column:
                    passcode.expect(text.tobytes())
            least_bytes = max(self._policy.key_bytes_min, KEY_BYTES_MIN)
            if not given and not least_bytes <= key_len <= KEY_BYTES_MAX:
                raise InvalidArgument(f"keys are {least_bytes} to {KEY_BYTES_MAX} bytes each")
            if amiss := self._policy.too_long(figures.window, figures.period):
                raise InvalidArgument(" ".join(amiss))
            pin = self._kept_pin(figures)
            spec = lifecycle.spec_head(figures, 0, pin_len=len(pin))
            rest = figures.suite.encode("ascii") + pin
        where = bytes([lifecycle.place(state, realm)])
        with self._deciding():
            self._alive()
            if figures is not None:
                self._expect_suite(figures)
                self._expect_pin(figures)
            bad = self._core.first_bad_name(column)
            if bad is not None:
                at, why = bad
                if why == "illegal":
                    raise InvalidArgument(f"names[{at}] is no user name")
                raise Exists(f"names[{at}] is {why}")
            turn = self._turn
            for start in range(0, len(column), USERS_PER_ROW):
                stop = min(len(column), start + USERS_PER_ROW)
                floors = None
                if key_column is not None and figures is not None:
                    floors = self._floors(key_column, figures, start, stop, len(column))
                now_ms, kept = self._now(), key_column
                if key_column is not None and figures is not None:
                    kept = self._kept(key_column, figures, start, stop, now_ms)
                row = self._core.enrolment(
                    column, kept, spec, rest, where, floors, start, stop, self._turn + 1, now_ms,
                    who,
                )  # fmt: skip
                self._lock.open_turn = True
                self._core.act(row)
                self._turn += 1
                turn = self._submit(row)
                self._lock.open_turn = False
                if stop < len(column):
                    self._wait(turn)
        self._wait(turn)
        self._catch_up()
        return len(column)

    def _kept(
        self, keys: "NDArray[np.uint8]", device: Device, start: int, stop: int, now_ms: int
    ) -> "NDArray[np.uint8]":
        """What the store keeps of each key: itself, but of a passcode a hash."""
        if device.kind != "temporary-passcode":
            return keys
        kept = [
            self._kept_key(replace(device, key=text.tobytes()), now_ms)
            for text in keys[start:stop]
        ]
        column = np.zeros((len(keys), len(kept[0])), np.uint8)
        column[start:stop] = np.frombuffer(b"".join(kept), np.uint8).reshape(len(kept), -1)
        return column

    def _floors(
        self, keys: "NDArray[np.uint8]", device: Device, start: int, stop: int, count: int
    ) -> "NDArray[np.uint64] | None":
        """Where each new device begins: its counter, or the floor of a tombstone."""
        if not self._tombs and not device.counter:
            return None
        floors = np.full(count, device.counter, np.uint64)
        if self._tombs:
            for i in range(start, stop):
                mark = lifecycle.fingerprint(self._mark_key, keys[i].tobytes())
                floors[i] = max(device.counter, self._tombs.lift(mark, device))
        return floors


def _name_column(names: Any) -> "NDArray[np.bytes_]":
    if isinstance(names, np.ndarray) and names.dtype.kind == "S" and names.ndim == 1:
        return names
    if isinstance(names, (str, bytes)) or not _iterable(names):
        raise InvalidArgument("names is a sequence of str or a numpy 'S' column")
    texts = [utf8("names", name) for name in names]
    if any(b"\0" in text for text in texts):
        raise InvalidArgument("names hold no zero characters")
    return np.array(texts, "S") if texts else np.zeros(0, "S1")


def _iterable(column: Any) -> bool:
    """Whether it has entries: a numpy array of no dimension says so only when asked."""
    try:
        iter(column)
    except TypeError:
        return False
    return True


def _key_column(keys: Any, count: int) -> "NDArray[np.uint8]":
    if not isinstance(keys, np.ndarray):
        if not _iterable(keys) or not all(isinstance(key, bytes) for key in keys):
            raise InvalidArgument("keys are bytes")
        lengths = {len(key) for key in keys}
        if len(lengths) > 1:
            raise InvalidArgument("keys are of equal length")
        keys = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), max(lengths, default=0))
    if keys.dtype != np.uint8 or keys.ndim != 2:
        raise InvalidArgument("keys is a sequence of bytes or a uint8 column of (users, bytes)")
    if len(keys) != count:
        raise InvalidArgument(f"keys has {len(keys)} entries, names has {count}")
    return np.ascontiguousarray(keys)
