"""The least Python that verifies OCRA of a numeric question, with a counter or without one:
hmac.digest and compare_digest.
"""

import hmac
import platform
from collections.abc import Sequence

QUESTION_HEX = 256
ALGORITHMS = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}


def describe(suite: str) -> str:
    return f"stdlib minimal, Python {platform.python_version()}: {suite}"


def response(suite: str, key: bytes, prompt: str, counter: int = 0) -> str:
    _, algorithm, digits = suite.split(":")[1].split("-")
    text = suite.encode() + b"\0"
    if ":C-" in suite:
        text += counter.to_bytes(8)
    text += bytes.fromhex(f"{int(prompt):x}".ljust(QUESTION_HEX, "0"))
    mac = hmac.digest(key, text, ALGORITHMS[algorithm])
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10 ** int(digits):0{digits}}"


def decide(
    suite: str, keys: list[bytes], prompts: list[str], codes: list[str],
    counters: list[Sequence[int]],
) -> bytes:  # fmt: skip
    same = hmac.compare_digest
    if ":C-" not in suite:
        return bytes(
            same(response(suite, key, prompt), code)
            for key, prompt, code in zip(keys, prompts, codes, strict=True)
        )
    return bytes(
        any(same(response(suite, key, prompt, at), code) for at in ahead)
        for key, prompt, code, ahead in zip(keys, prompts, codes, counters, strict=True)
    )
