"""A gateway that has the users of one realm alone: to it whoever is of another is nobody.

Two engines under one key, with one clock and one source of randomness; in the first of them alone
there is `alice`, of the other realm. Whatever the gateway asks of her it hears the same, to the id
and the digit, and she is as she was. The slow twin is asked the same; and a daemon, whose access
list says who is confined.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from papers import listed, token_of
from served import Client, ReplyError, Served, frame, serving

import watchword
from watchword import Device, Engine, InvalidArgument, NotFound, Policy, reference
from watchword.reference import Attempt, Figures, Reference

KEY, NOW_MS = b"12345678901234567890", 1_700_000_000_000
GATEWAY = "papers"
QUESTIONS = [("pets", "Which pet?", "Rex"), ("towns", "Which town?", "Rome"),
             ("books", "Which book?", "Emma")]  # fmt: skip
PHONE = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="


class Doubles:
    """The two engines; what is asked of both is compared."""

    def __init__(self, realm: str) -> None:
        self.now_ms = NOW_MS
        self.drawn = 0
        self.opened = [self.engine(), self.engine()]
        for engine in self.opened:
            engine.confine({GATEWAY: realm})
        first = self.opened[0]
        first.add_user("alice", realm="live")
        first.add_device("alice", Device.of("hotp", KEY), serial="HOTP")
        first.add_device("alice", Device.of("gold", KEY), serial="GOLD")
        first.ship_device("alice", Device.of("dsc", KEY + b"new"), serial="NEW")
        first.set_questions("alice", QUESTIONS)

    def engine(self) -> Engine:
        drawn = [0]

        def entropy(n: int) -> bytes:
            drawn[0] += 1
            return self.drawn.to_bytes(4, "big").rjust(n, b"\x5a")

        policy = Policy(password_memory_kib=32, password_passes=1, security_questions=True)
        return Engine.open(
            policy=policy, key=b"k" * 32, clock=lambda: self.now_ms, entropy=entropy,
            deliver=lambda _: None,
        )  # fmt: skip

    def both(self, verb: str, *words: Any, **options: Any) -> Any:
        self.now_ms += 1_000
        self.drawn += 1
        said = [self.said(engine, verb, *words, **options) for engine in self.opened]
        assert said[0] == said[1], verb
        return said[0]

    def said(self, engine: Engine, verb: str, *words: Any, **options: Any) -> Any:
        try:
            told = getattr(engine, verb)(*words, gateway=GATEWAY, **options)
        except (InvalidArgument, NotFound) as error:
            return type(error).__name__, error.args[0]
        if isinstance(told, watchword.Verdict):
            return told.code, told.shown, told.device, told.retry_after_ms, told.reason
        if isinstance(told, (watchword.Shared, watchword.Enrolment)):
            return told.verdict.code, told.verdict.shown, told.serial
        return told

    def close(self) -> None:
        for engine in self.opened:
            engine.close()


@pytest.fixture
def doubles() -> Iterator[Doubles]:
    made = Doubles("paper")
    yield made
    made.close()


def played(doubles: Doubles) -> list[Any]:
    """Every verb that takes a gateway and names a user, with what is right wherever it can be."""
    both = doubles.both
    asked = both("challenge", "alice", device="GOLD")
    answer = watchword.ocra("OCRA-1:HOTP-SHA1-6:QN06", KEY, asked.prompt)
    again = both("challenge", "alice", device="GOLD")
    assert again == asked
    told = [asked.prompt]
    told.append(both("challenge", "alice", purpose="activate device"))
    told.append(both("send_code", "alice"))
    told.append(both("push", "alice"))
    told.append(both("activate", "alice", "NEW", watchword.hotp(KEY + b"new", 0)))
    told.append(both("activate", "alice", "NEW", answer, challenge=asked.id))
    told.append(both("change_pin", "alice", "1234", watchword.hotp(KEY, 0), "2580"))
    told.append(both("change_password", "alice", "old", watchword.hotp(KEY, 1), "correct horse 1"))
    told.append(both("opt_in", "alice", watchword.hotp(KEY, 2), device="HOTP"))
    told.append(both("opt_in", "alice", ""))
    told.append(both("share_device", "bob", "alice", "HOTP", watchword.hotp(KEY, 3)))
    told.append(both("enrol_phone", "alice", asked.id, "123456", PHONE, "1234"))
    question = both("question", "alice")
    told.append(both("answer", "alice", question.id, "Rex"))
    told += [both("answer", "alice", question.id, text) for text in ("Rome", "Emma")]
    signature = "00" * 64
    told.append(both("pushes", "alice", "HOTP", time_ms=doubles.now_ms, signature=signature))
    told += [both("opt_in", "alice", "000000") for _ in range(12)]
    told.append(both("challenge", "alice"))
    return told


def test_whoever_is_of_another_realm_is_nobody(doubles: Doubles) -> None:
    first = doubles.opened[0]
    before = first.user("alice"), first.entry("alice")
    told = played(doubles)
    assert (watchword.Code.LOCKED) in [said[0] for said in told if isinstance(said, tuple)]
    assert (first.user("alice"), first.entry("alice")) == before


def test_of_its_own_realm_they_differ() -> None:
    """What proves that the comparison sees anything at all."""
    doubles = Doubles("live")
    try:
        with pytest.raises(AssertionError):
            played(doubles)
    finally:
        doubles.close()


def test_a_realm_that_is_none_is_told(doubles: Doubles) -> None:
    with pytest.raises(InvalidArgument, match="realm is one of live, paper"):
        doubles.opened[0].confine({GATEWAY: "demo"})


def test_the_twin_and_the_engine_know_the_same_people() -> None:
    twin = Reference(Figures(lockout_failures=3))
    with Engine.open(policy=Policy(lockout_failures=3), clock=lambda: NOW_MS) as engine:
        engine.confine({GATEWAY: "paper"})
        for name, realm in (("alice", "live"), ("bob", "paper")):
            engine.add_user(name, realm=realm)
            engine.ship_device(name, Device.of("hotp", KEY + name.encode()), serial="H")
            twin.add_user(name, NOW_MS, realm=realm)
            twin.ship_device(name, reference.Device("hotp", KEY + name.encode(), "H"), NOW_MS)
        twin.confined = "paper"
        for name, n in [("bob", 1), ("alice", 0), ("nobody", 0), ("bob", 0)] + [
            (name, 9) for name in ("alice", "nobody", "bob") for _ in range(3)
        ]:
            code = watchword.hotp(KEY + name.encode(), n)
            ours = engine.activate(name, "H", code, platform="portal", gateway=GATEWAY)
            attempt = Attempt(name, code, "portal", "paper", "H", activates=True)
            said = twin.attempt(attempt, NOW_MS)
            assert (ours.code.name, ours.reason.name) == (said.verdict.name, said.reason.name), name
        assert engine.user("alice").failures == twin.users["alice"].streak.count == 0
        assert engine.user("alice").devices[0].state == "shipped"


def test_what_changes_something_enters_no_realm() -> None:
    """A user of the paper realm changes, shares and opts in like any other (RULES section 4: every
    verb that takes a response is an attempt); a login names its realm still."""
    policy = Policy(password_memory_kib=32, password_passes=1)
    with Engine.open(policy=policy, clock=lambda: NOW_MS) as engine:
        key = b"the key of a device!"
        engine.add_user("paula", realm="paper")
        engine.set_identity("paula", "one person", by="desk 4")
        serial = engine.add_device("paula", Device.hotp(key, pin="4711"))
        code = [watchword.hotp(key, n) for n in range(6)]
        assert engine.verify("paula", "4711" + code[0]).reason is watchword.Reason.REALM
        assert engine.change_pin("paula", "4711", code[1], "8255")
        engine.set_password("paula", "correct horse battery", by="desk 4")
        assert engine.change_password(
            "paula", "correct horse battery", code[2], "another horse entirely", pin="8255"
        )
        engine.set_addresses("paula", ["192.0.2.0/24"], by="desk 4")
        engine.opt_out("paula", by="desk 4")
        given = {"pin": "8255", "password": "another horse entirely", "address": "192.0.2.7"}
        assert engine.opt_in("paula", code[3], **given)
        engine.add_user("quinn")
        engine.set_identity("quinn", "one person", by="desk 4")
        assert engine.share_device("quinn", "paula", serial, code[4], **given)
        assert engine.verify("paula", code[5], realm="paper", **given)


# ---- through a daemon ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    admin = 'admin = ["USER", "DEVICE", "AUDIT"]'
    verbs = ", ".join(f'"{verb}"' for verb in (
        "VERIFY", "VERIFYMANY", "CHALLENGE", "PUSH", "PHONE", "QUESTION", "ANSWER", "ACTIVATE",
        "CHANGEPIN", "CHANGEPASSWORD", "OPTIN", "SHARE",
    ))  # fmt: skip
    rights = 'rights = ["reasons"]'
    settings = listed(GATEWAY, f"verbs = [{verbs}]", rights, admin, 'realm = "paper"')
    policy = "[policy]\nsecurity_questions = true\npassword_memory_kib = 32\npassword_passes = 1\n"
    folder = tmp_path_factory.mktemp("confined")
    with serving(folder, settings + policy) as served:
        with served.acts() as acts:
            for name, realm in (("lara", "live"), ("lola", "live"), ("paul", "paper")):
                assert acts.ask("USER", "ADD", name, "REALM", realm) == "OK"
                acts.ask("DEVICE", "ADD", name, "HOTP", "KEY", KEY.hex(), "SERIAL", "H1")
                acts.ask("DEVICE", "ADD", name, "GOLD", "KEY", KEY.hex(), "SERIAL", "G1")
                acts.ask("USER", "PASSWORD", name, "SET", "correct horse battery")
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


def said(client: Client, *words: object) -> Any:
    client.send(frame(*words))
    reply = client.read()
    return str(reply) if isinstance(reply, ReplyError) else reply


def known(daemon: Served) -> Client:
    client = daemon.client()
    assert client.ask("AUTH", GATEWAY, token_of(GATEWAY)) == "OK"
    return client


def test_every_verb_of_a_gateway_is_bounded(daemon: Served) -> None:
    code = watchword.hotp(KEY, 0)
    paper = ("REALM", "paper", "DETAIL")
    asks: list[tuple[object, ...]] = [
        ("VERIFY", "{}", code, *paper), ("VERIFY", "{}", "", *paper),
        ("VERIFY", "{}", code, *paper, "PASSWORD", "correct horse battery"),
        ("VERIFY", "{}", code, *paper, "ID", "request of {}"),
        ("ACTIVATE", "{}", "H1", code, "PASSWORD", "correct horse battery"),
        ("CHANGEPIN", "{}", "1234", code, "2580"),
        ("CHANGEPASSWORD", "{}", "correct horse battery", code, "another horse battery"),
        ("OPTIN", "{}", code, "PASSWORD", "correct horse battery"),
        ("SHARE", "paul", "{}", "H1", code, "PASSWORD", "correct horse battery"),
        ("ANSWER", "{}", "0" * 96, "Rex"),
        ("PHONE", "PUSHES", "{}", "H1", str(time.time_ns() // 1_000_000), "00" * 64),
        ("PHONE", "ENROL", "{}", "0" * 96, code, PHONE, "1234"),
    ]
    with known(daemon) as client:
        for words in asks:
            told = [
                said(client, *(str(word).replace("{}", name) for word in words))
                for name in ("lara", "lena")
            ]
            assert told[0] == told[1], words
            assert not str(told[0]).startswith("NOPERM"), words
        for words in (("CHALLENGE", "{}"), ("PUSH", "{}"), ("QUESTION", "{}")):
            shapes = [
                {name: type(value) for name, value in pairs(said(client, words[0], user)).items()}
                for user in ("lara", "lena")
            ]
            assert shapes[0] == shapes[1], words
        assert said(client, "VERIFY", "paul", code, "REALM", "paper", "PASSWORD",
                    "correct horse battery") == "ACCEPTED"  # fmt: skip
    with daemon.acts() as acts:
        assert pairs(acts.ask("USER", "GET", "lara"))["failures"] == 0
        assert acts.ask("VERIFY", "lara", code, "PASSWORD", "correct horse battery") == "ACCEPTED"


def test_nothing_is_shared_with_whoever_is_elsewhere(daemon: Served) -> None:
    """Nor is it told that there is somebody: the credentials are right, and are used up."""
    with known(daemon) as client:
        for n, name in enumerate(("lara", "lena")):
            code = watchword.hotp(KEY, n + 3)
            words = ("SHARE", name, "paul", "H1", code, "PASSWORD", "correct horse battery")
            assert said(client, *words) == f"ERR there is no user '{name}'"


def pairs(reply: Any) -> dict[str, Any]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def test_a_plausible_challenge_is_as_plausible_as_anybodys(daemon: Served) -> None:
    """It is answered by nothing, not even by what the device of that name would show."""
    with known(daemon) as client:
        asked = pairs(said(client, "CHALLENGE", "lola", "DEVICE", "G1"))
        answer = watchword.ocra("OCRA-1:HOTP-SHA1-6:QN06", KEY, asked["prompt"].rjust(6, "0")[:6])
        words = ("VERIFY", "lola", answer, "CHALLENGE", asked["id"], "REALM", "paper")
        assert said(client, *words) == "REJECTED"


def test_administration_is_of_its_realm_alone(daemon: Served) -> None:
    none = "NOTFOUND there is no user '{}'"
    with known(daemon) as client:
        for words in (
            ("USER", "GET"), ("USER", "REMOVE"), ("USER", "UNLOCK"), ("USER", "ENTRY"),
            ("USER", "SET", "STATE", "closed"), ("DEVICE", "LIST"), ("DEVICE", "PASSCODE"),
            ("USER", "PASSWORD", "CLEAR"), ("DEVICE", "REMOVE", "H1"),
        ):  # fmt: skip
            for name in ("lara", "lena"):
                assert said(client, *words[:2], name, *words[2:]) == none.format(name), words
        assert pairs(said(client, "USER", "GET", "paul"))["realm"] == "paper"
        realm = "NOPERM this gateway may not use that realm"
        assert said(client, "USER", "ADD", "liam") == realm
        assert said(client, "USER", "ADD", "liam", "REALM", "live") == realm
        assert said(client, "USER", "SET", "paul", "REALM", "live") == realm
        assert said(client, "USER", "ADD", "pia", "REALM", "paper") == "OK"
        for words in (("USER", "LIST"), ("AUDIT", "READ")):
            assert said(client, *words) == "NOPERM this gateway may not name that user"
