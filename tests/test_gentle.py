"""src/watchword/gentle.py, ext/slices.pxi: threads that give way, and those they give way to."""

import os
import threading
from collections.abc import Iterator

import pytest

from watchword._engine import take_short_slices
from watchword.gentle import NICE, Gentle


@pytest.fixture
def gentle() -> Iterator[Gentle]:
    made = Gentle("gentle-test")
    yield made
    made.close()


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_work_is_done_by_a_thread_of_lower_priority(gentle: Gentle) -> None:
    before = nice()
    assert gentle.do(nice) == max(before, NICE)
    assert gentle.do(threading.get_native_id) == gentle.do(threading.get_native_id)
    assert nice() == before, "the caller keeps its own"


def test_what_work_raises_its_caller_hears_and_the_next_is_done(gentle: Gentle) -> None:
    with pytest.raises(ZeroDivisionError):
        gentle.do(lambda: 1 // 0)
    with pytest.raises(KeyboardInterrupt):
        gentle.do(interrupted)
    assert gentle.do(lambda: 7) == 7


def interrupted() -> None:
    raise KeyboardInterrupt


def test_there_is_no_thread_before_there_is_work_nor_after_the_end() -> None:
    made = Gentle("gentle-alone")
    assert "gentle-alone" not in names()
    made.close()
    made.do(names)
    assert "gentle-alone" in names()
    made.close()
    assert "gentle-alone" not in names()


def test_a_thread_with_short_slices_is_as_it_was_otherwise() -> None:
    def take() -> None:
        before = os.sched_getscheduler(0), nice()
        found.append(take_short_slices())
        found.append((os.sched_getscheduler(0), nice()) == before)

    found: list[bool] = []
    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    assert found in ([True, True], [False, True]), "granted or not, nothing else changes"
