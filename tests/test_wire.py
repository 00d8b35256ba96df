"""ext/wire.c: RESP frames and inline lines out of a byte range, and ext/options.pxi's neighbours.

Errors and leniencies are those a redis-server 7.0.15 was seen to have; where ours differ, the row
says so. Every row is parsed whole, byte by byte, and cut in two at every place: all must agree.
"""

import random

import pytest

from watchword._engine import wire_error, wire_parse

MORE, COMMAND, ROOM, HTTP = 0, 1, 2, 3
BAD_MULTIBULK, BAD_BULK, EXPECTED_BULK = -1, -2, -3
TOO_BIG_INLINE, UNBALANCED, TOO_BIG, TOO_MANY_ARGS = -4, -5, -6, -7
COMMAND_BYTES_MAX, MANY_BYTES_MAX = 65_536, 262_144


def frame(*args: bytes) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in args)


# bytes, frames, status after them
FRAMES = [
    (b"", [], MORE),
    (frame(b"PING"), [[b"PING"]], MORE),
    (frame(b"VERIFY", b"alice", b"123456"), [[b"VERIFY", b"alice", b"123456"]], MORE),
    (frame(b"ECHO", b""), [[b"ECHO", b""]], MORE),
    (frame(b"ECHO", b"\r\n*1\r\n$-5\0"), [[b"ECHO", b"\r\n*1\r\n$-5\0"]], MORE),
    (frame(b"A", b"b") + frame(b"C"), [[b"A", b"b"], [b"C"]], MORE),
    (frame(*[b"x"] * 100), [[b"x"] * 100], MORE),
    # skipped: empty arrays, of whatever negative size, and blank lines
    (b"*0\r\n" + frame(b"A"), [[], [b"A"]], MORE),
    (b"*-1\r\n*-7\r\n" + frame(b"A"), [[], [], [b"A"]], MORE),
    (b"\r\n\n \t\r\n" + frame(b"A"), [[], [], [], [b"A"]], MORE),
    # the two bytes behind a bulk are passed over unread
    (b"*1\r\n$4\r\nPINGxx" + frame(b"A"), [[b"PING"], [b"A"]], MORE),
    # what stands before a mistake is served
    (frame(b"A") + b"*abc\r\n", [[b"A"]], BAD_MULTIBULK),
    # counts
    (b"*abc\r\n", [], BAD_MULTIBULK),
    (b"*\r\n", [], BAD_MULTIBULK),
    (b"*+1\r\n", [], BAD_MULTIBULK),
    (b"*01\r\n", [], BAD_MULTIBULK),
    (b"*-0\r\n", [], BAD_MULTIBULK),
    (b"*--1\r\n", [], BAD_MULTIBULK),
    (b"*1 \r\n", [], BAD_MULTIBULK),
    (b"*1\n", [], BAD_MULTIBULK),
    (b"*1\rX", [], BAD_MULTIBULK),  # stricter than Redis, which skips the byte after CR
    (b"*99999999999999999999\r\n", [], BAD_MULTIBULK),
    (b"*8213\r\n", [], TOO_MANY_ARGS),
    (b"*8212\r\n", [], MORE),
    # bulks
    (b"*1\r\n+PING\r\n", [], EXPECTED_BULK),
    (b"*1\r\n\r\n", [], EXPECTED_BULK),
    (b"*2\r\n$1\r\nA\r\n:1\r\n", [], EXPECTED_BULK),
    (b"*1\r\n$-5\r\n", [], BAD_BULK),
    (b"*1\r\n$-1\r\n", [], BAD_BULK),
    (b"*1\r\n$x\r\n", [], BAD_BULK),
    (b"*1\r\n$\r\n", [], BAD_BULK),
    (b"*1\r\n$536870913\r\n", [], BAD_BULK),
    (b"*1\r\n$65537\r\n", [], BAD_BULK),
    (b"*1\r\n$65536\r\n", [], TOO_BIG),  # with its own header it is past 64 kB
    (b"*2\r\n$30000\r\n" + bytes(30_002) + b"$40000\r\n", [], TOO_BIG),
    # HTTP is never answered, whatever follows
    (b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", [], HTTP),
    (b'POST /"unbalanced HTTP/1.1\r\n', [], HTTP),
    (b" head\t/\n", [], HTTP),
    (b"GET\r\n", [], HTTP),
    (b"Host:localhost\r\n", [], HTTP),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [], HTTP),
    (frame(b"A") + b"OPTIONS * HTTP/1.1\r\n", [[b"A"]], HTTP),
    (b"GETS x\r\n", [[b"GETS", b"x"]], MORE),
    (frame(b"GET", b"x"), [[b"GET", b"x"]], MORE),
    # inline lines
    (b"PING\r\n", [[b"PING"]], MORE),
    (b"PING\n", [[b"PING"]], MORE),
    (b"PING", [], MORE),
    (b"  VERIFY \talice   123456  \r\n", [[b"VERIFY", b"alice", b"123456"]], MORE),
    (b"ECHO \xff\x00\xfe\r\n", [[b"ECHO", b"\xff\x00\xfe"]], MORE),  # Redis ends its line at 0
    (b"a\r b\r\n", [[b"a", b"b"]], MORE),
]
QUOTES = [
    (b'ECHO "a b"', [b"ECHO", b"a b"]),
    (b"ECHO 'a b'", [b"ECHO", b"a b"]),
    (b'"ECHO" ""', [b"ECHO", b""]),
    (b"ECHO ''", [b"ECHO", b""]),
    (rb'ECHO "\x41\xfF\n\r\t\b\a\q\"\\"', [b"ECHO", b'A\xff\n\r\t\x08\x07q"\\']),
    (rb'ECHO "\xZZ\x4"', [b"ECHO", b"xZZx4"]),
    (rb"ECHO '\'\n\\ '", [b"ECHO", b"'\\n\\\\ "]),
    (rb"ECHO '\\'", None),  # the second backslash belongs to the quote
    (b'ECHO a"b c"', [b"ECHO", b"ab c"]),
    (b"ECHO a'b'", [b"ECHO", b"ab"]),
    (rb"ECHO \x41", [b"ECHO", rb"\x41"]),
    (rb'"\x2a1" "*2"', [b"*1", b"*2"]),  # no array, though its first byte becomes a star
    (b'ECHO "a', None),
    (b'ECHO "a"b', None),
    (b"ECHO 'a", None),
    (b"ECHO 'a'b", None),
    (b'ECHO "a\\"', None),
    (b'"', None),
]
FRAMES += [
    (line + end, [words] if words is not None else [], UNBALANCED if words is None else MORE)
    for line, words in QUOTES
    for end in (b"\r\n", b"\n")
]


