"""src/watchword/formats/columns.py: rows of users and devices, and every line that is none."""

import io

import pytest
from standing import KEY

from watchword import Device, InvalidArgument
from watchword.formats.columns import (
    COLUMNS,
    ROWS_MAX,
    Fault,
    Row,
    Rows,
    harmless,
    line_of,
    lines_of,
    rows_of,
)
from watchword.formats.fields import LINE_BYTES_MAX

KEY32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the same as KEY
SUITE_P = "OCRA-1:HOTP-SHA256-8:C-QN06-PSHA1-T1M"
HEAD = ",".join(COLUMNS)
PHONE = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")


def rows(text: str | bytes) -> list[Row | Fault]:
    return list(rows_of(io.BytesIO(text if isinstance(text, bytes) else text.encode())))


def only(words: dict[str, str]) -> Row | Fault:
    """The row of these fields, under a header of their columns."""
    (found,) = rows(f"{','.join(words)}\n{line_of(words.values())}\n")
    return found


ALICE = {"name": "alice"}
OF_KEY = {**ALICE, "key": KEY32}

# fields -> the device, and what the row has beside it
DEVICES = [
    ({**OF_KEY, "kind": "totp"}, Device.totp(KEY), {}),
    ({**ALICE, "kind": "totp", "key": f"hex:{KEY.hex()}"}, Device.totp(KEY), {}),
    ({**ALICE, "kind": "totp", "key": KEY32.lower()}, Device.totp(KEY), {}),
    (
        {**OF_KEY, "kind": "totp", "digits": "8", "algorithm": "sha512", "period": "60", "t0": "7",
         "window": "2/0", "drift_max": "3", "drift": "-3", "counter": "77"},
        Device.totp(KEY, digits=8, algorithm="sha512", period=60, t0=7, window=(2, 0), drift_max=3),
        {"drift": -3, "moving": 77},
    ),
    ({**OF_KEY, "kind": "totp", "window": "3"}, Device.totp(KEY, window=3), {}),
    ({**OF_KEY, "kind": "hotp", "counter": "5", "look_ahead": "0", "serial": "S-1"},
     Device.hotp(KEY, look_ahead=0), {"moving": 5, "serial": "S-1"}),
    ({**OF_KEY, "kind": "dsc", "counter": str(2**64 - 1)}, Device.dsc(KEY),
     {"moving": 2**64 - 1}),  # which has given its last code
    ({**OF_KEY, "kind": "alpine", "drift": "10"}, Device.alpine(KEY), {"drift": 10}),
    ({**OF_KEY, "kind": "dsc", "digits": "6"}, Device.dsc(KEY), {}),
    ({**OF_KEY, "kind": "gold", "device_state": "suspended"}, Device.gold(KEY),
     {"device_state": "suspended"}),
    ({**OF_KEY, "kind": "ib-key", "pin": "4711"}, Device.ib_key(KEY, "4711"), {}),
    ({**OF_KEY, "kind": "ocra", "suite": SUITE_P, "pin": "1", "look_ahead": "3", "window": "1"},
     Device.ocra(KEY, SUITE_P, pin="1", look_ahead=3), {}),
    ({**OF_KEY, "kind": "ocra", "suite": SUITE_P, "pin_hash": "ab" * 20, "counter": "9"},
     Device.ocra(KEY, SUITE_P, pin_hash=b"\xab" * 20), {"moving": 9}),
    ({**OF_KEY, "kind": "code-card", "counter": "49952"}, Device.code_card(KEY), {"moving": 49952}),
    ({**OF_KEY, "kind": "online-code-card", "once": "true"},
     Device.of("online-code-card", KEY, once=True), {}),
    ({**OF_KEY, "kind": "totp", "pin": "a1b2"}, Device.totp(KEY, pin="a1b2"), {}),
    ({**OF_KEY, "kind": "sms"}, Device.sms(KEY), {}),
    ({**OF_KEY, "kind": "ib-key", "pin": "4711", "phone": PHONE.hex()},
     Device.ib_key(KEY, "4711", PHONE), {}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "device", "rest"), DEVICES)
