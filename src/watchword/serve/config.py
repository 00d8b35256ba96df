"""The daemon's settings: one commented TOML file, read into a frozen dataclass.

The rule: every setting has a default that is safe, a name that is refused when misspelt, and its
explanation in TEMPLATE, which is what `watchword config show` prints. No setting holds a secret.
"""

import ipaddress
import os
import stat
import tomllib
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from watchword.delivery import Webhook, web_address
from watchword.errors import InvalidArgument
from watchword.keys import Credential, KeyFd, KeyFile, KeyProvider
from watchword.policy import Policy
from watchword.retention import Retention
from watchword.serve.gateways import Access
from watchword.serve.logs import FORMS, LEVELS
from watchword.serve.probes import probes_address
from watchword.serve.tls import Tls

__all__ = ["TEMPLATE", "Config"]

TEMPLATE: Final = """\
# Watchword's daemon. Every line is a default: change what you need, leave out what you do not.

# Where gateways connect: RESP, as any Redis client library speaks it. Other than loopback addresses
# need [tls] and an access list, [[gateway]].
listen = "127.0.0.1:4001"

# A unix socket for gateways besides, mode 0660: whoever is of the daemon's group may connect.
# "" is none.
listen_unix = ""

# The store's directory. Its administration socket, admin.sock, lies in it.
store = "watchword-store"

# Whether gateways may see LOCKED, EXPIRED and NOT_PERMITTED. With false they read REJECTED, byte
# for byte. With an access list each gateway's rights say so.
reasons = true

# The user that the daemon becomes once it listens, where it is started as root. As root it does not
# serve other machines, unless stay_root = true. "" changes nothing.
user = ""
stay_root = false

# Connections of one address, where there is an access list.
connections_per_address = 2000

# The event loop: "uvloop", or "asyncio", which is Python's own and slower.
loop = "uvloop"

# Serve even where the system does not let memory be locked, so that keys may reach the swap.
unlocked_memory = false

# Milliseconds between writings of changed pages: a longer pause means a longer start after a crash.
page_interval_ms = 1000

# Where operators look: /metrics for Prometheus, /healthz and /readyz. It tells one refusal from
# another, so it is of this machine alone. "127.0.0.1:9401", or "" for nowhere.
metrics = ""

# The log, on standard error, a line an event: "text" or "json". log_level: "info", "warning" or
# "error". Users are told by a keyed hash, the same for the same name, unless log_users is true.
log = "text"
log_level = "info"
log_users = false

[key]
# Where the store's key comes from: one of the three. Without any, the file beside the store whose
# name ends in .key. It is made with the store; never keep it inside the store's directory.
# file = "/etc/watchword/store.key"
# fd = 3
# credential = "watchword-key"

[tls]
# TLS 1.3 on `listen`. The key is for the daemon's user alone, mode 0600. All are read again on
# SIGHUP, and connections that stand go on. clients: whether gateways show certificates of
# client_ca, one of "none", "optional", "required". crl: a revocation list of client_ca's in PEM;
# with it no certificate opens anything once the list is out of date, so renew it in time.
# certificate = "/etc/watchword/tls.pem"
# key = "/etc/watchword/tls.key"
# client_ca = "/etc/watchword/gateways-ca.pem"
# clients = "required"
# crl = "/etc/watchword/gateways.crl"

# The access list: one [[gateway]] for each, read again on SIGHUP. With any, whoever connects says
# first who it is: AUTH token, AUTH name token or HELLO 3 AUTH name token; or by its certificate's
# subject; or by the local user at the other end of listen_unix. What is not allowed is -NOPERM, and
# more attempts a second than `rate` (0: any number) are BUSY.
# [[gateway]]
# name = "portal"
# token_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
# certificate = "CN=portal"
# local_user = "www-data"
# verbs = ["VERIFY", "VERIFYMANY", "CHALLENGE", "PUSH", "QUESTION", "ANSWER"]
# rights = ["reasons", "first-factor"]
# users = "eu"
# realm = "live"                    # whoever is of another is nobody to it
# platforms = ["trading", "portal"]
# rate = 10000
# admin = ["USER GET", "USER UNLOCK", "AUDIT"]

[delivery]
# Where codes for phones go: a POST with a JSON object, tried again when nobody answers. https, or
# http on this machine. The body is signed under what is in secret_file. Without it no code is sent.
# webhook = "https://sms.example.com/codes"
# secret_file = "/etc/watchword/webhook.secret"
# timeout_ms = 5000
# attempts = 3

[journal]
# How long the journal is kept: so many days, or so much of the disk, whichever is less. With an
# archive every ended segment is copied there, and none goes before it is; a restore goes on from a
# backup with them. known_head is a file elsewhere, where the journal's last row is written down
# once a minute: the daemon refuses a store that is older. `watchword audit head --save` makes it.
# days = 30
# disk_percent = 10
# archive = "/mnt/other/watchword-journal"
# known_head = "/mnt/other/watchword-head.json"

[policy]
# Any figure of the rules, by its name: `watchword policy show` has them all. What stands here is in
# force from the start, and again after a SIGHUP; with nothing here, what `policy set` set last is.
# profile = "strict"
# lockout_failures = 10
# lockout_window_ms = 86400000
"""

