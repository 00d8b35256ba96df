"""Questions that are posed to the slow twin: the caller's data to be signed, and a client's own
question, which is answered first (RFC 6287 sections 7.3 and 7.2).

Written from the RFC and RULES.md alone, with the standard library alone, to be believed rather than
to be fast. reference.py has the state; nothing here remembers anything.
"""

import hmac
import string
from typing import NamedTuple

from watchword import reference_ocra as ocra

ANSWERS_MAX = 5                     # in an epoch, until one of them is responded to
SPACE_MIN = 10_000_000              # questions of ours, where both sides sign under one suite
TRIES = 16
PLAUSIBLE_DIGITS = 8
PRESETS = {
    "dsc-plus": "OCRA-1:HOTP-SHA1-8:QN06", "gold": "OCRA-1:HOTP-SHA1-6:QN06",
    "platinum": "OCRA-1:HOTP-SHA1-6:QN06", "ib-key": "OCRA-1:HOTP-SHA256-8:QN06-PSHA256",
}  # fmt: skip
ALPHABETS = {
    "N": string.digits, "H": string.hexdigits, "A": string.digits + string.ascii_letters
}  # fmt: skip


class Posed(NamedTuple):
    """The caller's question and the client's; empty: none."""

    question: str = ""
    client: str = ""

    @property
    def mutual(self) -> bool:
        return bool(self.client)

    def joined(self, ours: str) -> str:
        """What the client signs: our question first."""
        return ours + self.client


def own_suite(suite: ocra.Suite) -> ocra.Suite:
    """Ours, for the same device: neither PIN nor session."""
    head, elements = suite.text.rsplit(":", 1)
    kept = [e for e in elements.split("-") if e[0] not in "PS"]
    return ocra.suite_of(f"{head}:{'-'.join(kept)}")


def fits(suite: ocra.Suite, posed: Posed) -> bool:
    """Whether a device of this suite can be asked so."""
    if not set(posed.question + posed.client) <= set(ALPHABETS[suite.form]):
        return False
    if not posed.mutual:
        return len(posed.question) <= suite.chars
    if len(posed.client) != suite.chars or len(posed.question) not in (0, suite.chars):
        return False
    if own_suite(suite) != suite:
        return True
    size: int = len(ocra.FORMS[suite.form][0]) ** suite.chars
    return not posed.question and size >= SPACE_MIN


def reflects(suite: ocra.Suite, ours: str, client: str) -> bool:
    """Whether our answer would be the response to this challenge, or might be to a plain one: a
    number's zeros are lost on both its sides."""
    mine = ocra.question_bytes(suite, client + ours)
    if mine == ocra.question_bytes(suite, ours + client):
        return True
    plain = {"N": len(f"{10**suite.chars:x}"), "H": suite.chars, "A": -1}[suite.form]
    return len(mine.hex().rstrip("0")) <= plain


def purpose_digest(token_key: bytes, purpose: str | None, posed: Posed) -> int:
    """What a challenge is bound to; never 0."""
    text = (purpose or "").encode()
    sizes = len(text).to_bytes(2, "little") + bytes([len(posed.question)])
    bound = b"\x04" + sizes + text + posed.question.encode() + posed.client.encode()
    return int.from_bytes(hmac.digest(token_key, bound, "sha256")[:8], "little") or 1


def plausible_suite(client: str) -> ocra.Suite:
    """Of whoever has no device for it: such as the client's question would fit."""
    form = "N" if client.isdigit() else "H" if set(client) <= set(string.hexdigits) else "A"
    return ocra.Suite("", "sha1", PLAUSIBLE_DIGITS, False, form, len(client), "", 0, 0)


def plausible_answer(token_key: bytes, purpose: int, n: int, epoch: int) -> str:
    words = purpose.to_bytes(8, "little")
    words += (n + 1).to_bytes(4, "little") + epoch.to_bytes(4, "little")
    return ocra.truncated(hmac.digest(token_key, b"\x05" + words, "sha256"), PLAUSIBLE_DIGITS)


def plausible_kind(kind: str, posed: Posed) -> str:
    """Of the policy's mix, where a device of that kind could be asked so; else any suite's."""
    suite = PRESETS.get(kind)
    return kind if suite and fits(ocra.suite_of(suite), posed) else "ocra"
