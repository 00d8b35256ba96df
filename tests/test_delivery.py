"""src/watchword/delivery.py: a code is handed over once it is durable, tried again within bounds,
and never said; and what the engine does when nobody takes it.
"""

import asyncio
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from code_doors import WEBHOOK_SECRET, Hook
from served import SECONDS_MAX

import watchword
from watchword import delivery
from watchword.serve.config import Config

SENT = watchword.Delivery("ab" * 48, "alice", "P1", "portal", "wire 100", 600_000, "123456")


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PAUSES_S", (0.0,) * 4)


# ---- the webhook ----


def test_a_webhook_posts_the_fields_signed(hook: Hook) -> None:
    watchword.Webhook(hook.url, secret=WEBHOOK_SECRET)(SENT)
    assert hook.bodies.get(timeout=SECONDS_MAX) == asdict(SENT)
    assert hook.headers[0]["Content-Type"] == "application/json"
    assert hook.headers[0]["Idempotency-Key"] == SENT.id


@pytest.mark.parametrize("status", [500, 503, 429, 408, 425])
def test_it_is_tried_again_under_the_same_id(hook: Hook, status: int) -> None:
    hook.answers = [status, status]
    watchword.Webhook(hook.url, secret=WEBHOOK_SECRET)(SENT)
    assert hook.bodies.get(timeout=SECONDS_MAX)["code"] == SENT.code
    assert [headers["Idempotency-Key"] for headers in hook.headers] == [SENT.id] * 3


@pytest.mark.parametrize(
    ("answers", "tries"),
    [([500] * 5, 3), ([404], 1), ([401], 1), ([302], 1), ([307], 1), ([304], 1)],
)
def test_it_is_given_up_and_says_nothing_of_the_code(
    hook: Hook, answers: list[int], tries: int
) -> None:
    """After its attempts, or at once where another cannot help; no redirection is followed."""
    hook.answers = list(answers)
    with pytest.raises(watchword.Error, match=f"answered {answers[0]}") as caught:
        watchword.Webhook(hook.url, secret=WEBHOOK_SECRET)(SENT)
    assert len(hook.headers) == tries and hook.bodies.empty()
    assert SENT.code not in str(caught.value) and SENT.code not in repr(SENT)


def test_nobody_answers_or_much_too_late() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        slow = watchword.Webhook(f"http://127.0.0.1:{port}/", timeout_ms=50, attempts=2)
        with pytest.raises(watchword.Error, match="did not answer"):
            slow(SENT)
    with pytest.raises(watchword.Error, match="did not answer"):
        watchword.Webhook(f"http://127.0.0.1:{port}/", attempts=1)(SENT)


def test_an_environment_s_proxy_is_not_used(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    watchword.Webhook(hook.url, secret=WEBHOOK_SECRET)(SENT)
    assert hook.bodies.get(timeout=SECONDS_MAX)["user"] == "alice"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "ftp://example.com/"}, "url is https"),
        ({"url": "file:///etc/passwd"}, "url is https"),
        ({"url": "http://example.com/"}, "url is https"),
        ({"url": "http://192.0.2.1/"}, "url is https"),
        ({"url": "https:///path"}, "url is https"),
        ({"url": "https://a b/"}, "url is https"),
        ({"url": "https://a:x/"}, "url is https"),
        ({"url": "https://a/#b"}, "url is https"),
        ({"url": "https://name:word@a/"}, "no name and no password"),
        ({"url": 7}, "url is https"),
        ({"secret": b"short"}, "secret is 16 to"),
        ({"secret": "text" * 9}, "secret is 16 to"),
        ({"timeout_ms": 0}, "timeout_ms is a whole number from 1 to 10000"),
        ({"timeout_ms": True}, "timeout_ms is a whole"),
        ({"attempts": 6}, "attempts is a whole number from 1 to 5"),
        ({"attempts": 1.0}, "attempts is a whole"),
    ],
)
def test_a_webhook_names_what_is_wrong(given: dict[str, Any], said: str) -> None:
    with pytest.raises(watchword.InvalidArgument, match=said):
        watchword.Webhook(**{"url": "https://example.com/", **given})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('webhook = "ftp://x/"', "webhook is https"),
        ("webhook = 7", "webhook is https"),
        ('webhook = "https://a:b@x/"', "webhook holds no name"),
        ("attempts = 2", "takes webhook"),
        ('webhook = "https://x/"\npassword = "x"', "takes webhook"),
        ('webhook = "https://x/"\nsecret_file = ""', "secret_file must be a path"),
        ('webhook = "https://x/"\nsecret_file = "short"', "secret is 16 to"),
        ('webhook = "https://x/"\nattempts = 9', "attempts is"),
    ],
)
def test_the_daemon_s_settings_name_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "short").write_text("short\n")
    path = tmp_path / "watchword.toml"
    path.write_text(f"[delivery]\n{text}\n")
    with pytest.raises(watchword.InvalidArgument, match=said):
        Config.load(path)
    path.write_text('[delivery]\nwebhook = "https://x/"\nsecret_file = "nosuch"\n')
    with pytest.raises(FileNotFoundError):
        Config.load(path)


