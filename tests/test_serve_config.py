"""src/watchword/serve/config.py: one commented file, safe defaults, and no setting misread."""

import re
import tomllib
from pathlib import Path

import pytest

from watchword import InvalidArgument, Policy
from watchword.keys import Credential, KeyFd, KeyFile
from watchword.serve import limits
from watchword.serve.config import TEMPLATE, Config


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "watchword.toml"
    path.write_text(text)
    return Config.load(path)


def commented(text: str) -> list[str]:
    """Settings that are shown, and not in force."""
    return re.findall(r"^# (\w+ = .*)$", text, re.M)


def test_the_template_says_the_defaults_and_every_setting() -> None:
    said = tomllib.loads(TEMPLATE)
    assert said.pop("key") == {}
    for table in ("policy", "delivery", "journal", "tls"):
        assert said.pop(table) == {}
    assert Config(**said) == Config()
    apart = {"key", "policy", "delivery", "retention", "known_head", "tls", "gateway"}
    assert set(said) | apart == set(Config.__slots__)
    # what stands commented out is legal too, one key source at a time
    shown = commented(TEMPLATE)
    sources = [line for line in shown if line.split()[0] in ("file", "fd", "credential")]
    assert len(sources) == 3
    for line in sources:
        Config.from_table({"key": tomllib.loads(line)})
    delivery = [line for line in shown if line.split()[0] in ("webhook", "timeout_ms", "attempts")]
    assert Config.from_table({"delivery": tomllib.loads("\n".join(delivery))}).delivery
    journal = [line for line in shown if line.split()[0] in ("days", "disk_percent", "known_head")]
    kept = Config.from_table({"journal": tomllib.loads("\n".join(journal))})
    assert kept.retention == Config().retention
    assert kept.known_head == "/mnt/other/watchword-head.json"
    listed = commented(TEMPLATE.partition("# [[gateway]]")[2].partition("\n[")[0])
    Config.from_table({"gateway": [tomllib.loads("\n".join(listed))]})
    tls = commented(TEMPLATE.partition("[tls]\n")[2].partition("# The access list")[0])
    Config.from_table({"tls": tomllib.loads("\n".join(tls))})
    others = {*sources, *delivery, *journal, *listed, *tls}
    rest = {line for line in shown if not line.startswith(("secret_file", "archive"))} - others
    Config.from_table({"policy": tomllib.loads("\n".join(rest))})


def test_a_file_is_read_and_its_paths_are_its_own(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        'listen = "[::1]:4002"\nstore = "here/store"\nreasons = false\nunlocked_memory = true\n'
        'page_interval_ms = 50\n[key]\nfile = "the.key"\n[policy]\nlockout_failures = 5\n',
    )
    assert config.address() == ("::1", 4002)
    assert config.store == str(tmp_path / "here" / "store")
    assert (config.reasons, config.unlocked_memory, config.page_interval_ms) == (False, True, 50)
    assert isinstance(config.key, KeyFile)
    assert config.key.path == str(tmp_path / "the.key")
    assert config.policy == Policy(lockout_failures=5)
    assert load(tmp_path, 'store = "/abs"\n').store == "/abs"


def test_key_sources(tmp_path: Path) -> None:
    assert Config().key is None
    assert isinstance(load(tmp_path, "[key]\nfd = 3\n").key, KeyFd)
    assert isinstance(load(tmp_path, '[key]\ncredential = "k"\n').key, Credential)


REFUSED = [
    ("no toml", "is not TOML"),
    ("\xff = 1", "is not TOML"),
    ("port = 4001", "no setting named 'port'"),
    ("a = 1\nb = 2", "no setting named 'a', 'b'"),
    ('listen = "4001"', "listen must be"),
    ('listen = "127.0.0.1"', "listen must be"),
    ('listen = "127.0.0.1:65536"', "listen must be"),
    ('listen = "127.0.0.1:-1"', "listen must be"),
    ('listen = "example.com:4001"', "listen must be an IP address"),
    ("listen = 4001", "listen must be"),
    ('listen = "0.0.0.0:4001"', "loopback"),
    ('listen = "192.0.2.1:4001"', "loopback"),
    ('listen = "[::]:4001"', "loopback"),
    ("reasons = 1", "reasons must be true or false"),
    ('unlocked_memory = "yes"', "unlocked_memory must be true or false"),
    ("page_interval_ms = 0", "page_interval_ms must be 10 to"),
    ("page_interval_ms = true", "page_interval_ms must be 10 to"),
    ("page_interval_ms = 1.5", "page_interval_ms must be 10 to"),
    ('store = ""', "store must be"),
    ("store = 7", "store must be"),
    ('store = ":memory:"', "store must be"),
    ("key = 7", "key must be a table"),
    ('[key]\npassword = "x"', "takes one of file, fd, credential"),
    ('[key]\nfile = "a"\nfd = 3', "takes one of"),
    ('[key]\nfile = ""', "key file must be a path"),
    ("[key]\nfd = 0", "key fd must be"),
    ("[key]\nfd = true", "key fd must be"),
    ("[key]\ncredential = 1", "key credential must be a name"),
    ("policy = 7", "policy must be a table"),
    ("[policy]\nnosuch = 1", "no figure named 'nosuch'"),
    ("[policy]\nlockout_failures = 0", "lockout_failures"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_not_understood_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "watchword.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidArgument, match=said):
        Config.load(path)


def test_limits_are_whole_and_where_the_document_says() -> None:
    assert all(getattr(limits, name) > 0 for name in limits.__all__)
    assert sorted(name for name in dir(limits) if name.isupper()) == sorted(limits.__all__)
    assert limits.ANSWERS_MAX == 4_096
    assert limits.UNREAD_BYTES_MAX == 256 * 1024
    assert (limits.PARTIAL_SECONDS_MAX, limits.IDLE_SECONDS_MAX) == (5, 300)
    assert limits.CONNECTIONS_MAX == 10_000


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"dayz": 3}, "takes any of days, disk_percent, archive, known_head"),
        ({"days": 0}, "days is 1 to 36500"),
        ({"disk_percent": 101}, "disk_percent is 1 to 100"),
        ({"archive": "no-such-directory"}, "archive is a directory that exists"),
        ({"archive": 3}, "archive must be a path"),
        ({"known_head": ""}, "known_head must be a path"),
    ],
)
def test_what_the_journal_may_be_told_is_held_to_its_limits(
    table: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        Config.from_table({"journal": table})
