"""Rows of RULES section 6 for devices that come and go, for tests/test_life.py.

A row: a moment, then one of
  add SERIAL | ship SERIAL [activates=MOMENT] [expires=MOMENT] | card SERIAL | unlock
  replace OLD NEW STATE [MOMENT] | set SERIAL STATE | not SERIAL STATE, which is illegal
  dates SERIAL [activates=MOMENT] [expires=MOMENT]
  ask SERIAL PLATFORM, for a login | new SERIAL PLATFORM, for its activation
  say TYPED PLATFORM OPTIONS -> verdict, reason, serial; how alice's devices stand after it
  try SERIAL TYPED OPTIONS   -> the same, of an activation
  see                        -> how they stand
A moment is days, and milliseconds from there: 21d, 21d-1. TYPED: SERIAL, for what it shows or
answers now, of HOTP with +n the code of counter n; wrong. OPTIONS: - or device=, id. Devices stand
by their first letters: Shipped, Active, sUspended, Lost, Returned, Expired.
"""

from typing import Any

__all__ = ["TABLES"]

TABLES: dict[str, tuple[dict[str, Any], str]] = {
    "shipped: nothing until its user confirms the serial and answers it once": ({}, """
        0       ship new
        0       say  new+0   trading -           REJECTED NO_DEVICE - S
        0       say  new+0   trading device=new  REJECTED DEVICE_INACTIVE - S
        1d      try  none new+0 -                REJECTED DEVICE_UNKNOWN - S
        1d      try  new  wrong -                REJECTED WRONG - S
        1d+1    try  new  new+0 -                ACCEPTED NONE new A
        1d+1    say  new+0   trading -           REJECTED WRONG - A
        1d+2    say  new+1   trading -           ACCEPTED NONE new A
        """),
    "activation is an attempt: it counts, and it locks": ({"lockout_failures": 3}, """
        0       ship new
        1       try  new wrong -                 REJECTED WRONG - S
        2       try  new wrong -                 REJECTED WRONG - S
        3       try  new wrong -                 REJECTED WRONG - S
        4       try  new new+0 -                 LOCKED LOCKED - S
        1d+4    try  new new+0 -                 REJECTED WRONG - S
        1d+5    try  new new+1 -                 ACCEPTED NONE new A
        """),
    "21 days after shipping it is active of itself": ({}, """
        0       add  pass
        0       ship new
        1       say  pass    trading -           ACCEPTED NONE pass A+S
        21d-1   see                              A+S
        21d-1   say  new+0   trading -           REJECTED WRONG - A+S
        21d     see                              E+A
        21d     say  new+1   trading -           ACCEPTED NONE new E+A
        21d     say  pass    trading -           EXPIRED OVERDUE pass E+A
        """),
    "the moment has come for whatever is said first, a wrong code too": ({}, """
        0       add  pass
        0       ship new activates=1d
        1d-1    say  pass    trading -           ACCEPTED NONE pass A+S
        1d      say  wrong   trading -           REJECTED WRONG - E+A
        1d      say  pass    trading -           EXPIRED ENDED pass E+A
        """),
    "an activation after the moment finds it active": ({}, """
        0       ship app activates=1d
        1d      try  app app -                   ACCEPTED NONE app A
        1d      try  app app -                   REJECTED REPLAYED - A
        """),
    "never of itself, where the policy says so": ({"auto_activate_ms": None}, """
        0       ship new
        399d    say  new+0   trading -           REJECTED NO_DEVICE - S
        399d    try  new new+1 -                 ACCEPTED NONE new A
        """),
    "a challenge device answers a challenge that was asked for this": ({}, """
        0       ship gold
        0       ask  gold trading
        0       try  gold gold id                REJECTED NO_CHALLENGE - S
        1       new  gold portal
        1       try  gold gold -                 REJECTED NO_CHALLENGE - S
        2       say  gold    portal id           REJECTED NO_CHALLENGE - S
        3       try  gold gold id                ACCEPTED NONE gold A
        4       ask  gold trading
        4       say  gold    trading id          ACCEPTED NONE gold A
        """),
    "temporary devices end when a permanent one becomes active: by hand": ({}, """
        0       add  pass
        0       ship new
        0       set  new active
        0       see                              E+A
        1       say  pass    portal -            EXPIRED ENDED pass E+A
        2       say  wrong   portal -            REJECTED WRONG - E+A
        3       say  pass    portal device=pass  EXPIRED ENDED pass E+A
        4       say  wrong   portal device=pass  REJECTED WRONG - E+A
        """),
    "temporary devices end: by activation": ({}, """
        0       add  pass
        0       ship new
        1       try  new new+0 -                 ACCEPTED NONE new E+A
        1       say  pass    trading -           EXPIRED ENDED pass E+A
        """),
    "temporary devices end: active again": ({}, """
        0       add  old
        0       set  old lost
        0       add  pass
        1       say  pass    trading -           ACCEPTED NONE pass L+A
        1       say  old+0   trading -           REJECTED WRONG - L+A
        2       set  old active
        2       see                              A+E
        2       set  old active
        3       say  pass    trading -           EXPIRED ENDED pass A+E
        """),
    "temporary devices end: unlocked after the cap": ({"failures_cap": 1}, """
        0       add  old
        0       say  wrong   trading device=old  REJECTED WRONG - U
        0       add  pass
        1       say  pass    trading -           ACCEPTED NONE pass U+A
        2       unlock
        2       see                              A+E
        """),
    "a temporary device that comes later lives": ({}, """
        0       ship new activates=1d
        2d      add  pass
        2d      see                              A+A
        2d      say  pass    trading -           ACCEPTED NONE pass A+A
        2d      say  new+0   trading -           ACCEPTED NONE new A+A
        2d      say  pass    trading -           ACCEPTED NONE pass A+A
        """),
    "a temporary passcode: 2 days for both platforms, 10 for an online card": ({}, """
        0       add  pass
        2d-1    say  pass    trading -           ACCEPTED NONE pass A
        2d      say  pass    trading -           NOT_PERMITTED SCOPE pass A
        2d      say  pass    portal -            ACCEPTED NONE pass A
        12d-1   say  pass    portal -            ACCEPTED NONE pass A
        12d     say  pass    portal -            EXPIRED OVERDUE pass A
        """),
    "an online card: two of its cells, then 21 days from its issue": ({}, """
        0       add  pass
        0       card online
        0       ask  online trading
        0       say  wrong   trading id          REJECTED NO_CHALLENGE - A+S
        0       new  online portal
        1       try  online wrong id             REJECTED WRONG - A+S
        2       try  online online id            ACCEPTED NONE online A+A
        3       say  pass    trading -           ACCEPTED NONE pass A+A
        3       ask  online trading
        3       say  online  trading id          ACCEPTED NONE online A+A
        4       ask  online portal
        4       say  online  portal -            ACCEPTED NONE online A+A
        21d-1   ask  online portal
        21d-1   see                              A+A
        21d     say  online  portal id           EXPIRED OVERDUE online A+E
        """),
    "an online card that nobody answered ends all the same; another ends the one before": ({}, """
        0       card online
        1       card other
        1       see                              E+S
        1       new  other portal
        21d     see                              E+S
        21d+1   see                              E+E
        21d+1   try  other other id              REJECTED NO_CHALLENGE - E+E
        """),
    "an online card ends with a permanent device; a wrong answer is wrong": ({}, """
        0       card online
        0       new  online portal
        0       try  online online id            ACCEPTED NONE online A
        0       ask  online trading
        1       ship new
        1       try  new new+0 -                 ACCEPTED NONE new E+A
        2       say  wrong   trading id          REJECTED WRONG - E+A
        3       say  online  trading id          EXPIRED ENDED online E+A
        4       say  online  trading id          REJECTED NO_CHALLENGE - E+A
        """),
    "replaced: lost at once, and the new one is on its way": ({}, """
        0       add  old
        0       replace old new lost
        0       see                              L+S
        1       say  old+0   trading -           REJECTED NO_DEVICE - L+S
        2       try  new new+0 -                 ACCEPTED NONE new L+A
        """),
    "rollover: the old one goes on until the new one is active": ({}, """
        0       add  old
        0       replace old new active
        1d      say  old+0   trading -           ACCEPTED NONE old A+S
        21d-1   say  old+1   trading -           ACCEPTED NONE old A+S
        21d     say  old+2   trading -           REJECTED WRONG - E+A
        21d     say  new+0   trading -           ACCEPTED NONE new E+A
        """),
    "rollover: until a given time at the latest": ({}, """
        0       add  plain
        0       replace plain new active 2d
        2d-1    say  plain+0 trading -           ACCEPTED NONE plain A+S
        2d      say  plain+1 trading -           REJECTED NO_DEVICE - E+S
        3d      try  new new+0 -                 ACCEPTED NONE new E+A
        """),
    "a device ends at its date, wherever it was placed": ({}, """
        0       add  plain
        0       dates plain expires=1d
        1d-1    say  plain+0 trading -           ACCEPTED NONE plain A
        1d      say  plain+1 trading device=plain  REJECTED DEVICE_INACTIVE - E
        1d      not  plain active
        """),
    "one that ends before its moment is never active": ({}, """
        0       ship new activates=2d expires=1d
        2d      see                              E
        2d      say  new+0   trading -           REJECTED NO_DEVICE - E
        """),
    "a clock that goes back brings nothing back": ({}, """
        0       add  plain
        0       dates plain expires=1d
        1d      say  wrong   trading -           REJECTED NO_DEVICE - E
        1       say  plain+0 trading -           REJECTED NO_DEVICE - E
        """),
    "which state may follow which": ({}, """
        0       ship new
        0       not  new suspended
        0       set  new active
        0       not  new shipped
        0       set  new suspended
        0       say  new+0   trading -           REJECTED NO_DEVICE - U
        0       not  new shipped
        0       set  new active
        0       say  new+1   trading -           ACCEPTED NONE new A
        0       set  new lost
        0       say  new+2   trading -           REJECTED NO_DEVICE - L
        0       not  new shipped
        0       not  new suspended
        0       set  new active
        0       set  new returned
        0       say  new+2   trading -           REJECTED NO_DEVICE - R
        0       not  new active
        0       not  new shipped
        0       not  new suspended
        0       not  new lost
        0       set  new expired
        0       say  new+2   trading -           REJECTED NO_DEVICE - E
        0       not  new active
        0       not  new returned
        """),
    "what is lost on its way never activates": ({}, """
        0       ship new
        1       set  new lost
        21d     say  new+0   trading -           REJECTED NO_DEVICE - L
        21d     try  new new+0 -                 REJECTED DEVICE_INACTIVE - L
        """),
}
