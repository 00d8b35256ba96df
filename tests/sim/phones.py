"""Phones in a world: logins put before them, what they sign, rightly or wrongly, and who claims.

What is open lives in memory alone: a crash between an approval and its claim loses both, and the
twin forgets with the engine.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519

import watchword
from tests.sim.checker import Asked
from watchword.devices.phone import answer_message, public_key
from watchword.errors import Busy, NotFound
from watchword.reference import Attempt, Challenge

__all__ = ["PHONES", "PIN", "SUITE", "Phones"]

PIN, SUITE = "4711", "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"
KEYS = [ed25519.Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)]
PHONES = [public_key(key.public_key().public_bytes_raw()) for key in KEYS]


class Phones:
    """Steps of a world that push, decide and claim."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        met: Any
        asked: Callable[..., Any]
        devices: Callable[[str], list[Any]]
        pushed: dict[str, list[tuple[str, int]]]  # of a user, the newest first: id and number

    def on_push(self, who: str, platform: str) -> None:
        """The engine opens what its twin opens; or both have the manual challenge."""
        twin, manual = self.checker.twin, []

        def act(now_ms: int) -> None:
            manual.append(twin.push(who, now_ms, id="", number=0, platform=platform))

        def told() -> Any:
            try:
                return self.engine.push(who, platform=platform)
            except Busy:
                return ""

        self.checker.acting = act
        found = self.asked(told)
        self.checker.acting = None
        if found == "" and not self.checker.guard.busy:
            self.checker.fail("a push was refused, and the engine is not busy")
        if not found:
            return
        if found.number:
            twins = twin.push(
                who, self.checker.now_ms(), id=found.id, number=found.number, platform=platform
            )
            said, expected = found.expires_ms, getattr(twins, "until_ms", None)
            self.pushed.setdefault(who, []).insert(0, (found.id, found.number))
        else:
            asked = manual[0] if manual else None
            own = isinstance(asked, Challenge)
            said, expected = (found.id, found.prompt), own and (asked.id, asked.prompt)
            self.met["too many pushes"] += 1
        if said != expected:
            self.checker.fail(f"{who} was given {found}, its twin says {expected}")
        self.checker.acknowledge(self.engine._turn)

    def on_decide(
        self, who: str, back: int, decision: str, wrong: bool, unlocked: str, forged: bool
    ) -> None:
        """A phone answers: its own, or another that signs in its place."""
        pushed = self.pushed.get(who, [])
        if back >= len(pushed):
            return
        twin, (id, number) = self.checker.twin, pushed[back]
        own, shown = twin.pushes.of(id), self.engine._push_texts.get(id)
        asked = [d.phone for d in self.devices(who) if own and d.number == own.device]
        which = (PHONES.index(asked[0]) if asked and asked[0] else 0) ^ forged
        typed = None if decision == "deny" else 10 + (number - 10 + wrong) % 90
        message = b"" if shown is None else answer_message(
            id, typed, who, shown.platform, None, "", decision, unlocked
        )  # fmt: skip

        def told() -> str:
            try:
                return str(self.engine.decide_push(
                    id, decision=decision, number=typed, unlocked=unlocked,
                    signature=KEYS[which].sign(message),
                ))  # fmt: skip
            except NotFound:
                return "nobody"

        said = self.asked(told)
        if said is None:
            return
        now_ms = self.checker.now_ms()
        became = twin.decide_push(id, PHONES[which], decision, typed, unlocked, now_ms)
        expected = "nobody" if became is None or shown is None else became
        if said != expected:
            self.checker.fail(f"a phone was told {said!r}, its twin says {expected!r}")
        self.met[f"a push {said}"] += 1
        self.checker.acknowledge(self.engine._turn)

    def on_claim(self, who: str, back: int, platform: str, count: int, threads: int) -> None:
        """So many claims of one push at once, or a single one."""
        pushed = self.pushed.get(who, [])
        id = pushed[back][0] if back < len(pushed) else "0" * 32
        asked = [Asked(Attempt(who, "", platform, challenge=id)) for _ in range(count)]
        self.checker.asking = list(asked)
        codes = self.asked(
            lambda: self._claims(who, id, platform, count, threads)
        )
        if codes is not None:
            for one, code in zip(asked, codes, strict=True):
                self.met[f"a claim: {watchword.Code(int(code)).name}"] += 1
                self.checker.answered(one, (int(code),), self.engine._turn)

    def _claims(
        self, who: str, id: str, platform: str, count: int, threads: int
    ) -> Sequence[int]:
        if count == 1:
            return [int(self.engine.verify(who, "", platform=platform, challenge=id).code)]
        codes: Sequence[int] = self.engine.verify_many(
            [who] * count, [""] * count, platform=platform, challenges=[id] * count,
            threads=threads,
        )  # fmt: skip
        return codes
