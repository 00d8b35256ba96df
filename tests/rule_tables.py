"""Rows of RULES sections 2, 4, 5 and 7 for devices that show a code, for tests/test_rules.py.

A row: a time; then one of
  say  USER TYPED PLATFORM OPTIONS -> verdict, reason, serial; alice's failures, her devices'
  sync USER SERIAL TYPED TYPED     -> the same, for two consecutive codes in one act
  fail TIMES                       alice is wrong so often
  CAPITALS ...                     an act of administration
A time is seconds, or days as 2d, or both as 2d+1. TYPED: SERIAL+n, of TOTP the code n steps from
now, of HOTP that of counter n; long, spaced, letters: what nearly is one, of the first device;
wrong; - for nothing. A USER {} is one of 65 letters. OPTIONS: - or several of device=, realm=,
address=, joined by commas.
"""

from typing import Any

__all__ = ["DEVICES", "TABLES"]

# serial -> kind and figures; those with one key stand below
DEVICES: dict[str, tuple[str, dict[str, Any]]] = {
    "app": ("totp", {}),
    "past": ("totp", {"window": (2, 0)}),
    "token": ("alpine", {}),
    "stick": ("hotp", {}),
    "twin": ("hotp", {}),
    "dsc": ("dsc", {}),
    "zdsc": ("dsc", {}),
}
SAME_KEY = {"twin": "stick", "zdsc": "stick"}

