"""Random histories for tests/test_agreement.py: made from a seed alone, and taken apart again.

A history is the time it begins at and its steps: milliseconds to wait, a verb, its arguments. Which
code is typed is given as a position of a device relative to the one expected, since only the state
at that step can spell it out. Figures lean towards the edges: windows, waits, last counters.
"""

import hashlib
import random
from collections.abc import Iterator
from typing import Any

from histories_entry import entering
from histories_files import file_words, policy_words
from histories_ids import sent_again
from histories_knowing import NOTHING, PIN, knowing
from histories_life import LIFE, with_life
from histories_phones import PINS, decision_words, enrol_words

from watchword.reference import Figures

STEPS_MAX, DAY_MS = 40, 86_400_000

# Keys under which two of the first ten counters have the same code: 6 digits, SHA-1. Found by
# trying; any other key has a coincidence as near as this once in 20,000 times.
COINCIDENT_KEYS = [
    hashlib.sha1(number).digest()
    for number in (b"27174", b"34562", b"68648", b"104216", b"123278", b"192956", b"309940")
]

COINCIDENT = 3                  # the number of such a key in a history
PURPOSES = [None, None, None, "wire 100", "wire 200"]

# What answers a challenge: the kind, its suite. Every element of a suite, and every hash.
RESPONDERS = [
    *[("gold", "OCRA-1:HOTP-SHA1-6:QN06")] * 3,
    ("platinum", "OCRA-1:HOTP-SHA1-6:QN06"),
    ("dsc-plus", "OCRA-1:HOTP-SHA1-8:QN06"),
    *[("ib-key", "OCRA-1:HOTP-SHA256-8:QN06-PSHA256")] * 3,
    ("ocra", "OCRA-1:HOTP-SHA512-7:QN04"),
    ("ocra", "OCRA-1:HOTP-SHA1-4:C-QN08"),
    ("ocra", "OCRA-1:HOTP-SHA256-6:QH08-T1M"),
    ("ocra", "OCRA-1:HOTP-SHA512-10:C-QA10-PSHA512"),
    ("ocra", "OCRA-1:HOTP-SHA256-9:C-QA64-PSHA1-S064-T30S"),
    ("ocra", "OCRA-1:HOTP-SHA1-5:QN40-S512-T48H"),
    *[("ocra", "OCRA-1:HOTP-SHA256-8:QA08")] * 2,
    ("ocra", "OCRA-1:HOTP-SHA1-8:C-QN08-T1M"),
    ("ocra", "OCRA-1:HOTP-SHA1-0:QH08"),
    ("ocra", "OCRA-1:HOTP-SHA256-0:C-QN08-PSHA1"),
    ("ocra", "OCRA-1:HOTP-SHA512-0:QA08-S064-T1M"),
]
# What the caller and a client pose: lengths that suites have, and others.
QUESTIONS = [None] * 20 + ["SIG1", "SIG11000", "12345678", "5343", "A1B2C3d4", "9" * 10, "z" * 64]
CLIENTS = [None] * 20 + ["CLI22220", "12345678", "10000000", "A1B2C3D4", "123456", "c" * 10]

Step = tuple[Any, ...]
History = tuple[int, list[Step]]


def figures_of(seed: int) -> Figures:
    """A policy."""
    rng = random.Random(seed)
    return Figures(
        lockout_failures=rng.choice([1, 2, 3, 5, 10, 12, 13, 20, 100]),
        lockout_window_ms=rng.choice([60_000, DAY_MS, 1, 3_600_000, 2**32 - 1]),
        lockout_extend=rng.random() < 0.7,
        failures_cap=rng.choice([None, 1, 3, 5, 100, 255]),
        source_failures=rng.choice([None, 2, 5, 1000]),
        names_any=rng.random() < 0.3,
        passcode_ms=rng.choice([172_800_000, 172_800_000, 30_000, 1]),
        passcode_card_ms=rng.choice([864_000_000, 600_000, 0]),
        sms_ms=rng.choice([600_000, 600_000, 1_000, 299_999]),
        sms_per_hour=rng.choice([3, 3, 1, 6]),
        push_ms=rng.choice([60_000, 60_000, 1_000]),
        push_per_window=rng.choice([5, 5, 1, 2]),
        push_window_ms=rng.choice([600_000, 600_000, 30_000]),
        session_pin_ms=rng.choice([43_200_000, 0]),
        allow_no_device=rng.random() < 0.4,
        challenge_kinds=rng.choice([
            ("dsc-plus",), ("dsc-plus", "sms", "gold"), ("code-card",),
            ("gold", "online-code-card"),
        ]),
        card_shown_percent=rng.choice([50, 50, 1, 10, 100]),
        card_cells_once=rng.random() < 0.3,
        **{name: random.Random(f"{name} {seed}").choice(some) for name, some in LIFE.items()},
    )


