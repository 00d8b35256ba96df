"""The README's clients of a daemon, run as they stand but for the port, against a real one."""

import contextlib
import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from served import serving

NODE = Path(__file__).parent / "node"
SECONDS_MAX = 60
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


def test_node_lets_alice_in(tmp_path: Path) -> None:
    (script,) = re.findall(r"^<!-- client -->\n```js\n(.*?)^```$", README, re.M | re.S)
    assert (NODE / "node_modules").is_dir(), "tests/tools.sh brings node's clients"
    with serving(tmp_path) as daemon:
        codes = daemon.enrol("alice")
        asks = "".join(f"await login('alice', {json.dumps(code)});\n"
                       for code in (codes.at(0), codes.at(1), codes.at(1)))  # fmt: skip
        script = f"{script}(async () => {{\n{asks}}})();\n".replace("4001", str(daemon.port))
        done = subprocess.run(
            ["node", "-e", script], cwd=NODE, text=True, capture_output=True, check=False,
            timeout=SECONDS_MAX,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "ACCEPTED\nACCEPTED\nREJECTED\n"), done.stderr
