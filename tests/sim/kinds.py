"""Devices of every kind for a story, drawn with figures that lean to their edges."""

import random
from typing import Any

__all__ = ["Kinds"]


class Kinds:
    """A device's words, as World enrols it."""

    rng: random.Random

    def device(self, kind: str = "") -> dict[str, Any]:
        rng = self.rng
        kind = kind or rng.choice(
            ["totp"] * 4 + ["hotp"] * 4 + ["ocra"] * 4 + ["card", "card", "passcode", "passcode"]
        )
        if kind == "ocra":
            return self.responder()
        if kind == "card":  # near the end of either mode, or at its beginning
            label = rng.choice(["code-card", "online-code-card"])
            moving = rng.choice([0, 0, 110, 24_975, 49_950])
            return {"kind": kind, "key": rng.randrange(4), "label": label, "moving": moving}
        if kind in ("passcode", "sms"):
            label = kind if kind == "sms" else rng.choice(["temporary-passcode", "sms", "sms"])
            return {"kind": "passcode", "key": rng.randrange(4), "label": label}
        words: dict[str, Any] = {
            "kind": kind,
            "key": rng.choice([0, 0, 1, 2, 3]),
            "algorithm": rng.choice(["sha1", "sha1", "sha1", "sha256", "sha512"]),
            "digits": rng.choice([6, 6, 8]),
        }
        if words["kind"] == "hotp":
            words["moving"] = rng.choice([0, 0, 1, 2**64 - 4])
            words["look_ahead"] = rng.choice([0, 1, 3, 4])
        else:
            words["period"] = rng.choice([30, 30, 60])
            words["t0"] = rng.choice([0, 0, 7])
            words["back"], words["forward"] = rng.choice([(1, 1), (1, 1), (0, 0), (2, 0), (0, 3)])
            words["drift_max"] = rng.choice([0, 0, 3])
        words["pin"] = rng.choice([""] * 3 + ["4711"])
        return words

    def responder(self) -> dict[str, Any]:
        """A device that is asked; of those with a suite of their own some count."""
        if self.rng.random() < 0.4:
            return self.phone()
        suite = self.rng.choice([
            "OCRA-1:HOTP-SHA1-6:QN06", "OCRA-1:HOTP-SHA512-8:C-QA10", "OCRA-1:HOTP-SHA256-0:QA10",
        ])  # fmt: skip
        words = {"kind": "ocra", "key": self.rng.randrange(4), "suite": suite}
        if ":C-" in suite:
            words |= {"moving": self.rng.choice([0, 2**64 - 4]), "look_ahead": 2}
        return words

    def phone(self) -> dict[str, Any]:
        which, key = self.rng.choice([0, 0, 1]), self.rng.randrange(4)
        return {"kind": "ocra", "key": key, "label": "ib-key", "phone": which}
