"""A daemon's client: watchword.client.Client, which waits, and AsyncClient, which is awaited.

    with Client("127.0.0.1:4001") as daemon:
        if daemon.verify("alice", "492039"): ...

Rule: every login bears an id of its own and is sent again under it when its answer was lost, so
that it is decided once and told as often as it takes. What may not be sent twice is not.
Replies are read by hiredis, which is C and Redis' own; redis-py is not used: its connections carry
one command at a time, and what it sends again it sends as something new.
"""

from watchword.client.awaited import AsyncClient
from watchword.client.plain import Client
from watchword.client.words import Verdict

__all__ = ["AsyncClient", "Client", "Verdict"]
