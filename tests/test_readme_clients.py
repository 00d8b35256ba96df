"""The README's clients of a daemon, run as they stand but for the port, against a real one."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from served import serving

README = (Path(__file__).parents[1] / "README.md").read_text()
CLIENTS = re.findall(r"^<!-- client -->\n```python\n(.*?)^```$", README, re.M | re.S)


def test_there_are_ours_and_another() -> None:
    imported = [re.findall(r"^(?:from|import) (\w+)", client, re.M) for client in CLIENTS]
    assert imported == [["watchword"], ["secrets", "redis"]]


@pytest.mark.parametrize("client", CLIENTS, ids=["watchword.client", "redis-py"])
def test_a_client_of_the_readme_lets_alice_in(tmp_path: Path, client: str) -> None:
    with serving(tmp_path) as daemon:
        codes = daemon.enrol("alice")
        client = client.replace("4001", str(daemon.port))
        for counter, word in ((0, "ACCEPTED"), (1, "ACCEPTED"), (1, "REJECTED")):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(client, {"code": codes.at(counter)})
            assert said.getvalue() == f"{word}\n"