def test_a_row_is_its_device(words, device, rest):
    found = only(words)
    expected = {"serial": None, "device_state": "active", "moving": 0, "drift": 0, **rest}
    assert isinstance(found, Row), found
    assert found.device == device
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_row_without_a_device_is_a_user():
    assert only({"name": "alice", "state": "pending", "realm": "paper"}) == Row(
        2, "alice", "pending", "paper"
    )
    assert only(ALICE) == Row(2, "alice")


def test_the_key_of_a_phone_is_made_where_none_is_given():
    one, two = (only({"name": "alice", "kind": "sms"}) for _ in range(2))
    assert isinstance(one, Row)
    assert isinstance(two, Row)
    assert one.keyless
    assert one.device != two.device


# fields -> the column, and what is legal there
FAULTS = [
    ({"name": ""}, "the line", None),
    ({"name": "", "state": "open"}, "name", "is empty"),
    ({**ALICE, "state": "shut"}, "state", "is one of open, pending, closed"),
    ({**ALICE, "realm": "LIVE"}, "realm", "is one of live, paper"),
    ({**ALICE, "kind": "temporary-passcode"}, "key", "is base32"),
    ({**OF_KEY, "kind": "temporary-passcode"}, "key", "passcodes are issued, not imported"),
    ({**ALICE, "kind": "temporary-passcode", "counter": "1", "serial": "P"}, "counter", "is not"),
    ({**ALICE, "kind": "toString"}, "kind", "is one of"),
    ({**ALICE, "kind": "toTP"}, "kind", "is one of totp, hotp, ocra, dsc-plus"),
    ({**ALICE, "kind": "totp"}, "key", "is base32, or hex after 'hex:'"),
    ({**ALICE, "kind": "totp", "key": "11111111"}, "key", "is base32"),
    ({**ALICE, "kind": "totp", "key": "hex:abc"}, "key", "is base32"),
    ({**ALICE, "kind": "totp", "key": "AAAA"}, "key", "is 10 to 128 bytes"),
    ({**ALICE, "serial": "S"}, "serial", "is for a device, and kind is empty"),
    ({**OF_KEY}, "key", "is for a device"),
    ({**OF_KEY, "kind": "totp", "digits": "9"}, "digits", "is a whole number from 6 to 8"),
    ({**OF_KEY, "kind": "totp", "digits": "\u0668"}, "digits", "is a whole number"),
    ({**OF_KEY, "kind": "totp", "digits": "6.0"}, "digits", "is a whole number"),
    ({**OF_KEY, "kind": "totp", "algorithm": "md5"}, "algorithm", "sha1"),
    ({**OF_KEY, "kind": "totp", "period": "0"}, "period", "is a whole number from 1 to 3600"),
    ({**OF_KEY, "kind": "totp", "t0": "9" * 21}, "t0", "is a whole number from 0 to"),
    ({**OF_KEY, "kind": "totp", "window": "1/2/3"}, "window", "is 0 to 10 steps either side"),
    ({**OF_KEY, "kind": "totp", "window": "11"}, "window", "0 to 10"),
    ({**OF_KEY, "kind": "totp", "drift_max": "11"}, "drift_max", "from 0 to 10"),
    ({**OF_KEY, "kind": "totp", "drift": "1"}, "drift", "is at most drift_max, 0, either way"),
    ({**OF_KEY, "kind": "totp", "look_ahead": "1"}, "look_ahead", "is not for a device of kind"),
    ({**OF_KEY, "kind": "totp", "pin": "1"}, "pin", "must be text of 4 to 16"),
    ({**OF_KEY, "kind": "totp", "pin": "*"}, "pin", "is kept as a hash and never written"),
    ({**OF_KEY, "kind": "gold", "pin_hash": "ab"}, "pin_hash", "must be left out"),
    ({**OF_KEY, "kind": "totp", "once": "true"}, "once", "is not for"),
    ({**OF_KEY, "kind": "hotp", "period": "30"}, "period", "is not for a device of kind hotp"),
    ({**OF_KEY, "kind": "hotp", "counter": "-1"}, "counter", "is a whole number from 0 to"),
    ({**OF_KEY, "kind": "hotp", "counter": str(2**64)}, "counter", "from 0 to"),
    ({**OF_KEY, "kind": "hotp", "look_ahead": "101"}, "look_ahead", "from 0 to 100"),
    ({**OF_KEY, "kind": "code-card", "counter": "49953"}, "counter", "from 0 to 49952"),
    ({**OF_KEY, "kind": "code-card", "once": "yes"}, "once", "is one of true, false"),
    ({**OF_KEY, "kind": "code-card", "digits": "6"}, "digits", "is not for"),
    ({**OF_KEY, "kind": "ocra"}, "suite", "is needed for a device of kind ocra"),
    ({**OF_KEY, "kind": "ocra", "suite": "OCRA-2"}, "suite", "must be OCRA-1"),
    ({**OF_KEY, "kind": "gold", "counter": "1"}, "counter", "the suite has no C"),
    ({**OF_KEY, "kind": "gold", "look_ahead": "1"}, "look_ahead", "the suite has no C"),
    ({**OF_KEY, "kind": "gold", "window": "1"}, "window", "must be left out: the suite has no T"),
    ({**OF_KEY, "kind": "gold", "pin": "x"}, "pin", "must be text of 4 to 16 digits"),
    ({**OF_KEY, "kind": "ib-key"}, "pin", "is needed"),
    ({**OF_KEY, "kind": "ib-key", "pin": "12"}, "pin", "4 to 6"),
    ({**OF_KEY, "kind": "ib-key", "pin_hash": "zz"}, "pin_hash", "is hex digits"),
    ({**OF_KEY, "kind": "ib-key", "pin_hash": "ab"}, "pin_hash", "32"),
    ({**OF_KEY, "kind": "totp", "device_state": "gone"}, "device_state", "is one of shipped"),
    ({**OF_KEY, "kind": "ib-key", "pin": "4711", "phone": "ab"}, "phone", "is an Ed25519 key"),
    ({**OF_KEY, "kind": "gold", "phone": PHONE.hex()}, "phone", "must be left out"),
    ({**OF_KEY, "kind": "totp", "phone": PHONE.hex()}, "phone", "is not for a device of kind"),
    ({**ALICE, "state": "x" * 600}, "state", "is at most 512 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "column", "says"), FAULTS)
def test_a_fault_names_its_row_its_column_and_what_is_legal(words, column, says):
    if says is None:  # an empty line is no row
        assert rows("name\n\n\r\nalice\n") == [Row(4, "alice")]
        return
    found = only(words)
    assert isinstance(found, Fault), found
    assert (found.row, found.column) == (2, column)
    assert says in found.says
    assert "GEZD" not in str(found)


# lines under the header "name,state,key" -> column and words
HOSTILE = [
    (b"al\0ice,,", "name", "holds a NUL"),
    (b"alice,\x1b[31m,", "state", "holds a control character"),
    (b"alice,,a\rb", "key", "holds a control character"),
    ("alice,,\u2028".encode(), "key", "holds a control character"),
    (b"alice,\xff,", "state", "is not UTF-8"),
    (b"alice,,,,,\xc3", "column 6", "is not UTF-8"),
    ("\u00e4".encode("latin-1") + b",,", "name", "is not UTF-8"),
    (b"alice,", "the line", "has 2 fields, the header has 3"),
    (b"alice,,,", "the line", "has 4 fields, the header has 3"),
    (b'"alice,,', "the line", "has quotes that do not belong together"),
    (b'"alice"x,,', "the line", "has quotes"),
    (b"=cmd,,", "name", "begins like a formula; write an apostrophe before it"),
    (b"+1,,", "name", "begins like a formula"),
    (b"-1,,", "name", "begins like a formula"),
    (b"@sum,,", "name", "begins like a formula"),
    (b'"=1+1",,', "name", "begins like a formula"),
    (b"alice,,=A1", "key", "begins like a formula"),
    (b"x" * (LINE_BYTES_MAX + 1), "the line", f"is at most {LINE_BYTES_MAX} bytes"),
    (b"x" * 5_000_000, "the line", f"is at most {LINE_BYTES_MAX} bytes"),
]


@pytest.mark.parametrize(("line", "column", "says"), HOSTILE)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_hostile_line_harms_itself_alone(line, column, says, end):
    found = rows(b"name,state,key" + end + line + end + b"bob,open," + end)
    assert len(found) == 2
    assert isinstance(found[0], Fault)
    assert found[0][:2] == (2, column)
    assert says in found[0].says
    assert found[1] == Row(3, "bob", "open")


def test_bytes_that_say_nothing_are_no_harm():
    text = b'\xef\xbb\xbf"name",state\r\n"alice",open\r\n\r\nbob,'
    assert rows(text) == [Row(2, "alice", "open"), Row(4, "bob")]
    assert rows("name\n'=alice\n") == [Row(2, "=alice")]  # what an export writes of such a name
    assert rows("name\n'alice\n") == [Row(2, "'alice")]
    assert rows('name\n"a,b"\n') == [Row(2, "a,b")]


NO_FILES = [
    (b"", "the file is empty"),
    (b"\n\n", "the file is empty"),
    ("name\nalice".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
    (b"\xfe\xff\0n", "the file is UTF-16"),
    (b"alice,totp\n", "the header has a column 'alice'"),
    (b"name;state\n", "the header has a column 'name;state'"),
    (b"state,kind\n", "the header has no column 'name'"),
    (b"name,name\n", "the header has the column 'name' twice"),
    (b"name,\n", "the header has a column ''"),
    (b'name,"\n', "the header: the line has quotes"),
    (b"na\0me\n", "the header: column 1 holds a NUL"),
    (b"name," + b"x" * 5_000, "the header: the line is at most"),
]


@pytest.mark.parametrize(("text", "says"), NO_FILES)
def test_what_is_no_csv_file_is_told(text, says):
    with pytest.raises(InvalidArgument, match=says):
        rows(text)


def test_a_file_has_so_many_rows_at_most(monkeypatch):
    monkeypatch.setattr("watchword.formats.columns.ROWS_MAX", 3)
    assert len(rows("name\na\nb\n")) == 2
    with pytest.raises(InvalidArgument, match="more than 3 rows: import it in parts"):
        rows("name\na\nb\nc\n")
    assert ROWS_MAX == 1_000_000


def test_any_bytes_make_rows_or_faults_or_no_file(rng):
    """Nothing else comes out, whatever goes in."""
    pieces = [b",", b'"', b"\n", b"\r", b"\0", b"name", b"kind", b"totp", KEY32.encode(), b"\xff",
              b"alice,,,\n", b"=", b"'", b"key", b"hex:", b"-1", b"9" * 30, b" ",
              "\u0663".encode()]  # fmt: skip
    seen: set[type] = set()
    for _ in range(3_000):
        begin = rng.choice([b"name,kind,key,counter\n"] * 5 + [b""])
        body = b"".join(rng.choice(pieces) for _ in range(rng.randrange(30)))
        try:
            seen |= {type(found) for found in rows(begin + body)}
        except InvalidArgument:
            seen.add(InvalidArgument)
    assert seen == {Row, Fault, InvalidArgument}


def test_a_line_that_is_written_is_read_back(rng):
    letters = ["a", "b", ",", '"', "'", "=", "-", "+", "@", " ", "\u00e9", "7"]
    for _ in range(2_000):
        name = "".join(rng.choice(letters) for _ in range(rng.randint(1, 6)))
        if name.startswith("'") and name[1:2] in ("=", "+", "-", "@"):
            continue  # which was written with one apostrophe already
        found = rows(f"state,name\n{line_of(['open', harmless('name', name)])}\n")
        assert found == [Row(2, name, "open")], name
    assert harmless("drift", "-3") == "-3"


def test_lines_are_numbered_as_an_editor_numbers_them():
    text = io.BytesIO(b"name\n\n" + b"x" * 10_000 + b"\nalice\n")
    assert [number for number, _ in lines_of(text)] == [1, 3, 4]
    assert Rows(b"state,name").name(b"open,alice") == "alice"
    assert Rows(b"state,name").fault(7, b"open") == Fault(
        7, "the line", "has 1 fields, the header has 2"
    )
