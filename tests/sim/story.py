"""A story from a seed: the policy, and steps that a world can play and a reader can read.

Each seed leans its own way: some crash often, some never, some have gateways only, some a disk that
fails. Waits and figures lean towards the edges. A step holds all it needs, so that steps can be
taken out and the rest still means what it meant.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.sim.among import with_more
from tests.sim.filing import Filing
from tests.sim.kinds import Kinds
from tests.sim.tears import POLICIES
from watchword.reference import Figures

__all__ = ["Step", "Story", "figures_of", "simpler", "story_of"]

Step = tuple[Any, ...]
Story = tuple[Figures, list[Step]]

DAY_MS, CRASH_OPERATIONS = 86_400_000, (1, 2, 3, 4, 6, 9, 14, 25, 60)
KINDS = ("write", "write", "sync", "sync", "open", "rename", "remove")


def figures_of(rng: random.Random) -> Figures:
    return Figures(
        lockout_failures=rng.choice([2, 3, 5, 5, 10, 13]),
        lockout_window_ms=rng.choice([60_000, 3_600_000, DAY_MS]),
        lockout_extend=rng.random() < 0.7,
        failures_cap=rng.choice([None, 4, 9, 100]),
        source_failures=rng.choice([None, 3, 1000]),
        passcode_ms=rng.choice([172_800_000, 90_000]),
        passcode_card_ms=rng.choice([864_000_000, 90_000, 0]),
        sms_ms=rng.choice([600_000, 90_000]),
        sms_per_hour=rng.choice([1, 3, 6]),
        card_cells_once=rng.random() < 0.3,
        challenge_kinds=rng.choice([("dsc-plus",), ("dsc-plus", "code-card", "sms")]),
    )


def story_of(seed: int, turns: int) -> Story:
    """So many steps that ask or act, and what happens between them."""
    a = Author(rng := random.Random(seed), figures := figures_of(rng))
    return figures, with_more(seed, a.steps(turns), a.users, a.device)


class Author(Filing, Kinds):
    """Draws the steps of one story."""

    def __init__(self, rng: random.Random, figures: Figures) -> None:
        self.rng, self.figures_of = rng, figures_of
        self.window_ms = figures.lockout_window_ms
        self.users = [f"u{i}" for i in range(rng.choice([1, 2, 3, 5]))]
        often = rng.choice([0, 0.3, 1, 3])
        self.asking: list[tuple[float, Callable[[], Step]]] = [
            (8, self.verify), (2, self.verify_many), (1, self.resync), (2, self.user_act),
            (2, self.unlock), (2, self.device_act), (3, self.challenge), (1.5, self.push),
            (1.5, self.decide), (1, self.claim), (1.5, self.know),
            (0.7, self.policy), (0.7, self.file),
            (6 * often, self.say), (3 * often, self.awaited),
            (1 * often, self.tell), (0.7, self.look), (rng.choice([0] * 5 + [2]), self.crowd),
        ]  # fmt: skip
        crashes, faults = rng.choice([0.03, 0.1, 0.4]), rng.choice([0, 0, 0.1, 0.4])
        self.between: list[tuple[float, Callable[[], Step]]] = [
            (3, self.wait), (0.15, self.jump), (0.6, lambda: ("accept_clock",)),
            (1.2, self.keep), (0.05, lambda: ("close",)), (0.06, lambda: ("rotate",)),
            (6 * often, lambda: ("pass",)), (3 * often, lambda: ("land",)),
            (1 * often, lambda: ("settle",)), (1 * often, lambda: ("work",)),
            (0.5 * often, self.lose), (0.4 * often, lambda: ("retry", self.number())),
            (0.2 * often, lambda: ("slow", self.number(), rng.random() < 0.6)),
            (0.1 * often, lambda: ("sweep", rng.choice([1.0, 6.0, 11.0, 301.0]))),
            (0.5 * crashes, self.crash), (0.8 * crashes, self.crash_in),
            (0.2 * crashes, lambda: ("kill",)), (faults, self.fault),
            (0.02, lambda: ("room", False)), (0.4, lambda: ("room", True)),
        ]  # fmt: skip
        self.bursts: list[Callable[[], list[Step]]] = [self.hammering, self.sending, self.harvest]
        self.bursts += [self.late] * 4
        self.bursts += [self.approving] * 8
        if rng.random() < 0.15:
            self.bursts += [self.killed] * 3
        if often:
            self.bursts += [*[self.in_flight] * 7, self.reconnecting]

    def steps(self, turns: int) -> list[Step]:
        rng = self.rng
        steps: list[Step] = []
        for who in self.users:
            steps.append(("user", "add_user", who, "open", "live"))
            if rng.random() < 0.5:
                steps.append(("add_device", who, self.phone()))
            for _ in range(rng.choice([1, 1, 2, 3])):
                steps.append(("add_device", who, self.device()))
        asking, between = zip(*self.asking, strict=True), zip(*self.between, strict=True)
        (ask_weights, asks), (weights, others) = asking, between
        turns = turns * 4 // 3  # some share a turn, some find the engine ended or BUSY
        while turns > 0:
            if rng.random() < 0.4:
                steps.append(rng.choices(others, weights)[0]())
            elif rng.random() < 0.03:
                burst = rng.choice(self.bursts)()
                steps += burst
                turns -= len(burst)
            else:
                steps.append(rng.choices(asks, ask_weights)[0]())
                turns -= 1
        return steps

    # ---- who, and what is typed

    def who(self) -> str:
        if self.rng.random() < 0.92:
            return self.rng.choice(self.users)
        return self.rng.choice(["nobody", "nobody", "somebody", "al_ice", "Upper"])

    def number(self) -> int:
        return self.rng.randrange(3)

    def typed(self) -> Any:
        """(device, position relative to the one expected), (device, "fresh"): the first unused one
        that is right, "again": what was typed last; or plain text."""
        dice, device = self.rng.random(), self.rng.choice([0, 0, 0, 1, 2])
        if dice < 0.62:
            return device, "fresh"
        if dice < 0.84:
            return device, self.rng.choice([0] * 6 + [1, 1, -1, -1, 2, 3, -2, 5, 4, 19, 20])
        return self.rng.choice(["again", "again", "000000", "wrong", ""])

    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self.rng.random() < 0.2:
            options["platform"] = "portal"
        if self.rng.random() < 0.1:
            options["realm"] = "paper"
        if self.rng.random() < 0.2:
            options["device"] = self.rng.choice([0, 0, 1, "unheard-of"])
        if self.rng.random() < 0.2:
            options["address"] = self.rng.choice(["192.0.2.1", "192.0.2.2"])
        return options

    # ---- asking

    def verify(self) -> Step:
        options = self.options()
        if self.rng.random() < 0.15:
            options["by_id"] = True
        if self.rng.random() < 0.05:
            options["first"] = False
        return "verify", self.who(), self.typed(), options

    def challenge(self) -> Step:
        who = self.rng.choice([*self.users, *self.users, "nobody", "Upper"])
        platform = self.rng.choice(["trading", "trading", "trading", "portal"])
        purpose, index = self.rng.choice([None] * 3 + ["wire"]), self.rng.choice([None, None, 0, 1])
        sms, posed = self.rng.random() < 0.25, (None, None)
        if self.rng.random() < 0.3:  # something is posed, of a length that suites have
            posed = self.rng.choice([("5343", None), ("Transfer50", None), (None, self.client())])
        return "challenge", who, platform, purpose, index, sms, *posed

    def client(self) -> str:
        """What a client asks first: one of a few."""
        return f"client000{self.rng.randrange(3)}"

    def push(self) -> Step:
        return "push", *self.challenge()[1:3]

    def decide(self) -> Step:
        rng = self.rng
        decision = rng.choice(["approve"] * 4 + ["deny"])
        wrong, forged = rng.random() < 0.3, rng.random() < 0.15
        back = rng.choice([0, 0, 0, 0, 1])
        return "decide", self.who(), back, decision, wrong, rng.choice(["pin", "biometric"]), forged

    def claim(self) -> Step:
        back, count = self.rng.choice([0, 0, 0, 1]), self.rng.choice([1, 1, 1, 2, 4])
        return "claim", self.who(), back, self.challenge()[2], count, self.threads()

    def approving(self) -> list[Step]:
        """A push, its phone's answer and its claim, perhaps late, twice, or after a crash."""
        rng = self.rng
        asked = "push", rng.choice(self.users), rng.choice(["trading", "portal"])
        decided, claim = self.decide(), self.claim()
        steps: list[Step] = [asked] * rng.choice([1, 1, 2])
        steps.append(("decide", asked[1], *decided[2:]))
        if rng.random() < 0.3:
            steps.append(rng.choice([self.crash, self.keep, self.push, self.device_act])())
        steps.append(("wait", rng.choice([0, 0, 0, 59_999, 60_000, 600_000])))
        return steps + [("claim", asked[1], claim[2], asked[2], *claim[4:])] * rng.choice([1, 2])

    def know(self) -> Step:
        """What a user knows is set, asked, answered or changed."""
        rng, who = self.rng, self.rng.choice([*self.users, *self.users, "nobody"])
        verb = rng.choice(["password", "questions", *["question", "answer", "change_pin"] * 3])
        if verb == "password":
            return verb, who, rng.choice([0, 1, None, None, None])
        if verb == "questions":
            return verb, who
        if verb == "question":
            return verb, who, rng.randrange(2**64)
        if verb == "answer":
            return verb, who, rng.choice(["right", "right", "wrong"])
        return verb, who, rng.choice(["own"] * 4 + ["0000"]), rng.choice(["4711", "8255", "0815"])

    def verify_many(self) -> Step:
        pairs = [(self.who(), self.typed()) for _ in range(self.rng.choice([1, 2, 3, 5]))]
        platform, threads = self.rng.choice(["trading", "trading", "portal"]), self.threads()
        return "verify_many", pairs, platform, threads

    def threads(self) -> int:
        return self.rng.choice([1, 1, 1, 1, 2, 4])

    def hammering(self) -> list[Step]:
        """Failures at the edges of a lock's window."""
        who, wait = self.who(), self.rng.choice([0, 0, self.window_ms // 3, self.window_ms // 9])
        blow: list[Step] = [("wait", wait), ("verify", who, "wrong", {})]
        return blow * self.rng.choice([3, 6, 12])

    def late(self) -> list[Step]:
        """A challenge answered when its time is nearly over, or over; and perhaps once more."""
        asked = self.challenge()
        wait = self.rng.choice([0, 299_999, 300_000, 600_000, 600_000])
        options = {"by_id": True, "platform": asked[2]}
        steps = [asked, ("wait", wait), ("verify", asked[1], (self.number(), "fresh"), options)]
        if self.rng.random() < 0.3:
            steps.append(self.rng.choice([self.crash, self.keep, self.challenge])())
        if self.rng.random() < 0.5:
            steps.append(("verify", asked[1], "again", options))
        return steps

    def sending(self) -> list[Step]:
        """A code that is sent while the machine ends."""
        phone: Step = ("add_device", who := self.rng.choice(self.users), self.device("sms"))
        asked: Step = ("challenge", who, "trading", None, None, True)
        return [phone, asked, self.crash_in(), asked]

    def harvest(self) -> list[Step]:
        """Answers asked for, more than there are; the machine may end in between."""
        who = self.rng.choice([*self.users, *self.users, "nobody"])
        steps: list[Step] = [("add_device", who, self.responder())] if who != "nobody" else []
        for number in range(7):
            posed = None, f"harvest{number:03d}"
            steps.append(("challenge", who, "trading", None, None, False, *posed))
        then = self.rng.choice([self.crash, self.keep, lambda: ("close",)])()
        return [*steps[:-3], then, *steps[-3:]]

    def reconnecting(self) -> list[Step]:
        """A gateway that is lost and comes again before the daemon has heard of it."""
        number = self.number()
        comes: list[Step] = [("say", number, [("ping",)], 10_000, True), ("lose", number, False)]
        return comes * self.rng.choice([2, 5, 6])

    def crowd(self, count: int = 40) -> Step:
        """Attempts enough for a row that is worth its pages of the disk."""
        names = self.rng.sample(range(1000), count)
        return "verify_many", [(f"x{name}", "000000") for name in names], "trading", self.threads()

    def in_flight(self) -> list[Step]:
        """A turn on its way to the disk, and what must not overtake it."""
        rng = self.rng
        asked = rng.choice([self.awaited, self.say])()
        thens: list[Callable[[], Step]] = [self.keep, self.look, self.user_act, self.crash]
        then = ("land",) if rng.random() < 0.2 else rng.choice(thens)()
        end = rng.choice([self.crash_in, self.crash, self.verify, self.device_act])()
        return [asked, ("pass",), then, end]

    def killed(self) -> list[Step]:
        """A process that ends amid a large commit, on a machine that ends soon after."""
        large = [self.crowd(150) for _ in range(3)]
        killed = ("crash_in", self.rng.randint(5, 7), False, "killed", 0)
        return [("kill",), *large[:2], killed, large[2], ("crash", *self.tear(), self.again())]

    def resync(self) -> Step:
        first = (self.rng.randrange(3), self.rng.choice([0, 2, 5, 15, -3]))
        second = (first[0], first[1] + self.rng.choice([1, 1, 1, 2]))
        return "resync", self.who(), first, second, {"device": first[0]}

    def unlock(self) -> Step:
        return "user", "unlock", self.rng.choice(self.users)

    def user_act(self) -> Step:
        rng, who = self.rng, self.rng.choice([*self.users, "newcomer"])
        verb = rng.choice(["unlock"] * 6 + ["set_user", "add_user"] * 2 + ["remove_user"])
        if verb in ("add_user", "set_user"):
            state = rng.choice(["open"] * 5 + ["pending", "closed"])
            return "user", verb, who, state, rng.choice(["live"] * 5 + ["paper"])
        return "user", verb, who

    def device_act(self) -> Step:
        rng, who = self.rng, self.rng.choice(self.users)
        verb = rng.choice(["add", "add", "add", "again", "again", "set", "set", "remove"])
        if verb == "add":
            return "add_device", who, self.device()
        if verb == "again":
            return "enrol_again", who, rng.randrange(3), rng.random() < 0.3, self.device()
        if verb == "set":
            state = rng.choice(["active", "active", "active", "suspended", "lost"])
            return "set_device", who, rng.randrange(3), state
        return "remove_device", who, rng.randrange(3)

    def look(self) -> Step:
        return "look", self.rng.choice([*self.users, "nobody"])

    def tell(self) -> Step:
        _, verb, who, *words = self.user_act()
        return "tell", verb, who, tuple(words)

    def awaited(self) -> Step:
        return "await", self.who(), self.typed(), self.options()

    def say(self) -> Step:
        """Some commands of one gateway; one in ten of any kind is cut."""
        rng = self.rng
        commands: list[Step] = []
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            dice = rng.random()
            if dice < 0.1:
                commands.append(("ping",))
            elif dice < 0.3:
                pairs = [(self.who(), self.typed()) for _ in range(rng.choice([1, 2, 3, 7]))]
                commands.append(("many", pairs))
            else:
                verify = ("verify", self.who(), self.typed(), self.options(), rng.random() < 0.3)
                commands.append(verify)
        cut = rng.randrange(120) if rng.random() < 0.2 else 10_000
        return "say", self.number(), commands, cut, rng.random() < 0.7

    # ---- in between

    def wait(self) -> Step:
        edges = [*(self.window_ms + by for by in (-1, 0, 1)), self.window_ms // 3]
        return "wait", self.rng.choice([1, 15_000, 29_999, 30_000, 30_000, 60_000, 90_000, *edges])

    def jump(self) -> Step:
        hour = 3_600_000
        return "jump", self.rng.choice([-30_000, 30_000, -hour, hour, -90_000, 8 * DAY_MS])

    def keep(self) -> Step:
        """The keeper's pass, with something in its midst now and then."""
        midst = [self.verify() for _ in range(self.rng.choice([0, 0, 1, 2]))]
        return "keep", tuple(midst)

    def lose(self) -> Step:
        return "lose", self.number(), self.rng.random() < 0.3

    def tear(self) -> tuple[str, int]:
        return self.rng.choice((*POLICIES, "dropped", "killed")), self.rng.randrange(2**16)

    def crash(self) -> Step:
        """Now; and perhaps again, at some operation of the recovery."""
        return "crash", *self.tear(), self.again()

    def crash_in(self) -> Step:
        return "crash_in", *self.moment(), *self.tear(), self.again()

    def again(self) -> tuple[Any, ...]:
        again: list[Any] = []
        while self.rng.random() < 0.3:
            again.append((*self.moment(), *self.tear()))
        return tuple(again)

    def moment(self) -> tuple[int, bool]:
        return self.rng.choice(CRASH_OPERATIONS), self.rng.random() < 0.5

    def fault(self) -> Step:
        rng = self.rng
        code = rng.choice(["EIO", "EIO", "ENOSPC"])
        n = rng.choice([1, 1, 2, 3, 5, 8, 20])
        return "fault", rng.choice(KINDS), n, code, rng.random() < 0.3, rng.random() < 0.5


def simpler(step: Step) -> Iterator[Step]:
    """The same step with fewer words."""
    verb = step[0]
    if verb == "verify_many" and len(step[1]) > 1:
        for at in range(len(step[1])):
            yield (verb, step[1][:at] + step[1][at + 1 :], *step[2:])
    elif verb == "say" and len(step[2]) > 1:
        for at in range(len(step[2])):
            yield (verb, step[1], step[2][:at] + step[2][at + 1 :], *step[3:])
    elif verb == "import" and len(step[1]) > 1:
        for at in range(len(step[1])):
            yield (verb, step[1][:at] + step[1][at + 1 :], step[2])
    elif verb == "policy" and len(step[1]) > 1:
        for name in step[1]:
            yield verb, {other: word for other, word in step[1].items() if other != name}
    elif verb == "verify" and step[3]:
        yield (*step[:3], {})
    elif verb in ("crash", "crash_in", "keep") and step[-1]:
        yield (*step[:-1], ())
    if verb == "crash_in":
        yield ("crash", "dropped", 0, ())
        if step[1] > 1:
            yield (verb, 1, *step[2:])
    elif verb == "crash" and step[1] != "dropped":
        yield (verb, "dropped", 0, step[3])
