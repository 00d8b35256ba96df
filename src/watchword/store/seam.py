"""The seam between the engine and whatever keeps its state.

The engine hands a store rows (one per turn) and pages (1,024 users each) and gets back "durable",
or an exception that ends it. A store never looks into a row further than its header's time, and
never into a page.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from watchword.store.backup import Backup, Progress
    from watchword.store.head import Head
    from watchword.store.link import Link
    from watchword.store.proof import Proof

__all__ = ["TABLES", "Page", "Store"]

TABLES: Final = (
    "covered",
    "identity",
    "state",
    "tombstones",
)  # in the order in which they are loaded


class Page(NamedTuple):
    """A stored block of one table. `image` is plain; `turn` is the last turn it contains."""

    table: str
    number: int
    turn: int
    image: bytes | bytearray | memoryview


class Store(Protocol):
    """What the engine asks of a store.

    `append` is called by one thread at a time, `write_pages` and `tick` by one other; `rotate`,
    `retire` and `drop_before` while `append` and `write_pages` rest; `pages` and `replay` before
    the first `append`.
    Whatever the disk refuses raises StoreFailed, and from then on every method does, untried.
    """

    @property
    def secret(self) -> bytes:
        """32 random bytes made with the store, sealed in it, never changed."""

    @property
    def created(self) -> bool:
        """This opening made the store."""

    @property
    def head(self) -> int:
        """The turn of the last durable row; 0: none."""

    @property
    def last_time_ms(self) -> int:
        """The time in the last durable row's header; 0: none."""

    def pages(self) -> Iterator[Page]:
        """Every page, table by table, numbers ascending. An image is good until the next step.

        Raises StoreDamaged naming table and number.
        """

    def replay(self, after: int) -> Iterator[tuple[int, memoryview]]:
        """Turn and plain row, from turn `after` + 1 to the head; a row is good until the next step.

        Raises StoreDamaged naming file and sequence where a row is missing, altered or moved.
        """

    def history(self, after: int, through: int) -> Iterator[tuple[int, memoryview, int]]:
        """Turn, plain row and a number that grows from one file of the journal to the next, from
        turn `after` + 1 to `through`, while rows are appended. A row is good until the next step.

        Raises StoreDamaged naming file and row; it does not end the store.
        """

    def append(self, rows: Sequence[tuple[int, bytes | bytearray | memoryview]]) -> None:
        """Makes rows durable: one transaction, one sync. Turns go on from the head by ones."""

    def write_pages(self, pages: Sequence[Page]) -> None:
        """Replaces pages: one transaction, one sync. None may be from beyond the head."""

    def tick(self) -> None:
        """Housekeeping off the commit path; about once a second."""

    @property
    def grows_fast(self) -> bool:
        """As of the last tick: `write_ahead` has something to do."""

    @property
    def lags(self) -> bool:
        """And its commits take longer until that is done."""

    def write_ahead(self, seconds: float) -> bool:
        """Makes room for rows to come, where they come fast, for so long at most; whether there is
        more to do. Called between two ticks."""

    def rotate(self) -> int:
        """A new data key, which seals whatever is written from now on; its id."""

    def retire(self) -> list[int]:
        """Forgets the data keys that nothing kept was sealed with; their ids."""

    def stale_pages(self) -> int:
        """How many pages are not under the newest data key yet."""

    def drop_before(self, turn: int) -> int:
        """Drops the segments that hold nothing but rows before `turn`; how many went."""

    def known_head(self) -> "Head":
        """The last durable row with its tag, signed: what is kept elsewhere (head.py)."""

    def expect_known(self, head: "Head") -> None:
        """Raises StoreDamaged when the store is older than that head, or another branch of it."""

    def backup(self, to: str, pace: float = 1.0, progress: "Progress | None" = None) -> "Backup":
        """A whole copy of what is durable, or none, while rows and pages are written; no rotation
        and no dropping meanwhile (backup.py). What goes wrong there does not end the store."""

    def ended(self) -> "list[Link]":
        """The journal's segments that no row is added to any more, the oldest first."""

    def archived(self, place: str) -> set[int]:
        """The numbers of those that are kept in that directory."""

    def archive(self, segment: "Link", place: str) -> None:
        """Keeps one there. What goes wrong there does not end the store (archive.py)."""

    def prove_rows(self, after: int) -> "Proof":
        """Goes through the next rows after `after`, some; what cannot be believed is a fault in
        what it returns and does not end the store (proof.py)."""

    def prove_pages(self, after: int) -> "Proof":
        """The same of pages, from place `after` on."""

    def counters(self) -> dict[str, int]:
        """Figures for operators, each name with its unit or none for a plain count."""

    def close(self) -> None:
        """Lets go of the store. Closing twice is no error."""
