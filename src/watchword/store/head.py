"""The journal's head as a file of its own: which row was the last one, and its tag.

Kept where nobody who can put an old store back can put an old head back, it shows what no store can
see by itself: that it is older than it was, or another branch of what it was. The file is JSON,
signed (Ed25519) with a key made from the store's secret, so that whoever keeps many of them can
tell ours from others' without any key of ours.
"""

import json
import os
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from watchword.errors import InvalidArgument, NotFound, StoreDamaged
from watchword.keys import derive
from watchword.store.disk import sync_directory
from watchword.store.history import next_slice
from watchword.store.sealing import LIFE_BITS, TAG_BYTES, Keyring

if TYPE_CHECKING:
    from watchword.store.journal import Journal

__all__ = ["Head", "expect_known", "load_head", "save_head", "signed", "tag_at"]

FORMAT: Final = 1
BYTES_MAX: Final = 4_096
FIELDS: Final = ("format", "store", "incarnation", "turn", "tag", "key", "time_ms")


class Head(NamedTuple):
    """The last durable row of a store: its turn, tag, data key and time. signer, signature: hex;
    empty until it is signed."""

    store: str
    incarnation: int
    turn: int
    tag: str
    key: int
    time_ms: int
    signer: str = ""
    signature: str = ""

    def told(self) -> str:
        """How a message names it."""
        return f"row {self.turn} with tag {self.tag}"

    def packed(self) -> bytes:
        """What is signed."""
        said = (FORMAT, *self[:6])
        return json.dumps(dict(zip(FIELDS, said, strict=True)), separators=(",", ":")).encode()

    def text(self) -> str:
        fields = {**json.loads(self.packed()), "signer": self.signer, "signature": self.signature}
        return json.dumps(fields, indent=1) + "\n"

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """From its JSON; the signature must hold. Errors: InvalidArgument."""
        try:
            told = json.loads(text)
            if told.pop("format") != FORMAT:
                raise ValueError("of a newer program")
            head = cls(**told)
            for figure in (head.incarnation, head.turn, head.key, head.time_ms):
                if type(figure) is not int or figure < 0:
                    raise ValueError("its figures are none")
            if len(bytes.fromhex(head.tag)) != TAG_BYTES:
                raise ValueError("its tag is none")
            signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(head.signer))
            signer.verify(bytes.fromhex(head.signature), head.packed())
        except InvalidSignature:
            raise InvalidArgument(
                "the journal head is altered: its signature does not hold"
            ) from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidArgument(f"that is no journal head: {error}") from None
        return head


def signed(head: Head, secret: bytes) -> Head:
    """secret: the store's."""
    key = Ed25519PrivateKey.from_private_bytes(derive(secret, "watchword heads"))
    return head._replace(
        signer=key.public_key().public_bytes_raw().hex(), signature=key.sign(head.packed()).hex()
    )


def save_head(head: Head, path: str | os.PathLike[str]) -> None:
    """Whole or not at all, durably, over what was there."""
    place = os.path.abspath(path)
    part = f"{place}.part"
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(file, "w") as text:
            text.write(head.text())
            text.flush()
            os.fsync(file)
        os.rename(part, place)
    except BaseException as error:
        os.unlink(part)
        if isinstance(error, OSError):
            error.filename = error.filename or place
        raise
    sync_directory(os.path.dirname(place))


def load_head(path: str | os.PathLike[str]) -> Head:
    """Errors: NotFound, InvalidArgument, OSError."""
    try:
        with open(path, "rb") as file:
            text = file.read(BYTES_MAX)
    except FileNotFoundError:
        raise NotFound(
            f"there is no journal head {os.fspath(path)}",
            hint="bring it back; or, if this store is the right one, watchword audit head --save",
        ) from None
    return Head.read(text)


def tag_at(journal: "Journal", keys: Keyring, turn: int) -> bytes | None:
    """The tag of a row; None where it was dropped, or there is none yet."""
    tip, anchor = journal.tip, journal.anchor
    if turn in (tip.turn, anchor.turn):
        return tip.tag if turn == tip.turn else anchor.tag
    if not anchor.turn < turn < tip.turn:
        return None
    found = next_slice(journal, keys, turn, most_bytes=1)
    return None if found is None else found.rows[0][1][-TAG_BYTES:]


def expect_known(head: Head, own: Head, journal: "Journal", keys: Keyring) -> None:
    """Refuses a store that is older than a head known elsewhere, or another branch of it. A store
    restored since the head was known may lack it: the restore was an act, and raised every floor.

    Errors: StoreDamaged, InvalidArgument.
    """
    if head.store != own.store or head.signer != own.signer:
        raise InvalidArgument(
            f"the known head is of store {head.store}, this is store {own.store}",
            hint="name the head file of this store",
        )
    hint = "`watchword restore` makes a store of it that accepts nothing twice"
    life, known = own.incarnation >> LIFE_BITS, head.incarnation >> LIFE_BITS
    if known > life or (known == life and head.incarnation != own.incarnation):
        raise StoreDamaged(
            f"the store is older than its known head, or another copy of it was restored: its "
            f"last row is {own.told()}, but after a restore {head.told()} is known", hint=hint,
        )
    if known < life and keys.life_of(head.turn) != head.incarnation:
        return  # its row was lost, and the restore said so
    if head.turn > own.turn:
        raise StoreDamaged(
            f"the store is older than its known head: its last row is {own.told()}, but "
            f"{head.told()} is known", hint=hint,
        )
    tag = tag_at(journal, keys, head.turn)
    if tag is not None and tag.hex() != head.tag:
        raise StoreDamaged(
            f"the store is not the one whose head is known: its row {head.turn} has tag "
            f"{tag.hex()}, but {head.told()} is known", hint=hint,
        )
