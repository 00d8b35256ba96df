"""Help is written by hand, so a test holds it to what the commands really take."""

import re
from collections.abc import Iterator

import click
import pytest
from cli_words import parses

from watchword.cli.main import root
from watchword.cli.words import duration, spoken

HELP_COLUMNS_MAX = 96
PROGRAMS = ("watchword", "oathtool", "redis-cli", "date", "systemctl")


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


EVERY = dict(commands(root, "watchword"))


def help_of(path: str) -> str:
    command = EVERY[path]
    return command.get_help(click.Context(command, info_name=path))


@pytest.mark.parametrize("path", EVERY)
def test_help_begins_with_usage_and_ends_in_a_session(path: str) -> None:
    lines = help_of(path).splitlines()
    assert lines[0].startswith(f"usage: {path if path != 'watchword' else 'watchword'} ".rstrip())
    session = lines[lines.index("try:") + 1 :]
    assert session, f"{path} --help ends without a session"
    for line in session:
        assert line.strip().startswith(PROGRAMS), f"{path} --help: {line.strip()}"
    assert max(map(len, lines)) <= HELP_COLUMNS_MAX


@pytest.mark.parametrize("path", EVERY)
def test_help_names_every_option_and_no_other(path: str) -> None:
    text, command = help_of(path), EVERY[path]
    names = {name for option in command.params for name in option.opts if name.startswith("--")}
    if isinstance(command, click.Group):
        for name in command.commands:
            assert name in text, f"{path} --help does not name {name}"
        names = names if path == "watchword" else set()
    for name in names:
        assert name in text, f"{path} --help does not name {name}"
    taken = {name for option in command.params for name in option.opts} | {"--help"}
    told = text.partition("try:\n")[0]
    for name in re.findall(r"(?<![\w-])--[a-z0-9-]+", told):
        assert name in taken, f"{path} --help names {name}, which it does not take"


# What the journal keeps with who did it. What takes a response is the user's own, whoever types.
ACTS = {
    "backup", "restore", "floors", "import", "export", "key rotate", "clock accept", "policy set",
    "card show", "card print",
    *(f"user {verb}" for verb in "add unlock remove password questions addresses identity opt-out "
      "withdrawal".split()),
    *(f"device {verb}" for verb in "remove ship replace online-card suspend resume lost return end "
      "dates unshare".split()),
    *(f"device add {kind}" for kind in "totp hotp ocra preset passcode sms".split()),
}  # fmt: skip


def test_every_act_takes_by_and_nothing_else_does() -> None:
    taking = {
        path.removeprefix("watchword ") for path, command in EVERY.items()
        if any("--by" in option.opts for option in command.params)
    }  # fmt: skip
    assert taking == ACTS


@pytest.mark.parametrize("path", EVERY)
def test_a_pasted_session_is_one_the_program_understands(path: str) -> None:
    """Every `watchword ...` of a session parses: its verbs and options exist."""
    for line in help_of(path).partition("try:\n")[2].splitlines():
        for part in re.split(r"\||&&", line):
            if part.strip().startswith("watchword "):
                parses(part.strip())


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (1, "1 s"), (1_000, "1 s"), (1_001, "2 s"), (60_000, "1 min"), (61_000, "1 min 1 s"),
        (3_600_000, "1 h"), (86_400_000, "24 h"), (86_399_000, "23 h 59 min"),
    ],
)  # fmt: skip
def test_durations_are_said_as_people_say_them(ms: int, said: str) -> None:
    assert duration(ms) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No such option.", "no such option"),
        ("TOTP needs a key", "TOTP needs a key"),
        ("a store. Elsewhere.", "a store. Elsewhere"),
    ],
)
def test_the_voice(text: str, said: str) -> None:
    assert spoken(text) == said
