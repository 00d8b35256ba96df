"""`watchword audit` and `watchword explain`: what the journal tells, and why.

No word of what was typed is in a journal, so none is here. Through the daemon or of a store opened
here, a page at a time: as much is in memory as is shown.
"""

import csv
import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from itertools import islice

import click

from watchword import Code, Entry, Wanted
from watchword.audit import iso
from watchword.cli.doors import Door, enter
from watchword.cli.options import shared_options
from watchword.cli.words import Verb, Verbs, bar, table, tell, writing
from watchword.errors import InvalidArgument

__all__ = ["audit", "explain"]

LAST_ON_A_TERMINAL = 50
ROWS_AT_ONCE = 1_000  # of a table: as many stand under each other in equal columns
SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
COLUMNS = ("time", "event", "user", "outcome", "device", "from", "by")


@click.group(cls=Verbs, invoke_without_command=True)
@click.option("--user", metavar="NAME", default=None)
@click.option("--device", metavar="SERIAL", default=None)
@click.option("--verdict", type=click.Choice([c.name for c in Code], case_sensitive=False))
@click.option("--since", metavar="WHEN", default=None)
@click.option("--until", metavar="WHEN", default=None)
@click.option("--gateway", metavar="NAME", default=None)
@click.option("--acts", "only", flag_value="acts", default=None)
@click.option("--logins", "only", flag_value="logins")
@click.option("--last", type=click.IntRange(min=1), default=None)
@click.option("--all", "everything", is_flag=True)
@click.option("--json", "shape", flag_value="json", default=None)
@click.option("--csv", "shape", flag_value="csv")
@shared_options
@click.pass_context
def audit(
    ctx: click.Context,
    user: str | None, device: str | None, verdict: str | None, since: str | None,
    until: str | None, gateway: str | None, only: str | None, last: int | None,
    everything: bool, shape: str | None,
) -> None:  # fmt: skip
    """
    usage: watchword audit [--user NAME] [--acts | --logins] [--last N | --all] [--json | --csv]
           watchword audit head | verify | kept

        head      the journal's last row, signed, to be kept elsewhere
        verify    go through everything that is kept: has anybody changed it?
        kept      how much of the journal is kept, and may be

    Prints who did what, when, to whom, and how it ended: logins, challenges, and the acts of
    administration, the newest last. A name that nobody has stands as ? and its keyed hash; --user
    finds it all the same. Never a secret, nor what was typed.

    --user NAME       what was done by or to one user, also one removed since
    --device SERIAL   what one device was used for
    --verdict NAME    logins that ended so: accepted, rejected, locked ...
    --since WHEN      from then on: 2026-01-31, 2026-01-31T12:00, 15m, 24h, 7d
    --until WHEN      before then
    --gateway NAME    asked by one gateway: tcp, admin, embedded ...
    --acts, --logins  administration alone; logins and challenges alone
    --last N          the newest N; 50 where a person reads
    --all             every one
    --json, --csv     a JSON object a line; or comma-separated, with a head
    --store PATH      the store's directory
    --config FILE     the daemon's settings

    try:
        watchword audit --user alice --since 24h
        watchword audit --acts --all --csv > acts.csv
    """
    if ctx.invoked_subcommand is not None:
        return
    wanted = Wanted(
        user=user, device=device, verdict=verdict, since_ms=moment("since", since),
        until_ms=moment("until", until), gateway=gateway, only=only,
    )  # fmt: skip
    if last is not None and everything:
        raise InvalidArgument("--last and --all exclude each other")
    if last is None and not everything and sys.stdout.isatty():
        last = LAST_ON_A_TERMINAL
    with enter() as door:
        found: Iterable[Entry] = entries(door, wanted, last)
        if last is not None:
            found = deque(found, maxlen=last)
        show(found, shape)


