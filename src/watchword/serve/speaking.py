"""Who does the act under way, on the thread that does it, for the record."""

import threading

from watchword.serve.resp import capitals

__all__ = ["BY", "by_at_end", "speaker", "speaking", "through"]

BY = "the administration socket"  # who did it, when nobody says and the kernel cannot
speaking = threading.local()  # .by: who is at the other end; .through: the gateway, if any


def speaker() -> str:
    """Who is at the other end."""
    return str(getattr(speaking, "by", BY))


def through(who: str) -> str:
    """Whoever is said to do it, and by which gateway, where one says so."""
    gateway = getattr(speaking, "through", "")
    return f"{who} (gateway {gateway})" if gateway else who


def by_at_end(words: list[str], needed: int) -> tuple[list[str], str]:
    """An act without the BY who at its end, and who does it. needed: the words without which it is
    none, so that none of them reads as BY."""
    if len(words) >= needed + 2 and capitals(words[-2]) == "BY":
        return words[:-2], through(words[-1])
    return words, speaker()
