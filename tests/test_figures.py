"""src/watchword/figures.py: a policy as a file, two policies side by side, what would go wrong."""

from dataclasses import fields, replace

import pytest

from watchword import InvalidArgument, Policy
from watchword.errors import Error
from watchword.figures import (
    FLOORS,
    changes,
    dangers,
    from_stored,
    legal,
    meaning,
    section,
    stored,
    text_of,
    unit,
)
from watchword.policy import RANGES

FIGURES = [field.name for field in fields(Policy)]
OTHER = Policy(
    lockout_failures=7, lockout_window_ms=90_061_001, lockout_extend=False, failures_cap=None,
    names="any", challenge_kinds=("gold", "gold", "sms"), card_cells_once=True, sms_ms=1_500,
)  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_has_its_words_its_section_and_what_is_legal(figure):
    assert len(meaning(figure).split()) >= 4
    assert "RULES" not in meaning(figure).partition("from RULES")[0]
    assert section(figure).startswith("RULES section ")
    text = text_of(Policy())
    about = text[: text.index(f"\n{figure} = ")].rpartition("\n\n")[2]
    assert legal(figure) in " ".join(about.replace("# ", "").split())
    if figure in RANGES:
        assert unit(figure) or any(
            word in figure for word in ("rank", "_per_", "passes", "lanes")
        )


@pytest.mark.parametrize(
    "policy", [Policy(), Policy.profile("strict"), OTHER], ids=["default", "strict", "other"]
)
def test_what_is_printed_is_read_back(policy):
    text = text_of(policy)
    assert Policy.from_text(text) == policy
    assert text_of(Policy.from_text(text)) == text
    assert max(map(len, text.splitlines())) <= 100
    assert from_stored(stored(policy)) == policy


@pytest.mark.parametrize("figure", sorted(RANGES))
def test_the_edges_that_are_printed_are_the_edges(figure):
    low, high, off = RANGES[figure]
    for value in (low, high, *([0] if off else [])):
        Policy.from_text(f"{figure} = {value}")
    for value in (high + 1, low - 1 if not off or low > 1 else -1):
        with pytest.raises(InvalidArgument, match=f"policy {figure} is a whole number from"):
            Policy.from_text(f"{figure} = {value}")


def test_milliseconds_are_said_as_a_person_says_them():
    text = text_of(OTHER)
    assert "lockout_window_ms = 90061001  # 1 d 1 h 1 min 1 s 1 ms\n" in text
    assert "sms_ms = 1500  # 1 s 500 ms\n" in text
    assert "failures_cap = 0\n" in text


def test_two_policies_side_by_side():
    found = changes(Policy(), replace(Policy(), failures_cap=None, sms_ms=60_000, names="any"))
    assert [change[:3] for change in found] == [
        ("failures_cap", "100", "0 (off)"),
        ("names", '"sls"', '"any"'),
        ("sms_ms", "600000 (10 min)", "60000 (1 min)"),
    ]
    assert found[2].meaning == "How long a code that was sent is good, in whole seconds"
    assert changes(OTHER, OTHER) == []


# from, to: what is said, or nothing
DANGERS = [
    ({}, {}, None),
    ({}, {"lockout_failures": 1}, "lockout_failures = 1 would lock everyone out"),
    ({}, {"lockout_failures": 1, "lockout_extend": False}, "one slip locks a user, at once"),
    ({}, {"lockout_failures": 2}, None),
    ({"lockout_failures": 1}, {"lockout_failures": 1}, None),  # it is so already
    ({"lockout_failures": 1, "lockout_extend": False}, {"lockout_failures": 1}, "each further"),
    ({}, {"failures_cap": 10}, "failures_cap = 10 would lock everyone out"),
    ({}, {"failures_cap": 11}, None),
    ({"failures_cap": 11}, {"failures_cap": 11, "lockout_failures": 11}, "failures_cap = 11"),
    ({}, {"source_failures": 9}, "source_failures = 9 would lock everyone out behind one address"),
    ({}, {"source_failures": 10}, None),
    ({}, {"source_failures": None}, None),
    ({}, {"failures_cap": 101}, "failures_cap = 101 lowers a floor, from 100"),
    ({}, {"failures_cap": None}, "failures_cap = 0 lowers a floor"),
    ({"failures_cap": None}, {"failures_cap": 200}, None),  # nearer to the floor than it was
    ({"failures_cap": 200}, {"failures_cap": 201}, "lowers a floor"),
    ({"key_bytes_min": 14}, {"key_bytes_min": 13}, "key_bytes_min = 13 lowers a floor, from 14"),
    ({"key_bytes_min": 20}, {"key_bytes_min": 14}, None),
    ({"key_bytes_min": 10}, {"key_bytes_min": 13}, None),
    ({"window_max": 0}, {"window_max": 1}, "window_max = 1 lowers a floor"),
    ({"window_max": 2}, {"window_max": 1}, None),
    ({"period_max_s": 30}, {"period_max_s": 31}, "period_max_s = 31 lowers a floor, from 30"),
    ({"period_max_s": 60}, {"period_max_s": 30}, None),
    ({}, {"security_questions": True}, "security_questions = true lowers a floor, from false"),
    ({"pin_chars_min": 8}, {"pin_chars_min": 7}, "pin_chars_min = 7 lowers a floor"),
    ({}, {"password_bytes_min": 7}, "password_bytes_min = 7 lowers a floor, from 8"),
    ({"card_cells_once": True}, {}, "card_cells_once = false lowers a floor"),
    ({}, {"card_cells_once": True}, None),
    ({}, {"lockout_window_ms": 360_000}, None),
    ({}, {"lockout_window_ms": 350_000}, "103 failures in an hour without a lock"),
    ({"lockout_window_ms": 1}, {"lockout_window_ms": 1, "lockout_failures": 9}, None),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "says"), DANGERS)
def test_what_would_lock_out_or_lowers_a_floor(before, after, says):
    found = dangers(Policy(**before), Policy(**after))
    assert (len(found) == 1 and says in found[0]) if says else found == []


def test_users_whose_names_would_be_none():
    one, two = (dangers(Policy(names="any"), Policy(), strangers=n) for n in (1, 2))
    assert one == ['names = "sls" would lock out 1 user: their names are none under it']
    assert "2 users" in two[0]


def test_no_floor_is_lowered_by_the_strict_profile():
    assert dangers(Policy(), Policy.profile("strict")) == []
    back = dangers(Policy.profile("strict"), Policy())
    assert {said.partition(" ")[0] for said in back} == set(FLOORS) - {
        "failures_cap", "password_bytes_min", "security_questions",
    }


@pytest.mark.parametrize("figures", [{"nosuch": 1}, {"lockout_failures": 0}, [], None])
def test_a_policy_of_another_program_is_told(figures):
    with pytest.raises(Error, match="the store's policy is not one of this program"):
        from_stored(figures)


def test_a_figure_that_is_not_kept_is_the_default():
    assert from_stored({"lockout_failures": 3}) == Policy(lockout_failures=3)
