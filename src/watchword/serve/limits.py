"""Every limit of the daemon, by name and unit, and what happens beyond it.

The limits of frames are the parser's (WW_WIRE_* in ext/watchword.h): 64 kB a command, 256 kB and
4,096 pairs for VERIFYMANY; beyond them -ERR and a close. A batch holds 8,192 attempts
(WW_BATCH_ATTEMPTS_MAX); a connection that finds it full is not read until the next batch opens.
"""

from typing import Final

__all__ = [
    "ANSWERS_MAX",
    "BARE_BYTES_PER_PAGE",
    "CONNECTIONS_MAX",
    "DRAIN_SECONDS_MAX",
    "ENTRIES_PER_PAGE_MAX",
    "EVENT_UNREAD_BYTES_MAX",
    "FILES_SPARE",
    "FLEET_SLOTS_PER_STEP",
    "FLEET_STEP_SECONDS",
    "HEAD_SECONDS",
    "IDLE_SECONDS_MAX",
    "LINGER_SECONDS_MAX",
    "LISTEN_BACKLOG",
    "LOCKOUT_LINES_PER_SECOND",
    "NAMES_PER_LIST_MAX",
    "PARTIAL_SECONDS_MAX",
    "PHONES_AT_ONCE",
    "PHONES_WAITING_MAX",
    "PROBES_AT_ONCE",
    "PROBE_SECONDS_MAX",
    "STRANGERS_MAX",
    "STRANGERS_PER_ADDRESS_MAX",
    "STRANGER_COMMANDS_MAX",
    "STRANGER_SECONDS_MAX",
    "STUCK_SECONDS",
    "SWEEP_SECONDS",
    "UNDRAINED_SECONDS_MAX",
    "UNREAD_BYTES_MAX",
    "WAITING_MAX",
    "WAITING_PER_ADDRESS_MAX",
]

CONNECTIONS_MAX: Final = 10_000  # beyond: -ERR max number of clients reached, and a close
ANSWERS_MAX: Final = 4_096  # unanswered attempts of a connection; beyond: it is not read
UNREAD_BYTES_MAX: Final = 262_144  # replies a client has not read; beyond: it is not read
UNDRAINED_SECONDS_MAX: Final = 10.0  # beyond UNREAD_BYTES_MAX for so long: closed
PARTIAL_SECONDS_MAX: Final = 5.0  # a command begun and not ended: closed
IDLE_SECONDS_MAX: Final = 300.0  # nothing said and nothing owed: closed
LINGER_SECONDS_MAX: Final = 2.0  # after a bad frame, for the client to read why: closed
PHONES_AT_ONCE: Final = 2  # threads on which what phones say is held against its signature
PHONES_WAITING_MAX: Final = 1_000  # phones that wait for one of them; beyond: BUSY
STRANGER_SECONDS_MAX: Final = 5.0  # to say who one is, the TLS handshake and AUTH each: closed
STRANGER_COMMANDS_MAX: Final = 5  # before AUTH; in 1 kB (STRANGER_BYTES_MAX); beyond: closed
STRANGERS_MAX: Final = 128  # half-open connections in all: in a handshake, or before AUTH
STRANGERS_PER_ADDRESS_MAX: Final = 8  # and of one address; beyond either they wait, unread
WAITING_MAX: Final = 1_024  # that wait so, in all, for STRANGER_SECONDS_MAX; beyond: closed
WAITING_PER_ADDRESS_MAX: Final = 256  # and of one address
SWEEP_SECONDS: Final = 1.0  # how often ages are looked at, and so how late a close may come
FLEET_SLOTS_PER_STEP: Final = 1_024  # users looked at between two turns, for the metrics
FLEET_STEP_SECONDS: Final = 0.05  # between two such looks: ten million users take eight minutes
STUCK_SECONDS: Final = 10.0  # without a sign of the loop; beyond: /healthz is 503
PROBES_AT_ONCE: Final = 16  # connections to the metrics' port; beyond: closed at once
PROBE_SECONDS_MAX: Final = 5.0  # for a probe's next bytes; beyond: closed
EVENT_UNREAD_BYTES_MAX: Final = 1 << 20  # of events a subscriber has not read; beyond: -ERR, closed
LOCKOUT_LINES_PER_SECOND: Final = 10  # of the log; what comes beyond is counted in one line
DRAIN_SECONDS_MAX: Final = 10.0  # after SIGTERM, for clients to take their answers: closed
LISTEN_BACKLOG: Final = 1_024  # connections the kernel keeps before we accept them
FILES_SPARE: Final = 64  # open files kept for the store and for ourselves
NAMES_PER_LIST_MAX: Final = 1_000  # names in one reply of USER LIST; ask again AFTER the last
HEAD_SECONDS: Final = 60.0  # between two writings of the journal's head to where it is known
ENTRIES_PER_PAGE_MAX: Final = 1_000  # entries in one reply of AUDIT READ; ask again after the last
BARE_BYTES_PER_PAGE: Final = 1 << 20  # of rows in one reply of AUDIT ROWS, or one larger row
