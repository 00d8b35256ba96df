"""`watchword replay`: yesterday's logins under tomorrow's policy.

The rows come without secrets, from the store or through the daemon, and are decided here: a
question to the journal takes nothing of a daemon but reading.
"""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path

import click

from watchword import Policy, Report, WhatIf
from watchword.audit import iso
from watchword.cli.audit import shown
from watchword.cli.doors import enter
from watchword.cli.options import shared_options
from watchword.cli.words import Verb, bar, note, table, tell
from watchword.errors import InvalidArgument
from watchword.formats.lockouts import binned, blocks, svg

__all__ = ["replay"]

BINS = 60
USERS_SHOWN = 10
WHAT = {
    "locked": "would have met a lock",
    "freed": "met a lock, and would not have",
    "refused": "were let in, and would not have been",
    "let_in": "were not let in, and would have been",
}


@click.command(cls=Verb)
@click.option("--policy", "path", metavar="FILE", default=None)
@click.option("--json", "as_json", is_flag=True)
@click.option("--svg", "picture", metavar="FILE", default=None)
@shared_options
def replay(path: str | None, as_json: bool, picture: str | None) -> None:
    """
    usage: watchword replay --policy FILE [--json] [--svg FILE]

    Runs the logins that the journal holds through another policy, and says who would have been
    locked, refused or let in otherwise by its rules of lockout, scope, state and address. Nothing
    is changed. FILE holds figures by name, as the [policy] of a daemon's settings does, with or
    without that head.

    --policy FILE    the other policy, as TOML
    --json           one JSON object
    --svg FILE       draw the lockouts over time
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword replay --policy stricter.toml
        watchword replay --policy stricter.toml --svg lockouts.svg
    """
    if path is None:
        raise InvalidArgument("--policy names a file of figures", hint="see replay --help")
    what = WhatIf(policy_of(path))
    with enter() as door:
        head = door.head()
        with bar("deciding again") as progress:
            task = progress.add_task("deciding again", total=max(1, head))
            for turn, row, file in door.bare_rows():
                what.feed(row, file)
                if not turn & 255 or turn == head:
                    progress.update(task, completed=turn)
    report = what.report()
    if picture is not None:
        Path(picture).write_text(drawn(report, path))
        note(f"{picture} shows the lockouts")
    if as_json:
        told = asdict(report)
        del told["then_ms"], told["now_ms"]
        told["locks_over_time"] = series(report)
        tell(json.dumps(told, ensure_ascii=False))
    else:
        say(report)


def policy_of(path: str) -> Policy:
    """The figures of a file that holds them alone, or below [policy] as a daemon's settings do."""
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} is not TOML: {error}") from None
    inner = table.get("policy")
    return Policy.from_table(inner if isinstance(inner, dict) else table)


def series(report: Report) -> dict[str, list[int]]:
    """Locks that began, then and now, by parts of the time."""
    return {
        "then": binned(report.then_ms.tolist(), report.from_ms, report.to_ms, BINS),
        "now": binned(report.now_ms.tolist(), report.from_ms, report.to_ms, BINS),
    }


def drawn(report: Report, path: str) -> str:
    counts = series(report)
    ends = (iso(report.from_ms), iso(report.to_ms))
    return svg(counts["then"], counts["now"], ends, f"Lockouts as they were, and under {path}")


def say(report: Report) -> None:
    """The report as a person reads it."""
    if not report.attempts:
        tell("the journal holds no login of a user")
    else:
        tell(
            f"{report.attempts:,} logins from {iso(report.from_ms)} to {iso(report.to_ms)}; "
            f"{report.changed:,} would have ended otherwise"
        )
    if report.verdicts:
        rows = sorted(report.verdicts.items(), key=lambda one: -one[1])
        pairs = [(pair.lower().replace("_", " "), count) for pair, count in rows]
        table(["then -> now", "logins"], [[pair, f"{count:,}"] for pair, count in pairs])
    for name, words in WHAT.items():
        users = getattr(report, name)
        if not users:
            continue
        more = report.users[name] - min(len(users), USERS_SHOWN)
        names = ", ".join(f"{shown(one.user)} ({one.attempts:,})" for one in users[:USERS_SHOWN])
        rest = f", and {more:,} more" if more else ""
        tell(f"users who {words}: {report.users[name]:,}; {names}{rest}")
    counts = series(report)
    most = max([1, *counts["then"], *counts["now"]])
    tell(f"locks that began: {report.locks_then:,} then, {report.locks_now:,} now")
    if report.locks_then or report.locks_now:
        tell(f"    then  |{blocks(counts['then'], most)}|")
        tell(f"    now   |{blocks(counts['now'], most)}|  the highest is {most:,}")
    caveats(report)


def caveats(report: Report) -> None:
    """What the figures do not say."""
    if report.unsure:
        tell(f"{report.unsure:,} logins may have been right, which was not looked at then: wrong")
    if report.as_recorded:
        tell(f"{report.as_recorded:,} logins were taken as they were")
    if report.left_out:
        tell(f"{report.left_out:,} were left out: of users from before the first row kept")
    if report.unknown:
        tell(f"{report.unknown:,} were of names that nobody has")
    tell("not asked, for the journal cannot tell:")
    for words in report.not_asked:
        tell(f"    {words}")
