"""Questions that are posed, by the caller and by a client, and whole HMACs, as tables for
tests/test_challenges.py, which says how a row is read: through the slow twin, the engine and the
daemon. One row more: `told NAME SERIAL`, our answer is the one that this device makes too.
"""

from typing import Any

POSED_TABLES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "the caller's data is signed: by its id alone, once": (["sig"], {}, """
        0    ask  alice portal  question=SIG11000            a
        1    ask  alice portal  question=SIG11000            a
        2    say  alice sig:a   portal  -                    REJECTED NO_CHALLENGE - 1 0
        3    say  alice wrong   portal  id=a                 REJECTED WRONG - 2 1
        4    say  alice sig:a   trading id=a                 REJECTED NO_CHALLENGE - 3 1
        5    say  bob   sig:a   portal  id=a                 REJECTED NO_CHALLENGE - 3 1
        6    say  alice sig:a   portal  id=a                 ACCEPTED NONE sig 0 0
        7    say  alice sig:a   portal  id=a                 REJECTED NO_CHALLENGE - 1 0
        """),
    "other data, or another purpose for it, takes its place": (["sig"], {}, """
        0    ask  alice portal  question=SIG11000            a
        1    ask  alice portal  question=SIG12000            b
        2    say  alice sig:a   portal  id=a                 REJECTED NO_CHALLENGE - 1 0
        3    say  alice sig:a   portal  id=b                 REJECTED WRONG - 2 1
        4    ask  alice portal  question=SIG12000,purpose=x  c
        5    say  alice sig:b   portal  id=b                 REJECTED NO_CHALLENGE - 3 1
        6    ask  alice portal  -                            d
        7    say  alice sig:c   portal  id=c                 REJECTED NO_CHALLENGE - 4 1
        8    ask  alice portal  question=SIG12000,purpose=x  e
        9    say  alice sig:e   portal  id=e                 ACCEPTED NONE sig 0 0
        """),
    "it is good as long as any, then right is EXPIRED": (["sig"], {}, """
        299  ask  alice portal  question=SIG11000            a
        599  ask  alice portal  question=SIG11000            a
        600  say  alice wrong   portal  id=a                 REJECTED WRONG - 1 1
        601  say  alice sig:a   portal  id=a                 EXPIRED OVERDUE sig 1 1
        602  say  alice sig:a   portal  id=a                 REJECTED NO_CHALLENGE - 2 1
        """),
    "data that no device can sign is signed by nobody": (["sig", "gold"], {}, """
        0    ask  alice portal  question=5343                a
        1    say  alice gold:a  portal  id=a                 ACCEPTED NONE gold 0 0+0
        2    ask  alice portal  question=SIG1                b
        3    say  alice sig:b   portal  id=b                 ACCEPTED NONE sig 0 0+0
        4    ask  alice portal  question=SIG110001           c
        5    say  alice sig:c   portal  id=c                 REJECTED NO_CHALLENGE - 1 0+0
        6    ask  alice portal  question=SIG1,device=gold    d
        7    say  alice sig:d   portal  id=d                 REJECTED NO_CHALLENGE - 2 0+0
        8    ask  nobody portal question=SIG1                e
        9    say  nobody sig:e  portal  id=e                 REJECTED UNKNOWN_USER - 2 0+0
        """),
    "data under every element": (["both", "time", "sign"], {}, """
        0    ask  alice portal  question=12345678,device=both  a
        1    say  alice both:a+1 portal  id=a                ACCEPTED NONE both 0 0+0+0
        2    ask  alice portal  question=12345678,device=both  b
        3    say  alice both:b+1 portal  id=b                REJECTED WRONG - 1 1+0+0
        4    ask  alice portal  question=a1b2c3,device=time  c
        5    say  alice time:c+1 portal id=c                 ACCEPTED NONE time 0 1+0+0
        6    ask  alice portal  question=USD500toZurich,device=sign  d
        7    say  alice sign:d  portal  id=d,session=73657373   ACCEPTED NONE sign 0 1+0+0
        """),
    "a client asks first, and responds to both questions": (["sig"], {}, """
        0    ask  alice portal  client=CLI22220              a
        0    told a sig
        1    ask  alice portal  client=CLI22220              a
        2    say  alice sig:a   portal  -                    REJECTED NO_CHALLENGE - 1 0
        3    say  alice turned:sig:a portal id=a             REJECTED WRONG - 2 1
        4    say  alice sig:a   portal  id=a                 ACCEPTED NONE sig 0 0
        5    say  alice sig:a   portal  id=a                 REJECTED NO_CHALLENGE - 1 0
        6    ask  alice portal  client=CLI22221              b
        7    ask  alice portal  client=CLI22222              c
        8    say  alice sig:b   portal  id=b                 REJECTED NO_CHALLENGE - 2 0
        9    say  alice sig:c   portal  id=c                 ACCEPTED NONE sig 0 0
        """),
    "five answers in an epoch, or one response": (["sig"], {}, """
        0    ask  alice portal  client=CLI22220              a
        1    ask  alice trading client=CLI22221              b
        2    ask  alice portal  client=CLI22222              c
        3    ask  alice portal  client=CLI22222,purpose=x    d
        4    ask  alice portal  client=CLI22224              e
        5    ask  alice portal  client=CLI22225              BUSY
        6    ask  alice trading client=CLI22225              BUSY
        7    ask  alice portal  client=CLI22224              e
        8    ask  alice portal  question=SIG11000            f
        9    say  alice sig:f   portal  id=f                 ACCEPTED NONE sig 0 0
        10   ask  alice portal  client=CLI22226              g
        11   ask  alice portal  client=CLI22227              h
        12   ask  alice portal  client=CLI22228              i
        13   ask  alice portal  client=CLI22229              j
        14   ask  alice portal  client=CLI22230              k
        15   ask  alice portal  client=CLI22231              BUSY
        299  ask  alice portal  client=CLI22231              BUSY
        300  ask  alice portal  client=CLI22231              l
        300  told l sig
        301  say  alice sig:l   portal  id=l                 ACCEPTED NONE sig 0 0
        """),
    "nobody is answered, and limited, like anyone": (["gold"], {}, """
        0    ask  nobody portal client=CLI22220              a
        1    ask  nobody portal client=CLI22220              a
        2    ask  nobody portal client=CLI22221              b
        3    ask  nobody portal client=CLI22222              c
        4    ask  nobody portal client=CLI22223              d
        5    ask  nobody portal -                            e
        6    ask  nobody trading client=CLI22224             f
        7    ask  nobody trading client=CLI22225             BUSY
        8    ask  alice  trading client=CLI22220             g
        9    ask  nobody trading client=CLI22224             f
        300  ask  nobody trading client=CLI22225             h
        """),
    "where both sign alike, from too few questions none is answered, and to no data": (
        ["gold", "sig"], {}, """
        0    ask  alice portal  client=123456                a
        1    say  alice gold:a  portal  id=a                 REJECTED NO_CHALLENGE - 1 0+0
        2    ask  alice portal  client=CLI2222               b
        3    say  alice sig:b   portal  id=b                 REJECTED NO_CHALLENGE - 2 0+0
        4    ask  alice portal  client=CLI22220,question=SIG11000  c
        5    say  alice sig:c   portal  id=c                 REJECTED NO_CHALLENGE - 3 0+0
        """),
    "where a PIN tells them apart, data is signed and answered": (["pinned"], {}, """
        0    ask  alice portal  client=CLI22220,question=SRV11110  a
        0    told a pinned
        1    say  alice pinned:a portal id=a                 ACCEPTED NONE pinned 0 0
        2    ask  alice portal  client=CLI22220              b
        2    told b pinned
        3    say  alice pinned:b portal id=b                 ACCEPTED NONE pinned 0 0
        4    ask  alice portal  client=CLI22220,question=SRV1111   c
        5    say  alice pinned:c portal id=c                 REJECTED NO_CHALLENGE - 1 0
        """),
    "an answer is under the counter expected, and the step that now is": (["apart"], {}, """
        600  ask  alice portal  client=A1B2C3D4              a
        600  told a apart
        660  ask  alice portal  client=A1B2C3D4              a
        660  told a apart
        661  say  alice apart:a portal  id=a,session=73657373   ACCEPTED NONE apart 0 0
        """),
    "a whole HMAC, in hex": (["whole", "digests"], {}, """
        0    ask  alice portal  device=whole                 a
        1    say  alice wrong   portal  -                    REJECTED WRONG - 1 1+0
        2    say  alice upper:whole:a portal -               REJECTED WRONG - 2 2+0
        3    say  alice cut:whole:a portal -                 REJECTED WRONG - 3 3+0
        4    say  alice whole:a portal  -                    ACCEPTED NONE whole 0 0+0
        5    say  alice whole:a portal  id=a                 REJECTED NO_CHALLENGE - 1 0+0
        600  ask  alice portal  device=digests               b
        600  say  alice digests:b+4 portal id=b              REJECTED WRONG - 2 0+1
        601  say  alice digests:b+2 portal id=b              ACCEPTED NONE digests 0 0+0
        602  ask  alice portal  device=digests,question=7777 c
        603  say  alice digests:c+2 portal id=c              REJECTED WRONG - 1 0+1
        604  say  alice digests:c+3 portal id=c              ACCEPTED NONE digests 0 0+0
        """),
    "a whole HMAC with a session, which may be too long": (["wholesession"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice wholesession:a portal session=000000000000000073657373  REJECTED WRONG - 1 1
        2    say  alice wholesession:a portal session=73657373  ACCEPTED NONE wholesession 0 0
        """),
}
