"""The policy of an engine: which one is in force, and how another comes to be.

Rule: a change is one record, which says who made it, what changed and every figure; it is in force
from the turn of that record on, and is kept with the store. What would lock people out or lower a
floor is refused unless forced, and the record says that it was forced.
"""

import contextlib
import json
from array import array

from watchword import lifecycle
from watchword.acts import said_by, utf8
from watchword.core_policy import told_to
from watchword.errors import Error, InvalidArgument, StoreFailed
from watchword.figures import Change, changes, dangers, from_stored, stored
from watchword.parts import Parts
from watchword.policy import Policy
from watchword.store import Page

__all__ = ["POLICY_PAGE", "Policies"]

POLICY_PAGE = 1  # of the table "covered", whose page 0 says how far the pages reach
AT_OPENING = "who opened the store"
SHORT = 12  # lockout_failures up to here: a user's own line holds the streak


class Policies(Parts):
    """policy, check_policy, set_policy."""

    _policy: Policy
    _policy_kept: Policy | None
    _policy_turn = 0  # of the page that was found
    _policy_unread: Error | None = None

    @property
    def policy(self) -> Policy:
        """The figures in force."""
        return self._policy

    def check_policy(self, policy: Policy) -> list[str]:
        """What should not be done without thought if this policy were set: whom it would lock out,
        and which floors it lowers. Errors: InvalidArgument."""
        with self._deciding():
            return dangers(self._policy, _policy(policy), self._strangers(policy))

    def set_policy(self, policy: Policy, *, by: str, force: bool = False) -> list[Change]:
        """Another policy, from the next turn on; what changed. Durable when it returns.

        by: who sets it. What would lock people out or lower a floor is refused unless forced, and
        the force is recorded. Errors: InvalidArgument, StoreFailed.
        """
        who = said_by(utf8("by", by).decode())
        with self._deciding():
            turn, found = self._turn, changes(self._policy, _policy(policy))
            if found:
                warnings = dangers(self._policy, policy, self._strangers(policy))
                if warnings and not force:
                    raise InvalidArgument(
                        "the policy is refused: " + "; ".join(warnings),
                        hint="force it if that is meant: the force is recorded",
                    )
                turn = self._change_policy(policy, who, bool(warnings))
        self._wait(turn)
        return found

    def _change_policy(self, policy: Policy, by: str, forced: bool) -> int:
        """One record, and what it says. The lock is held. Returns the turn to wait for."""
        was = stored(self._policy)
        figures = stored(policy)
        said = {
            "by": by,
            "forced": forced,
            "was": {name: was[name] for name in figures if was[name] != figures[name]},
            "policy": figures,
        }
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) > lifecycle.TEXT_BYTES_MAX:
            raise InvalidArgument(
                f"the policy's texts are too long: with who sets it and what it was they take at "
                f"most {lifecycle.TEXT_BYTES_MAX} bytes"
            )
        now_ms = self._now()
        self._core.deepen(policy.lockout_failures)  # room first: this alone may fail
        self._lock.open_turn = True
        self._policy = self._policy_kept = policy
        self._policy_dirty = True
        told_to(self._core, self._policy)
        return self._act(lifecycle.policy_set(text), now_ms)

    def _strangers(self, policy: Policy) -> int:
        """How many users' names would be none. The lock is held."""
        if policy.names != "sls" or self._policy.names == "sls":
            return 0
        found = 0
        for slot in range(self._core.slots_used()):
            user = self._core.user(slot)
            if user is not None:
                name = user[1]
                found += not (len(name) <= 64 and name.isascii() and name.isalnum())
        return found

    # -- as the store keeps it

    def _policy_pages(self, turn: int) -> list[Page]:
        """The page of the policy, if it has changed. The lock is held.

        It is written before pages of users who lived under it: see _policy_replayed.
        """
        if not self._policy_dirty or self._policy_kept is None:
            return []
        self._policy_dirty = False
        image = json.dumps(stored(self._policy_kept), ensure_ascii=False).encode()
        return [Page("covered", POLICY_PAGE, turn, image)]

    def _policy_found(self, image: bytes, turn: int) -> None:
        """The page of the policy, which comes before those of users."""
        self._policy_turn = turn
        self._keep_policy(json.loads(image))
        told_to(self._core, self._policy)

    def _keep_policy(self, figures: object) -> None:
        """What the store says is in force; a policy that was given is, all the same."""
        try:
            self._policy_kept, self._policy_unread = from_stored(figures), None
        except Error as error:
            self._policy_unread = error
            if not self._policy_given:
                raise
        if not self._policy_given and self._policy_kept is not None:
            self._policy = self._policy_kept

    def _policy_replayed(self, row: bytes, turn: int, state_turns: "array[int]") -> None:
        """A row that changed the policy. Streaks that it made longer were short before it, and so
        are those of pages from before it; pages from after it are as they were then."""
        for record in lifecycle.records(row):
            if record.event != lifecycle.POLICY:
                continue
            said = json.loads(record.tail[: record.lock_ms])
            if turn > self._policy_turn:
                self._keep_policy(said["policy"])
                self._policy_dirty = True
            now = said["policy"]["lockout_failures"]
            if said["was"].get("lockout_failures", now) <= SHORT < now:
                self._core.deepen(now)
                self._core.deepened(state_turns, turn)

    def _policy_opened(self) -> None:
        """A policy that was given at opening and is not the one that was in force is recorded."""
        before, given = self._policy_kept or Policy(), self._policy
        if not self._policy_given or (given == before and self._policy_unread is None):
            return
        try:
            with self._lock:
                self._policy = before
                if before.lockout_failures <= SHORT < given.lockout_failures:
                    self._core.deepened(array("q"), 0)
                turn = self._change_policy(given, AT_OPENING, bool(dangers(before, given)))
            self._wait(turn)
        except BaseException:
            with contextlib.suppress(StoreFailed):
                self.close()
            raise


def _policy(policy: object) -> Policy:
    if not isinstance(policy, Policy):
        raise InvalidArgument("policy is a watchword.Policy")
    return policy
