"""Rows of RULES sections 3, 6 and 7 for entry by other roads than a device; for test_entry.py.

A row: a time; then one of
  say USER TYPED PLATFORM OPTIONS     -> verdict, reason; alice's and bob's failures
  blind USER TYPED PLATFORM OPTIONS   -> what a gateway without `reasons` reads, for BLIND
  optin USER TYPED OPTIONS            -> the same
  share USER OWNER SERIAL TYPED OPTIONS -> verdict, why not shared, or shared; the failures
  draw USER USD                       -> within or beyond
  left USER                           -> what is left, in cents, used today, used over five days
  FROM USER ranges|-, OUT USER, UNSHARE USER SERIAL -> done or refused
  IDENTITY USER text|-                PASSWORD USER text|-        ENROL USER SERIAL
  GONE USER SERIAL                    a device is removed
  REPLACE USER OLD NEW STATE          another is shipped for it, and it is in that state
  CAPITALS ...                        another act of administration
A time is seconds, or days as 2d, or both as 2d+1; the first day is a Thursday. TYPED: SERIAL:N,
that device's code N; SERIAL for a code of now; wrong, or - for nothing. OPTIONS: - or several of
password=, address=, device=, realm=, joined by commas; ; stands for : in an address.
"""

from typing import Any

__all__ = ["BLIND", "TABLES"]