def entries(door: Door, wanted: Wanted, last: int | None) -> Iterator[Entry]:
    """Page after page. Where the newest are wanted and nothing else, from near the end."""
    head, turn, place = door.head(), 0, -1
    if last is not None and wanted == Wanted(only=wanted.only) and wanted.only is None:
        turn = max(0, head - 2 * last)  # nearly every row holds an entry, most hold more
    with bar("reading") as progress:
        task = progress.add_task("reading", total=max(1, head - turn), visible=True)
        start = turn
        while turn < head:
            page = door.audit_page(wanted, turn, place)
            turn, place = page.turn, page.place
            progress.update(task, completed=turn - start)
            yield from page.entries


def moment(name: str, said: str | None) -> int | None:
    """A time as people write it: a day, a day and a time (UTC), or so long ago."""
    if said is None:
        return None
    text = said.strip()
    if text[:-1].isdecimal() and text[-1:] in SPANS:
        try:
            when = datetime.now(UTC) - timedelta(seconds=int(text[:-1]) * SPANS[text[-1]])
        except OverflowError:
            when = datetime.fromtimestamp(0, UTC)
        return int(when.timestamp() * 1000)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(
            f"{name} is a day or time, as 2026-01-31 or 2026-01-31T12:00, or so long ago, as 24h"
        ) from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def show(found: Iterable[Entry], shape: str | None) -> None:
    if shape == "json":
        for entry in found:
            tell(json.dumps(plain(entry), ensure_ascii=False))
    elif shape == "csv":
        names = ["time", *(field.name for field in fields(Entry))]
        writer = csv.writer(sys.stdout, lineterminator="\n")
        with writing():
            writer.writerow(names)
            for entry in found:
                told = plain(entry)
                told["others"] = " ".join(entry.others)
                writer.writerow(guarded(told.get(name)) for name in names)
            sys.stdout.flush()
    else:
        entries, head = iter(found), list(COLUMNS)
        while rows := [line(entry) for entry in islice(entries, ROWS_AT_ONCE)]:
            table(head, rows)
            head = [""] * len(COLUMNS)


def plain(entry: Entry) -> dict[str, object]:
    """An entry's words that say something, and its time for people."""
    told = {"time": iso(entry.time_ms), **asdict(entry)}
    return {name: word for name, word in told.items() if word not in ("", None, ())}


def guarded(word: object) -> object:
    """What a spreadsheet would take for a formula is text."""
    if isinstance(word, str) and word[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + word
    return "" if word is None else word


def line(entry: Entry) -> list[str]:
    """An entry as a row of the table."""
    outcome = entry.text
    if entry.verdict:
        outcome = entry.verdict.lower().replace("_", " ")
        if entry.reason not in ("NONE", entry.verdict):
            outcome += f": {entry.reason.lower().replace('_', ' ')}"
    whence = " ".join(filter(None, (entry.platform, entry.gateway, entry.address)))
    words = [entry.event, entry.user, outcome, entry.device, whence, entry.by]
    return [iso(entry.time_ms), *(shown(word) for word in words)]


def shown(text: str) -> str:
    """Text from a journal on a terminal: nothing in it may steer the terminal, or look like ours.

    A name under names = "any" may hold anything that is no control character.
    """
    return "".join(c if c.isprintable() else "?" for c in text) or "-"


@click.command(cls=Verb)
@click.argument("user")
@click.option("--last", type=click.IntRange(0, 100), default=5)
@click.option("--json", "as_json", is_flag=True)
@shared_options
def explain(user: str, last: int, as_json: bool) -> None:
    """
    usage: watchword explain USER [--last N] [--json]

    Says how a user stands, why the last attempts went as they did, and what would let the user
    in. For operators: to a user say no more than accepted or not.

    --last N         how many attempts                          5
    --json           one JSON object
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword explain alice
        watchword audit --user alice --since 24h
    """
    with enter() as door:
        told = door.explain(user, last)
    if as_json:
        tell(json.dumps(asdict(told), ensure_ascii=False))
        return
    tell(f"{shown(told.user)}:")
    for sentence in told.standing:
        tell(f"    {shown(sentence)}")
    if told.attempts:
        tell("last attempts:")
    for one in told.attempts:
        tell(f"    {iso(one.entry.time_ms)} {one.entry.platform}: {shown(one.why)}")
    tell("what would let the user in:")
    for sentence in told.remedies:
        tell(f"    {shown(sentence)}")