@pytest.mark.parametrize(
    ("sent", "frames", "status"), FRAMES, ids=[repr(f[0])[:40] for f in FRAMES]
)
def test_frames(sent: bytes, frames: list[list[bytes]], status: int) -> None:
    assert wire_parse(sent)[:2] == (frames, status)
    assert wire_parse(sent, range(1, len(sent)))[:2] == (frames, status), "byte by byte"
    cuts = range(len(sent)) if len(sent) < 1000 else range(0, len(sent), 997)
    for cut in cuts:
        assert wire_parse(sent, [cut])[:2] == (frames, status), f"cut at {cut}"
    for room in (1, 2, 3, 8_212):
        assert wire_parse(sent, (), room)[:2] == (frames, status), f"args by {room}"


def test_the_byte_found_instead_of_a_bulk_is_told() -> None:
    assert wire_parse(b"*1\r\n+PING\r\n") == ([], EXPECTED_BULK, ord("+"))
    assert wire_parse(b"*1\r\n\xffPING\r\n") == ([], EXPECTED_BULK, 0xFF)


ERRORS = [
    (BAD_MULTIBULK, b"-ERR Protocol error: invalid multibulk length"),
    (BAD_BULK, b"-ERR Protocol error: invalid bulk length"),
    (EXPECTED_BULK, b"-ERR Protocol error: expected '$', got "),
    (TOO_BIG_INLINE, b"-ERR Protocol error: too big inline request"),
    (UNBALANCED, b"-ERR Protocol error: unbalanced quotes in request"),
    (TOO_BIG, b"-ERR Protocol error: too big command"),
    (TOO_MANY_ARGS, b"-ERR Protocol error: invalid multibulk length"),
    (MORE, b""),
    (COMMAND, b""),
    (ROOM, b""),
    (HTTP, b""),
]


