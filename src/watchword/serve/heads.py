"""The journal's head, written down elsewhere while the daemon works, and held against the store at
its start; and what the daemon says of the journal.

Rule: a place that cannot be written is said, once until it can be again, and ends nothing: a store
without its known head still answers, it is only not known how far it had come.
"""

import os

from watchword.engine import Engine
from watchword.errors import Error
from watchword.serve.config import Config
from watchword.serve.logs import say
from watchword.store import save_head
from watchword.store.owner import DATABASE

__all__ = ["known_head", "note_head"]

failed: set[str] = set()
warned: dict[str, str] = {}


def known_head(config: Config) -> str | None:
    """The file against which a store is held; none for a store that is being made."""
    there = os.path.exists(os.path.join(config.store, DATABASE))
    return config.known_head if there else None


def journal_facts(engine: Engine) -> dict[str, object]:
    """INFO's lines about what is kept of the journal."""
    kept = engine.journal_kept
    return {
        "journal_bytes": kept.bytes, "journal_bytes_max": kept.bytes_max,
        "journal_percent": kept.percent, "journal_archived": kept.archived,
    }  # fmt: skip


def note_head(config: Config, engine: Engine) -> None:
    """Writes the head to where the settings say, if they do; and warns of a journal that is nearly
    as large as it may be, or cannot be archived, once until that is another."""
    warning = engine.journal_kept.warning
    if warning and warning != warned.get(config.store):
        say(f"warning: {warning}", event="journal", level="warning", because=warning)
    warned[config.store] = warning
    path = config.known_head
    if path is None:
        return
    try:
        save_head(engine.journal_head(), path)
        failed.discard(path)
    except (OSError, Error) as error:
        if path not in failed:
            failed.add(path)
            said = error.strerror if isinstance(error, OSError) else error.args[0]
            say(f"warning: the known head {path} is not written: {said}", event="known head",
                level="warning", because=said)  # fmt: skip
