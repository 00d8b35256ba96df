"""OCRA, the plain function: RFC 6287, every element of a suite.

A suite is the text that says what is computed: hash, digits, and which of counter, question, PIN,
session and time go in. `Suite` reads it and lays out the message (section 5.1); `ocra` signs that.
Where the RFC leaves room, the readings are those of tests/vectors/README.md, named below.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from watchword import _engine
from watchword.devices.arguments import COUNTER_MAX, key_bytes, utf8_text, whole
from watchword.devices.pins import pin_digest
from watchword.errors import InvalidArgument

__all__ = ["Suite", "ocra"]

QUESTION_BYTES: Final = 128         # section 5.1: Q always takes this room
QUESTION_CHARS_MIN: Final = 4       # section 6.3
QUESTION_CHARS_MAX: Final = 64
SESSION_BYTES_MAX: Final = 512      # section 6.3, table 2
STEP_SECONDS: Final = {"S": 1, "M": 60, "H": 3600}
STEPS_MAX: Final = {"S": 59, "M": 59, "H": 48}

# Section 6: CryptoFunction, then DataInput in its fixed order. Lengths have two digits, the
# session's three; a letter standing alone and lower case are refused.
SUITE: Final = re.compile(
    r"OCRA-1:HOTP-(SHA1|SHA256|SHA512)-(0|[4-9]|10)"
    r":(C-)?Q([ANH])([0-9]{2})(?:-P(SHA1|SHA256|SHA512))?(?:-S([0-9]{3}))?"
    r"(?:-T([1-9][0-9]?)([SMH]))?"
)
GRAMMAR: Final = (
    "OCRA-1:HOTP-{SHA1, SHA256 or SHA512}-{0 or 4 to 10}:[C-]Q{A, N or H}{04 to 64}"
    "[-P{SHA1, SHA256 or SHA512}][-S{001 to 512}][-T{1 to 59}{S or M} or -T{1 to 48}H]"
)
# What a question is made of: the pattern, and the words for it.
QUESTIONS: Final = {
    "A": (re.compile(r"[0-9A-Za-z]+"), "ASCII letters and digits"),
    "N": (re.compile(r"[0-9]+"), "decimal digits"),
    "H": (re.compile(r"[0-9A-Fa-f]+"), "hexadecimal digits"),
}


@dataclass(frozen=True, slots=True)
class Suite:
    """An OCRA suite, read (section 6). Make one with Suite.parse."""

    text: str                       # exactly as given: it is part of what is signed
    algorithm: str                  # sha1, sha256, sha512
    digits: int                     # 0: the whole HMAC
    counter: bool
    question_format: str            # A, N or H
    question_chars: int             # at most; twice that when two questions are joined
    pin_algorithm: str | None
    session_bytes: int | None
    step_s: int | None              # seconds of one time step

    @classmethod
    def parse(cls, suite: str) -> Self:
        """Reads a suite's text. Raises InvalidArgument with the whole grammar."""
        found = SUITE.fullmatch(utf8_text("suite", suite))
        if found is None:
            raise InvalidArgument(f"suite must be {GRAMMAR}")
        algorithm, digits, counter, q_format, q_chars, pin, session, steps, unit = found.groups()
        whole("suite: question length", int(q_chars), QUESTION_CHARS_MIN, QUESTION_CHARS_MAX)
        if session is not None:
            whole("suite: session length", int(session), 1, SESSION_BYTES_MAX)
        if steps is not None:
            whole(f"suite: time step in {unit}", int(steps), 1, STEPS_MAX[unit])
        return cls(
            text=suite,
            algorithm=algorithm.lower(),
            digits=int(digits),
            counter=counter is not None,
            question_format=q_format,
            question_chars=int(q_chars),
            pin_algorithm=None if pin is None else pin.lower(),
            session_bytes=None if session is None else int(session),
            step_s=None if steps is None else int(steps) * STEP_SECONDS[unit],
        )

    def message(
        self,
        question: str,
        *,
        counter: int | None = None,
        pin: str | None = None,
        pin_hash: bytes | None = None,
        session: bytes | None = None,
        time_step: int | None = None,
    ) -> bytes:
        """What the HMAC signs (section 5.1): suite, zero byte, C, Q, P, S, T; absent ones nothing.

        Arguments as for ocra. Raises InvalidArgument for one that is missing, superfluous or out
        of its range.
        """
        message = self.text.encode("ascii") + b"\0"
        if _asked("counter", self.counter, counter, "C"):
            message += whole("counter", counter, 0, COUNTER_MAX).to_bytes(8, "big")
        message += self._question(question)
        message += pin_digest(self.pin_algorithm, pin, pin_hash)
        if _asked("session", self.session_bytes is not None, session, "S"):
            message += self._session(session)
        if _asked("time_step", self.step_s is not None, time_step, "T"):
            message += whole("time_step", time_step, 0, COUNTER_MAX).to_bytes(8, "big")
        return message

    def _question(self, question: object) -> bytes:
        """Q: padded with zeros on the right. Joined mutual questions may be twice as long."""
        pattern, words = QUESTIONS[self.question_format]
        longest = min(2 * self.question_chars, QUESTION_BYTES)
        if (
            not isinstance(question, str)
            or not QUESTION_CHARS_MIN <= len(question) <= longest
            or pattern.fullmatch(question) is None
        ):
            raise InvalidArgument(
                f"question must be text of {QUESTION_CHARS_MIN} to {longest} {words}"
            )
        if self.question_format == "A":
            return question.encode("ascii").ljust(QUESTION_BYTES, b"\0")
        # QN is one number, written in hex without leading zeros; what is left of the last byte
        # is a zero nibble, as in the RFC's own code, and so for an odd count of QH digits.
        digits = f"{int(question):x}" if self.question_format == "N" else question
        return bytes.fromhex(digits.ljust(2 * QUESTION_BYTES, "0"))

    def _session(self, session: object) -> bytes:
        """S: exactly the suite's length; shorter ones get zeros on the left (the RFC's code)."""
        size = self.session_bytes or 0
        if not isinstance(session, bytes) or len(session) > size:
            raise InvalidArgument(f"session must be bytes, 0 to {size} of them")
        return session.rjust(size, b"\0")


