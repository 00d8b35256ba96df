"""A verdict as the command line knows it, whichever door it came through."""

from dataclasses import dataclass, field

from watchword import Code

__all__ = ["Answer", "Change"]


@dataclass(frozen=True)
class Answer:
    """The verdict, the serial of the device that matched, and what a lock still has to run."""

    code: Code
    device: str | None
    retry_after_ms: int

    def __bool__(self) -> bool:
        return self.code is Code.ACCEPTED


@dataclass(frozen=True)
class Change:
    """How a user proves who changes what the user knows: by which device and challenge, where."""

    device: str | None
    challenge: str | None
    platform: str
    personal: tuple[str, ...] = ()
    address: str | None = None


@dataclass(frozen=True)
class Enrolled:
    """What became of a phone's enrolment: Enrolment's fields, with the verdict as an Answer."""

    verdict: Answer
    serial: str
    key: bytes = field(repr=False)
    suite: str
    replaced: tuple[str, ...]
