"""The store: what makes turns durable and brings them back. The engine sees `Store` and no more.

Nothing above this package knows what lies below the seam (`seam.py`): SQLite today (`sqlite.py`),
nothing at all for ":memory:" (`memory.py`).
"""

import os

from watchword.errors import InvalidArgument
from watchword.keys import KeyProvider, provider
from watchword.store.backup import Backup, Progress
from watchword.store.head import Head, load_head, save_head
from watchword.store.memory import MemoryStore
from watchword.store.proof import Proof, prove_files
from watchword.store.seam import TABLES, Page, Store
from watchword.store.sqlite import SEGMENT_BYTES, SqliteStore

__all__ = [
    "TABLES", "Backup", "Head", "Page", "Progress", "Proof", "Store", "load_head", "open_store",
    "prove_files", "save_head",
]  # fmt: skip


def open_store(
    path: str | os.PathLike[str],
    key: KeyProvider | bytes | str | os.PathLike[str] | None = None,
    *,
    segment_bytes: int | None = None,
) -> Store:
    """Opens the store in directory `path`, made if it is not there; ":memory:" keeps nothing.

    `key` as in `watchword.keys.provider`; `segment_bytes` is how large a journal segment grows.
    Raises WrongKey, StoreOwned, StoreDamaged, StoreFailed, InvalidArgument or NotFound.
    """
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(name, str) or "\0" in name:
        raise InvalidArgument("path is text, or a path of text, without zero characters")
    if path == ":memory:":
        return MemoryStore()
    place = os.path.abspath(path)  # for good, wherever the process goes later
    try:
        place.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(
            f"path {place!r} is not UTF-8, and a store's is", hint="give it another name"
        ) from None
    return SqliteStore(place, provider(key, place), segment_bytes or SEGMENT_BYTES)