def history(seed: int, figures: Figures) -> History:
    rng = random.Random(seed)
    window_ms = figures.lockout_window_ms
    waits = [0] * 6 + [1, 500, 1000, 15_000, 29_999, 30_000, 60_000, 3_600_000]
    waits += [299_999, 300_000, 599_999, 600_000, 3_599_000, 2 * DAY_MS, 10 * DAY_MS]
    waits += [-1, -30_000, -DAY_MS, window_ms - 1, window_ms, window_ms + 1, window_ms // 3]
    steps: list[Step] = [(0, "add_user", "alice", "open", "live")]
    devices = rng.choice([0, 1, 1, 2, 2, 3, 3, 16])
    steps += [(0, "add_device", "alice", device_words(rng)) for _ in range(devices)]
    steps += [(0, "add_user", "bob", "open", "live"), (0, "add_device", "bob", device_words(rng))]
    steps += lapsed(figures) if seed % 50 == 49 else []    # the last on its engine: see there
    steps += together(rng) if rng.random() < 0.1 else []
    if rng.random() < 0.2:
        steps.append((0, "add_device", "alice", {**device_words(rng, "hotp"), "pin": PIN}))
    knows = [(0, "set_questions", "alice"), (0, "set_password", "bob", 0)]
    steps += knows if rng.random() < 0.2 else []
    if rng.random() < 0.6 and devices < 16:
        steps += [(0, "add_device", who, phone_words(rng)) for who in ("alice", "bob")]
    enters = rng.random() < 0.4
    for _ in range(rng.randint(5, STEPS_MAX)):
        wait, dice = rng.choice(waits), rng.random()
        if rng.random() < 0.12:
            steps += knowing(rng, wait, attempt_words)
        if rng.random() < 0.08:
            steps += sent_again(rng, attempt_words)
        if enters and rng.random() < 0.2:
            steps += entering(rng, wait, attempt_words)
        if dice < 0.15:
            steps.append((wait, "challenge", *ask_words(rng)))
        elif dice < 0.50:
            steps.append((wait, "verify", *attempt_words(rng)))
        elif dice < 0.70:
            many = range(rng.randint(1, rng.choice([1, 2, *[12] * 12, 200])))
            steps.append((wait, "verify_many", [attempt_words(rng) for _ in many]))
        elif dice < 0.80:
            who, first, options = attempt_words(rng)
            second = rng.choice([1, 1, 1, 0, 2, "", "000000"])
            steps.append((wait, "resync", who, first, second, options))
        elif dice < 0.83:
            steps += hammering(rng, figures)
        elif dice < 0.85:
            steps += answering(rng, wait)
        elif dice < 0.86:
            steps += asking_on(rng)
        elif dice < 0.90:
            steps += approving(rng, wait)
        elif dice < 0.91:
            steps.append((wait, "enrol_phone", *enrol_words(rng)))
        elif dice < 0.925:
            steps.append((wait, "set_policy", "", policy_words(rng, figures_of)))
        elif dice < 0.94:
            steps.append((wait, "import_rows", *file_words(rng, device_words)))
        else:
            steps.append((wait, *act_words(rng)))
    return rng.choice((0, 59_000, 10**6, 1_700_000_000_000)), with_life(seed, steps, device_words)


def hammering(rng: random.Random, figures: Figures) -> list[Step]:
    """As many failures as lock, and more: at once, or so far apart that they just do not."""
    who, failures = rng.choice(["alice", "nobody"]), figures.lockout_failures
    options = {**NOTHING, "platform": "trading", "realm": "live"}
    if rng.random() < 0.2:
        return [(0, "verify_many", [(who, "wrong", options)] * 260)]
    apart = figures.lockout_window_ms // max(1, failures - 1)
    wait = rng.choice([0, apart - 1, apart, apart + 1])
    return [(wait, "verify", who, "wrong", options)] * (failures + 2)


def lapsed(figures: Figures) -> list[Step]:
    """A passcode whose full time is over opens the portal alone; after any time there was."""
    options = {**NOTHING, "realm": "live"}
    words = {"kind": "passcode", "key": 3, "label": "temporary-passcode"}
    return [
        (25_000 * DAY_MS, "add_device", "bob", words),
        (figures.passcode_ms, "verify", "bob", (1, 0), {**options, "platform": "trading"}),
        (0, "verify", "bob", (1, 0), {**options, "platform": "portal"}),
    ]  # fmt: skip


def together(rng: random.Random) -> list[Step]:
    """Two devices that show the same: they fail together and are right together."""
    words = {**device_words(rng, rng.choice(["totp", "hotp"])), "pin": ""}
    options = {**NOTHING, "platform": "trading", "realm": "live"}
    return [
        *[(0, "add_device", "bob", words)] * 2, (0, "verify", "bob", "wrong", options),
        (0, "verify", "bob", (1, rng.choice([0, 0, 1])), options),
    ]  # fmt: skip


def answering(rng: random.Random, wait: int) -> list[Step]:
    """A challenge and soon its answer, which is right or nearly so."""
    who, asked = ask_words(rng)
    options = {**NOTHING, "platform": asked["platform"], "realm": "live", "session": b"session"}
    options["challenge"] = rng.choice([None, 0])
    later = rng.choice([0, 0, 1000, 299_999, 300_000, 600_000])
    shuts: Step = (0, "set_user", who, rng.choice(["closed", "pending"]), "live")
    shut = [shuts] if rng.random() < 0.25 else []
    return [
        (wait, "challenge", who, asked),
        *shut,
        (later, "verify", who, (rng.randrange(3), rng.choice([0, 0, 0, 1, -1])), options),
    ]


def asking_on(rng: random.Random) -> list[Step]:
    """A client that asks for more answers than it gets."""
    who, asked = rng.choice(["alice", "nobody"]), ask_words(rng)[1]
    wait = rng.choice([0, 0, 0, 60_000, 300_000])
    return [
        (wait, "challenge", who, {**asked, "sms": False, "question": None, "client_question": text})
        for text in ("CLI0", "CLI1", "CLI2", "CLI2", "CLI3", "CLI4", "CLI5", "CLI6")
        for text in [text.ljust(8, "x")]
    ]

def approving(rng: random.Random, wait: int) -> list[Step]:
    """A push, what its phone says, and who claims it, soon or late, once or more often."""
    who = rng.choice(["alice"] * 6 + ["bob"] * 6 + ["nobody"])
    platform = rng.choice(["trading"] * 3 + ["portal"])
    asked = {
        "platform": platform, "purpose": rng.choice(PURPOSES),
        "device": rng.choice([None] * 6 + [0, 1, "unheard-of"]),
    }  # fmt: skip
    options = {**NOTHING, "platform": platform, "realm": rng.choice(["live"] * 5 + ["paper"])}
    options["push"] = rng.choice([0] * 8 + [1, "another's", "0" * 32])
    options["first"] = rng.choice(["own"] * 9 + [None, 1])
    claim = ("verify", who, rng.choice([""] * 9 + ["000000"]), options)
    steps: list[Step] = [(wait, "push", who, asked)] * rng.choice([1, 1, 1, 2, 7])
    later = [0] * 8 + [500, 29_999, 59_999, 60_000, 600_000]
    if rng.random() < 0.3:
        steps.append((rng.choice(later), *claim))
    for _ in range(rng.choice([0, 1, 1, 1, 1, 2])):
        steps.append((rng.choice(later), "decide_push", *decision_words(rng, who)))
    if rng.random() < 0.1:
        steps.append((0, *act_words(rng)))
    many = [(who, "", options)] * 3
    steps += [(rng.choice(later), *claim)] * rng.choice([0, 1, 1, 2])
    return steps + ([(0, "verify_many", many)] if rng.random() < 0.2 else [])


def attempt_words(rng: random.Random) -> tuple[str, Any, dict[str, Any]]:
    """Who, what is typed, and the options."""
    others = ["nobody", "Alice", "al_ice", "\u00e4\u20ac", "a\tb", "", "a" * 65, "a" * 129]
    who = rng.choice(["alice"] * 12 + ["bob"] * 6 + others)
    options = {
        "platform": rng.choice(["trading"] * 3 + ["portal"]),
        "realm": rng.choice(["live"] * 5 + ["paper"]),
        "device": rng.choice([None] * 5 + [0, 0, 1, 2, "unheard-of"]),
        "address": rng.choice([None] * 3 + ["1", "2", "::1", "::2", ":1::1"]),
        # which of the user's ids so far, the newest 0; another's; forged
        "challenge": rng.choice([None] * 24 + [0] * 10 + [1, 2, "another's", "0" * 96, "f00", ""]),
        "session": rng.choice([None, b"session", b"session", b"s" * 65]),
        "pin": rng.choice([None] * 12 + [PIN, PIN, *PINS]),
        "before": rng.choice([0] * 8 + [1, 2]),     # what is typed as PIN: right, nothing, wrong
        # a password: the user's own where there is one, none, another; or somebody vouches
        "first": rng.choice(["own"] * 9 + [None, 1, "vouched", "vouched"]),
        "push": None,
    }
    return who, typed_words(rng), options


def ask_words(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """Who asks for a challenge, and the options."""
    who = rng.choice(["alice"] * 8 + ["bob"] * 4 + ["nobody", "Alice"])
    options = {
        "sms": rng.random() < 0.2,
        "platform": rng.choice(["trading"] * 3 + ["portal"]),
        "purpose": rng.choice(PURPOSES),
        "device": rng.choice([None] * 4 + [0, 1, 2, "unheard-of"]),
        "question": rng.choice(QUESTIONS),
        "client_question": rng.choice(CLIENTS),
    }
    return who, options


def typed_words(rng: random.Random) -> Any:
    """(device, position relative to the one expected), or plain text."""
    if rng.random() < 0.75:
        near = [0] * 4 + [1, 1, -1, -1, 2, -2, 3, 5, 10, 11, -10, 19, 20, 21, 100, 101]
        return rng.randrange(3), rng.choice(near)
    return rng.choice(["", "", "000000", "wrong", "12345", "1234567", "x" * 129, "\u0661" * 6])


def act_words(rng: random.Random) -> Step:
    """A verb of administration and its arguments."""
    who = rng.choice(["alice", "alice", "bob"])
    verb = rng.choice(
        ["unlock"] * 4 + ["set_user"] * 3 + ["set_device"] * 3 + ["add_device"] * 3
        + ["remove_device"] * 2 + ["enrol_again"] * 4 + ["remove_user", "add_user", "add_user"]
        + ["raise_floors"]
    )  # fmt: skip
    if verb in ("set_user", "add_user"):
        states = ["open", "open", "pending", "closed"]
        return (verb, who, rng.choice(states), rng.choice(["live", "live", "paper"]))
    if verb == "enrol_again":
        kind = rng.choice(["totp", "totp", "hotp", "ocra", "card", "passcode"])
        return (verb, who, rng.randrange(3), rng.random() < 0.3, device_words(rng, kind))
    if verb == "set_device":
        return (verb, who, rng.randrange(3), rng.choice(["active", "active", "lost", "suspended"]))
    if verb == "remove_device":
        return (verb, who, rng.randrange(3))
    if verb == "add_device":
        return (verb, who, device_words(rng))
    return (verb, who)


def device_words(rng: random.Random, kind: str = "") -> dict[str, Any]:
    """A device; the keys are four, so that several devices share one and match together."""
    kind = kind or rng.choice(
        ["totp"] * 3 + ["hotp"] * 3 + ["ocra"] * 2 + ["card"] * 2 + ["passcode"] * 2
    )
    words: dict[str, Any] = {"kind": kind, "key": rng.choice([0, 0, 0, 1, 1, 2, 3])}
    if kind == "ocra":
        return {**words, **responder_words(rng)}
    if kind == "passcode":
        return {**words, "label": rng.choice(["temporary-passcode", "sms"])}
    if kind == "card":
        words["label"] = rng.choice(["code-card", "code-card", "online-code-card"])
        # the last answers of either mode, and where the pairs begin to come the other way round
        words["moving"] = rng.choice([0, 0, 0, 1, 110, 111, 112, 24_975, 24_976, 49_950, 49_952])
        return words
    words["algorithm"] = rng.choice(["sha1", "sha1", "sha256", "sha512"])
    words["digits"] = rng.choice([6, 6, 6, 7, 8])
    if words["key"] == COINCIDENT:
        words["algorithm"], words["digits"] = "sha1", 6
    words["label"] = rng.choice(["", "", {"totp": "alpine", "hotp": "dsc"}[kind]])
    words["pin"] = rng.choice([""] * 7 + [PIN])
    if words["kind"] == "hotp":
        words["moving"] = rng.choice([0, 0, 1, 5, 2**32 - 2, 2**64 - 4, 2**64 - 2])
        words["look_ahead"] = rng.choice([0, 1, 3, 10, 100])
    else:
        words["period"] = rng.choice([1, 30, 30, 30, 60, 3600])
        words["t0"] = rng.choice([0, 0, 0, 7, 1000, 2**40])
        windows = [(1, 1), (1, 1), (0, 0), (2, 0), (0, 3), (10, 10)]
        words["back"], words["forward"] = rng.choice(windows)
        words["drift_max"] = rng.choice([0, 0, 1, 3, 10])
    return words


def phone_words(rng: random.Random) -> dict[str, Any]:
    """An ib-key that approves pushes."""
    label, suite = "ib-key", "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"
    return {"kind": "ocra", "key": rng.randrange(4), "label": label, "suite": suite, "phone": 0}


def responder_words(rng: random.Random) -> dict[str, Any]:
    """What a device that answers challenges has beside its key."""
    label, suite = rng.choice(RESPONDERS)
    words: dict[str, Any] = {"suite": suite, "label": "" if label == "ocra" else label}
    if "-PSHA" not in suite and "-0:" not in suite:
        words["pin"] = rng.choice([""] * 7 + [PIN])
    if label == "ib-key":
        words["phone"] = rng.choice([0, 0, 0, 1, None])
    if ":C-" in suite:
        words["moving"] = rng.choice([0, 0, 5, 2**32 - 2, 2**64 - 4, 2**64 - 2, 2**64 - 1])
        words["look_ahead"] = rng.choice([0, 1, 10] if "-T" in suite else [0, 1, 10, 100])
    if "-T" in suite:
        words["back"], words["forward"] = rng.choice([(1, 1), (0, 0), (2, 0), (0, 3), (5, 5)])
        words["drift_max"] = rng.choice([0, 0, 1, 10])
    return words


def shorter(steps: list[Step]) -> Iterator[list[Step]]:
    """The same steps without one of them, or without one attempt of one batch, the last first.

    The wait of a step taken out goes to the one after it, so that times stay as they were.
    """
    for at in reversed(range(len(steps))):
        fewer = steps[:at] + steps[at + 1 :]
        if at < len(fewer):
            fewer[at] = (fewer[at][0] + steps[at][0], *fewer[at][1:])
        yield fewer
        if steps[at][1] == "verify_many":
            wait_ms, verb, attempts = steps[at]
            for one in range(len(attempts)):
                rest = attempts[:one] + attempts[one + 1 :]
                if rest:
                    yield [*steps[:at], (wait_ms, verb, rest), *steps[at + 1 :]]
