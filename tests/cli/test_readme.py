"""The README's own words: its Python is run, its commands parse, its test command is CI's."""

import doctest
import re
import tomllib
from pathlib import Path

from cli_words import parses

from watchword.serve import limits
from watchword.serve.config import Config

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def test_the_python_of_the_readme_does_what_it_says() -> None:
    examples = doctest.DocTestParser().get_doctest(
        "\n".join(blocks("python")), {}, "README.md", "README.md", 0
    )
    assert len(examples.examples) > 8
    assert not doctest.DocTestRunner().run(examples).failed


def test_the_commands_of_the_readme_parse() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    ours = [line for line in lines if line.startswith("watchword ")]
    assert len(ours) >= 4
    for line in ours:
        parses(line)


def test_the_settings_of_the_readme_are_legal() -> None:
    shown = [tomllib.loads(block) for block in blocks("toml")]
    assert shown
    for table in shown:
        Config.from_table(table)


def test_the_limits_of_the_readme_are_those_in_force() -> None:
    rows = re.findall(r"^\| `([A-Za-z_]+)` \| ([0-9,]+)", README, re.M)
    assert len(rows) >= 11
    for name, figure in rows:
        kept = getattr(limits, name) if name.isupper() else getattr(Config(), name)
        assert kept == int(figure.replace(",", "")), name


def test_continuous_integration_runs_the_readme_command() -> None:
    """.ci/run takes the line by its place; the line is there, once, and whole."""
    commands = re.findall(r"^<!-- tests -->\n```sh\n(.*)\n```$", README, re.M)
    assert len(commands) == 1
    assert commands[0].endswith(".venv/bin/python -m pytest -q -n 3 --dist loadfile")
    script = (ROOT / ".ci" / "run").read_text()
    assert "<!-- tests -->" in script
    assert "README.md" in script


def test_every_file_the_readme_names_is_there() -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name
