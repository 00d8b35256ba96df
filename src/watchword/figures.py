"""What a policy says: as a commented file, against another one, and what it would do to people.

Rule: a figure's name, default, range and words stand in policy.py alone; what is printed here is
read from there, so that a figure which joins is printed, compared and stored like any other. What
is here besides are the floors: how far NIST SP 800-63B lets a figure go.
"""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import asdict, fields
from itertools import pairwise
from typing import Any, NamedTuple

from watchword import policy as table
from watchword.errors import Error, InvalidArgument
from watchword.policy import RANGES, Policy

__all__ = ["Change", "changes", "dangers", "from_stored", "legal", "meaning", "stored", "text_of"]

WIDTH = 98
HOUR_MS = 3_600_000
FAILURES_PER_HOUR_MAX = 100  # of one user, as OWASP ASVS 4.0 2.2.1 has it
HEAD = """\
# Watchword's policy: every figure, what it means and what is legal. Change what you need and leave
# out what you do not: a figure that is not named is the profile's. 0 switches off what may be off.
# Try it with `watchword policy check FILE` and `diff FILE`; `set FILE` puts it in force at once.

# Where figures that are not named come from: "default", RULES as written, or "strict", which
# follows NIST SP 800-63B.
# profile = "default"
"""
UNITS = {
    "ms": "milliseconds", "s": "seconds", "kib": "KiB", "percent": "percent", "bytes": "bytes",
    "minutes": "minutes", "chars": "characters", "failures": "failures", "cap": "failures",
    "window": "steps",
}  # fmt: skip


class Change(NamedTuple):
    """A figure that two policies have otherwise; old and new as a file writes them."""

    figure: str
    old: str
    new: str
    meaning: str


class Floor(NamedTuple):
    """How far a figure may go, and the clause that says so."""

    words: str
    clause: str
    weaker: Callable[[Any, Any], bool]  # the second is weaker than the first
    below: Callable[[Any], bool]


# Figures that are weaker the higher they are, and the lower they are, by their floors.
FLOORS: dict[str, Floor] = {
    "failures_cap": Floor(
        "at most 100 failures in a row", "NIST SP 800-63B 5.2.2",
        lambda old, new: (new or 1_000) > (old or 1_000), lambda cap: not cap or cap > 100,
    ),
    "window_max": Floor(
        "codes good for 30 seconds, a window of 0", "OWASP ASVS 6.5.5",
        lambda old, new: new > old, lambda steps: steps > 0,
    ),
    "period_max_s": Floor(
        "codes good for 30 seconds, steps of 30", "OWASP ASVS 6.5.5",
        lambda old, new: new > old, lambda seconds: seconds > 30,
    ),
    "key_bytes_min": Floor(
        "keys of 112 bits, 14 bytes", "NIST SP 800-63B 5.1.4.1",
        lambda old, new: new < old, lambda size: size < 14,
    ),
    "card_cells_once": Floor(
        "each cell of a card shown once", "NIST SP 800-63B 5.1.2.2",
        lambda old, new: old and not new, lambda once: not once,
    ),
    "pin_chars_min": Floor(
        "PINs of 8 characters", "NIST SP 800-63B 5.1.1.2",
        lambda old, new: new < old, lambda chars: chars < 8,
    ),
    "password_bytes_min": Floor(
        "passwords of 8 characters", "NIST SP 800-63B 5.1.1.2",
        lambda old, new: new < old, lambda size: size < 8,
    ),
    "security_questions": Floor(
        "no security questions", "OWASP ASVS 6.4.2",
        lambda old, new: new and not old, lambda asked: asked,
    ),
}  # fmt: skip


def _words() -> dict[str, str]:
    """What policy.py says of each figure: the text under it."""
    try:
        tree = ast.parse(inspect.getsource(table))
    except (OSError, TypeError):  # installed without its source
        return {}
    body = next(
        node.body for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == Policy.__name__
    )  # fmt: skip
    found = {}
    for name, text in pairwise(body):
        if (
            isinstance(name, ast.AnnAssign) and isinstance(name.target, ast.Name)
            and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        ):  # fmt: skip
            found[name.target.id] = " ".join(str(text.value.value).split())
    return found


WORDS = _words()


def meaning(figure: str) -> str:
    """A figure in words, without the section that has it."""
    text = WORDS.get(figure, "").replace("; None: off", "")
    return re.sub(r" ?\(RULES section \d+\)", "", text).removesuffix(".")


def section(figure: str) -> str:
    """Where RULES has a figure."""
    found = re.search(r"RULES section \d+", WORDS.get(figure, ""))
    return found[0] if found else ""


def unit(figure: str) -> str:
    """In what a figure counts, by the last word of its name."""
    if "_per_" in figure:
        return ""
    word = figure.removesuffix("_max").removesuffix("_min").rpartition("_")[2]
    return UNITS.get(word, "")


def legal(figure: str) -> str:
    """What a figure may be."""
    if figure in RANGES:
        low, high, optional = RANGES[figure]
        return f"{low} to {high}" + (", or 0 for off" if optional else "")
    default = getattr(Policy(), figure)
    if isinstance(default, bool):
        return "true or false"
    if figure == "names":
        return '"sls" or "any"'
    if figure == "challenge_kinds":
        return f"1 to {table.CHALLENGE_KINDS_MAX} of {', '.join(table.CHALLENGE_KINDS)}"
    return "a list of texts" if isinstance(default, tuple) else "a text"


