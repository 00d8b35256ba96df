"""Pushes at gateways, in a world and in a story: asked for over the wire, answered by phones that
speak through the daemon, listed, and claimed by id, at once or when they are decided.

What is open lives in memory alone. Rule: nobody hears of a push, or of what became of it, before
what it could have seen is durable; whoever waits for one hears when it is decided; and one approval
is one login, however many gateways claim it and however often.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.awaiting import NONE_OPEN, awaited
from tests.sim.checker import Asked
from tests.sim.doors import VOUCHES
from tests.sim.network import Gateway, frame, options_of
from tests.sim.phones import KEYS, PHONES
from tests.sim.tears import POLICIES
from watchword.delivery import wake_id
from watchword.devices.phone import answer_message, list_message
from watchword.errors import InvalidArgument, NotFound
from watchword.reference import Attempt
from watchword.reference_push import DECIDED

__all__ = ["Pushing", "episode"]

Step = tuple[Any, ...]
GATEWAY = "tcp"         # that of every gateway of a story
SKEW_MS = 300_000       # that a phone's clock may differ


class Pushing:
    """Steps of a world; and what its engine and its daemon tell of pushes."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        met: Any
        address: Callable[[], str]
        devices: Callable[[str], list[Any]]
        gateway: Callable[..., Gateway]
        hears: Callable[..., Callable[[Any], None]]
        identified: Callable[..., Asked]
        own_password: Callable[[str], str | None]
        told_for: Callable[..., None]
        _phone: Callable[[str], int | None]
        made: dict[str, tuple[int, list[tuple[Any, ...]]]]
        pushed: dict[str, list[tuple[str, int]]]
        refusals: int
        twins: list[Any]
        speaking: dict[str, list[tuple[Any, int]]]      # by signature: what was made of it, when
        holding: list[tuple[Asked, Gateway]]            # who said that it waits
        claimed_last: tuple[Asked, str, int] | None     # with its id, and in which life
        signed: dict[str, int]                          # by signature: whose it is
        expect_told: Callable[[], None]

    # ---- what the engine tells

    def opens(
        self, who: str, platform: str, purpose: str | None, device: str | None, found: Any
    ) -> None:
        """A push for a gateway; none: the phone's manual challenge will be asked for instead."""
        self.spent = who, platform, purpose, device
        if found is None:
            return
        twins = self.checker.twin.push(
            who, self.checker.now_ms(), id=found.id, number=found.number, platform=platform,
            purpose=purpose, device=device,
        )  # fmt: skip
        if getattr(twins, "until_ms", None) != found.expires_ms:
            self.checker.fail(f"{who} was given {found}, its twin says {twins}")
        shown = found.id, found.number, found.prompt, found.expires_ms
        self.made[found.id] = self.engine._turn, [shown]
        self.made[wake_id(found.id)] = self.engine._turn, []

    def asks_by_hand(self) -> None:
        who, platform, purpose, device = self.spent
        self.twins.clear()

        def act(now_ms: int) -> None:
            said = self.checker.twin.push(
                who, now_ms, id="", number=0, platform=platform, purpose=purpose, device=device
            )
            self.twins.append(said if isinstance(said, tuple) else (said,))

        self.checker.acting = act

    def phone_speaks(self, words: list[str], run: Callable[[], Any]) -> Any:
        """What a phone is told is what its twin is; run: the daemon's own."""
        kept = self.engine._push_texts.get(words[2]) is not None
        turn, made = self.engine._turn, "nobody"
        try:
            made = run()
            return made
        except NotFound:
            raise
        except InvalidArgument:
            made = "refused"
            raise
        finally:
            if not self.machine.disk.off and self.engine._ended is None:
                twins = self._answers(words, kept) if words[1] == "ANSWER" else self._lists(words)
                if made != twins:
                    self.checker.fail(f"{words} came to {made}, its twin says {twins}")
                self.speaking.setdefault(words[-1], []).append((made, turn))

    def _answers(self, words: list[str], kept: bool) -> str:
        """kept: whether what the phone signed is still known."""
        _, _, id, decision, *number, unlocked, signature = words
        became = self.checker.twin.decide_push(
            id, PHONES[self.signed[signature]], decision.lower(),
            int(number[0]) if number else None, unlocked.lower(), self.checker.now_ms(),
        )  # fmt: skip
        found = "nobody" if became is None or not kept else became.upper()
        self.met[f"a phone's answer: {found.lower()}"] += 1
        return found

    def _lists(self, words: list[str]) -> Any:
        _, _, who, serial, time_ms, signature = words
        twin, now_ms = self.checker.twin, self.checker.now_ms()
        if abs(now_ms - int(time_ms)) > SKEW_MS:
            return "refused"
        mine = (d for d in self.devices(who) if (d.serial, d.state) == (serial, "active"))
        own = next(mine, None)
        if own is None or own.phone != PHONES[self.signed[signature]]:
            return "nobody"
        at_ms = max(now_ms, twin.latest_ms)
        asked = [push for push in reversed(twin.pushes.all) if push.device == own.number]
        found = [
            {"id": p.id, "user": who, "platform": ("trading", "portal")[p.platform],
             "purpose": None, "text": "", "expires_ms": p.until_ms, "state": p.stands(at_ms)}
            for p in asked if at_ms < p.until_ms and p.stands(at_ms) in ("pending", "cancelled")
        ]  # fmt: skip
        self.met["a phone's list"] += bool(found)
        return found

    # ---- gateways, and phones through them

    def on_push_by(self, number: int, who: str, platform: str) -> None:
        client = self.gateway(number)
        if client.ended:
            return

        def is_it(said: dict[str, Any], shown: list[tuple[Any, ...]]) -> bool:
            if said["number"]:
                self.pushed.setdefault(who, []).insert(0, (said["id"], said["number"]))
            else:       # as one is shown a challenge
                shown = [(id, 0, prompt, expires_ms) for id, _, prompt, expires_ms, _ in shown]
            self.met["a push by a gateway" if said["number"] else "too many by a gateway"] += 1
            return tuple(said.values()) in shown

        client.say(frame("PUSH", who, "PLATFORM", platform), self.hears(f"a push for {who}", is_it))
        client.deliver(10_000)

    def on_decide_by(
        self, number: int, who: str, back: int, decision: str, wrong: bool, unlocked: str,
        forged: bool,
    ) -> None:  # fmt: skip
        """A phone's answer: its own, or another's that signs in its place."""
        pushed = self.pushed.get(who, [])
        if back < len(pushed):
            id, shown = pushed[back]
            asked = self.engine._push_texts.get(id)
            typed = None if decision == "deny" else 10 + (shown - 10 + wrong) % 90
            message = answer_message(
                id, typed, who, asked.platform if asked else "trading", None, "", decision, unlocked
            )
            words = ["ANSWER", id, decision.upper(), *([str(typed)] if typed else []), unlocked]
            self._speak(number, words, message, self._which(who, forged))

    def on_list_by(self, number: int, who: str, skew_ms: int, forged: bool) -> None:
        """A phone asks what it is asked."""
        at = self._phone(who)
        serial = "none" if at is None else self.devices(who)[at].serial
        time_ms = self.checker.now_ms() + skew_ms
        words, message = ["PUSHES", who, serial, str(time_ms)], list_message(who, serial, time_ms)
        self._speak(number, words, message, self._which(who, forged))

    def _which(self, who: str, forged: bool) -> int:
        at = self._phone(who)
        phone = b"" if at is None else self.devices(who)[at].phone
        return (PHONES.index(phone) if phone else 0) ^ forged

    def _speak(self, number: int, words: list[str], message: bytes, which: int) -> None:
        client = self.gateway(number)
        if client.ended:
            return
        signature = KEYS[which].sign(message).hex()
        self.signed[signature] = which

        def hear(reply: Any) -> None:
            if self.engine._ended is not None and str(reply).startswith("-ERR"):
                return
            if words[0] == "PUSHES" and isinstance(reply, list):
                reply = [dict(zip(one[::2], one[1::2], strict=True)) for one in reply]
            refused = {"-NOTFOUND": "nobody", "-INVALID": "refused"}
            made = refused.get(reply.split()[0], reply) if isinstance(reply, str) else reply
            made_of_it = self.speaking.get(signature, [])
            found = next((one for one in made_of_it if one[0] == made), None)
            if found is None:
                self.checker.fail(f"a phone was told {reply!r}, made was {made_of_it}")
                return
            made_of_it.remove(found)
            self.checker.acknowledge(found[1])

        client.say(frame("PHONE", *words, signature), hear)
        client.deliver(10_000)

    # ---- claims

    def on_claim_by(
        self, number: int, who: str, back: int, platform: str, wait_ms: int, by_id: bool, word: str
    ) -> None:
        """wait_ms: how long the answer may wait for the phone's; 0: it is a poll. word: own, none
        or vouched."""
        client, pushed = self.gateway(number), self.pushed.get(who, [])
        if client.ended:
            return
        a = Attempt(
            who, "", platform, address=self.address(),
            challenge=pushed[back][0] if back < len(pushed) else NONE_OPEN,
            password=self.own_password(who) if word == "own" else None,
        )  # fmt: skip
        a = replace(a, vouched=word == "vouched" and number == VOUCHES)
        asked, id = Asked(a), f"of a push {a.address}"
        if by_id:
            asked = self.identified(a, id, GATEWAY)
            self.claimed_last = asked, id, self.checker.lives
        self.checker.waits(asked)
        words = options_of(a, "PLATFORM", "ADDRESS", "CHALLENGE", "PASSWORD")
        words += ["FIRSTFACTOR"] * a.vouched + ["ID", id] * by_id
        words += ["WAIT", str(wait_ms)] * (wait_ms > 0)
        patience = self._patience(a, wait_ms)

        def hear(reply: Any) -> None:
            if reply == "CHALLENGE" and not patience():
                self.checker.fail(f"{a} waits no longer, and its push is pending")
            self.met[f"a gateway's claim: {reply}"] += 1
            client.verdict(asked, reply)

        hear.asked = asked  # type: ignore[attr-defined]
        client.say(frame("VERIFY", who, "", *words), hear)
        self.holding.append((asked, client))
        client.deliver(10_000)

    def _patience(self, a: Attempt, wait_ms: int) -> Callable[[], bool]:
        """Whether one who waits may be told by now that the push is pending. Where the clock was
        set meanwhile nobody knows."""
        clock, push = self.machine.clock, self.checker.twin.pushes.of(a.challenge)
        boot_ms, skew_ms = clock.boot_ms(), clock.wall_ms() - clock.boot_ms()
        left_ms = min(wait_ms, push.until_ms - clock.wall_ms()) if push else 0

        def over() -> bool:
            jumped = clock.wall_ms() - clock.boot_ms() != skew_ms
            return jumped or clock.boot_ms() - boot_ms >= left_ms

        return over

    def on_claim_again(self, changed: bool) -> None:
        """Whoever did not hear asks again, unless the first may yet have its turn; changed: for
        another platform, which is misuse."""
        if self.claimed_last is None:
            return
        first, id, life = self.claimed_last
        if first.answer is None and life == self.checker.lives:
            return
        a = first.attempt
        if changed:
            a = replace(a, platform="portal" if a.platform == "trading" else "trading")
        self.met["a claim again by its id"] += 1
        self.told_for(self.identified(a, id, GATEWAY), id, GATEWAY)

    def expect_let_go(self) -> None:
        """Nothing is under way: whoever waits for a push waits for one that is pending."""
        self.expect_told()
        waits = []
        for asked, client in self.holding:
            if asked.answer is None and client.open and client is self.gateway(client.number):
                waits.append((asked, client))
            else:
                continue
            push = self.checker.twin.pushes.of(asked.attempt.challenge)
            reads = not (client.paused or client.outgoing) and client.reading
            decided = push is not None and push.state in (*DECIDED, "cancelled")
            if decided and reads and client.waits_for(asked):
                self.checker.fail(f"{asked.attempt} waits for a push that is {push.state}")
        self.holding = waits


