"""Code cards as tables, for tests/test_challenges.py, which says how a row is read: RULES sections
3, 4 and 7, through the slow twin, the engine and the daemon.
"""

from typing import Any

CARD_TABLES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "a pair sticks until it is answered, however long": (["card"], {}, """
        0       ask  alice portal  -                         a
        299     ask  alice portal  -                         a
        300     ask  alice portal  -                         a
        600     ask  alice portal  -                         a
        90000   ask  alice portal  -                         a
        90000   say  alice card:a  portal  -                 ACCEPTED NONE card 0 0
        90000   ask  alice portal  -                         b
        90001   say  alice card:b  portal  id=b              ACCEPTED NONE card 0 0
        """),
    "a wrong answer counts and leaves the pair; a right one ends it, once": (["card"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice wrong   portal  -                    REJECTED WRONG - 1 1
        2    say  alice wrong   portal  id=a                 REJECTED WRONG - 2 2
        3    ask  alice portal  -                            a
        4    say  alice card:a  portal  id=a                 ACCEPTED NONE card 0 0
        5    say  alice card:a  portal  id=a                 REJECTED NO_CHALLENGE - 1 0
        6    say  alice card:a  portal  -                    REJECTED NO_CHALLENGE - 2 0
        7    ask  alice portal  -                            b
        8    say  alice card:a  portal  -                    REJECTED WRONG - 3 1
        """),
    "for another purpose the same pair, answered by that one's id alone": (["card"], {}, """
        0    ask  alice portal  -                            a
        1    ask  alice portal  purpose=wire-100             b
        2    say  alice card:a  portal  -                    REJECTED NO_CHALLENGE - 1 0
        3    say  alice card:a  portal  id=a                 REJECTED NO_CHALLENGE - 2 0
        4    ask  alice portal  purpose=wire-200             c
        5    say  alice card:a  portal  id=b                 REJECTED NO_CHALLENGE - 3 0
        6    ask  alice portal  purpose=wire-100             b
        7    say  alice card:a  portal  id=b                 ACCEPTED NONE card 0 0
        8    say  alice card:a  portal  id=b                 REJECTED NO_CHALLENGE - 1 0
        """),
    "on both platforms the same pair: answered on one it is answered": (["card"], {}, """
        0    ask  alice portal  -                            a
        0    ask  alice trading -                            b
        1    say  alice card:a  portal  id=b                 REJECTED NO_CHALLENGE - 1 0
        2    say  alice card:b  portal  -                    ACCEPTED NONE card 0 0
        3    say  alice card:b  trading -                    REJECTED NO_CHALLENGE - 1 0
        4    say  alice card:b  trading id=b                 REJECTED NO_CHALLENGE - 2 0
        5    ask  alice trading -                            c
        6    say  alice card:c  trading -                    ACCEPTED NONE card 0 0
        """),
    "nothing asked, nothing typed, not active": (["online"], {}, """
        0    say  alice wrong    portal -                    REJECTED NO_CHALLENGE - 1 0
        1    say  alice -        portal -                    CHALLENGE EMPTY - 1 0
        2    ask  alice portal   -                           a
        3    DEVICE alice online suspended
        4    say  alice online:a portal -                    REJECTED NO_DEVICE - 2 0
        5    say  alice online:a portal id=a                 REJECTED NO_CHALLENGE - 3 0
        6    DEVICE alice online active
        7    say  alice online:a portal id=a                 ACCEPTED NONE online 0 0
        """),
    "locked: right all the same, and used up": (["card"], {"lockout_failures": 2}, """
        0    ask  alice portal  -                            a
        1    say  alice wrong   portal  -                    REJECTED WRONG - 1 1
        2    say  alice wrong   portal  -                    REJECTED WRONG - 2 2
        3    say  alice card:a  portal  -                    LOCKED LOCKED - 3 3
        4    UNLOCK alice
        5    say  alice card:a  portal  id=a                 REJECTED NO_CHALLENGE - 1 3
        6    ask  alice portal  -                            b
        7    say  alice card:b  portal  -                    ACCEPTED NONE card 0 0
        """),
    "right but not permitted: used up, and no failure": (["card"], {}, """
        0    ACCOUNT alice pending
        1    ask  alice trading -                            a
        2    say  alice card:a  trading -                    NOT_PERMITTED ACCOUNT card 0 0
        3    say  alice card:a  trading id=a                 REJECTED NO_CHALLENGE - 1 0
        """),
    "beside other devices: the highest rank is asked, and who was tried is charged": (
        ["card", "gold", "totp"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice gold:a  portal  -                    ACCEPTED NONE gold 0 0+0+0
        2    ask  alice portal  device=card                  b
        3    say  alice wrong   portal  -                    REJECTED WRONG - 1 1+0+1
        4    say  alice totp:b  portal  id=b                 REJECTED WRONG - 2 2+0+1
        5    say  alice card:b  portal  -                    ACCEPTED NONE card 0 0+0+1
        6    say  alice totp:b  portal  -                    ACCEPTED NONE totp 0 0+0+0
        """),
    "enrolled again with its key, no pair comes back": (["card"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice card:a  portal  -                    ACCEPTED NONE card 0 0
        2    AGAIN alice card
        3    ask  alice portal  -                            b
        4    say  alice card:a  portal  -                    REJECTED WRONG - 1 1
        5    say  alice card:b  portal  -                    ACCEPTED NONE card 0 0
        """),
    "the last pair, and then a card is asked no more": (["last"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice last:a  portal  -                    ACCEPTED NONE last 0 0
        2    ask  alice portal  -                            b
        3    say  alice wrong   portal  id=b                 REJECTED NO_CHALLENGE - 1 0
        4    say  alice wrong   portal  -                    REJECTED NO_CHALLENGE - 2 0
        """),
    "strict: each cell once, 112 answers": (["lastcell"], {"card_cells_once": True}, """
        0    ask  alice portal  -                            a
        1    say  alice lastcell:a portal -                  ACCEPTED NONE lastcell 0 0
        2    ask  alice portal  -                            b
        3    say  alice wrong   portal  id=b                 REJECTED NO_CHALLENGE - 1 0
        """),
    "a name nobody has seems to have one, whose pair sticks as well": (
        ["totp"], {"challenge_kinds": ["code-card"]}, """
        0    ask  nobody portal  -                           a
        900  ask  nobody portal  -                           a
        900  ask  nobody portal  purpose=p                   b
        901  ask  nobody portal  -                           a
        902  ask  alice  portal  -                           c
        1900 ask  alice  portal  -                           c
        1901 say  nobody wrong   portal  id=a                REJECTED UNKNOWN_USER - 0 0
        """),
}