def written(value: Any) -> str:
    """A figure as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "0" if value is None else str(value)


def spoken(figure: str, value: Any) -> str:
    """Milliseconds as a person says them; else nothing."""
    if not figure.endswith("_ms") or not value:
        return ""
    parts, left = [], int(value)
    for word, size in (("d", 86_400_000), ("h", HOUR_MS), ("min", 60_000), ("s", 1_000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {word}")
    return " ".join(parts)


def text_of(policy: Policy) -> str:
    """A policy as a file that says the same, each figure under its words."""
    lines = [HEAD]
    for field in fields(policy):
        name, value = field.name, getattr(policy, field.name)
        about = "; ".join(filter(None, (section(name), unit(name), legal(name))))
        if meaning(name):
            lines += textwrap.wrap(
                f"{meaning(name)}.", WIDTH, initial_indent="# ", subsequent_indent="# "
            )
        lines += textwrap.wrap(f"{about}.", WIDTH, initial_indent="# ", subsequent_indent="# ")
        also = f"  # {spoken(name, value)}" if spoken(name, value) else ""
        line = f"{name} = {written(value)}{also}"
        if len(line) > WIDTH and isinstance(value, tuple):
            line = "\n    ".join([f"{name} = [", *(f"{written(one)}," for one in value)]) + "\n]"
        lines.append(f"{line}\n")
    return "\n".join(lines)


def changes(old: Policy, new: Policy) -> list[Change]:
    """Every figure that differs, in the order of the file."""
    found = []
    for field in fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after:
            old_says, new_says = said(field.name, before), said(field.name, after)
            found.append(Change(field.name, old_says, new_says, meaning(field.name)))
    return found


def said(figure: str, value: Any) -> str:
    """A figure as a file writes it, and as a person says it."""
    also = "off" if value is None else spoken(figure, value)
    return f"{written(value)} ({also})" if also else written(value)


def dangers(old: Policy, new: Policy, strangers: int = 0) -> list[str]:
    """Why a change should not be made without thought: whom it would lock out, and which floor it
    lowers. strangers: users whose names are none under the new policy."""
    return [*_locks_out(old, new, strangers), *_lowers(old, new)]


def _locks_out(old: Policy, new: Policy, strangers: int) -> list[str]:
    found = []
    moved = {change.figure for change in changes(old, new)}
    if new.lockout_failures == 1 and moved & {"lockout_failures", "lockout_extend"}:
        wait = "and each further attempt starts the wait again" if new.lockout_extend else "at once"
        found.append(f"lockout_failures = 1 would lock everyone out: one slip locks a user, {wait}")
    cap, limit = new.failures_cap, new.lockout_failures
    if cap is not None and cap <= limit and moved & {"failures_cap", "lockout_failures"}:
        found.append(
            f"failures_cap = {cap} would lock everyone out: devices are suspended until somebody "
            f"unlocks by hand, before lockout_failures = {limit} makes a lock that ends by itself"
        )
    source = new.source_failures
    if source is not None and source < limit and moved & {"source_failures", "lockout_failures"}:
        found.append(
            f"source_failures = {source} would lock everyone out behind one address: it is BUSY "
            f"before lockout_failures = {limit} locks the one user who fails"
        )
    if strangers:
        found.append(
            f'names = "{new.names}" would lock out {strangers} user{"s" * (strangers > 1)}: '
            "their names are none under it"
        )
    return found


def _lowers(old: Policy, new: Policy) -> list[str]:
    found = []
    for name, floor in FLOORS.items():
        before, after = getattr(old, name), getattr(new, name)
        if floor.weaker(before, after) and floor.below(after):
            found.append(
                f"{name} = {written(after)} lowers a floor, from {written(before)}: {floor.words} "
                f"({floor.clause})"
            )
    if _an_hour(new) > max(FAILURES_PER_HOUR_MAX, _an_hour(old)):
        found.append(
            f"lockout_failures and lockout_window_ms lower a floor: {_an_hour(new):.0f} failures "
            f"in an hour without a lock, at most {FAILURES_PER_HOUR_MAX} (OWASP ASVS 2.2.1)"
        )
    return found


def _an_hour(policy: Policy) -> float:
    """Failures that one user may have in an hour before a lock."""
    return policy.lockout_failures * max(1.0, HOUR_MS / policy.lockout_window_ms)


# ---- as a store keeps it


def stored(policy: Policy) -> dict[str, Any]:
    """Every figure by its name, as JSON holds it."""
    return asdict(policy)


def from_stored(figures: Any) -> Policy:
    """The policy a store keeps. Errors: Error, when a newer program set it."""
    try:
        known = {field.name for field in fields(Policy)}
        if not isinstance(figures, dict) or set(figures) - known:
            raise InvalidArgument("it has figures that this program does not know")
        return Policy(**figures)
    except InvalidArgument as error:
        raise Error(
            f"the store's policy is not one of this program: {error.args[0]}",
            hint="open it with a policy, Engine.open(policy=...) or [policy] in the settings",
        ) from None