# ---- in a story


def episode(rng: random.Random, users: Sequence[str]) -> list[Step]:
    """Pushes for a user, what the phone says, and who claims; a crash, or another act, about that
    time."""
    dice = random.Random(repr(rng.getstate()))     # of its own: a seed does what it did, and this
    who, platform = rng.choice(users), rng.choice(["trading", "portal"])
    tear = rng.choice((*POLICIES, "dropped", "killed")), rng.randrange(2**16)
    asks, phones, claims = rng.sample(range(3), 3)
    landed: list[Step] = rng.choice([[("settle",)]] * 4 + [[("pass",), ("pass",), ("land",)]])

    def claim(wait_ms: int) -> Step:
        word = rng.choice(["own"] * 4 + ["none", "vouched"])
        return (
            "claim_by", rng.choice([claims, claims, VOUCHES, asks]), who,
            rng.choice([0] * 6 + [1]), rng.choice([platform] * 5 + ["trading", "portal"]),
            wait_ms, rng.random() < 0.4, word,
        )  # fmt: skip

    def on_its_way() -> list[Step]:
        """A record that nobody hears of yet: what is shown after it has to wait for it."""
        return [("await", rng.choice([who, "nobody"]), "wrong", {}), ("pass",)]

    def meanwhile() -> list[Step]:
        crash: Step = "crash", *tear, ()
        return rng.choice([
            [], [], [], [crash], [("keep", ())], [("close",)], [("kill",)],
            [("lose", claims, False)], [("wait", 30_000)], [("wait", 60_000)],
            [("remove_device", who, rng.randrange(4))], [("phone", who, rng.randrange(2))],
            [("push_by", asks, who, platform), ("settle",)], [("push", who, platform)],
            [("verify", who, "wrong", {})] * rng.choice([1, 5]), [("user", "unlock", who)],
        ])  # fmt: skip

    steps: list[Step] = [("phone", who, rng.randrange(2))]
    if rng.random() < 0.8:
        steps = [("room", True), ("keep", ()), ("accept_clock",), ("user", "unlock", who), *steps]
    soon: Step = "crash_in", rng.choice([1, 2, 3, 5]), rng.random() < 0.5, *tear, ()
    steps += on_its_way() * (rng.random() < 0.4)
    steps += [soon] * (rng.random() < 0.15)
    asked = rng.choice([who] * 6 + ["nobody"])
    push: Step = "push_by", asks, asked, platform
    if rng.random() < 0.2:
        crash: Step = "crash", "dropped", 0, ()
        steps += [("settle",), *on_its_way(), push, ("pass",), ("pass",), crash]
    steps += [push] * rng.choice([1, 1, 1, 1, 2, 6])
    steps += [("pass",)] * rng.choice([0, 1, 2])
    steps += [*landed, *awaited(dice, who), *meanwhile()]
    steps += [("list_by", phones, who, rng.choice([0, 0, 0, SKEW_MS, -SKEW_MS - 1]),
               rng.random() < 0.2)] * rng.choice([0, 1])  # fmt: skip
    steps += [claim(rng.choice([0, 0, 1, 30_000, 60_000])) for _ in range(rng.choice([0, 1, 1, 2]))]
    steps += rng.choice([[("pass",)], [("settle",)], []])
    said: Step = (
        "decide_by", phones, who, rng.choice([0] * 5 + [1]), rng.choice(["approve"] * 4 + ["deny"]),
        rng.random() < 0.2, rng.choice(["pin", "biometric"]), rng.random() < 0.15,
    )  # fmt: skip
    if rng.random() < 0.25:
        steps += [("settle",), *on_its_way(), said, ("work",), ("pass",), ("crash", *tear, ())]
    else:
        steps += [said] * rng.choice([1, 1, 1, 2]) + rng.choice([[("work",)], [("settle",)]])
    steps += meanwhile() + [("poll_push", who, 0)] * (dice.random() < 0.3)
    steps += [soon] * (rng.random() < 0.15)
    steps += [claim(rng.choice([0, 0, 60_000])) for _ in range(rng.choice([1, 1, 2, 3]))]
    steps += [("settle",)] * (rng.random() < 0.8) + meanwhile()
    steps += [("claim_again", rng.random() < 0.2)] * rng.choice([0, 1, 2])
    return [*steps, ("settle",)] if rng.random() < 0.7 else steps