# What alice has, what bob has; further policy figures; rows.
TABLES: dict[str, tuple[list[str], list[str], dict[str, Any], str]] = {
    # ---- section 6: entry without a device
    "a closed account on the portal, and there alone": (["plain"], [], {}, """
        0   PASSWORD alice horse-battery
        1   ACCOUNT alice closed
        2   say alice - portal  -                                CHALLENGE EMPTY 0 0
        3   say alice - portal  password=wrong                   REJECTED PASSWORD 1 0
        4   say alice - portal  password=horse-battery           ACCEPTED NONE 0 0
        5   say alice - trading password=horse-battery           CHALLENGE EMPTY 0 0
        6   say alice wrong portal password=horse-battery        REJECTED WRONG 1 0
        7   say alice - portal  password=horse-battery,device=plain CHALLENGE EMPTY 1 0
        8   say alice - portal  password=horse-battery,realm=paper NOT_PERMITTED REALM 1 0
        9   say alice plain:0 trading password=horse-battery     NOT_PERMITTED ACCOUNT 1 0
        10  ACCOUNT alice pending
        11  say alice - portal  password=horse-battery           CHALLENGE EMPTY 1 0
        12  say alice plain:1 portal password=horse-battery      ACCEPTED NONE 0 0
        """),
    "a lock comes before entry without a device": (["plain"], [], {"lockout_failures": 2}, """
        0   PASSWORD alice horse-battery
        0   ACCOUNT alice closed
        1   say alice - portal  password=wrong                   REJECTED PASSWORD 1 0
        2   say alice - portal  password=wrong                   REJECTED PASSWORD 2 0
        3   say alice - portal  password=horse-battery           LOCKED LOCKED 3 0
        1d+3 say alice - portal password=horse-battery           ACCEPTED NONE 0 0
        """),
    "no device, where the policy lets such users in": (
        ["plain"], [], {"allow_no_device": True}, """
        0   PASSWORD bob horse-battery
        0   PASSWORD alice horse-battery
        1   say bob - trading   password=horse-battery           ACCEPTED NONE 0 0
        2   say bob - portal    password=horse-battery           ACCEPTED NONE 0 0
        3   say bob - trading   -                                CHALLENGE EMPTY 0 0
        4   say bob wrong trading password=horse-battery         REJECTED NO_DEVICE 0 1
        5   say alice - trading password=horse-battery           CHALLENGE EMPTY 0 1
        6   DEVICE alice plain lost
        7   say alice - trading password=horse-battery           CHALLENGE EMPTY 0 1
        8   ACCOUNT bob pending
        9   say bob - trading   password=horse-battery           NOT_PERMITTED ACCOUNT 0 1
        10  say nobody - trading password=horse-battery          REJECTED UNKNOWN_USER 0 1
        """),
    "no device, where it does not": ([], [], {}, """
        0   PASSWORD bob horse-battery
        1   say bob - trading   password=horse-battery           CHALLENGE EMPTY 0 0
        2   say bob - portal    password=horse-battery           CHALLENGE EMPTY 0 0
        """),
    # ---- section 6: opting out and in
    "opting out needs a restriction, is for trading, and takes an answer to undo": (
        ["plain"], [], {}, """
        0   PASSWORD alice horse-battery
        0   OUT alice                                            refused
        1   FROM alice 192.0.2.0/24                              done
        2   OUT alice                                            done
        3   say alice - trading address=192.0.2.7                CHALLENGE EMPTY 0 0
        4   say alice - trading address=192.0.2.7,password=horse-battery ACCEPTED NONE 0 0
        5   say alice - portal  address=192.0.2.7,password=horse-battery CHALLENGE EMPTY 0 0
        6   say alice - trading address=192.0.3.7,password=horse-battery NOT_PERMITTED ADDRESS 0 0
        7   FROM alice -                                         refused
        8   optin alice -       address=192.0.2.7,password=horse-battery CHALLENGE EMPTY 0 0
        9   optin alice wrong   address=192.0.2.7,password=horse-battery REJECTED WRONG 1 0
        10  optin alice plain:0 address=192.0.3.7,password=horse-battery NOT_PERMITTED ADDRESS 1 0
        11  say alice - trading address=192.0.2.7,password=horse-battery ACCEPTED NONE 0 0
        12  optin alice plain:0 address=192.0.2.7,password=wrong REJECTED PASSWORD 1 0
        13  optin alice plain:1 address=192.0.2.7,password=horse-battery ACCEPTED NONE 0 0
        14  say alice - trading address=192.0.2.7,password=horse-battery CHALLENGE EMPTY 0 0
        15  FROM alice -                                         done
        16  say alice plain:2 trading password=horse-battery     ACCEPTED NONE 0 0
        """),
    "a closed account opts in with its device alone": (["plain"], [], {}, """
        0   PASSWORD alice horse-battery
        0   FROM alice 192.0.2.0/24                              done
        0   OUT alice                                            done
        1   ACCOUNT alice closed
        2   optin alice - address=192.0.2.7,password=horse-battery CHALLENGE EMPTY 0 0
        3   optin alice plain:0 address=192.0.2.7,password=horse-battery ACCEPTED NONE 0 0
        """),
    # ---- section 6: from where
    "from elsewhere nothing is looked at, used up or charged": (["plain"], [], {}, """
        0   FROM alice 192.0.2.0/25,2001:db8::/32                done
        1   say alice plain:0 trading -                          NOT_PERMITTED ADDRESS 0 0
        2   say alice plain:0 trading address=192.0.2.128        NOT_PERMITTED ADDRESS 0 0
        3   say alice wrong trading address=192.0.2.128          NOT_PERMITTED ADDRESS 0 0
        4   say alice - trading address=192.0.2.128              NOT_PERMITTED ADDRESS 0 0
        5   say alice plain:0 trading address=2001;db9;;1        NOT_PERMITTED ADDRESS 0 0
        6   say alice plain:0 trading address=2001;db8;;1        ACCEPTED NONE 0 0
        7   say alice plain:1 trading address=192.0.2.127        ACCEPTED NONE 0 0
        8   say alice plain:2 trading address=;;ffff;192.0.2.1   ACCEPTED NONE 0 0
        9   say alice wrong trading address=192.0.2.1            REJECTED WRONG 1 0
        10  say nobody wrong trading -                           REJECTED UNKNOWN_USER 1 0
        11  say al.ice plain:3 trading -                         BAD_CHARACTER NAME 1 0
        """),
    "a range of all IPv6 holds no IPv4, one mapped into it does": (["plain"], [], {}, """
        0   FROM alice ::/0                                      done
        1   say alice plain:0 trading address=192.0.2.1          NOT_PERMITTED ADDRESS 0 0
        2   say alice plain:0 trading address=2001;db8;;1        ACCEPTED NONE 0 0
        3   FROM alice ::ffff:192.0.2.0/120                      done
        4   say alice plain:1 trading address=192.0.2.255        ACCEPTED NONE 0 0
        5   say alice plain:2 trading address=192.0.3.0          NOT_PERMITTED ADDRESS 0 0
        6   FROM alice 0.0.0.0/0                                 done
        7   say alice plain:2 trading address=203.0.113.9        ACCEPTED NONE 0 0
        8   say alice plain:3 trading address=2001;db8;;1        NOT_PERMITTED ADDRESS 0 0
        """),
    "a lock comes before a restriction, a busy source before both": (
        ["plain"], [], {"lockout_failures": 1, "source_failures": 3}, """
        0   FROM alice 192.0.2.0/24                              done
        1   say alice plain:0 trading address=203.0.113.9        NOT_PERMITTED ADDRESS 0 0
        2   say alice wrong trading address=192.0.2.1            REJECTED WRONG 1 0
        3   say alice plain:0 trading address=203.0.113.9        LOCKED LOCKED 2 0
        4   say bob wrong trading address=203.0.113.9            REJECTED NO_DEVICE 2 1
        5   say alice plain:0 trading address=203.0.113.9        BUSY SOURCE 2 1
        """),
    # ---- section 6: sharing
    "refused for the identity, then shared: one moving factor, failures apart": (
        ["plain"], [], {"lockout_failures": 3}, """
        0   share bob alice plain plain:0 -   ACCEPTED different_identification_information 0 0
        1   IDENTITY alice ann
        2   share bob alice plain plain:1 -   ACCEPTED different_identification_information 0 0
        3   IDENTITY bob bea
        4   share bob alice plain plain:2 -   ACCEPTED different_identification_information 0 0
        5   IDENTITY bob Ann
        5   IDENTITY alice ann
        6   share bob alice plain wrong -     REJECTED - 1 0
        7   share bob alice plain plain:2 -   REJECTED - 2 0
        8   share bob alice plain plain:3 -   ACCEPTED shared 0 0
        9   say bob plain:3 trading -                            REJECTED WRONG 0 1
        10  say bob plain:4 trading -                            ACCEPTED NONE 0 0
        11  say alice plain:4 trading -                          REJECTED WRONG 1 0
        12  say alice plain:5 trading -                          ACCEPTED NONE 0 0
        13  say bob wrong trading -                              REJECTED WRONG 0 1
        14  say bob wrong trading -                              REJECTED WRONG 0 2
        15  say bob wrong trading -                              REJECTED WRONG 0 3
        16  say bob plain:6 trading -                            LOCKED LOCKED 0 4
        17  say alice plain:6 trading -                          REJECTED WRONG 1 4
        18  say alice plain:7 trading -                          ACCEPTED NONE 0 4
        19  UNLOCK bob
        20  UNSHARE bob plain                                    done
        21  say bob plain:8 trading -                            REJECTED NO_DEVICE 0 1
        22  say alice plain:8 trading -                          ACCEPTED NONE 0 1
        23  UNSHARE alice plain                                  refused
        """),
    "a code of the time is used for both": (["app"], [], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        30  share bob alice app app -         ACCEPTED shared 0 0
        60  say alice app trading -                              ACCEPTED NONE 0 0
        61  say bob app trading -                                REJECTED REPLAYED 0 1
        90  say bob app trading -                                ACCEPTED NONE 0 0
        91  say alice app trading -                              REJECTED REPLAYED 1 0
        92  UNSHARE alice app                                    done
        120 say bob app trading -                                REJECTED NO_DEVICE 1 1
        121 say alice app trading -                              ACCEPTED NONE 0 1
        """),
    "the owner's device goes, and with it what was lent": (["plain"], [], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        1   share bob alice plain plain:0 -   ACCEPTED shared 0 0
        2   say bob plain:1 trading -                            ACCEPTED NONE 0 0
        3   GONE alice plain
        4   say bob plain:2 trading -                            REJECTED NO_DEVICE 0 1
        5   ENROL alice plain
        6   say alice plain:1 trading -                          REJECTED WRONG 1 1
        7   say alice plain:2 trading -                          ACCEPTED NONE 0 1
        """),
    "what one of its users lost, or had replaced so, is lost for all": (["plain"], [], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        1   share bob alice plain plain:0 -   ACCEPTED shared 0 0
        2   DEVICE bob plain lost
        3   say alice plain:1 trading -                          REJECTED NO_DEVICE 1 0
        4   DEVICE bob plain active
        5   say bob plain:1 trading -                            ACCEPTED NONE 1 0
        6   say alice plain:2 trading -                          REJECTED NO_DEVICE 2 0
        7   DEVICE alice plain active
        8   say alice plain:2 trading -                          ACCEPTED NONE 0 0
        9   DEVICE alice plain lost
        10  DEVICE bob plain active
        11  REPLACE alice plain new lost
        12  say bob plain:3 trading -                            REJECTED NO_DEVICE 0 1
        13  DEVICE bob plain active
        14  REPLACE bob plain gold returned
        15  say bob plain:3 trading -                            REJECTED NO_DEVICE 0 2
        """),
    "a code that was used here, in a device of this key that is gone, is not used again": (
        ["plain"], ["plain"], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        1   say bob plain:3 trading -                            ACCEPTED NONE 0 0
        2   GONE bob plain
        3   share bob alice plain plain:0 -   ACCEPTED cannot_be_shared 0 0
        4   say bob plain:3 trading -                            REJECTED NO_DEVICE 0 1
        5   share bob alice plain plain:2 -   ACCEPTED cannot_be_shared 0 1
        6   share bob alice plain plain:3 -   ACCEPTED shared 0 1
        7   say bob plain:3 trading -                            REJECTED WRONG 0 2
        8   say bob plain:4 trading -                            ACCEPTED NONE 0 0
        9   UNSHARE bob plain                                    done
        10  say alice plain:5 trading -                          ACCEPTED NONE 0 0
        11  share bob alice plain plain:6 -   ACCEPTED shared 0 0
        12  say bob plain:5 trading -                            REJECTED WRONG 0 1
        """),
    "temporary device in use": (["plain"], ["pass"], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        1   share bob alice plain plain:0 -   ACCEPTED temporary_device_in_use 0 0
        2   DEVICE bob pass lost
        3   ENROL alice online
        4   share bob alice plain plain:1 -   ACCEPTED temporary_device_in_use 0 0
        5   GONE alice online
        6   share bob alice plain plain:2 -   ACCEPTED shared 0 0
        """),
    "a passcode that has run out is not in use": (["plain"], ["pass"], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        12d share bob alice plain plain:0 -   ACCEPTED shared 0 0
        """),
    "less secure device": (["plain"], ["gold"], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        1   share bob alice plain plain:0 -   ACCEPTED less_secure_device 0 0
        2   DEVICE bob gold lost
        3   share bob alice plain plain:1 -   ACCEPTED shared 0 0
        """),
    "what is no thing is not shared, nor what was lent": (["plain", "sms"], [], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        1   share bob alice plain plain:0 -   ACCEPTED shared 0 0
        2   share bob alice plain plain:1 -   ACCEPTED cannot_be_shared 0 0
        3   share alice bob plain plain:2 -   ACCEPTED cannot_be_shared 0 0
        4   share nobody alice plain plain:3 - ACCEPTED cannot_be_shared 0 0
        5   share alice nobody plain plain:4 - REJECTED - 0 0
        6   share bob alice none plain:4 -    REJECTED - 1 0
        """),
    "what approves or signs with a PIN of its own is not shared": (["key", "plain"], [], {}, """
        0   IDENTITY alice ann
        0   IDENTITY bob ann
        1   share bob alice key wrong -       REJECTED - 1 0
        2   share bob alice plain plain:0 -   ACCEPTED shared 0 0
        """),
    # ---- section 3: limits
    "what each kind of device lets its user withdraw a day": ([], [], {}, """
        0    left bob                                            5000000 0 0
        0    ENROL bob pass
        0    left bob                                            5000000 0 0
        0    GONE bob pass
        0    ENROL bob sms
        0    left bob                                            20000000 0 0
        0    GONE bob sms
        0    ENROL bob key
        0    left bob                                            20000000 0 0
        0    GONE bob key
        0    ENROL bob card
        0    left bob                                            20000000 0 0
        0    GONE bob card
        0    ENROL bob online
        0    left bob                                            20000000 0 0
        0    GONE bob online
        0    ENROL bob alpine
        0    left bob                                            20000000 0 0
        0    ENROL bob plain
        0    left bob                                            100000000 0 0
        0    GONE bob alpine
        0    left bob                                            100000000 0 0
        0    draw bob 1000000                                    within
        1d   draw bob 500000                                     within
        1d   draw bob 0.01                                       beyond
        2d   ENROL bob plus
        2d   left bob                                            None 0 150000000
        2d   GONE bob plus
        2d   left bob                                            0 0 150000000
        2d   ENROL bob gold
        2d   left bob                                            None 0 150000000
        2d   GONE bob gold
        2d   ENROL bob platinum
        2d   draw bob 99999999                                   within
        """),
    "two hundred thousand a day, six hundred thousand in five": (["card"], [], {}, """
        0    draw alice 200000                                   within
        0    draw alice 0.01                                     beyond
        1d   draw alice 200000                                   within
        4d   draw alice 200000                                   within
        5d   draw alice 0.01                                     beyond
        7d   draw alice 200000                                   within
        7d   draw alice 0.01                                     beyond
        """),
    "fifty thousand a day without a device, a hundred thousand in five business days": (
        [], [], {}, """
        0    left bob                                            5000000 0 0
        0    draw bob 50000.01                                   beyond
        0    draw bob 30000                                      within
        1    draw bob 20000.01                                   beyond
        2    draw bob 20000                                      within
        3    left bob                                            0 5000000 5000000
        1d   draw bob 50000                                      within
        4d   draw bob 0.01                                       beyond
        6d   left bob                                            0 0 10000000
        7d   left bob                                            5000000 0 5000000
        8d   left bob                                            5000000 0 0
        """),
    "the rank of the highest active device counts": (["plain", "gold"], ["app", "card"], {}, """
        0    left alice                                          None 0 0
        1    draw alice 90000000                                 within
        2    DEVICE alice gold lost
        3    draw alice 0.01                                     beyond
        8d   left alice                                          100000000 0 0
        8d+1 draw alice 1000000                                  within
        8d+2 left alice                                          0 100000000 100000000
        8d+3 DEVICE alice plain suspended
        8d+4 left alice                                          0 100000000 100000000
        8d+5 left bob                                            20000000 0 0
        8d+6 DEVICE bob card returned
        8d+7 left bob                                            5000000 0 0
        """),
    "a weekend's withdrawals are Monday's": ([], [], {}, """
        1d+86399 draw bob 50000                                  within
        2d   draw bob 30000                                      within
        3d   draw bob 20000                                      within
        4d   draw bob 0.01                                       beyond
        4d   left bob                                            0 5000000 10000000
        """),
}

