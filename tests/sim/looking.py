"""What a story's journal tells when it is over: the entries of an audit, and a what-if.

Both read the store as it is, through faults and crashes like any call. Every attempt that the
checker knows of is told, once, in order and with its verdict, but for those whose rows were dropped
to keep the journal as small as it may be; and the policy that decided, asked again, says what was
said.
"""

from typing import TYPE_CHECKING, Any

from watchword import WhatIf
from watchword.lifecycle import ACTIVATE, ANSWER, ATTEMPT, RESYNC

if TYPE_CHECKING:
    from tests.sim.world import World

__all__ = ["look_back"]


def look_back(world: "World") -> None:
    """Fails the story's checker when the journal tells something else than what was done."""
    engine, checker = world.engine, world.checker
    told = world.asked(lambda: [entry.verdict for entry in engine.audit(only="logins")])
    if told is None:
        return
    dropped = engine._store.counters()["dropped_through"]
    begin = checker.marks[dropped] if dropped else 0
    done = [
        record.verdict.name
        for _, records in checker.twin.journal[begin : checker.marks[engine._store.head]]
        for record in records
        if record.event in (ATTEMPT, RESYNC, ANSWER, ACTIVATE)
    ]
    said = [verdict for verdict in told if verdict]
    if said != done:
        checker.fail(f"the journal tells {len(said)} attempts, {len(done)} were made durable")
    if dropped or world.met["another policy"]:
        return  # it does not know everyone, or the one in force now did not decide it all
    report = world.asked(lambda: again(engine))
    if report is not None and report.changed:
        checker.fail(f"the policy that decided says otherwise now: {report.verdicts}")


def again(engine: Any) -> Any:
    what = WhatIf(engine.policy)
    for _, row, file in engine.bare_rows():
        what.feed(row, file)
    return what.report()
