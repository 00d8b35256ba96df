"""Questions and sealed ids: the slow twin's against published answers, the engine's against the
twin's, and what RULES section 4 asks of both: no question twice before all were asked.
"""

import random
import string

import pytest

from watchword import _engine, reference_ocra
from watchword.reference_ocra import Sealed, permuted, seal, sip, suite_of, unseal

ASK_KEY = bytes(range(48))
KEY, TOKEN_KEY = ASK_KEY[:16], ASK_KEY[16:]


@pytest.mark.parametrize(
    ("size", "hashed"),
    # Aumasson and Bernstein, appendix A of the paper, and the first rows of its reference code.
    [(15, 0xA129CA6149BE45E5), (0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD),
     (8, 0x93F5F5799A932462), (63, 0x958A324CEB064572)],
)  # fmt: skip
def test_siphash_as_published(size: int, hashed: int) -> None:
    assert sip(bytes(range(16)), bytes(range(size))) == hashed


@pytest.mark.parametrize("size", [2, 3, 7, 10, 100, 1000])
def test_every_number_comes_once_before_any_comes_again(size: int) -> None:
    first = [permuted(KEY, 7, n, size) for n in range(size)]
    assert sorted(first) == list(range(size))
    again = [permuted(KEY, 7, n, size) for n in range(size, 2 * size)]
    assert sorted(again) == list(range(size))
    if size >= 100:
        assert first != again, "the second time in another order"
        assert first != [permuted(KEY, 8, n, size) for n in range(size)], "to each its own order"
        assert first != [permuted(ASK_KEY[1:17], 7, n, size) for n in range(size)]


SUITES = [
    f"OCRA-1:HOTP-SHA1-6:Q{form}{chars:02d}"
    for form in "NHA"
    for chars in (4, 6, 8, 10, 11, 15, 16, 18, 19, 26, 27, 40, 64)
]


@pytest.mark.parametrize("text", SUITES)
def test_the_engine_asks_what_the_twin_asks(text: str) -> None:
    suite, rng = suite_of(text), random.Random(text)
    alphabet = {
        "N": string.digits,
        "H": string.digits + "ABCDEF",
        "A": string.digits + string.ascii_letters,
    }[suite.form]
    asked = set()
    counts = [0, 1, 2, 99_999, 10**6 - 1, 10**6, 2**32 - 1, *(rng.getrandbits(32),) * 3]
    for who in (1, 2, 2**32 - 1, rng.getrandbits(64)):
        for n in counts:
            mine = reference_ocra.question(KEY, suite, who, n)
            assert _engine.question(ASK_KEY, text.encode(), who, n) == mine
            assert len(mine) == suite.chars and set(mine) <= set(alphabet)
            asked.add((who, mine))
    if suite.chars > 6:
        assert len(asked) == 4 * len(set(counts))


def test_the_engine_asks_every_question_once() -> None:
    text = "OCRA-1:HOTP-SHA1-8:QN04"
    asked = {_engine.question(ASK_KEY, text.encode(), 9, n) for n in range(10_000)}
    assert len(asked) == 10_000


def test_an_id_is_read_again_and_nothing_like_it() -> None:
    sealed = Sealed(2**64 - 1, 5, 2**32 - 1, 7, 5_666_666, 1)
    token = seal(TOKEN_KEY, sealed)
    assert unseal(TOKEN_KEY, token) == sealed
    rng = random.Random(1)
    for _ in range(200):
        at = rng.randrange(96)
        other = rng.choice([c for c in "0123456789abcdefABCDEFg \u0661" if c != token[at]])
        assert unseal(TOKEN_KEY, token[:at] + other + token[at + 1 :]) is None
    for wrong in ("", token[:-1], token + "0", token + "00", token.upper(), token[:-2]):
        assert unseal(TOKEN_KEY, wrong) is None
    assert unseal(bytes(32), token) is None


@pytest.mark.parametrize("chars", [4, 15, 16, 17, 31, 32, 33, 64, 128])
def test_an_id_carries_what_was_posed_and_shows_nothing_of_it(chars: int) -> None:
    sealed = Sealed(1, 2, 3, 4, 5, 0, "Q" * chars)
    token = seal(TOKEN_KEY, sealed)
    assert unseal(TOKEN_KEY, token) == sealed and len(token) == 96 + 2 * chars
    assert b"Q".hex() * 2 not in token
    for at in (0, 31, 32, 95, 96, len(token) - 1):
        other = "0" if token[at] != "0" else "1"
        assert unseal(TOKEN_KEY, token[:at] + other + token[at + 1 :]) is None
    for wrong in (token[:96], token[:-2], token + "00", token[:-1]):
        assert unseal(TOKEN_KEY, wrong) is None


def test_ids_that_differ_in_anything_share_nothing() -> None:
    """The MAC is over everything and hides everything: no field can be read off or carried over."""
    fields = Sealed(1, 2, 3, 4, 5, 0)
    tokens = [seal(TOKEN_KEY, fields)]
    for name in Sealed._fields[:-1]:
        tokens.append(seal(TOKEN_KEY, fields._replace(**{name: getattr(fields, name) + 1})))
    for at, one in enumerate(tokens):
        for other in tokens[:at]:
            same = sum(a == b for a, b in zip(one, other, strict=True))
            assert same < 30, "of 96 hex digits six are the same by chance"