@pytest.mark.parametrize(("status", "text"), ERRORS)
def test_error_texts(status: int, text: bytes) -> None:
    assert wire_error(status) == text


def sized(name: bytes, total: int) -> bytes:
    """A command of two arguments that is exactly `total` bytes long."""
    for filler in range(max(0, total - 80), total):
        made = frame(name, bytes(filler))
        if len(made) == total:
            return made
    raise AssertionError(f"no frame of {total} bytes")


@pytest.mark.parametrize(
    ("name", "limit"),
    [(b"VERIFY", COMMAND_BYTES_MAX), (b"VERIFYMANY", MANY_BYTES_MAX),
     (b"verifymany", MANY_BYTES_MAX), (b"VERIFYMANYX", COMMAND_BYTES_MAX)],
)  # fmt: skip
def test_the_limit_of_a_command_is_exact(name: bytes, limit: int) -> None:
    frames, status, _ = wire_parse(sized(name, limit))
    assert (len(frames), status) == (1, MORE)
    # one byte more is refused at its announcement, long before it has arrived
    announced = sized(name, limit + 1)[:60]
    assert wire_parse(announced)[1] in (TOO_BIG, BAD_BULK)


def test_the_limit_of_a_line_is_exact() -> None:
    line = b"ECHO " + b"a" * (COMMAND_BYTES_MAX - 6) + b"\n"
    assert wire_parse(line)[0] == [[b"ECHO", b"a" * (COMMAND_BYTES_MAX - 6)]]
    assert wire_parse(b"a" + line)[:2] == ([], TOO_BIG_INLINE)
    assert wire_parse(b"a" * 70_000)[:2] == ([], TOO_BIG_INLINE)
    assert wire_parse(b"a" * (COMMAND_BYTES_MAX - 1))[:2] == ([], MORE)


def test_the_most_pairs_arrive_byte_by_byte() -> None:
    """A quarter of a megabyte in single bytes ends in no time only if no byte is read twice."""
    pairs = [word for i in range(4_096) for word in (b"user%d" % i, b"%06d" % i)]
    sent = frame(b"VERIFYMANY", b"4096", *pairs, b"PLATFORM", b"portal")
    frames, status, _ = wire_parse(sent, range(1, len(sent)), 512)
    assert status == MORE
    assert frames == [[b"VERIFYMANY", b"4096", *pairs, b"PLATFORM", b"portal"]]


PIECES = [
    b"*", b"$", b"1", b"2", b"3", b"6", b"-", b"\r\n", b"\n", b"\r", b" ", b'"', b"'", b"\\",
    b"\\x4", b"PING", b"VERIFY", b"VERIFYMANY", b"GET ", b"Host:", b"\0",
    b"*2\r\n$4\r\nECHO\r\n$1\r\na\r\n",
]  # fmt: skip


def test_any_bytes_in_any_pieces(rng: random.Random) -> None:
    for _ in range(2_000):
        sent = b"".join(rng.choices(PIECES, k=rng.randrange(1, 30)))
        if rng.random() < 0.3:
            sent += rng.randbytes(rng.randrange(20))
        whole = wire_parse(sent)
        cuts = sorted(rng.sample(range(len(sent) + 1), rng.randrange(len(sent) + 1)))
        assert wire_parse(sent, cuts, rng.randrange(1, 9)) == whole, (sent, cuts, rng)
        assert whole[1] <= 0 or whole[1] == HTTP, (sent, rng)
