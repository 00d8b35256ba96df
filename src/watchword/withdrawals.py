"""What a user may withdraw, by the highest rank of an active device, and what was withdrawn.

Rule: amounts are whole cents. A report is decided and recorded in one act, so that two gateways
that report at once cannot both have the last of a limit: what would pass it is refused, recorded as
refused, and counts nothing. Business days are Monday to Friday, in UTC or the policy's offset; a
Saturday's and a Sunday's withdrawals are Monday's.
"""

from dataclasses import dataclass

from watchword import lifecycle
from watchword._engine import DEVICE_STATES, LIMIT_DAYS, Code, Reason, extra_of, rank_of
from watchword.acts import said_by, utf8
from watchword.errors import InvalidArgument
from watchword.parts import Parts
from watchword.policy import Policy
from watchword.views import user_of

__all__ = ["Limits", "Withdrawal", "Withdrawals", "business_day"]

DAY_MS = 86_400_000
CENTS_MAX = 10**15
RANK_MAX = 3                    # whoever ranks higher has its limits
STATE, UNTIL = 3, 22            # of a device as the core tells it


@dataclass(frozen=True, slots=True)
class Limits:
    """A user's withdrawal limits in cents; None: unlimited. used: what gateways reported, today and
    over five business days, today among them. device, kind and rank: of the active device that
    gives them; without one "" and "none"."""

    device: str
    kind: str
    rank: int
    day_cents: int | None
    five_days_cents: int | None
    day_used_cents: int
    five_days_used_cents: int

    @property
    def left_cents(self) -> int | None:
        """What may still be withdrawn today; None: as much as one likes."""
        left = [
            max(0, most - used)
            for most, used in (
                (self.day_cents, self.day_used_cents),
                (self.five_days_cents, self.five_days_used_cents),
            )
            if most is not None
        ]
        return min(left, default=None)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What became of a report: true when it was within the limits, and counts. limits: as they
    stand after it."""

    within: bool
    limits: Limits

    def __bool__(self) -> bool:
        return self.within


class Withdrawals(Parts):
    """limits, report_withdrawal."""

    def limits(self, name: str) -> Limits:
        """What a user may withdraw now. Errors: NotFound."""
        with self._deciding():
            turn = self._turn
            found = self._limits(self._slot(name), self._now())
        self._wait(turn)
        return found

    def report_withdrawal(self, name: str, amount_cents: int, *, by: str) -> Withdrawal:
        """A gateway is about to pay out. Within the limits it is recorded and counts; beyond them
        it is refused, which is recorded too. by: which gateway. Durable when this returns.

        Errors: InvalidArgument, NotFound, StoreFailed.
        """
        if (
            isinstance(amount_cents, bool) or not isinstance(amount_cents, int)
            or not 1 <= amount_cents <= CENTS_MAX
        ):
            raise InvalidArgument(f"amount_cents is a whole number of cents, 1 to {CENTS_MAX}")
        said_by(utf8("by", by).decode())
        with self._deciding():
            number, _ = self._user(name)
            slot, now_ms = number & 0xFFFFFFFF, self._now()
            left = self._limits(slot, now_ms).left_cents
            within = left is None or amount_cents <= left
            verdict = Code.ACCEPTED if within else Code.NOT_PERMITTED
            reason = Reason.NONE if within else Reason.LIMIT
            day = business_day(self._policy, max(now_ms, self._core.latest_ms))
            turn = self._act(lifecycle.withdrawal(
                number, amount_cents, day, int(verdict), int(reason), by
            ), now_ms)
            after = self._limits(slot, now_ms)
        self._wait(turn)
        return Withdrawal(within, after)

    # -- what stands (the lock is held)

    def _limits(self, slot: int, now_ms: int) -> Limits:
        found = self._core.user(slot, now_ms)
        assert found is not None, "the index names no free slot"
        at_ms = max(now_ms, self._core.latest_ms)
        best = max(
            (
                (rank_of(self._core, slot, told[0]), view)
                for told, view in zip(found[-1], user_of(found).devices, strict=True)
                if DEVICE_STATES[told[STATE]] == "active" and not 0 < told[UNTIL] <= at_ms
            ),
            key=lambda one: (one[0], [-byte for byte in one[1].serial.encode()]), default=None,
        )  # fmt: skip
        rank = best[0] if best else 0
        day, five_days = self._figures_of(min(rank, RANK_MAX))
        _, _, _, newest, used = extra_of(self._core, slot)
        past = max(0, business_day(self._policy, at_ms) - newest)
        return Limits(
            best[1].serial if best else "", best[1].kind if best else "none", rank, day, five_days,
            used[0] if past == 0 else 0, sum(used[: max(0, LIMIT_DAYS - past)]),
        )  # fmt: skip

    def _figures_of(self, rank: int) -> tuple[int | None, int | None]:
        day = getattr(self._policy, f"withdrawal_day_usd_rank{rank}")
        five_days = getattr(self._policy, f"withdrawal_five_days_usd_rank{rank}")
        return cents(day), cents(five_days)


def cents(usd: int | None) -> int | None:
    return None if usd is None else usd * 100


def business_day(policy: Policy, time_ms: int) -> int:
    """The number of a business day, 0 in the first week of 1970; never below it."""
    days = (time_ms + policy.business_day_offset_minutes * 60_000) // DAY_MS
    week, weekday = divmod(days + 3, 7)         # the first of January 1970 was a Thursday
    return max(0, 5 * week + min(weekday, 5))
