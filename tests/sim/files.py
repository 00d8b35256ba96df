"""Files in a world: another policy, and rows of users and devices; what the twin says, then the
act itself."""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import watchword
from tests.filed import filed
from tests.sim.acts import KEYS
from watchword.reference import Device, Event, Figures, Record
from watchword.reference_rows import Line, import_rows

__all__ = ["Files", "Passing", "policy_of"]

BY = "client services"


@dataclass(frozen=True)
class Passing(Figures):
    """Figures, and what a password costs that is set from now on."""

    password_passes: int = 1


def policy_of(figures: Figures) -> watchword.Policy:
    named = dict(vars(figures))
    named["names"] = "any" if named.pop("names_any") else "sls"
    named |= {"password_memory_kib": 32, "security_questions": True}
    return watchword.Policy(**named)


class Files:
    """Steps of a world that change its policy or bring rows of a file."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        figures: Figures
        machine: Any
        serials: int
        met: Any
        asked: Any
        _done: Any
        devices: Any

    def given(self) -> watchword.Policy | None:
        """The policy to open the store with: it keeps what is set, once that was durable. The first
        opening records it, which is a turn."""
        checker, policy = self.checker, policy_of(self.figures)
        known = any(r.event is Event.POLICY for _, rs in checker.twin.journal for r in rs)
        if known or policy == watchword.Policy():
            return None
        if len(checker.marks) == 1:
            checker.twin.journal.append((0, [Record(Event.POLICY, 0, tail=self.figures)]))
            checker.marks.append(1)
            checker.times_ms.append(self.machine.clock.wall_ms())
        return policy

    def on_policy(self, words: dict[str, Any]) -> None:
        twin = self.checker.twin
        figures = Passing(**{**vars(twin.figures), **words})
        self.met["another policy"] += figures != twin.figures
        self.checker.acting = lambda now_ms: twin.set_policy(figures, now_ms)
        self._done("", lambda: self.engine.set_policy(policy_of(figures), by=BY, force=True))

    def on_import(self, rows: list[Any], skip_bad: bool) -> None:
        twin, lines, found = self.checker.twin, [self.line(*row) for row in rows], []
        expected = import_rows(copy.deepcopy(twin), lines, 0, skip_bad)
        self.checker.acting = lambda now_ms: import_rows(twin, lines, now_ms, skip_bad)
        self._done("", lambda: found.append(
            self.engine.import_csv(filed(lines), by=BY, skip_bad=skip_bad)
        ))  # fmt: skip
        for said in found:
            wrong = [fault.row - 2 for fault in said.faults]
            if (said.users, said.devices, said.there, wrong) != expected:
                self.checker.fail(f"an import came to {said}, its twin says {expected}")
            self.met["a row of a file"] += said.users + said.devices
            self.met["a wrong row"] += len(wrong)

    def line(self, who: str, state: str, words: dict[str, Any] | None, sort: str) -> Line:
        """A row: its device has a serial of its own, none, or that of the user's first."""
        if words is None:
            return Line(who, state)
        self.serials += 1
        devices = self.devices(who)
        serial = {"own": f"f{self.serials}", "none": ""}.get(sort, "")
        if sort == "first" and devices:
            serial = devices[0].serial
        figures = {name: word for name, word in words.items() if name not in ("kind", "key")}
        key = KEYS[words["key"]]
        own = Device(words["kind"], key, serial, **figures)
        if own.kind == "ocra":
            suite = own.asked
            own.algorithm, own.digits = suite.algorithm, suite.digits
            own.look_ahead = own.look_ahead if suite.counter else 0
        if own.kind in ("ocra", "card"):
            own.back = own.forward = 0
        return Line(who, state, "", own)