# What alice has; the policy's figures; rows.
TABLES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    # ---- section 2
    "a name that no name may be, before anything else, and costs nothing": (["app"], {}, """
        0    say  al.ice app+0   trading -               BAD_CHARACTER NAME - 0 0
        0    say  alice! app+0   portal  -               BAD_CHARACTER NAME - 0 0
        0    say  ali\u00e7e app+0   portal  -               BAD_CHARACTER NAME - 0 0
        0    say  {}     app+0   trading -               BAD_CHARACTER NAME - 0 0
        1    say  Alice  app+0   trading -               REJECTED UNKNOWN_USER - 0 0
        2    say  alice  app+0   trading -               ACCEPTED NONE app 0 0
        """),
    "where any name is legal, control characters are not": (["app"], {"names": "any"}, """
        0    say  al.ice@example.org app+0 trading -     REJECTED UNKNOWN_USER - 0 0
        0    say  ali\u00e7e app+0   trading -               REJECTED UNKNOWN_USER - 0 0
        0    say  {}     app+0   trading -               REJECTED UNKNOWN_USER - 0 0
        0    say  {}{}   app+0   trading -               BAD_CHARACTER NAME - 0 0
        0    say  al\x01ice app+0  trading -               BAD_CHARACTER NAME - 0 0
        0    say  alice  app+0   trading -               ACCEPTED NONE app 0 0
        """),
    "a response is compared exactly as it is received": (["app"], {}, """
        0    say  alice spaced   trading -               REJECTED WRONG - 1 1
        0    say  alice long     trading -               REJECTED WRONG - 2 2
        0    say  alice letters  trading -               REJECTED WRONG - 3 3
        0    say  alice app+0    trading -               ACCEPTED NONE app 0 0
        """),
    # ---- section 4: once means once
    "TOTP: one step either side, never at or before the last": (["app"], {}, """
        3000 say  alice app-2    trading -               REJECTED WRONG - 1 1
        3000 say  alice app+2    trading -               REJECTED WRONG - 2 2
        3000 say  alice app-1    trading -               ACCEPTED NONE app 0 0
        3001 say  alice app-1    trading -               REJECTED REPLAYED - 1 1
        3002 say  alice app+1    portal  -               ACCEPTED NONE app 0 0
        3003 say  alice app+0    trading -               REJECTED REPLAYED - 1 1
        3030 say  alice app+0    trading -               REJECTED REPLAYED - 2 2
        3031 say  alice app+1    trading -               ACCEPTED NONE app 0 0
        """),
    "TOTP: a window of two steps back and none forward": (["past"], {}, """
        3000 say  alice past-3   trading -               REJECTED WRONG - 1 1
        3000 say  alice past+1   trading -               REJECTED WRONG - 2 2
        3000 say  alice past-2   trading -               ACCEPTED NONE past 0 0
        3000 say  alice past+0   trading -               ACCEPTED NONE past 0 0
        """),
    "HOTP: the expected counter and ten more, the lowest match wins": (["stick"], {}, """
        0    say  alice stick+11 trading -               REJECTED WRONG - 1 1
        1    say  alice stick+10 trading -               ACCEPTED NONE stick 0 0
        2    say  alice stick+10 trading -               REJECTED WRONG - 1 1
        3    say  alice stick+9  trading -               REJECTED WRONG - 2 2
        4    say  alice stick+11 trading -               ACCEPTED NONE stick 0 0
        """),
    "drift is remembered for hardware, up to its limit, and not for apps": (["token"], {}, """
        3000 say  alice token+1  trading -               ACCEPTED NONE token 0 0
        3300 say  alice token+2  trading -               ACCEPTED NONE token 0 0
        3600 say  alice token+4  trading -               REJECTED WRONG - 1 1
        3600 say  alice token+3  trading -               ACCEPTED NONE token 0 0
        """),
    "an app's drift moves nothing": (["app"], {}, """
        3000 say  alice app+1    trading -               ACCEPTED NONE app 0 0
        3300 say  alice app+2    trading -               REJECTED WRONG - 1 1
        """),
    "a clock that goes back frees nothing": (["app"], {}, """
        3000 say  alice app+0    trading -               ACCEPTED NONE app 0 0
        2970 say  alice app+1    trading -               REJECTED REPLAYED - 1 1
        2970 say  alice app+0    trading -               REJECTED REPLAYED - 2 2
        """),
    "removed and enrolled again with its key, a device goes on where it was": (["stick"], {}, """
        0    say  alice stick+4  trading -               ACCEPTED NONE stick 0 0
        1    AGAIN alice stick
        2    say  alice stick+4  trading -               REJECTED WRONG - 1 1
        3    say  alice stick+5  trading -               ACCEPTED NONE stick 0 0
        """),
    "one key in two devices is one code": (["stick", "twin"], {}, """
        0    say  alice stick+3  trading device=stick    ACCEPTED NONE stick 0 0+0
        1    say  alice twin+3   trading device=twin     REJECTED WRONG - 1 0+1
        2    say  alice twin+4   trading -               ACCEPTED NONE stick 0 0+0
        3    say  alice twin+4   trading -               REJECTED WRONG - 1 1+1
        """),
    "resynchronisation: two consecutive codes, up to 100 counters away, forward only": (
        ["stick"], {}, """
        0    say  alice stick+5   trading -              ACCEPTED NONE stick 0 0
        1    sync alice stick stick+4 stick+5            REJECTED WRONG - 1 1
        2    sync alice stick stick+20 stick+22          REJECTED WRONG - 2 2
        3    sync alice stick stick+107 stick+108        REJECTED WRONG - 3 3
        4    sync alice stick stick+106 stick+107        ACCEPTED NONE stick 0 0
        5    say  alice stick+107 trading -              REJECTED WRONG - 1 1
        6    say  alice stick+108 trading -              ACCEPTED NONE stick 0 0
        """),
    "resynchronisation: up to 20 steps away, and drift is set": (["token"], {}, """
        30000 sync alice token token+21 token+22         REJECTED WRONG - 1 1
        30000 sync alice token token-3 token-2           ACCEPTED NONE token 0 0
        30300 say  alice token-2 trading -               ACCEPTED NONE token 0 0
        """),
    # ---- section 4: several devices
    "any active device may answer; only one that is named is tried": (["app", "dsc"], {}, """
        3000 say  alice app+0    trading -               ACCEPTED NONE app 0 0+0
        3001 say  alice dsc+0    trading -               ACCEPTED NONE dsc 0 0+0
        3002 say  alice dsc+1    trading device=app      REJECTED WRONG - 1 1+0
        3003 say  alice wrong    trading -               REJECTED WRONG - 2 2+1
        3004 say  alice wrong    trading device=none     REJECTED DEVICE_UNKNOWN - 3 2+1
        3005 DEVICE alice dsc lost
        3006 say  alice dsc+1    trading -               REJECTED WRONG - 4 3+1
        3007 say  alice dsc+1    trading device=dsc      REJECTED DEVICE_INACTIVE - 5 3+1
        3008 DEVICE alice dsc active
        3009 say  alice dsc+1    trading -               ACCEPTED NONE dsc 0 3+0
        """),
    "of several that match the highest in rank is told, before the lowest serial": (
        ["stick", "zdsc"], {}, """
        0    say  alice stick+0  trading -               ACCEPTED NONE zdsc 0 0+0
        1    say  alice stick+0  trading -               REJECTED WRONG - 1 1+1
        2    say  alice stick+1  trading device=stick    ACCEPTED NONE stick 0 0+1
        3    say  alice stick+1  trading device=zdsc     REJECTED WRONG - 1 0+2
        4    say  alice stick+2  trading -               ACCEPTED NONE zdsc 0 0+0
        """),
    "no device, or none that is active": (["app"], {}, """
        0    DEVICE alice app suspended
        1    say  alice app+0    trading -               REJECTED NO_DEVICE - 1 0
        2    DEVICE alice app returned
        3    say  alice app+0    trading -               REJECTED NO_DEVICE - 2 0
        4    say  alice -        trading -               CHALLENGE EMPTY - 2 0
        """),
    # ---- section 5
    "ten, unless said otherwise": (["stick"], {}, """
        0      fail 9
        1      say  alice stick+0 trading -              ACCEPTED NONE stick 0 0
        2      fail 9
        3      say  alice wrong   trading -              REJECTED WRONG - 10 10
        4      say  alice stick+1 trading -              LOCKED LOCKED - 11 11
        1d+3   say  alice stick+2 trading -              LOCKED LOCKED - 12 12
        2d+3   say  alice stick+3 trading -              ACCEPTED NONE stick 0 0
        """),
    "time that goes back frees nobody": (["stick"], {"lockout_failures": 2}, """
        900    say  alice wrong   trading -              REJECTED WRONG - 1 1
        901    say  alice wrong   trading -              REJECTED WRONG - 2 2
        0      say  alice stick+0 trading -              LOCKED LOCKED - 3 3
        1d+900 say  alice stick+1 trading -              LOCKED LOCKED - 4 4
        """),
    "so many failures within the time lock; the lock refuses, and starts its wait again": (
        ["app", "stick"], {"lockout_failures": 3}, """
        0      say  alice wrong   trading -              REJECTED WRONG - 1 1+1
        1      say  alice wrong   portal  -              REJECTED WRONG - 2 2+2
        2      say  alice wrong   trading device=app     REJECTED WRONG - 3 3+2
        3      say  alice stick+0 trading -              LOCKED LOCKED - 4 4+3
        1d     say  alice -       trading -              LOCKED LOCKED - 5 5+4
        2d     say  alice stick+0 trading -              REJECTED WRONG - 1 6+5
        2d+1   say  alice stick+1 trading -              ACCEPTED NONE stick 0 6+0
        """),
    "a failure a day apart from the first slides out of the window": (
        ["stick"], {"lockout_failures": 3}, """
        0      say  alice wrong   trading -              REJECTED WRONG - 1 1
        5      say  alice wrong   trading -              REJECTED WRONG - 2 2
        1d     say  alice wrong   trading -              REJECTED WRONG - 3 3
        1d+4   say  alice wrong   trading -              REJECTED WRONG - 4 4
        1d+5   say  alice stick+0 trading -              LOCKED LOCKED - 5 5
        """),
    "one second less than a day is within it": (["stick"], {"lockout_failures": 2}, """
        1      say  alice wrong   trading -              REJECTED WRONG - 1 1
        1d     say  alice wrong   trading -              REJECTED WRONG - 2 2
        1d+1   say  alice stick+0 trading -              LOCKED LOCKED - 3 3
        """),
    "a success empties the streak": (["stick"], {"lockout_failures": 2}, """
        0      say  alice wrong   trading -              REJECTED WRONG - 1 1
        1      say  alice stick+0 trading -              ACCEPTED NONE stick 0 0
        2      say  alice wrong   trading -              REJECTED WRONG - 1 1
        3      say  alice stick+1 trading -              ACCEPTED NONE stick 0 0
        """),
    "refused attempts need not start the wait again": (
        ["stick"], {"lockout_failures": 1, "lockout_extend": False}, """
        0      say  alice wrong   trading -              REJECTED WRONG - 1 1
        10     say  alice stick+0 trading -              LOCKED LOCKED - 2 2
        1d     say  alice stick+1 trading -              ACCEPTED NONE stick 0 0
        """),
    "client services unlock; a wrong name is wrong": (["stick"], {"lockout_failures": 1}, """
        0      say  alice wrong   trading -              REJECTED WRONG - 1 1
        1      UNLOCK alice
        2      say  alice stick+0 trading -              ACCEPTED NONE stick 0 0
        """),
    "what was suspended by hand stays so": (["stick"], {"lockout_failures": 1}, """
        0      DEVICE alice stick suspended
        1      say  alice wrong   trading -              REJECTED NO_DEVICE - 1 0
        2      UNLOCK alice
        3      say  alice stick+0 trading -              REJECTED NO_DEVICE - 1 0
        """),
    "a hundred in a row suspend, over whatever time, unless said otherwise": (["stick"], {}, """
        0      fail 9
        1d     fail 9
        2d     fail 9
        3d     fail 9
        4d     fail 9
        5d     fail 9
        6d     fail 9
        7d     fail 9
        8d     fail 9
        9d     fail 9
        10d    fail 8
        11d    say  alice wrong   trading device=stick   REJECTED WRONG - 99 99
        12d    say  alice wrong   trading device=stick   REJECTED WRONG - 100 100
        13d    say  alice stick+0 trading -              REJECTED NO_DEVICE - 100 100
        """),
    "no cap, where the policy has none": (
        ["stick"], {"failures_cap": None, "lockout_failures": 100}, """
        0      fail 99
        2d     fail 99
        4d     say  alice stick+0 trading -              ACCEPTED NONE stick 0 0
        """),
    "the cap suspends a device, over whatever time, until somebody unlocks": (
        ["app", "stick"], {"failures_cap": 2, "lockout_failures": 9}, """
        0      say  alice wrong   trading device=stick   REJECTED WRONG - 1 0+1
        9d     say  alice wrong   trading device=stick   REJECTED WRONG - 2 0+2
        9d+1   say  alice stick+0 trading device=stick   REJECTED DEVICE_INACTIVE - 3 0+2
        9d+30  say  alice app+0   trading -              ACCEPTED NONE app 0 0+2
        9d+31  UNLOCK alice
        9d+32  say  alice stick+0 trading device=stick   ACCEPTED NONE stick 0 0+0
        """),
    "names that nobody has seem to lock as well": (["app"], {"lockout_failures": 2}, """
        0      say  nobody wrong  trading -              REJECTED UNKNOWN_USER - 0 0
        1      say  nobody wrong  trading -              REJECTED UNKNOWN_USER - 0 0
        2      say  nobody wrong  trading -              LOCKED LOCKED - 0 0
        1d+2   say  nobody wrong  trading -              REJECTED UNKNOWN_USER - 0 0
        """),
    "beyond so many failures of an address it is BUSY, and nobody is charged": (
        ["app"], {"source_failures": 2}, """
        0      say  alice  wrong  trading address=192.0.2.7  REJECTED WRONG - 1 1
        1      say  nobody wrong  trading address=192.0.2.7  REJECTED UNKNOWN_USER - 1 1
        2      say  alice  wrong  trading address=192.0.2.7  BUSY SOURCE - 1 1
        3      say  alice  app+0  trading address=192.0.2.7  BUSY SOURCE - 1 1
        4      say  alice  app+0  trading address=192.0.2.8  ACCEPTED NONE app 0 0
        3600   say  alice  app+0  trading address=192.0.2.7  ACCEPTED NONE app 0 0
        """),
    "an address of IPv6 is as far as its first half": (["app"], {"source_failures": 2}, """
        0      say  alice  wrong  trading address=2001:db8::1    REJECTED WRONG - 1 1
        1      say  alice  wrong  trading address=2001:db8::2:1  REJECTED WRONG - 2 2
        2      say  alice  app+0  trading address=2001:db8::3    BUSY SOURCE - 2 2
        3      say  alice  app+0  trading address=2001:db8:0:1:: ACCEPTED NONE app 0 0
        """),
    # ---- section 7: the first row that applies
    "BUSY comes before LOCKED, a bad character before both": (
        ["app"], {"source_failures": 1, "lockout_failures": 1}, """
        0      say  alice  wrong  trading address=192.0.2.9  REJECTED WRONG - 1 1
        1      say  alice  app+0  trading address=192.0.2.9  BUSY SOURCE - 1 1
        1      say  al.ice app+0  trading address=192.0.2.9  BAD_CHARACTER NAME - 1 1
        2      say  alice  app+0  trading -                  LOCKED LOCKED - 2 2
        """),
    "LOCKED comes before nothing typed, and before what is not permitted": (
        ["stick"], {"lockout_failures": 1}, """
        0      ACCOUNT alice closed
        1      say  alice wrong   trading -              REJECTED WRONG - 1 1
        2      say  alice -       trading -              LOCKED LOCKED - 2 2
        3      say  alice stick+0 trading -              LOCKED LOCKED - 3 3
        """),
    "nothing typed asks for a challenge first, for every name alike": (["app"], {}, """
        0      say  alice  -      trading -              CHALLENGE EMPTY - 0 0
        1      say  nobody -      trading -              CHALLENGE EMPTY - 0 0
        2      say  alice  app+0  trading -              ACCEPTED NONE app 0 0
        """),
    "wrong comes before not permitted; right and not permitted is used up, no failure": (
        ["stick"], {}, """
        0      ACCOUNT alice pending
        1      say  alice wrong   trading -              REJECTED WRONG - 1 1
        2      say  alice stick+0 trading -              NOT_PERMITTED ACCOUNT stick 1 1
        3      say  alice stick+0 trading -              REJECTED WRONG - 2 2
        4      say  alice stick+1 portal  -              ACCEPTED NONE stick 0 0
        5      ACCOUNT alice closed
        6      say  alice stick+2 trading -              NOT_PERMITTED ACCOUNT stick 0 0
        7      say  alice stick+3 portal  -              ACCEPTED NONE stick 0 0
        8      ACCOUNT alice open
        9      say  alice stick+4 trading realm=paper    NOT_PERMITTED REALM stick 0 0
        10     say  alice stick+5 trading realm=live     ACCEPTED NONE stick 0 0
        """),
}