# ---- the courier ----


def opened(deliver: Any, path: str = ":memory:") -> watchword.Engine:
    engine = watchword.Engine.open(path, clock=lambda: 1_000_000, deliver=deliver)
    engine.add_user("alice")
    engine.add_device("alice", watchword.Device.sms(), serial="P1")
    return engine


def test_without_delivery_no_code_is_asked_for() -> None:
    with watchword.Engine.open(clock=lambda: 0) as engine:
        engine.add_user("alice")
        engine.add_device("alice", watchword.Device.sms())
        for name in ("alice", "nobody"):
            with pytest.raises(watchword.InvalidArgument, match="deliver is needed"):
                engine.send_code(name)
        assert engine.challenge("alice").kind == "dsc-plus"
    with pytest.raises(watchword.InvalidArgument, match="deliver is a callable"):
        watchword.Engine.open(deliver="https://example.com")


def test_what_fails_is_counted_and_said_to_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    def deliver(sent: watchword.Delivery) -> None:
        raise RuntimeError(f"the gateway refuses {sent.code}")

    engine = opened(deliver)
    engine.send_code("alice")
    engine.send_code("nobody")
    engine.close()
    counters = engine._courier.counters() if engine._courier else {}
    assert counters == {"codes_waiting": 0, "codes_delivered": 0, "codes_undelivered": 1}
    assert capfd.readouterr() == ("", "")


def test_a_code_goes_out_when_its_record_is_on_the_disk(tmp_path: Path) -> None:
    """The courier sees a journal that holds the issue; nothing is delivered for other names."""
    heads: queue.Queue[tuple[int, int]] = queue.Queue()

    def deliver(_: watchword.Delivery) -> None:
        heads.put((engine._commits._durable, engine._turn))

    engine = opened(deliver, str(tmp_path / "store"))
    with engine:
        engine.send_code("alice")
        durable, turn = heads.get(timeout=SECONDS_MAX)
        assert durable == turn
        assert engine.counters()["codes_undelivered"] == 0
    assert heads.empty()


def test_a_disk_that_refuses_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise watchword.StoreFailed("the disk is full")

    got: queue.Queue[watchword.Delivery] = queue.Queue()
    engine = opened(got.put, str(tmp_path / "store"))
    monkeypatch.setattr(engine._store, "append", refuse)
    with pytest.raises(watchword.StoreFailed):
        engine.send_code("alice")
    with pytest.raises(watchword.StoreFailed):
        engine.close()
    assert got.empty()


def test_a_full_courier_is_busy_for_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "WAITING_MAX", 1)
    go = threading.Event()
    with opened(lambda _: go.wait(SECONDS_MAX)) as engine:
        engine.send_code("alice")
        for name in ("alice", "nobody"):
            with pytest.raises(watchword.Busy, match="sheds load"):
                engine.send_code(name)
        go.set()


def test_asyncio_sends_too() -> None:
    got: queue.Queue[watchword.Delivery] = queue.Queue()

    async def sends(engine: watchword.Engine) -> list[Any]:
        names = ["alice"] * 4 + ["nobody"] * 4
        return await asyncio.gather(*map(engine.asend_code, names), return_exceptions=True)

    with opened(got.put) as engine:
        told = asyncio.run(sends(engine))
        assert [isinstance(one, watchword.Busy) for one in told] == 2 * [False, False, False, True]
        codes = [got.get(timeout=SECONDS_MAX) for _ in range(3)]
        last = max(codes, key=lambda sent: [one.id for one in told[:3]].index(sent.id))
        assert engine.verify("alice", last.code, challenge=last.id)
    assert got.empty()
