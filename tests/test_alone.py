"""alone: a login that is a turn by itself ends as it would among others, whoever is asked for."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from watchword import Device, Engine, Entry, Policy, hotp, totp

START_MS = 1_700_000_000_000
KEYS = [bytes([number]) * 20 for number in range(12)]
NAMES = [f"user{number}" for number in range(9)]
NOBODY = ["mallory", "eve", "trent", "u" * 39 + "0", "b d", ""]
ADDRESSES = [None, None, "192.0.2.1", "2001:db8::1"]
POLICIES = [
    Policy(),
    Policy(lockout_failures=3, lockout_window_ms=5_000, failures_cap=6, source_failures=40),
    Policy(lockout_failures=1, lockout_window_ms=3_000, lockout_extend=False, failures_cap=1),
    Policy(lockout_failures=30, lockout_window_ms=60_000, failures_cap=None),
]

class Gate:
    """An engine whose attempts of a moment are each a turn, or all of them one."""

    def __init__(self, path: Path, policy: Policy, seed: int) -> None:
        self.now_ms = START_MS
        self.engine = Engine.open(
            path, key=bytes(range(32)), policy=policy, clock=lambda: self.now_ms,
            entropy=random.Random(seed).randbytes,
        )  # fmt: skip
        devices = [
            *((name, Device.totp(key)) for name, key in zip(NAMES[:5], KEYS, strict=False)),
            (NAMES[5], Device.hotp(KEYS[5], look_ahead=10)),
            (NAMES[6], Device.hotp(KEYS[6])),
            (NAMES[6], Device.totp(KEYS[7], algorithm="sha256")),
            (NAMES[7], Device.totp(KEYS[8], pin="4711")),
        ]
        for name in NAMES:
            self.engine.add_user(name)
        for name, device in devices:
            self.engine.add_device(name, device)
        self.engine.remove_user(NAMES[4])

    def told(self) -> list[Entry]:
        """Without what is each store's own: its turns, and its names for those who do not exist."""
        return [
            replace(entry, turn=0, place=0, user=entry.user if entry.user in NAMES else "?")
            for entry in self.engine.audit()
        ]


def typed(rng: random.Random, name: str, now_ms: int) -> str:
    """Right, right a while ago, too short or wrong."""
    number = NAMES.index(name) if name in NAMES else 0
    code = [
        totp(KEYS[number], now_ms // 1000),
        totp(KEYS[number], now_ms // 1000 - 30),
        hotp(KEYS[number], rng.randrange(8)),
        totp(KEYS[7], now_ms // 1000, algorithm="sha256"),
        "4711" + totp(KEYS[8], now_ms // 1000),
        "123456",
    ][rng.choice((0, 0, 1, 2, 2, 3, 4, 5, 5, 5))]
    return code[: rng.choice((len(code), len(code), len(code), 5))]


@pytest.mark.parametrize("number", range(len(POLICIES)))
@pytest.mark.parametrize("seed", range(6))
def test_alone_or_among_others_a_login_ends_the_same(
    tmp_path: Path, number: int, seed: int
) -> None:
    rng = random.Random(seed)
    one = Gate(tmp_path / "one", POLICIES[number], seed)
    many = Gate(tmp_path / "many", POLICIES[number], seed)
    seen = set()
    for _ in range(60):
        one.now_ms = many.now_ms = one.now_ms + rng.choice((1, 400, 2_000, 31_000))
        names = [rng.choice(NAMES + NOBODY) for _ in range(rng.randrange(2, 9))]
        moment = [(name, typed(rng, name, one.now_ms), rng.choice(ADDRESSES)) for name in names]
        users, codes, addresses = map(list, zip(*moment, strict=True))
        verdicts = [one.engine.verify(u, c, address=a) for u, c, a in moment]
        assert list(many.engine.verify_many(users, codes, addresses=addresses)) == [
            verdict.code for verdict in verdicts
        ]
        seen |= {verdict.reason.name for verdict in verdicts}
    assert one.told() == many.told()
    for name in NAMES:
        if name != NAMES[4]:
            assert one.engine.user(name) == many.engine.user(name)
    one.engine.close()
    many.engine.close()
    expected = {"UNKNOWN_USER", "WRONG", "NAME"} | ({"LOCKED"} if number < 3 else {"NONE"})
    assert expected <= seen
