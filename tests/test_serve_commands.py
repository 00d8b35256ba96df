"""src/watchword/serve/commands.py and resp.py: what client libraries send by themselves.

Every expected byte is what a redis-server 7.0.15 was seen to answer, where it has the command.
"""

import asyncio
from typing import Any

import pytest

import watchword
from watchword.serve.commands import Commands
from watchword.serve.resp import Refusal, Simple, encode


async def nobody_asks(user: str, **_: str) -> watchword.Challenge:
    raise AssertionError(f"a challenge for {user}")


def commands(ask: Any = nobody_asks, gateway: int = 0) -> Commands:
    return Commands(gateway, True, lambda: {"Watchword": {"turns": 7}}, ask)


class Peer:
    """A connection as the commands see it."""

    def __init__(self, protocol: int = 2) -> None:
        self.id = 1
        self.protocol = protocol
        self.name = b""
        self.drained = False

    def drain(self) -> None:
        self.drained = True


def answer(line: str, protocol: int = 2, peer: Peer | None = None) -> bytes:
    said = commands().answer(
        peer or Peer(protocol), [word.encode() for word in line.split()]
    )
    assert isinstance(said, bytes)
    return said


HELLO = (
    b"$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:%d\r\n"
    b"$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
    b"$7\r\nmodules\r\n*0\r\n"
)
NONE_SET = (
    b"-ERR AUTH <password> called without any password configured for the default user. "
    b"Are you sure your configuration is correct?\r\n"
)
WRONGPASS = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"

# command, answer in RESP2, answer in RESP3 when it differs
ANSWERS: list[tuple[str, bytes] | tuple[str, bytes, bytes]] = [
    ("HELLO", b"*14\r\n" + HELLO % 2, b"%7\r\n" + HELLO % 3),
    ("hello 3", b"%7\r\n" + HELLO % 3),
    ("HELLO 2", b"*14\r\n" + HELLO % 2),
    ("HELLO 3 AUTH default pw SETNAME me", b"%7\r\n" + HELLO % 3),
    ("HELLO 3 SETNAME me AUTH default pw", b"%7\r\n" + HELLO % 3),
    ("HELLO 4", b"-NOPROTO unsupported protocol version\r\n"),
    ("HELLO x", b"-ERR Protocol version is not an integer or out of range\r\n"),
    ("HELLO 3 AUTH u pw", WRONGPASS),
    ("HELLO 3 AUTH default", b"-ERR Syntax error in HELLO option 'AUTH'\r\n"),
    ("HELLO 3 NOSUCH", b"-ERR Syntax error in HELLO option\r\n"),
    ("AUTH pw", NONE_SET),
    ("AUTH default pw", b"+OK\r\n"),
    ("AUTH u pw", WRONGPASS),
    ("AUTH", b"-ERR wrong number of arguments for 'auth' command\r\n"),
    ("AUTH a b c", b"-ERR syntax error\r\n"),
    ("PING hello", b"$5\r\nhello\r\n"),
    ("PING a b", b"-ERR wrong number of arguments for 'ping' command\r\n"),
    ("ECHO hello", b"$5\r\nhello\r\n"),
    ("ECHO", b"-ERR wrong number of arguments for 'echo' command\r\n"),
    ("SELECT 0", b"+OK\r\n"),
    ("SELECT 99", b"-ERR DB index is out of range\r\n"),
    ("SELECT -1", b"-ERR DB index is out of range\r\n"),
    ("SELECT x", b"-ERR value is not an integer or out of range\r\n"),
    ("SELECT", b"-ERR wrong number of arguments for 'select' command\r\n"),
    ("CLIENT SETINFO LIB-NAME redis-py", b"+OK\r\n"),
    ("client setinfo lib-ver 8.1.0", b"+OK\r\n"),
    ("CLIENT SETINFO NOSUCH x", b"-ERR Unrecognized option 'NOSUCH'\r\n"),
    ("CLIENT SETINFO", b"-ERR wrong number of arguments for 'client|setinfo' command\r\n"),
    ("CLIENT SETNAME me", b"+OK\r\n"),
    ("CLIENT GETNAME", b"$-1\r\n", b"_\r\n"),
    ("CLIENT ID", b":1\r\n"),
    ("CLIENT", b"-ERR wrong number of arguments for 'client' command\r\n"),
    ("CLIENT MAINT_NOTIFICATIONS ON",
     b"-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n"),
    ("COMMAND", b"*0\r\n"),
    ("COMMAND DOCS", b"*0\r\n", b"%0\r\n"),
    ("COMMAND DOCS VERIFY", b"*0\r\n", b"%0\r\n"),
    ("COMMAND COUNT", b":23\r\n"),
    ("COMMAND NOSUCH", b"-ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP.\r\n"),
    ("CONFIG GET save", b"*2\r\n$4\r\nsave\r\n$0\r\n\r\n", b"%1\r\n$4\r\nsave\r\n$0\r\n\r\n"),
    ("CONFIG GET AppendOnly", b"*2\r\n$10\r\nappendonly\r\n$0\r\n\r\n",
     b"%1\r\n$10\r\nappendonly\r\n$0\r\n\r\n"),
    ("CONFIG GET nosuch", b"*0\r\n", b"%0\r\n"),
    ("CONFIG GET", b"-ERR wrong number of arguments for 'config|get' command\r\n"),
    ("CONFIG SET save x", b"-ERR unknown subcommand 'SET'. Try CONFIG HELP.\r\n"),
    ("CONFIG", b"-ERR wrong number of arguments for 'config' command\r\n"),
    ("RESET", b"+RESET\r\n"),
    ("QUIT", b"+OK\r\n"),
    ("NOSUCH a b",
     b"-ERR unknown command 'NOSUCH'\r\n"),
    ("GET", b"-ERR unknown command 'GET'\r\n"),
    ("USER ADD alice", b"-NOPERM 'USER' is answered on the store's own socket alone\r\n"),
    ("device list alice", b"-NOPERM 'DEVICE' is answered on the store's own socket alone\r\n"),
    ("KEY ROTATE", b"-NOPERM 'KEY' is answered on the store's own socket alone\r\n"),
    ("CLOCK ACCEPT", b"-NOPERM 'CLOCK' is answered on the store's own socket alone\r\n"),
    ("CHALLENGE", b"-ERR wrong number of arguments for 'challenge' command\r\n"),
    ("CHALLENGE carol REALM live", b"-ERR syntax error\r\n"),
    ("CHALLENGE carol DEVICE", b"-ERR syntax error, an option lacks its value\r\n"),
    ("CHALLENGE carol DEVICE a device b", b"-ERR syntax error, an option is given twice\r\n"),
    ("CHALLENGE carol platform desk", b"-ERR PLATFORM is trading or portal\r\n"),
    ("INFO server", b"$55\r\n# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\r\n"),
    ("INFO nosuch", b"$0\r\n\r\n"),
]  # fmt: skip


