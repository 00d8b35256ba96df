"""Any input at all, for the tests of the Python doors: what is drawn, and what a door may do.

It leans towards what is almost legal, since the first wrong word refuses everything else.
WATCHWORD_SEED repeats a run; a failure is printed with the smallest input that has it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from conftest import SEED
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as begin_with
from hypothesis import strategies as st

from watchword import Code, Error

__all__ = [
    "ADDRESSES", "ANY", "ANYTHING", "CODES", "NAMES", "PLACES", "TEXT", "answered", "fuzzed",
    "spoilt",
]  # fmt: skip

CODES = {int(code) for code in Code}
TEXT = st.text(max_size=40) | st.text("abcABC0123456789 \0\xe9\udc80", max_size=200)
ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=20) | TEXT
ANYTHING = st.one_of(
    ANY, st.lists(ANY, max_size=4), st.tuples(ANY, ANY, ANY),
    st.dictionaries(TEXT, ANY, max_size=2), st.builds(object),
    st.builds(lambda n: np.zeros(n), st.integers(0, 3)), st.just(TEXT),
)  # fmt: skip
NAMES = st.sampled_from(["alice", "Alice", "alice ", "", "nobody", "a" * 65, "a" * 129]) | ANY
PLACES = st.sampled_from(["trading", "portal", "live", "paper"]) | ANY
ADDRESSES = st.sampled_from(["10.0.0.1", "::1", "::ffff:1.2.3.4", "1.2.3", "fe80::1%eth0"]) | ANY


def fuzzed(examples: int, **drawn: Any) -> Callable[[Any], Any]:
    """A test over so many drawn inputs, the same again under the same WATCHWORD_SEED."""
    quiet = settings(max_examples=examples, deadline=None, database=None,
                     suppress_health_check=list(HealthCheck))  # fmt: skip

    def around(test: Any) -> Any:
        return begin_with(SEED)(quiet(given(**drawn)(test)))

    return around


def spoilt(**almost: Any) -> Any:
    """The words of a call, of which up to two are anything at all."""
    wrong = st.dictionaries(st.sampled_from(sorted(almost)), ANYTHING, max_size=2)
    return st.builds(lambda words, some: {**words, **some}, st.fixed_dictionaries(almost), wrong)


def answered(call: Callable[[], Any]) -> Any:
    """What a door answers; None when it refuses in our words. Anything else is raised."""
    try:
        return call()
    except Error as refused:
        assert refused.args
        assert str(refused)
        return None
