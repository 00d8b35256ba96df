"""ext/ahead.pxi: zeros into a file, a piece at a time."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from watchword._engine import write_zeros

AT_ONCE = 1 << 40  # bytes a second
PIECE = 16_384


@pytest.fixture
def file(path: Path) -> Iterator[int]:
    path.write_bytes(b"\xff" * 300_000)
    opened = os.open(path, os.O_RDWR)
    yield opened
    os.close(opened)


@pytest.mark.parametrize("at", [0, 1, PIECE - 1, PIECE, 131_072 - 20, 131_073])
@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 131_072, 150_000])
def test_zeros_come_where_they_belong_and_nowhere_else(file: int, at: int, size: int) -> None:
    assert write_zeros(file, at, size, AT_ONCE, 60.0, bytearray(1)) == size
    found = os.pread(file, 400_000, 0)
    assert found == b"\xff" * at + bytes(size) + b"\xff" * (300_000 - at - size)


def test_beyond_the_end_the_file_grows(file: int) -> None:
    assert write_zeros(file, 300_000, 100_000, AT_ONCE, 60.0, bytearray(1)) == 100_000
    assert os.pread(file, 500_000, 300_000) == bytes(100_000)


def test_a_slow_pace_is_cut_off_by_the_time_it_has(file: int) -> None:
    assert write_zeros(file, 0, 150_000, 1, 0.0, bytearray(1)) == PIECE


def test_it_ends_at_once_when_it_is_told_to(file: int) -> None:
    assert write_zeros(file, 0, 150_000, AT_ONCE, 60.0, bytearray(b"\1")) == 0
    stop, wrote = bytearray(1), []
    thread = threading.Thread(
        target=lambda: wrote.append(write_zeros(file, 0, 150_000, 1_000, 600.0, stop))
    )
    thread.start()
    stop[0] = 1
    thread.join(60)
    assert wrote in ([0], [PIECE]), "the rest after the first piece is sixteen seconds"


def test_a_refusal_of_the_disk_is_raised(path: Path, file: int) -> None:
    reading = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="descriptor"):
            write_zeros(reading, 0, 10, AT_ONCE, 1.0, bytearray(1))
    finally:
        os.close(reading)