@pytest.mark.parametrize("row", ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers(row: tuple[str, ...]) -> None:
    line, resp2, resp3 = row[0], row[1], row[-1]
    assert answer(line, 2) == resp2
    assert answer(line, 3) == resp3


def test_info_holds_what_libraries_look_for_and_our_own() -> None:
    said = answer("INFO")
    for line in (b"redis_version:7.0.15\r\n", b"redis_mode:standalone\r\n", b"turns:7\r\n"):
        assert line in said
    assert b"loading:1" not in said
    assert answer("info everything") == said


def test_hello_setname_reset_and_quit_change_the_connection() -> None:
    peer = Peer()
    answer("HELLO 3 SETNAME teller", peer=peer)
    assert (peer.protocol, peer.name) == (3, b"teller")
    assert answer("CLIENT GETNAME", peer=peer) == b"$6\r\nteller\r\n"
    answer("HELLO 2 SETNAME new NOSUCH", peer=peer)
    assert (peer.protocol, peer.name) == (3, b"teller"), "a bad HELLO changes nothing"
    answer("RESET", peer=peer)
    assert (peer.protocol, peer.name) == (2, b"")
    assert not peer.drained
    answer("QUIT", peer=peer)
    assert peer.drained


def test_a_client_name_is_one_printable_word() -> None:
    answers = commands()
    for name in (b"two words", b"line\n", b"\xff"):
        said = answers.answer(Peer(), [b"CLIENT", b"SETNAME", name])
        assert said.startswith(b"-ERR Client names cannot contain spaces")
        assert answers.answer(Peer(), [b"HELLO", b"3", b"SETNAME", name]).startswith(b"-ERR")


def asked(line: bytes, protocol: int = 2, ask: Any = None, gateway: int = 0) -> tuple[bytes, Any]:
    """The reply to a CHALLENGE, and how the engine was asked."""
    heard: list[Any] = []

    async def achallenge(user: str, **given: Any) -> watchword.Challenge:
        heard.append((user, given))
        if isinstance(ask, Exception):
            raise ask
        return watchword.Challenge("1d" * 48, "gold", "123456", 600_000)

    async def main() -> bytes:
        door = commands(achallenge, gateway)
        said = door.answer(Peer(protocol), line.split())
        assert isinstance(said, asyncio.Future), said
        return await said

    return asyncio.run(main()), heard


MAP = (
    b"$2\r\nid\r\n$96\r\n" + b"1d" * 48 + b"\r\n$4\r\nkind\r\n$4\r\ngold\r\n"
    b"$6\r\nprompt\r\n$6\r\n123456\r\n$10\r\nexpires_ms\r\n:600000\r\n"
)


def test_a_challenge_is_a_map() -> None:
    assert asked(b"CHALLENGE carol") == (b"*8\r\n" + MAP, [("carol", {"gateway": "tcp"})])
    said, heard = asked(
        b"challenge carol purpose wire-1 Platform PORTAL DEVICE d1", protocol=3, gateway=1
    )
    assert said == b"%4\r\n" + MAP
    named = {"platform": "portal", "purpose": "wire-1", "device": "d1", "gateway": "admin"}
    assert heard == [("carol", named)]


def test_a_challenge_refused_is_one_line() -> None:
    assert asked(b"CHALLENGE a/b", ask=watchword.InvalidArgument("user is 1 to 64"))[0] == (
        b"-INVALID user is 1 to 64\r\n"
    )
    assert asked(b"CHALLENGE a", ask=watchword.Error("busy"))[0] == b"-ERR busy\r\n"
    said = commands().answer(Peer(), [b"CHALLENGE", b"\xff"])
    assert said == b"-ERR an argument is not UTF-8\r\n"


def test_an_unknown_command_is_repeated_in_one_bounded_line() -> None:
    said = commands().answer(Peer(), [b"no\r\n+OK\xff" + b"x" * 999, b"a" * 500, b"b"])
    assert said.count(b"\r\n") == 1
    assert said.startswith(b"-ERR unknown command 'no  +OK\xffxxx")
    assert len(said) < 350


def test_what_a_connection_keeps_or_hears_again_is_bounded() -> None:
    peer, long = Peer(), b"n" * 513
    for words in ([b"CLIENT", b"SETNAME", long], [b"HELLO", b"3", b"SETNAME", long]):
        assert b"at most 512 bytes" in commands().answer(peer, words)
        assert peer.name == b""
    assert commands().answer(peer, [b"CLIENT", b"SETNAME", long[1:]]) == b"+OK\r\n"
    for words in ([b"CLIENT", long], [b"COMMAND", long], [b"CONFIG", long],
                  [b"CLIENT", b"SETINFO", long, b""]):
        assert len(commands().answer(peer, words)) < 200


@pytest.mark.parametrize("name", ["_facts", "answer", "foreign", "__init__", "", "_hello"])
def test_only_commands_are_commands(name: str) -> None:
    said = commands().answer(Peer(), [name.encode()])
    assert said.startswith(b"-ERR unknown command")


REPLIES = [
    (None, b"$-1\r\n", b"_\r\n"),
    (7, b":7\r\n", b":7\r\n"),
    (-1, b":-1\r\n", b":-1\r\n"),
    (True, b":1\r\n", b":1\r\n"),
    ("text", b"$4\r\ntext\r\n", b"$4\r\ntext\r\n"),
    (b"\xff\r\n", b"$3\r\n\xff\r\n\r\n", b"$3\r\n\xff\r\n\r\n"),
    (Simple("OK"), b"+OK\r\n", b"+OK\r\n"),
    (Refusal("ERR a\r\nb"), b"-ERR a  b\r\n", b"-ERR a  b\r\n"),
    ([1, ["a"], {}], b"*3\r\n:1\r\n*1\r\n$1\r\na\r\n*0\r\n",
     b"*3\r\n:1\r\n*1\r\n$1\r\na\r\n%0\r\n"),
    ({"a": None}, b"*2\r\n$1\r\na\r\n$-1\r\n", b"%1\r\n$1\r\na\r\n_\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "resp2", "resp3"), REPLIES, ids=[repr(r[0]) for r in REPLIES])
def test_replies(reply: object, resp2: bytes, resp3: bytes) -> None:
    assert encode(reply, 2) == resp2
    assert encode(reply, 3) == resp3
