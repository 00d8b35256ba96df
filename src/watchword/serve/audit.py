"""Looking back, on the administration socket: the journal as entries, explained, and as bare rows.

    AUDIT READ [USER name] [DEVICE serial] [VERDICT v] [SINCE ms] [UNTIL ms] [GATEWAY g]
               [ONLY acts | logins] [TURN t] [PLACE p] [COUNT n]
        a map: entries, and the turn and place after which the next page goes on, up to head
    AUDIT EXPLAIN user [LAST n]      a map: user, known, standing, attempts, remedies
    AUDIT HEAD                       the turn of the last row
    AUDIT ROWS [AFTER turn]          a map: rows (turn, file number, base64), turn, head

The rule: a reply is bounded, by count or by bytes, and whoever wants more asks again. No reply
holds a secret: rows are those of Engine.bare_rows.
"""

import base64
from dataclasses import asdict

from watchword.audit import Wanted
from watchword.engine import Engine
from watchword.serve import limits
from watchword.serve.admin import Verb, no_more, options, whole
from watchword.serve.resp import Reply

__all__ = ["AUDIT"]

FILTERS = ("USER", "DEVICE", "VERDICT", "GATEWAY", "ONLY")


def read(engine: Engine, words: list[str]) -> Reply:
    given = options(words, (*FILTERS, "SINCE", "UNTIL", "TURN", "PLACE", "COUNT"))
    figures = {name: whole(name, str(given[name])) for name in given if name not in FILTERS}
    wanted = Wanted(
        user=given.get("USER"), device=given.get("DEVICE"), verdict=given.get("VERDICT"),
        gateway=given.get("GATEWAY"), only=given.get("ONLY"), since_ms=figures.get("SINCE"),
        until_ms=figures.get("UNTIL"),
    )  # fmt: skip
    page = engine.audit_page(
        wanted, figures.get("TURN", 0), figures.get("PLACE", -1),
        figures.get("COUNT", limits.ENTRIES_PER_PAGE_MAX),
    )  # fmt: skip
    return {
        "entries": [asdict(entry) for entry in page.entries],
        "turn": page.turn,
        "place": page.place,
        "head": page.head,
    }


def explain(engine: Engine, words: list[str]) -> Reply:
    given = options(words[1:], ("LAST",))
    last = {"last": whole("LAST", given["LAST"])} if "LAST" in given else {}
    told = engine.explain(words[0], **last)
    return {
        "user": told.user,
        "known": int(told.known),
        "standing": list(told.standing),
        "attempts": [{"entry": asdict(one.entry), "why": one.why} for one in told.attempts],
        "remedies": list(told.remedies),
    }


def rows(engine: Engine, words: list[str]) -> Reply:
    """So many rows as make about a megabyte, at least one."""
    given = options(words, ("AFTER",))
    after = turn = whole("AFTER", given.get("AFTER", "0"))
    found: list[Reply] = []
    size = 0
    for turn, row, number in engine.bare_rows(after):
        found.append([turn, number, base64.b64encode(row)])
        size += len(row)
        if size >= limits.BARE_BYTES_PER_PAGE:
            break
    return {"rows": found, "turn": turn, "head": max(turn, engine.counters()["head"])}


def head(engine: Engine, words: list[str]) -> Reply:
    no_more(words)
    return engine.counters()["head"]


AUDIT: dict[str, Verb] = {
    "READ": (0, read),
    "EXPLAIN": (1, explain),
    "ROWS": (0, rows),
    "HEAD": (0, head),
}
