"""Many clients that say little: what they cost the daemon, and whoever else it serves.

    python -m tests.crowd [CLIENTS] [--tls]

Each of CLIENTS (10,000) connects and then is silent, or idle behind one answer, or stops within a
command, a third of them each; a good client asks all the while. Prints the growth of the daemon's
resident memory and the good client's answers, before and beside the crowd. With --tls, a third is
in a handshake that does not go on; they wait, for eight of an address may do so at once.
"""

import contextlib
import os
import resource
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from papers import Authority, listed, token_of
from served import Client, Served, frame, serving

__all__ = ["Crowd", "crowded"]

ASKED = 2_000  # answers of the good client, before and beside
SETTLED_SECONDS = 10.0  # for the daemon to have taken whoever connected


@dataclass
class Crowd:
    """What a crowd did to a daemon."""

    clients: int
    standing: int
    growth_bytes: int
    before_ms: tuple[float, float]
    beside_ms: tuple[float, float]


def resident(daemon: Served) -> int:
    pages = Path(f"/proc/{daemon.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def asked(client: Client, tag: str, times: int) -> tuple[float, float]:
    """Median and 99th percentile of answers, in milliseconds."""
    took = []
    for i in range(times):
        began = time.perf_counter()
        client.ask("VERIFY", f"{tag}{i}", "000000")
        took.append((time.perf_counter() - began) * 1_000)
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


def joined(stack: contextlib.ExitStack, daemon: Served, number: int, tls: bool) -> None:
    """One of the crowd. Each 8,000 come from an address of their own."""
    source = (f"127.0.1.{1 + number // 8_000}", 0)
    one = socket.create_connection(("127.0.0.1", daemon.port), 30, source_address=source)
    stack.enter_context(one)
    if number % 3 == 1 and not tls:
        one.sendall(frame("VERIFY", f"crowd{number}", "1"))
    elif number % 3 == 2:
        one.sendall(b"\x16\x03\x01\x02\x00\x01" if tls else b"*3\r\n$6\r\nVERIFY\r\n$5\r\nab")


def standing(daemon: Served) -> int:
    with daemon.acts() as acts:
        said = acts.ask("INFO", "clients").splitlines()
    return int(next(line.partition(":")[2] for line in said if line.startswith("connected")))


def crowded(folder: Path, clients: int, tls: bool = False, times: int = ASKED) -> Crowd:
    """A daemon, its good client, and a crowd."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, clients + 200), most))
    context, settings = None, ""
    if tls:
        authority = Authority(folder / "papers")
        context = authority.context()
        settings = authority.settings(authority.issue("server", "/CN=localhost")) + listed("good")
    try:
        with serving(folder, settings) as daemon, contextlib.ExitStack() as stack:
            good = stack.enter_context(daemon.client(context))
            if tls:
                good.ask("AUTH", token_of("good"))
            asked(good, "warm", times)
            before, size = asked(good, "before", times), resident(daemon)
            for number in range(clients):
                joined(stack, daemon, number, tls)
            stand, until = 0, time.monotonic() + SETTLED_SECONDS
            while stand < clients + 2 and time.monotonic() < until and not tls:
                stand = max(stand, standing(daemon))  # a third of them will be closed before long
            stand, growth = stand or standing(daemon), resident(daemon) - size
            beside = asked(good, "beside", times)
            found = Crowd(clients, stand, growth, before, beside)
            assert good.ask("PING") == "PONG"
            stack.close()
            assert daemon.stop() == 0
            assert daemon.healthy(), daemon.said()
            return found
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--tls"]
    with tempfile.TemporaryDirectory() as folder:
        found = crowded(Path(folder), int(words[0]) if words else 10_000, "--tls" in sys.argv)
    print(f"{found.clients} clients came, {found.standing} connections stand")
    print(f"resident memory grew by {found.growth_bytes / 1e6:.1f} MB")
    for name, (median, p99) in (("before", found.before_ms), ("beside", found.beside_ms)):
        print(f"{name} them: median {median:.2f} ms, 99th percentile {p99:.2f} ms")


if __name__ == "__main__":
    main()
