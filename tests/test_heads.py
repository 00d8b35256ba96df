"""A journal's head kept elsewhere: a store that is older, or another branch, is refused."""

import shutil
from collections.abc import Iterator

import pytest
from faults import quick
from lost import Day

from watchword import InvalidArgument, StoreDamaged
from watchword.store import load_head, save_head


@pytest.fixture
def day() -> Iterator[Day]:
    with quick() as place:
        made = Day(place)
        yield made
        made.engine.close()


def test_a_store_older_than_a_known_head_is_refused(day: Day) -> None:
    day.engine.add_user("alice")
    day.lose()
    shutil.copytree(day.place / "store", day.place / "old")
    day.open("store").add_user("bob")
    head = day.engine.journal_head()
    save_head(head, day.place / "head.json")
    assert load_head(day.place / "head.json") == head
    day.lose()
    day.open("store", known_head=day.place / "head.json")
    day.lose()
    with pytest.raises(StoreDamaged, match=f"older than its known head.*{head.tag}"):
        day.open("old", known_head=day.place / "head.json")
    day.open("old").add_user("mallory")  # another row in that place
    day.engine.add_user("mallet")
    day.lose()
    with pytest.raises(StoreDamaged, match="not the one whose head is known"):
        day.open("old", known_head=day.place / "head.json")


def test_a_head_from_after_a_restore_refuses_the_store_of_before(day: Day) -> None:
    day.engine.add_user("alice")
    before = day.place / "before.json"
    save_head(day.engine.journal_head(), before)
    day.engine.backup(day.place / "backup")
    day.lose()
    day.restore()
    day.open("again", known_head=before)
    after = day.place / "after.json"
    save_head(day.engine.journal_head(), after)
    day.lose()
    with pytest.raises(StoreDamaged, match="or another copy of it was restored"):
        day.open("store", known_head=after)
    day.restore("sibling")
    with pytest.raises(StoreDamaged, match="or another copy of it was restored"):
        day.open("sibling", known_head=after)
    day.open("again", known_head=after)


@pytest.mark.parametrize("field", ["turn", "tag", "time_ms", "store", "incarnation"])
def test_an_altered_head_is_refused(day: Day, field: str) -> None:
    head = day.engine.journal_head()
    other = getattr(head, field)
    other = other + 1 if isinstance(other, int) else other[:-1] + ("0" if other[-1] != "0" else "1")
    save_head(head._replace(**{field: other}), day.place / "head.json")
    day.lose()
    with pytest.raises(InvalidArgument, match="signature does not hold"):
        day.open("store", known_head=day.place / "head.json")
