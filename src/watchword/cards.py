"""The card verb of an engine: what is printed on a code card, for whoever hands it out.

Rule: a card's cells leave the store here alone, and that they did, for whom and by whom, is a
record that is durable first.
"""

from watchword import lifecycle
from watchword.acts import said_by, utf8
from watchword.devices.card import Card, cells
from watchword.errors import InvalidArgument
from watchword.parts import Parts

__all__ = ["Cards"]


class Cards(Parts):
    """card."""

    def card(self, name: str, serial: str, *, by: str) -> Card:
        """A user's code card with its cells, to be shown or printed; who did it is recorded.

        Errors: InvalidArgument when the device is no card, NotFound, StoreFailed.
        """
        said_by(utf8("by", by).decode())
        with self._deciding():
            number, user = self._user(name)
            device = self._device(name, serial)
            kind = next(view.kind for view in user.devices if view.serial == serial)
            if not kind.endswith("code-card"):
                raise InvalidArgument("device is a code-card or an online-code-card")
            key = self._core.device_key(number & 0xFFFFFFFF, device)
            assert key is not None, "the device was found under this very lock"
            turn = self._act(lifecycle.note(f"card {serial} of {name} shown by {by}"))
        self._wait(turn)
        return Card(serial, kind, cells(key))
