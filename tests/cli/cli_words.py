"""Whether a printed command line is one that the program understands, without running it."""

import shlex

import click

from watchword.cli.main import root


def parses(line: str) -> None:
    """Asserts that the verbs and options of a `watchword ...` line exist."""
    words = shlex.split(line.partition(">")[0].replace("&", " ").partition("|")[0], comments=True)
    assert words[0] == "watchword", line
    command: click.Command = root
    rest = words[1:]
    while isinstance(command, click.Group):
        if command.invoke_without_command and (not rest or rest[0].startswith("--")):
            break
        _, found, rest = command.resolve_command(click.Context(command), rest)
        assert found is not None, line
        command = found
    known = {name for option in command.params for name in option.opts}
    for word in rest:
        assert not word.startswith("--") or word in known, f"{line}: {word}"
