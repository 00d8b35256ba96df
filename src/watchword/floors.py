"""Floors raised: what an engine does when its store may be older than what was answered.

A backup, a copy or a machine's snapshot brings old counters back, and with them codes that were
used. Whoever puts one in place raises every floor: no step of time that may have been taken is good
any more, counts go on past any that was asked or answered, what stands open is void, and a counter
device is believed by two codes in a row alone. It is one act for the record, and a record a device.
"""

from watchword import _engine, lifecycle
from watchword.acts import said_by, utf8
from watchword.errors import InvalidArgument
from watchword.parts import Parts

__all__ = ["ANSWERS_GAP", "ISSUES_GAP", "Floors", "answers_within"]

ISSUES_GAP = 1 << 20        # a gateway may ask for challenges as fast as it likes
ANSWERS_GAP = 1_000         # of a card: each was a login that a person made
ANSWER_MS = 60_000          # nobody answers more often, day in, day out
RECORDS_PER_ROW = 65_536    # 2 MB
GAP_MAX = (1 << 32) - 3


def answers_within(ms: int) -> int:
    """How many answers of one card a while may have held at most."""
    return max(ANSWERS_GAP, ms // ANSWER_MS)


class Floors(Parts):
    """raise_floors."""

    def raise_floors(
        self, *, by: str, ended_ms: int | None = None, answers: int = ANSWERS_GAP, text: str = "",
    ) -> int:  # fmt: skip
        """Takes for used up whatever may have been accepted until `ended_ms` (None: now) by another
        life of this store; how many devices there are. Durable when it returns.

        answers: how many pairs of a code card to pass over. by, text: who says so, and why, for the
        record. TOTP devices verify again 22 steps after ended_ms, HOTP devices after a
        resynchronisation; temporary passcodes have ended, challenges are void.
        Errors: InvalidArgument, StoreFailed.
        """
        who = said_by(utf8("by", by).decode())
        for name, figure, most in (("ended_ms", ended_ms, 1 << 52), ("answers", answers, GAP_MAX)):
            if figure is not None and (
                isinstance(figure, bool) or not isinstance(figure, int) or not 0 <= figure <= most
            ):
                raise InvalidArgument(f"{name} is 0 to {most}")
        with self._deciding():
            now_ms = self._now()
            ended = now_ms if ended_ms is None else ended_ms
            ended = max(ended, self._core.latest_ms)
            said = f"{who}: {text or 'every floor raised'}"
            self._act(lifecycle.restored(said), now_ms)
            at, devices = 0, 0
            while at < self._core.slots_used():
                records, at = _engine.floors(
                    self._core, at, ended, ISSUES_GAP, answers, RECORDS_PER_ROW
                )
                if records:
                    self._wait(self._act(records, now_ms))
                    devices += len(records) // lifecycle.UNIT
            turn = self._turn
        self._wait(turn)
        self._catch_up()
        return devices