NO_STORES = ("", ":memory:")  # a daemon keeps what it answered
JOURNAL = ("days", "disk_percent", "archive", "known_head")
KEY_SOURCES = ("file", "fd", "credential")
DELIVERY = ("webhook", "secret_file", "timeout_ms", "attempts")
SECRET_FILE_BYTES_MAX = 4_096
LOOPS = ("uvloop", "asyncio")
FIGURES = {"page_interval_ms": (10, 3_600_000), "connections_per_address": (1, 10_000)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a daemon is told. Errors: InvalidArgument names the setting and what it may be."""

    listen: str = "127.0.0.1:4001"
    store: str = "watchword-store"
    reasons: bool = True
    unlocked_memory: bool = False
    page_interval_ms: int = 1_000
    listen_unix: str = ""
    user: str = ""
    stay_root: bool = False
    connections_per_address: int = 2_000
    loop: str = "uvloop"
    tls: Tls | None = None
    gateway: tuple[Access, ...] = ()
    metrics: str = ""
    log: str = "text"
    log_level: str = "info"
    log_users: bool = False
    key: KeyProvider | None = field(default=None, repr=False)
    delivery: Webhook | None = None
    retention: Retention = field(default_factory=Retention)
    known_head: str | None = None
    policy: Policy | None = None

    def __post_init__(self) -> None:
        for name in ("reasons", "unlocked_memory", "stay_root", "log_users"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidArgument(f"{name} must be true or false")
        store = self.store
        if not isinstance(store, str) or store in NO_STORES or "\0" in store:
            raise InvalidArgument("store must be the path of a directory")
        for name in ("user", "listen_unix"):
            if not isinstance(getattr(self, name), str) or "\0" in getattr(self, name):
                raise InvalidArgument(f"{name} must be text")
        for name, (least, most) in FIGURES.items():
            figure = getattr(self, name)
            if isinstance(figure, bool) or not isinstance(figure, int):
                figure = least - 1
            if not least <= figure <= most:
                raise InvalidArgument(f"{name} must be {least} to {most}")
        for name, legal in (("log", FORMS), ("log_level", tuple(LEVELS)), ("loop", LOOPS)):
            if getattr(self, name) not in legal:
                raise InvalidArgument(f"{name} must be {' or '.join(map(repr, legal))}")
        self.metrics_address()
        self.address()

    def metrics_address(self) -> tuple[str, int] | None:
        """The host and port of `metrics`; None: nowhere."""
        return probes_address(self.metrics)

    def address(self) -> tuple[str, int]:
        """The host and port of `listen`. Port 0: the system picks one."""
        host, _, port = self.listen.rpartition(":") if isinstance(self.listen, str) else ("",) * 3
        host = host.removeprefix("[").removesuffix("]")
        if not port.isascii() or not port.isdecimal() or int(port) > 65_535:
            raise InvalidArgument('listen must be an address and a port, as "127.0.0.1:4001"')
        try:
            loopback = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        except ValueError:
            raise InvalidArgument(
                'listen must be an IP address and a port, as "127.0.0.1:4001"'
            ) from None
        if not loopback.is_loopback and not (self.tls and self.gateway):
            raise InvalidArgument(
                f"listen must be a loopback address, not {host}, without TLS and an access list",
                hint="[tls] hides codes from the network, [[gateway]] says who may ask",
            )
        return str(loopback), int(port)

    @classmethod
    def from_table(cls, table: dict[str, Any], *, folder: str = "") -> Self:
        """Settings from TOML's keys. folder: what relative paths in it are relative to."""
        settings = dict(table)
        known = {setting.name for setting in fields(cls)} - {"retention", "known_head"}
        known.add("journal")
        unknown = sorted(set(settings) - known)
        if unknown:
            raise InvalidArgument(
                f"there is no setting named {', '.join(map(repr, unknown))}",
                hint=f"the settings are {', '.join(sorted(known))}",
            )
        for name in ("key", "policy", "delivery", "journal", "tls"):
            if not isinstance(settings.get(name, {}), dict):
                raise InvalidArgument(f"{name} must be a table: [{name}]")
        settings["key"] = key_source(settings.get("key", {}), folder)
        settings["tls"] = Tls.from_table(settings.get("tls", {}), folder)
        settings["gateway"] = Access.from_tables(settings.get("gateway", []))
        settings["delivery"] = webhook(settings.get("delivery", {}), folder)
        figures = settings.get("policy", {})
        settings["known_head"], settings["retention"] = kept(settings.pop("journal", {}), folder)
        settings["policy"] = Policy.from_table(figures) if figures else None
        if isinstance(settings.get("store"), str) and settings["store"] not in NO_STORES:
            settings["store"] = os.path.join(folder, settings["store"])
        if isinstance(settings.get("listen_unix"), str) and settings["listen_unix"]:
            settings["listen_unix"] = os.path.join(folder, settings["listen_unix"])
        return cls(**settings)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Settings from a TOML file; its relative paths are relative to its own directory.

        Errors: InvalidArgument, OSError.
        """
        with open(path, "rb") as file:
            others_write = os.fstat(file.fileno()).st_mode & stat.S_IWOTH
            try:
                table = tomllib.load(file)
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise InvalidArgument(f"{os.fspath(path)} is not TOML: {error}") from None
        if others_write and "gateway" in table:
            raise InvalidArgument(
                f"{os.fspath(path)} holds an access list, and others may write it",
                hint=f"chmod o-w {os.fspath(path)}",
            )
        return cls.from_table(table, folder=os.path.dirname(os.path.abspath(path)))


def webhook(table: dict[str, Any], folder: str) -> Webhook | None:
    """What [delivery] says: a webhook with its figures, or nothing."""
    given = dict(table)
    unknown = sorted(set(given) - set(DELIVERY))
    if unknown or (given and "webhook" not in given):
        raise InvalidArgument(f"[delivery] takes webhook, and any of {', '.join(DELIVERY[1:])}")
    if not given:
        return None
    path, secret = given.pop("secret_file", None), None
    if path is not None:
        if not isinstance(path, str) or not path:
            raise InvalidArgument("secret_file must be a path")
        with open(os.path.join(folder, path), "rb") as file:
            secret = file.read(SECRET_FILE_BYTES_MAX).strip()
    return Webhook(web_address(given.pop("webhook"), "webhook"), secret=secret, **given)


def kept(table: dict[str, Any], folder: str) -> tuple[str | None, Retention]:
    """What [journal] says: where its head is known, and how long it is kept."""
    unknown = sorted(set(table) - set(JOURNAL))
    if unknown:
        raise InvalidArgument(f"[journal] takes any of {', '.join(JOURNAL)}")
    given = dict(table)
    for name in ("archive", "known_head"):
        if name in given:
            if not isinstance(given[name], str) or not given[name]:
                raise InvalidArgument(f"{name} must be a path")
            given[name] = os.path.join(folder, given[name])
    return given.pop("known_head", None), Retention(**given)


def key_source(table: dict[str, Any], folder: str) -> KeyProvider | None:
    """What [key] says: a file, a descriptor, a credential, or nothing."""
    unknown = sorted(set(table) - set(KEY_SOURCES))
    if unknown or len(table) > 1:
        raise InvalidArgument(f"[key] takes one of {', '.join(KEY_SOURCES)}")
    if "file" in table:
        if not isinstance(table["file"], str) or not table["file"]:
            raise InvalidArgument("key file must be a path")
        return KeyFile(os.path.join(folder, table["file"]))
    if "fd" in table:
        fd = table["fd"]
        if isinstance(fd, bool) or not isinstance(fd, int) or not 3 <= fd <= 65_535:
            raise InvalidArgument("key fd must be an open descriptor, 3 or more")
        return KeyFd(fd)
    if "credential" in table:
        if not isinstance(table["credential"], str):
            raise InvalidArgument("key credential must be a name")
        return Credential(table["credential"])
    return None