# What a gateway without the right `reasons` reads: of a name that is restricted, from elsewhere, no
# more than of one that nobody has, which stands below it. PUSH is an id as long as those of a push.
BLIND: dict[str, tuple[list[str], list[str], dict[str, Any], str]] = {
    "a name that is restricted is no other than one that nobody has": (["plain"], [], {}, """
        0   FROM alice 192.0.2.0/24                              done
        1   blind alice  - trading -                             CHALLENGE
        1   blind nobody - trading -                             CHALLENGE
        2   blind alice  - portal  address=192.0.3.7             CHALLENGE
        2   blind nobody - portal  address=192.0.3.7             CHALLENGE
        3   blind alice  plain:0 trading address=192.0.3.7       REJECTED
        3   blind nobody plain:0 trading address=192.0.3.7       REJECTED
        4   blind alice  - trading address=192.0.3.7,password=a  REJECTED
        4   blind nobody - trading address=192.0.3.7,password=a  REJECTED
        5   blind alice  - trading address=192.0.3.7,device=plain CHALLENGE
        5   blind nobody - trading address=192.0.3.7,device=plain CHALLENGE
        6   blind alice  - trading address=192.0.3.7,challenge=x CHALLENGE
        6   blind nobody - trading address=192.0.3.7,challenge=x CHALLENGE
        7   blind alice  - trading address=192.0.3.7,challenge=PUSH REJECTED
        7   blind nobody - trading address=192.0.3.7,challenge=PUSH REJECTED
        8   blind alice  - trading address=192.0.2.7             CHALLENGE
        9   blind alice  plain:0 trading address=192.0.2.7       ACCEPTED
        """),
    "an opted-out name, of which nothing need be typed": (["plain"], [], {}, """
        0   PASSWORD alice horse-battery
        0   FROM alice 192.0.2.0/24                              done
        0   OUT alice                                            done
        1   blind alice  - trading address=192.0.3.7             CHALLENGE
        1   blind nobody - trading address=192.0.3.7             CHALLENGE
        2   blind alice  - trading address=192.0.3.7,password=horse-battery REJECTED
        2   blind nobody - trading address=192.0.3.7,password=horse-battery REJECTED
        """),
    "a lock is a lock, wherever it is asked from": (["plain"], [], {"lockout_failures": 2}, """
        0   FROM alice 192.0.2.0/24                              done
        1   say alice wrong trading address=192.0.2.7            REJECTED WRONG 1 0
        2   say alice wrong trading address=192.0.2.7            REJECTED WRONG 2 0
        2   blind nobody wrong trading -                         REJECTED
        2   blind nobody wrong trading -                         REJECTED
        3   blind alice  - trading address=192.0.3.7             REJECTED
        3   blind nobody - trading address=192.0.3.7             REJECTED
        """),
}
