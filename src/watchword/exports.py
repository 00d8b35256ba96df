"""Users and devices out of a store, as the rows that it would take them from.

Rule: no secret leaves unless keys are asked for, and that they were, of whom and by whom, is a
record that is durable first.
"""

from typing import Any, BinaryIO

from watchword import lifecycle
from watchword.acts import said_by, utf8
from watchword.formats.columns import fields_from, header, line_of
from watchword.parts import Parts
from watchword.views import user_of

__all__ = ["Exports"]

USERS_PER_TURN = 1_000


class Exports(Parts):
    """export_csv, export_rows."""

    def export_csv(
        self, file: BinaryIO, *, keys: bool = False, by: str | None = None
    ) -> int:
        """Every user and device as CSV, without secrets; how many users. keys: with their keys and
        PINs' digests, which opens every login to whoever reads it: by, who exports, is recorded
        first. Errors: InvalidArgument, StoreFailed."""
        file.write(header().encode() + b"\n")
        after, users = "", 0
        while True:
            count, after, lines = self.export_rows(after, keys=keys, by=by)
            if not count:
                return users
            file.write("".join(f"{line}\n" for line in lines).encode())
            users += count

    def export_rows(
        self, after: str = "", count: int = USERS_PER_TURN, *, keys: bool = False,
        by: str | None = None,
    ) -> tuple[int, str, list[str]]:  # fmt: skip
        """Lines of an export, without the header: of up to `count` users after the one named. How
        many users these are, and the last one's name."""
        by = said_by(utf8("by", by).decode()) if keys else by
        with self._deciding():
            turn = self._turn
            names: list[str] = []
            lines: list[str] = []
            slot = self._slot(after) + 1 if after else 0
            while slot < self._core.slots_used() and len(names) < count:
                found = self._core.user(slot)
                if found is not None:
                    names.append(found[1])
                    lines += self._lines(slot, found, keys)
                slot += 1
            if keys and names:
                said = f"{by}: keys of {len(names)} users, {names[0]} to {names[-1]}"
                turn = self._act(lifecycle.exported(said))
        self._wait(turn)
        return len(names), names[-1] if names else "", lines

    def _lines(self, slot: int, found: tuple[Any, ...], keys: bool) -> list[str]:
        user = user_of(found)
        fields = [fields_from(user.name, user.state, user.realm)] if not user.devices else []
        for view, told in zip(user.devices, found[-1], strict=True):
            key, pin = None, "*" if self._core.device_prefixed(slot, told[0]) else ""
            pin_hash = b""
            if keys and view.kind != "temporary-passcode":  # of which a hash is kept, no text
                key = self._core.device_key(slot, told[0])
                pin_hash = b"" if pin else self._core.device_pin(slot, told[0])
            named = user.name, user.state, user.realm
            fields.append(fields_from(*named, view, key, pin, pin_hash))
        return [line_of(line) for line in fields]
