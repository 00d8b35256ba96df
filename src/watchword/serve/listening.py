"""The sockets that gateways connect to: bound early, while the process may be root, and listened on
once the store is open, so that whoever gets a connection is served.

The rules: TCP that other machines can reach needs TLS and an access list; a unix socket is born
with its mode, and whoever listens there already is not pushed aside. What systemd hands over takes
the place of what the settings name.
"""

import contextlib
import ipaddress
import os
import pwd
import socket
import stat
from dataclasses import dataclass

from watchword.errors import Error
from watchword.serve.config import Config
from watchword.serve.units import handed_over

__all__ = ["Sockets", "bound", "not_listening"]

SOCKET_MODE = 0o660  # of listen_unix: whoever is of the daemon's group may connect
OTHERS_UMASK = 0o777 & ~SOCKET_MODE


@dataclass
class Sockets:
    """A socket for TCP and one for unix connections, or one of the two; not yet listened on."""

    tcp: socket.socket | None
    unix: socket.socket | None
    made: str = ""  # the path to take away at the end

    @property
    def reachable(self) -> bool:
        """Whether other machines can reach us."""
        return self.tcp is not None and not is_loopback(self.tcp.getsockname()[0])

    def address(self) -> tuple[str, int]:
        """Where TCP is served; without it the unix socket's path and 0."""
        if self.tcp is not None:
            host, port = self.tcp.getsockname()[:2]
            return str(host), int(port)
        return str(self.unix.getsockname()) if self.unix is not None else "", 0

    def unlink(self) -> None:
        if self.made:
            with contextlib.suppress(OSError):
                os.unlink(self.made)


def bound(config: Config) -> Sockets:
    """The sockets of these settings, or those that systemd has for us. Errors: Error."""
    given = handed_over()
    unix = [listener for listener in given if listener.family == socket.AF_UNIX]
    tcp = [listener for listener in given if listener.family != socket.AF_UNIX]
    if len(unix) > 1 or len(tcp) > 1:
        raise Error("systemd handed over more than one socket of a kind")
    if given:
        found = Sockets(tcp[0] if tcp else None, unix[0] if unix else None)
    else:
        found = Sockets(bound_tcp(config), None)
        if config.listen_unix:
            found.unix, found.made = bound_unix(config), config.listen_unix
    if found.reachable and not (config.tls and config.gateway):
        raise Error(
            f"{found.address()[0]} can be reached from other machines",
            hint="that needs [tls] and an access list of [[gateway]]",
        )
    return found


def is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def bound_tcp(config: Config) -> socket.socket:
    host, port = config.address()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise not_listening(f"{host}:{port}", error) from None
    return listener


def not_listening(where: str, error: OSError) -> Error:
    return Error(
        f"cannot listen on {where}: {os.strerror(error.errno or 0)}",
        hint="another daemon may be running; `listen` takes another port",
    )


def bound_unix(config: Config) -> socket.socket:
    """The gateways' unix socket, over what a killed daemon left behind."""
    path = config.listen_unix
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(OTHERS_UMASK)
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise Error(f"listen_unix {path} is there already, and is no socket")
            if listener.connect_ex(path) == 0:
                raise Error(f"somebody listens on {path} already")
            os.unlink(path)
        listener.close()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        if config.user and os.geteuid() == 0:
            entry = pwd.getpwnam(config.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)
    except (OSError, KeyError, Error) as error:
        listener.close()
        if isinstance(error, Error):
            raise
        raise Error(
            f"cannot listen on {path}: {error}",
            hint="a socket's path may have some 100 bytes" if len(path) > 100 else "",
        ) from None
    finally:
        os.umask(before)
    return listener
