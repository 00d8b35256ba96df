"""Where keys may come from, what is refused, and that no message shows one."""

import os
import stat
import threading
from pathlib import Path

import pytest

from watchword.errors import InvalidArgument, NotFound
from watchword.keys import Credential, KeyFd, KeyFile, KeyProvider, RawKey, derive, provider

KEY = bytes(range(1, 33))


def key_file(path: Path, content: bytes = KEY, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_derive_is_hkdf_of_rfc_5869() -> None:
    """Appendix A.3 whole; a salt, a label and a length each give other bytes."""
    secret = bytes.fromhex("0b" * 22)
    wanted = bytes.fromhex(
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )
    assert derive(secret, "", 42) == wanted
    assert derive(secret, "", 16) == wanted[:16]
    assert len({derive(secret, label, salt=salt) for label in "ab" for salt in (b"", b"s")}) == 4


def test_a_key_file_is_made_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "store.key"
    first = KeyFile(path).key(create=True)
    assert path.read_bytes() == first
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [name.name for name in tmp_path.iterdir()] == ["store.key"]
    assert KeyFile(path).key(create=True) == first
    assert KeyFile(path).key(create=False) == first
    assert KeyFile(tmp_path / "other.key").key(create=True) != first


def test_makers_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path, keys = tmp_path / "store.key", []
    threads = [
        threading.Thread(target=lambda: keys.append(KeyFile(path).key(create=True)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert [name.name for name in tmp_path.iterdir()] == ["store.key"]


def test_a_key_file_is_made_only_when_both_sides_say_so(tmp_path: Path) -> None:
    for brings, create in (
        (KeyFile(tmp_path / "a", create=False), True),
        (KeyFile(tmp_path / "a"), False),
    ):
        with pytest.raises(NotFound, match="no key file"):
            brings.key(create=create)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidArgument, match="cannot be made"):
        KeyFile(tmp_path / "nowhere" / "key").key(create=True)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_file_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path / "store.key", mode=mode)
    with pytest.raises(InvalidArgument, match="by others") as caught:
        KeyFile(path).key(create=False)
    assert caught.value.hint == f"chmod 600 {path}"
    path.chmod(0o400)
    assert KeyFile(path).key(create=False) == KEY


def test_a_key_file_is_a_file_and_ours(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="not a regular file"):
        KeyFile(tmp_path).key(create=False)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(InvalidArgument, match="not a regular file"):
        KeyFile(pipe).key(create=False)
    if os.geteuid() == 0:  # only then can a file be given away
        path = key_file(tmp_path / "store.key")
        os.chown(path, 12345, 12345)
        with pytest.raises(InvalidArgument, match=r"belongs to another user, #12345"):
            KeyFile(path).key(create=False)


WRONG = [
    (b"", "exactly 32 bytes, not 0"),
    (KEY[:31], "exactly 32 bytes, not 31"),
    (KEY + b"\n", "exactly 32 bytes, not more than 32"),
    (KEY * 1000, "exactly 32 bytes, not more than 32"),
    (bytes(32), "nothing but zero bytes"),
]


@pytest.mark.parametrize(("content", "words"), WRONG)
def test_a_key_is_32_bytes_wherever_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    path = key_file(tmp_path / "key", content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    opened = os.open(path, os.O_RDONLY)
    for brings in (KeyFile(path), KeyFd(opened), Credential("key")):
        with pytest.raises(InvalidArgument, match=words):
            brings.key(create=False)
    with pytest.raises(InvalidArgument, match=r"exactly 32 bytes|zero bytes"):
        RawKey(content)


def test_a_file_descriptor_is_read_to_its_end_and_closed() -> None:
    out, into = os.pipe()
    os.write(into, KEY[:10])
    os.write(into, KEY[10:])
    os.close(into)
    assert KeyFd(out).key(create=False) == KEY
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(out)
    with pytest.raises(InvalidArgument, match="file descriptor"):
        KeyFd(out).key(create=False)


def test_a_systemd_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file(tmp_path / "watchword", mode=0o440)  # systemd's own mode under an access list
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Credential("watchword").key(create=False) == KEY
    with pytest.raises(NotFound, match="no credential other"):
        Credential("other").key(create=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(NotFound, match="CREDENTIALS_DIRECTORY is not set") as caught:
        Credential("watchword").key(create=False)
    assert "LoadCredentialEncrypted=watchword" in caught.value.hint
    for name in ("", ".", "..", "../key", "a/b"):
        with pytest.raises(InvalidArgument, match="without a slash"):
            Credential(name)


def test_provider_takes_what_the_front_door_takes(tmp_path: Path) -> None:
    store = tmp_path / "store"
    beside = provider(None, store)
    assert isinstance(beside, KeyFile)
    assert beside.path == str(store) + ".key"
    assert provider(KEY, store).key(create=False) == KEY
    for path in (tmp_path / "k", str(tmp_path / "k")):
        given = provider(path, store)
        assert isinstance(given, KeyFile)
        assert given.path == str(tmp_path / "k")
    mine = RawKey(KEY)
    assert isinstance(mine, KeyProvider)
    assert provider(mine, store) is mine
    for wrong in (42, object(), bytearray(32)):
        with pytest.raises(InvalidArgument):
            provider(wrong, store)  # type: ignore[arg-type]


def test_a_key_does_not_lie_inside_its_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (tmp_path / "link").symlink_to(store)
    store.mkdir()
    for path in (store / "key", store / "deep" / "key", tmp_path / "link" / "key", store):
        for given in (path, KeyFile(path)):
            with pytest.raises(InvalidArgument, match="inside the store"):
                provider(given, store)
    provider(tmp_path / "store.key", store)
    provider(tmp_path / "store2" / "key", store)


def test_nothing_shows_a_key(tmp_path: Path) -> None:
    path = key_file(tmp_path / "store.key", KEY + b"!")
    shown = [repr(RawKey(KEY)), repr(KeyFile(path)), repr(provider(KEY, tmp_path / "store"))]
    for wrong in (KEY[:31], KEY + b"!"):
        with pytest.raises(InvalidArgument) as caught:
            RawKey(wrong)
        shown += [str(caught.value), repr(caught.value)]
    with pytest.raises(InvalidArgument) as caught:
        KeyFile(path).key(create=False)
    shown.append(str(caught.value))
    for text in shown:
        for part in (KEY[:8], KEY[8:16]):
            assert repr(part)[2:-1] not in text
            assert part.hex() not in text
