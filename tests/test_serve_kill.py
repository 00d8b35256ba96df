"""kill -9 of the daemon under load, in its short form: tests/crash/kill.py says how it is judged.

`python -m tests.crash kill --rounds N` is the long form.
"""

import random

from tests.crash.kill import FORGETFUL, HASTY, Kill

ROUNDS = 4


def test_nothing_answered_is_lost_and_nothing_is_accepted_twice(rng: random.Random) -> None:
    kill = Kill(repr(rng))
    kill.run(ROUNDS)
    assert kill.failures == []
    assert kill.rounds == ROUNDS
    assert kill.accepted > ROUNDS
    assert kill.again > ROUNDS  # what carried a request id was sent again


def test_the_oracle_sees_an_answer_that_came_before_the_disk(rng: random.Random) -> None:
    """A rig that cannot fail proves nothing: this daemon answers first and commits later."""
    kill = Kill(repr(rng), settings="page_interval_ms = 3600000\n", driver=HASTY)
    kill.run(5)
    (said,) = kill.failures
    assert "came back as" in said or "accepted and would be once more" in said


def test_the_oracle_sees_an_id_that_was_forgotten(rng: random.Random) -> None:
    """This daemon comes back without the ids of rows whose users' pages were written."""
    kill = Kill(repr(rng), driver=FORGETFUL)
    kill.run(8)
    (said,) = kill.failures
    assert " was " in said or "sent again it became" in said
