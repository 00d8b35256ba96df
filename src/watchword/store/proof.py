"""Whether what is kept can be believed, all of it: every row's seal and place in the chain, every
segment, every page, and the journal's end.

Opening looks at what it needs, this at everything; it names each segment's first fault and goes on
with the next segment. Of a store that is at work it is told a step at a time (`prove_rows`,
`prove_pages`), so that whoever asks may do other things in between; one that nobody owns, or a
backup, is looked at where it lies (`prove_files`), and nothing in it is changed.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from watchword.errors import Error, NotFound, StoreDamaged, StoreFailed
from watchword.keys import KeyProvider
from watchword.store.catalog import Catalog
from watchword.store.head import Head
from watchword.store.history import rows_between
from watchword.store.link import MADE, PACKED, Anchor, Link
from watchword.store.owner import DATABASE, Owner
from watchword.store.pages import Pages
from watchword.store.recovery import expect_there, numbers_found
from watchword.store.segment import Reader, Tip, segment_name

if TYPE_CHECKING:
    from watchword.store.journal import Journal

__all__ = ["Proof", "prove_files", "prove_pages", "prove_rows"]

STEP_BYTES: Final = 64 << 20  # of rows or pages, about: a second


@dataclass(slots=True)
class Proof:
    """What was looked at, and what cannot be believed. turn: rows were gone through up to it; head:
    the last there is; page: pages were, up to that place of so many; None: not yet."""

    turn: int = 0
    head: int = 0
    rows: int = 0
    segments: int = 0
    pages: int = 0
    bytes: int = 0
    page: int = 0
    pages_of: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, step: "Proof") -> None:
        """What a further step found."""
        self.turn, self.head = max(self.turn, step.turn), max(self.head, step.head)
        self.page, self.pages_of = max(self.page, step.page), max(self.pages_of, step.pages_of)
        self.rows += step.rows
        self.segments += step.segments
        self.pages += step.pages
        self.bytes += step.bytes
        self.faults += step.faults


Told = Callable[[Proof], object]


# ---- a store at work -------------------------------------------------------------------------


def prove_rows(journal: "Journal", catalog: Catalog, after: int) -> Proof:
    """The rows after `after`, or the first that are kept, about STEP_BYTES of them."""
    tip = journal.tip
    proof = Proof(turn=max(after, journal.anchor.turn), head=tip.turn)
    number, began = -1, proof.turn
    try:
        for turn, row, of in rows_between(journal, catalog.keys, began, tip.turn):
            proof.segments += of != number and turn == _first(journal, of, turn)
            number, proof.turn = of, turn
            proof.rows += 1
            proof.bytes += len(row)
            if proof.bytes >= STEP_BYTES:
                return proof
    except StoreDamaged as error:
        proof.faults.append(str(error.args[0]))
        ends = [link.last for link in list(journal.links) if link.last > proof.turn]
        proof.turn = ends[0] if ends else tip.turn
        return proof
    if proof.turn < tip.turn and journal.anchor.turn < tip.turn:
        proof.faults.append(f"row {proof.turn + 1} is missing")
        proof.turn = tip.turn
    return proof


def _first(journal: "Journal", number: int, turn: int) -> int:
    """The first row of a segment; of the live one, if it is that."""
    for link in list(journal.links):
        if link.number == number:
            return link.first
    header = journal.current.header
    return header.first if header is not None and header.number == number else turn


def prove_pages(pages: Pages, head: int, after: int) -> Proof:
    """The pages from place `after` on, about STEP_BYTES of them."""
    places = pages.places()
    proof = Proof(page=min(after, len(places)), pages_of=len(places))
    for index, number in places[after:]:
        try:
            proof.bytes += pages.prove(index, number, head)
        except StoreDamaged as error:
            proof.faults.append(str(error.args[0]))
        proof.page += 1
        proof.pages += 1
        if proof.bytes >= STEP_BYTES:
            break
    return proof


# ---- files that nobody has opened ------------------------------------------------------------


def prove_files(
    path: str, key: KeyProvider, known: Head | None = None, told: Told | None = None
) -> Proof:
    """A store that nobody owns, or a backup. Errors: NotFound, WrongKey, StoreOwned, StoreFailed;
    what cannot be believed is no error but a fault."""
    if not os.path.isfile(os.path.join(path, DATABASE)):
        raise NotFound(f"there is no store and no backup at {path}")
    proof, owner = Proof(), None
    if os.path.exists(os.path.join(path, "owner.lock")):
        owner = Owner(path, look=True)
    try:
        catalog = Catalog(path, key, create=False, backup=True, look=True)
    except StoreDamaged as error:
        proof.faults.append(str(error.args[0]))
        if owner is not None:
            owner.release()
        return proof
    try:
        _prove_opened(path, catalog, proof, known, told or (lambda proof: None))
    except StoreDamaged as error:
        proof.faults.append(str(error.args[0]))
    finally:
        catalog.close()
        if owner is not None:
            owner.release()
    return proof


def _prove_opened(
    path: str, catalog: Catalog, proof: Proof, known: Head | None, told: Told
) -> None:
    anchor, links = catalog.anchor(), catalog.links()
    noted, noted_tag = catalog.head()
    proof.head = max(noted, *(link.last for link in links), 0)
    wanted = {turn for turn in (noted, known.turn if known else 0) if turn > anchor.turn}
    tags = {anchor.turn: anchor.tag}
    tip = Tip(anchor.turn, anchor.tag, anchor.time_ms)
    for link in links:
        tip = _prove_segment(path, catalog, link, tip, proof, wanted, tags, told)
    proof.turn, proof.head = tip.turn, max(proof.head, tip.turn)
    for number in sorted(numbers_found(path) - {link.number for link in links}):
        if number > anchor.number:
            _expect_empty(path, number, proof)
    if noted > tip.turn:
        proof.faults.append(
            f"the journal ends with row {tip.turn}, but row {noted} was made durable"
        )
    elif tags.get(noted, noted_tag) != noted_tag:
        proof.faults.append(f"row {noted} is not the one that was made durable")
    if known is not None:
        _expect_known(catalog, anchor, tip, known, tags, proof)
    step = Proof(pages_of=1)
    pages = Pages(catalog)
    while step.page < step.pages_of:
        step = prove_pages(pages, tip.turn, step.page)
        proof.add(step)
        told(proof)


def _prove_segment(
    path: str, catalog: Catalog, link: Link, tip: Tip, proof: Proof, wanted: set[int],
    tags: dict[int, bytes], told: Told,
) -> Tip:  # fmt: skip
    """Every row of a segment; the tip after it, as far as it can be known."""
    at = tip
    try:
        if link.state != MADE:
            expect_there(path, link, tip)
        packed = link.state == PACKED
        with Reader(path, link.number, packed=packed, look=True) as reader:
            if link.state == MADE and reader.header is None:
                return tip
            header = reader.expect(catalog.keys, tip)
            proof.segments += 1
            for turn, row, tag in reader.rows(catalog.keys, header.first):
                at = Tip(turn, tag, 0)
                proof.rows += 1
                proof.bytes += len(row)
                if turn in wanted:
                    tags[turn] = tag
                if proof.rows % 4_096 == 0:
                    proof.turn = turn
                    told(proof)
            if link.state == MADE:
                return at
            if at.turn < link.last:
                raise StoreDamaged(f"{reader.name}: row {at.turn + 1} is missing")
            if (at.turn, at.tag) != (link.last, link.tag):
                raise StoreDamaged(f"{reader.name}: row {link.last} should be its last row")
    except StoreDamaged as error:
        proof.faults.append(str(error.args[0]))
        if link.state == MADE:
            return at
    except StoreFailed as error:
        proof.faults.append(str(error.args[0]))
    told(proof)
    return Tip(link.last, link.tag, link.time_ms)


def _expect_empty(path: str, number: int, proof: Proof) -> None:
    name = segment_name(number)
    try:
        with Reader(path, number, packed=True, noted=False, look=True) as reader:
            if reader.header is not None:
                proof.faults.append(f"{name} holds rows, but {DATABASE} does not know it")
    except Error:
        pass  # it was being made, and holds nothing


def _expect_known(
    catalog: Catalog, anchor: Anchor, tip: Tip, known: Head, tags: dict[int, bytes], proof: Proof
) -> None:
    keys = catalog.keys
    if known.store != keys.store_id.hex():
        proof.faults.append(f"the known head is of store {known.store}")
    elif keys.life_of(known.turn) != known.incarnation:
        if known.incarnation > keys.incarnation:
            proof.faults.append(f"the store is older than its known head, {known.told()}")
    elif known.turn > tip.turn:
        proof.faults.append(
            f"the journal ends with row {tip.turn}, but {known.told()} is known"
        )
    elif known.turn >= anchor.turn and tags.get(known.turn, b"").hex() not in ("", known.tag):
        proof.faults.append(
            f"row {known.turn} has tag {tags[known.turn].hex()}, but {known.told()} is known"
        )
