"""systemd: what it is told, the sockets it hands over, and the unit that has it do so.

The rules: a word to systemd is one datagram, and nobody waits for it; without systemd nothing here
does anything. The unit is as tight as an integration test of ours shows that it may be: whatever it
forbids, the daemon was seen to live without.
"""

import os
import shutil
import socket
import sys
from typing import Final

from watchword.errors import Error

__all__ = ["Systemd", "handed_over", "unit"]

FIRST_FD: Final = 3
CREDENTIAL: Final = "watchword-key"

UNIT: Final = """\
# Watchword under systemd. As {unit_path}; then `systemctl daemon-reload`
# and `systemctl enable --now watchword`.
#
# The store's key is a credential, and the settings say so: [key] credential = "{credential}";
# and store = "/var/lib/watchword/store". Where there is [tls], its key is the user's, mode 0600, so
# that SIGHUP can read it again. Made once, by root:
#   useradd --system --no-create-home watchword
#   head -c 32 /dev/urandom | systemd-creds encrypt --name={credential} - {sealed}
# A copy of those bytes belongs in a safe: without them the store cannot be opened.

[Unit]
Description=Watchword, verification engine for login gateways
After=network.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} serve --config {config}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=30
Restart=on-failure
TimeoutStopSec=60
User=watchword
StateDirectory=watchword
StateDirectoryMode=0700
RuntimeDirectory=watchword
WorkingDirectory=%S/watchword
UMask=0077
LoadCredentialEncrypted={credential}:{sealed}

# memory that holds keys is locked, and never on a disk
LimitMEMLOCK=infinity
LimitCORE=0
LimitNOFILE=16384
KeyringMode=private

# what it cannot do, it cannot be made to do
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
PrivateUsers=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @mount @debug @obsolete
SystemCallErrorNumber=EPERM

# whom it may speak with: add a line for each network of gateways, and for where codes are sent
IPAddressDeny=any
IPAddressAllow=localhost

[Install]
WantedBy=multi-user.target
"""


def unit(config: str | None = None) -> str:
    """The unit's text. config: the settings' path."""
    return UNIT.format(
        unit_path="/etc/systemd/system/watchword.service",
        program=shutil.which("watchword") or f"{sys.executable} -m watchword",
        config=os.path.abspath(config) if config else "/etc/watchword/watchword.toml",
        credential=CREDENTIAL,
        sealed=f"/etc/watchword/{CREDENTIAL}.cred",
    )


class Systemd:
    """What a daemon says of itself, where systemd asked to be told."""

    def __init__(self) -> None:
        self._to = os.environ.pop("NOTIFY_SOCKET", "")
        self._every_s = watchdog_seconds() / 2
        self._said_s = 0.0

    def say(self, words: str) -> None:
        """READY=1, RELOADING=1, STOPPING=1, STATUS=text; a line each."""
        if not self._to:
            return
        address = "\0" + self._to[1:] if self._to[0] == "@" else self._to
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.setblocking(False)
                to.sendto(words.encode(), address)
        except OSError:  # it is not there any more, or does not listen; serving goes on
            return

    def alive(self, now_s: float) -> None:
        """Tells the watchdog, as often as it wants; to be called by what must not hang."""
        if self._every_s and now_s - self._said_s >= self._every_s:
            self._said_s = now_s
            self.say("WATCHDOG=1")


def watchdog_seconds() -> float:
    """How long systemd lets us be silent; 0: for ever."""
    for_us = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    microseconds = os.environ.pop("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if for_us and microseconds.isdecimal() else 0.0


def handed_over() -> list[socket.socket]:
    """The listening sockets of socket activation (LISTEN_FDS). Errors: Error for what is none."""
    for_us = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not for_us or not count.isdecimal():
        return []
    found = []
    for number in range(FIRST_FD, FIRST_FD + int(count)):
        os.set_inheritable(number, False)
        try:
            listener = socket.socket(fileno=number)
        except OSError as error:
            raise Error(f"LISTEN_FDS: descriptor {number}: {error.strerror}") from None
        if (
            listener.type != socket.SOCK_STREAM
            or listener.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
            or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        ):
            raise Error(
                f"LISTEN_FDS: descriptor {number} is no listening stream socket",
                hint="ListenStream= in the .socket unit, with Accept=no",
            )
        found.append(listener)
    return found
