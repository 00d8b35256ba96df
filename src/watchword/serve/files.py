"""Whole files on the administration socket: the policy, and rows of users and devices.

    POLICY SHOW                            POLICY CHECK toml
    POLICY SET toml [BY who] [FORCE]
    IMPORT CHECK csv                       IMPORT ADD csv [BY who] [SKIP]
    EXPORT ROWS [AFTER name] [COUNT n]

The rule: as in admin.py. A file that is longer than a command comes in parts, each with its header:
a part is one act, and logins go on between two. What is exported here has no key.
"""

import io
from collections.abc import Callable, Sequence

from watchword.engine import Engine
from watchword.errors import InvalidArgument
from watchword.figures import text_of
from watchword.intake import Imported
from watchword.policy import Policy
from watchword.serve import limits
from watchword.serve.admin import by
from watchword.serve.resp import Refusal, Reply, capitals

__all__ = ["FILES"]

MISUSE = Refusal("ERR syntax error")


def told(words: Sequence[str], names: Sequence[str], flag: str = "") -> dict[str, str] | None:
    """NAME value ..., each at most once, and a flag at the end; None: it is something else."""
    found: dict[str, str] = {}
    if flag and words and capitals(words[-1]) == flag:
        found[flag], words = flag, words[:-1]
    for name, value in zip(words[::2], words[1::2], strict=False):
        if capitals(name) not in names or capitals(name) in found:
            return None
        found[capitals(name)] = value
    return found if len(words) % 2 == 0 else None


def policy_show(engine: Engine, words: list[str]) -> Reply:
    return MISUSE if words else text_of(engine.policy)


def policy_check(engine: Engine, words: list[str]) -> Reply:
    return MISUSE if words[1:] else engine.check_policy(Policy.from_text(words[0]))


def policy_set(engine: Engine, words: list[str]) -> Reply:
    """What changed: a figure, what it was, what it is."""
    given = told(words[1:], ("BY",), "FORCE")
    if given is None:
        return MISUSE
    changed = engine.set_policy(
        Policy.from_text(words[0]), by=by(given), force="FORCE" in given
    )
    return [[change.figure, change.old, change.new] for change in changed]


def import_check(engine: Engine, words: list[str]) -> Reply:
    if words[1:]:
        return MISUSE
    return imported(engine.import_csv(io.BytesIO(words[0].encode()), by=by({}), dry_run=True))


def import_add(engine: Engine, words: list[str]) -> Reply:
    """Rows that are wrong are told; with SKIP the others are applied all the same."""
    given = told(words[1:], ("BY",), "SKIP")
    if given is None:
        return MISUSE
    file = io.BytesIO(words[0].encode())
    return imported(engine.import_csv(file, by=by(given), skip_bad="SKIP" in given))


def imported(found: Imported) -> Reply:
    return {
        "rows": found.rows,
        "users": found.users,
        "devices": found.devices,
        "there": found.there,
        "faults": [list(fault) for fault in found.faults],
    }


def export_rows(engine: Engine, words: list[str]) -> Reply:
    given = told(words, ("AFTER", "COUNT"))
    if given is None:
        return MISUSE
    most = limits.NAMES_PER_LIST_MAX
    count = given.get("COUNT", str(most))
    if not (count.isascii() and count.isdecimal() and len(count) < 9 and 1 <= int(count) <= most):
        raise InvalidArgument(f"COUNT is 1 to {most}")
    users, last, lines = engine.export_rows(given.get("AFTER", ""), int(count))
    return {"users": users, "last": last, "rows": lines}


# How many words each needs at least.
FILES: dict[bytes, dict[str, tuple[int, Callable[[Engine, list[str]], Reply]]]] = {
    b"POLICY": {"SHOW": (0, policy_show), "CHECK": (1, policy_check), "SET": (1, policy_set)},
    b"IMPORT": {"CHECK": (1, import_check), "ADD": (1, import_add)},
    b"EXPORT": {"ROWS": (0, export_rows)},
}
