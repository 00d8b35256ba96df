"""The small pieces, one at a time: `python -m pytest bench --benchmark-enable`.

In the suite they run once each, untimed, so that a broken row is seen; no time is asserted.
Expected codes are published ones, but for the daemon's own verdicts.
"""

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import watchword

KEY = b"12345678901234567890"  # RFC 4226 appendix D, RFC 6238 appendix B, RFC 6287 appendix C


@pytest.fixture
def engine() -> Iterator[watchword.Engine]:
    with watchword.Engine.open(clock=lambda: 59_000) as engine:
        engine.add_user("alice")
        engine.add_device("alice", watchword.Device.totp(KEY, digits=8))
        yield engine


def test_hotp(benchmark: BenchmarkFixture) -> None:
    assert benchmark(watchword.hotp, KEY, 9) == "520489"


def test_totp(benchmark: BenchmarkFixture) -> None:
    assert benchmark(watchword.totp, KEY, 59, digits=8) == "94287082"


def test_ocra(benchmark: BenchmarkFixture) -> None:
    suite = "OCRA-1:HOTP-SHA1-6:QN08"
    assert benchmark(watchword.ocra, suite, KEY, "00000000") == "237653"


def test_verify_replayed(benchmark: BenchmarkFixture, engine: watchword.Engine) -> None:
    assert engine.verify("alice", "94287082").code == watchword.Code.ACCEPTED
    verdict = benchmark(engine.verify, "alice", "94287082")
    assert verdict.code in (watchword.Code.REJECTED, watchword.Code.LOCKED)


def test_verify_unknown_user(benchmark: BenchmarkFixture, engine: watchword.Engine) -> None:
    verdict = benchmark(engine.verify, "nobody", "94287082")
    assert verdict.code in (watchword.Code.REJECTED, watchword.Code.LOCKED)


def test_verify_many(benchmark: BenchmarkFixture, engine: watchword.Engine) -> None:
    users, codes = ["alice"] * 1000, ["00000000"] * 1000
    verdicts = benchmark(engine.verify_many, users, codes)
    assert watchword.Code.ACCEPTED not in list(verdicts)
