"""The least Python that verifies OCRA of a numeric question: hmac.digest and compare_digest."""

import hmac
import platform

QUESTION_HEX = 256
ALGORITHMS = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}


def describe(suite: str) -> str:
    return f"stdlib minimal, Python {platform.python_version()}: {suite}"


def response(suite: str, key: bytes, prompt: str) -> str:
    _, algorithm, digits = suite.split(":")[1].split("-")
    text = suite.encode() + b"\0" + bytes.fromhex(f"{int(prompt):x}".ljust(QUESTION_HEX, "0"))
    mac = hmac.digest(key, text, ALGORITHMS[algorithm])
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10 ** int(digits):0{digits}}"


def decide(suite: str, keys: list[bytes], prompts: list[str], codes: list[str]) -> bytes:
    same = hmac.compare_digest
    return bytes(
        same(response(suite, key, prompt), code)
        for key, prompt, code in zip(keys, prompts, codes, strict=True)
    )
