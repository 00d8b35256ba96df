"""How `watchword demo --story` is drawn: a rule a day, an hour a scene, and a line for every act.

Rule: no line is wider than the terminal, nor than a page. What is printed after `$` is a command
line that exists, broken as a shell would read it; colour only repeats what a word says.
"""

import re
import textwrap
import time
from datetime import UTC, datetime

from rich.console import JustifyMethod
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from watchword import Code, Explanation, Limits
from watchword.cli.words import console

__all__ = ["COLOURS", "Diary"]

COLUMNS_MAX = 100       # a page: longer lines are hard to read, however wide the terminal
COLUMNS_MIN = 20        # of text: with less room it stands on a line of its own
INDENT = " " * 7        # under the hour
JOINT = "\0"            # a space that is no place to break a line
JUSTIFIED: tuple[JustifyMethod, ...] = ("left", "left", "left", "right", "right")
COLOURS = {
    Code.ACCEPTED: "bold green", Code.REJECTED: "yellow", Code.LOCKED: "bold red",
    Code.CHALLENGE: "cyan", Code.EXPIRED: "magenta", Code.NOT_PERMITTED: "bold red",
}  # fmt: skip


class Diary:
    """The page: days, hours, command lines, and attempts with their verdicts."""

    def __init__(self) -> None:
        self._console = console()
        self._console.width = min(self._console.width, COLUMNS_MAX)
        self._began, self._day = time.monotonic(), ""

    def title(self) -> None:
        self._console.print()
        self._put(Text("watchword demo --story  ", "bold"), "client services, for a fortnight")

    def scene(self, at_ms: int, text: str) -> None:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        if f"{at:%F}" != self._day:
            self._day = f"{at:%F}"
            self._console.print()
            name = Text(f"{at:%A} {at.day} {at:%B}", "bold")
            self._console.print(Rule(name, align="left", style="dim"))
        self._console.print()
        self._put(Text(f"{at:%H:%M}  ", "bold cyan"), text, "bold")

    def act(self, words: str) -> None:
        """A command line that one could paste: never broken within quotes, nor after an option."""
        whole = re.sub(r'"[^"]*"', lambda found: found[0].replace(" ", JOINT), words)
        whole = re.sub(r"(--\S+) (?!-)", rf"\1{JOINT}", whole)
        broken = textwrap.wrap(
            f"$ watchword {whole}", max(COLUMNS_MIN, self._console.width - len(INDENT) - 8),
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        text = f" \\\n{INDENT}      ".join(broken).replace(JOINT, " ")
        self._console.print(Text(INDENT + text, "dim"), no_wrap=True, overflow="ignore")

    def says(self, text: str, style: str = "") -> None:
        """What a verb answers, or what stands behind an attempt."""
        self._put(Text(INDENT), text, style)

    def attempt(self, who: str, where: str, typed: str, verdict: Code | str, why: str) -> None:
        """Who typed what where, what became of it and why. verdict: a word where it is none."""
        name = verdict.name if isinstance(verdict, Code) else verdict
        style = COLOURS[verdict] if isinstance(verdict, Code) else "yellow"
        self._put(
            Text.assemble(
                f"{INDENT}{who:<6}  ", (f"{where:<7} ", "dim"), f"{typed:<10} ",
                (f"{name:<13} ", style),
            ),
            why, "dim" if isinstance(verdict, Code) else "",
        )  # fmt: skip

    def limits(self, user: str, found: Limits) -> None:
        a_day = usd(found.day_cents)
        if found.five_days_cents is not None:
            a_day += f" a day, {found.five_days_cents // 100:,} in five"
        self.says(f"{user} may withdraw {a_day} ({found.kind})", "italic")

    def explained(self, told: Explanation) -> None:
        """As `watchword explain` says it, with the hours of a diary."""
        self._list("", told.standing)
        self.says("last attempts:")
        for one in told.attempts:
            at = datetime.fromtimestamp(one.entry.time_ms / 1000, UTC)
            head = f"{INDENT}  {at:%a} {at.day:2} {at:%H:%M} {one.entry.platform:<7}  "
            self._put(Text(head, "dim"), one.why, COLOURS[Code[one.entry.verdict]].split()[-1])
        self._list("what would let the user in:", told.remedies)

    def week(self, user: str, rows: list[tuple[int, Limits]]) -> None:
        """What could be withdrawn, from when on."""
        self.says(f"what {user} could withdraw, and why:")
        drawn = Table.grid(padding=(0, 2, 0, 0))
        drawn.add_column(width=len(INDENT))
        for justify in JUSTIFIED:
            drawn.add_column(justify=justify, no_wrap=True)
        names = ("from", "by", "rank", "a day", "in five days")
        drawn.add_row("", *(Text(name, "dim") for name in names))
        for at_ms, one in rows:
            at = datetime.fromtimestamp(at_ms / 1000, UTC)
            drawn.add_row(
                "", f"{at:%a} {at.day:2} {at:%H:%M}", one.kind, str(one.rank),
                usd(one.day_cents), usd(one.five_days_cents),
            )  # fmt: skip
        self._console.print(drawn)

    def close(self) -> None:
        passed = time.monotonic() - self._began
        self._console.print()
        self._put(Text(), f"done in {passed:.1f} s; nothing of it is left on the disk", "dim")

    def _list(self, title: str, sentences: tuple[str, ...]) -> None:
        if title:
            self.says(title)
        for sentence in sentences:
            self._put(Text(f"{INDENT}  "), sentence)

    def _put(self, head: Text, text: str, style: str = "") -> None:
        """A line that goes on under itself."""
        if self._console.width - len(head) < COLUMNS_MIN:
            self._console.print(head)
            head = Text(f"{INDENT}  ")
        width = max(COLUMNS_MIN, self._console.width - len(head))
        lines = textwrap.wrap(text, width, break_on_hyphens=False)
        under = f"\n{' ' * len(head)}"
        self._console.print(Text.assemble(head, (under.join(lines), style)), overflow="fold")


def usd(cents: int | None) -> str:
    return "any amount" if cents is None else f"USD {cents // 100:,}"
