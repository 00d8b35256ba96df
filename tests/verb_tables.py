"""Every verb that takes a response or a secret is an attempt, RULES section 4: one table for all of
them, for tests/test_verbs.py, where each row is played with each verb.

A row: a time; then
  USER TYPED ADDRESS -> verdict; alice's failures
or, in capitals, another act. TYPED: right, what would be right now; same, what was typed last but
for what is wrong; wrong; - for nothing. ADDRESS: home, abroad, or - for none.
"""

from typing import Any

__all__ = ["TABLES"]

# The policy's figures; rows.
TABLES: dict[str, tuple[dict[str, Any], str]] = {
    "the same evaluation": ({}, """
        0    al.ice  right -       BAD_CHARACTER 0
        0    Alice   right -       REJECTED 0
        0    nobody  wrong -       REJECTED 0
        1    alice   wrong -       REJECTED 1
        2    alice   right -       ACCEPTED 0
        3    alice   same  -       REJECTED 1
        4    alice   right -       ACCEPTED 0
        5    ACCOUNT alice pending
        6    alice   right -       ACCEPTED 0
        7    ACCOUNT alice closed
        8    alice   right -       ACCEPTED 0
        """),
    "the same counting, the same lock": ({"lockout_failures": 2}, """
        0    alice   wrong -       REJECTED 1
        1    alice   wrong -       REJECTED 2
        2    alice   right -       LOCKED 3
        3    UNLOCK alice
        4    alice   same  -       REJECTED 1
        5    alice   right -       ACCEPTED 0
        6    alice   wrong -       REJECTED 1
        7    LOGIN wrong           REJECTED 2
        8    alice   right -       LOCKED 3
        9    LOGIN right           LOCKED 4
        1d+8 alice   wrong -       LOCKED 5
        2d+8 alice   right -       ACCEPTED 0
        2d+9 LOGIN right           ACCEPTED 0
        """),
    "charged to the user named, and to nobody for whom nobody is": ({"lockout_failures": 2}, """
        0    nobody  wrong -       REJECTED 0
        1    nobody  wrong -       REJECTED 0
        2    nobody  wrong -       LOCKED 0
        3    alice   right -       ACCEPTED 0
        """),
    "from elsewhere nothing is looked at, and the source pays": ({"source_failures": 2}, """
        0    FROM alice 192.0.2.0/24 done
        1    alice   right abroad  NOT_PERMITTED 0
        2    alice   same  home    ACCEPTED 0
        3    alice   wrong abroad  NOT_PERMITTED 0
        4    alice   right -       NOT_PERMITTED 0
        5    alice   same  abroad  BUSY 0
        6    alice   same  home    ACCEPTED 0
        """),
    "a lock comes before an address, a busy source before both": (
        {"lockout_failures": 1, "source_failures": 2}, """
        0    FROM alice 192.0.2.0/24 done
        1    alice   wrong home    REJECTED 1
        2    alice   right abroad  LOCKED 2
        3    nobody  wrong abroad  REJECTED 2
        4    alice   right abroad  BUSY 2
        """),
}