def _asked(name: str, wanted: bool, value: object, letter: str) -> bool:
    """Whether the suite wants this argument; it must be there then, and only then."""
    if wanted and value is None:
        raise InvalidArgument(f"{name} is needed: the suite has {letter}")
    if not wanted and value is not None:
        raise InvalidArgument(f"{name} must be left out: the suite has no {letter}")
    return wanted


def ocra(
    suite: str,
    key: bytes,
    question: str,
    *,
    counter: int | None = None,
    pin: str | None = None,
    pin_hash: bytes | None = None,
    session: bytes | None = None,
    time_step: int | None = None,
) -> str:
    """The response to a challenge, RFC 6287 section 5.

    suite: as section 6 writes it, upper case. key: 1 to 1024 raw bytes. question: text as the
    suite says, decimal digits (QN), hex digits (QH) or letters and digits (QA), 4 characters to
    the suite's length; for a mutual challenge the two texts joined, the other party's first. What
    the suite asks for must be there and nothing else: counter and time_step, 0 to 2**64 - 1 (T is
    the number of steps since 1970); pin as text or pin_hash as its raw digest; session as bytes.
    Returns decimal digits, or for digits 0 the whole HMAC as lower-case hex. Raises
    InvalidArgument.
    """
    read = Suite.parse(suite)
    key = key_bytes("key", key)
    message = read.message(
        question, counter=counter, pin=pin, pin_hash=pin_hash, session=session, time_step=time_step
    )
    mac = _engine.hmac(read.algorithm, key, message)
    if read.digits == 0:
        return mac.hex()
    at = mac[-1] & 15
    truncated = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
    return f"{truncated % 10**read.digits:0{read.digits}d}"
