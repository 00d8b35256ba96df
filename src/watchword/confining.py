"""Gateways that have the users of one realm alone.

Rule: to such a gateway whoever is of another realm is nobody: what names them is decided, counted
and answered as for a name that does not exist, and nothing of theirs is looked at or moves.
"""

from collections.abc import Mapping

from watchword._engine import REALMS
from watchword.acts import one_of, utf8
from watchword.errors import NotFound
from watchword.hashing import WITHIN
from watchword.lifecycle import gateway_packed
from watchword.parts import Parts

__all__ = ["Confining", "said_within"]


class Confining(Parts):
    """confine."""

    def confine(self, realms: Mapping[str, str]) -> None:
        """From now on these gateways, by name, have users of one realm alone; others have all.

        It holds for every verb that takes `gateway` and does not say a realm itself, as the
        attempts of `verify` do. The daemon's access list says it so. Errors: InvalidArgument.
        """
        for realm in realms.values():
            one_of("realm", realm, REALMS)
        self._confined = {name: REALMS.index(realm) + 1 for name, realm in realms.items()}

    def within(self, gateway: str | None) -> str | None:
        """The realm whose users alone this gateway has; None: it has all."""
        realm = self._confined.get(gateway or "", 0)
        return REALMS[realm - 1] if realm else None

    def expect_within(self, gateway: str | None, name: str) -> None:
        """This gateway has that user, or nobody of that name. Errors: NotFound."""
        if self.within(gateway) is not None:
            with self._lock:
                self._alive()
                self._expect_within(gateway, name)

    def _expect_within(self, gateway: str | None, name: str) -> None:
        """The same, with the lock held."""
        realm = self.within(gateway)
        slot = None if realm is None else self._core.find(utf8("user", name))
        found = None if slot is None else self._core.user(slot)
        if found is not None and REALMS[found[3]] != realm:
            raise NotFound(f"there is no user {name!r}")

    def _asker(self, gateway: str | None) -> tuple[bytes, int]:
        """The names of a row that this gateway causes; and 1 and its realm, or 0 for all."""
        if gateway is None:
            return self._names, 0
        return gateway_packed(gateway), self._confined.get(gateway, 0)


def said_within(within: int) -> tuple[int, int]:
    """The realm that an attempt says, and what of WW_FIRST goes with it. What changes something
    enters no realm: to whoever is not confined `live` is as good as any."""
    return (within - 1, WITHIN) if within else (0, 0)
