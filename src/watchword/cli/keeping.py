"""The part of the daemon's door that copies and proves: long work, asked for a step at a time."""

import time
from collections.abc import Callable

from watchword.cli.connection import Reply, listed, mapping, number
from watchword.errors import Error, InvalidArgument, StoreDamaged
from watchword.retention import Kept
from watchword.store import Proof

__all__ = ["Keeping"]

POLL_SECONDS = 0.2


class Keeping:
    """What RemoteDoor asks of a daemon about its store's files."""

    _ask: Callable[..., Reply]

    def backup(
        self, path: str, by: str, progress: Callable[[int, int], object]
    ) -> tuple[int, int]:
        """The daemon makes it; asked now and then how far it is."""
        self._ask("BACKUP", "TO", path, "BY", by)
        while True:
            told = mapping(self._ask("BACKUP", "STATUS"))
            progress(number(told["done"]), number(told["total"]))
            if told["state"] == "failed":
                raise Error(str(told["error"]))
            if told["state"] == "done":
                return number(told["turn"]), number(told["bytes"])
            time.sleep(POLL_SECONDS)

    def raise_floors(self, by: str, ended_ms: int | None) -> int:
        words = [] if ended_ms is None else ["ENDED", str(ended_ms)]
        return number(self._ask("BACKUP", "FLOORS", *words, "BY", by))

    def signed_head(self) -> str:
        return str(self._ask("AUDIT", "SIGNED"))

    def expect_known(self, head: str) -> None:
        try:
            self._ask("AUDIT", "KNOWN", head)
        except InvalidArgument:
            raise
        except Error as error:
            raise StoreDamaged(str(error.args[0])) from None

    def prove_rows(self, after: int) -> Proof:
        return proof_of(self._ask("AUDIT", "VERIFYROWS", after))

    def prove_pages(self, after: int) -> Proof:
        return proof_of(self._ask("AUDIT", "VERIFYPAGES", after))

    def kept(self) -> Kept:
        told = mapping(self._ask("AUDIT", "KEPT"))
        warning = str(told.pop("warning"))
        return Kept(**{name: number(figure) for name, figure in told.items()}, warning=warning)


def proof_of(reply: Reply) -> Proof:
    told = mapping(reply)
    faults = [str(fault) for fault in listed(told.pop("faults"))]
    return Proof(**{name: number(figure) for name, figure in told.items()}, faults=faults)
