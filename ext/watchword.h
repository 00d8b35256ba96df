/* The whole C surface of Watchword: limits, codes, records, tables, functions.
 *
 * Everything the door (engine.pyx) or a test may call is declared here and nothing else is. The
 * core holds no Python, no malloc, no clock, no randomness and no input or output: the caller owns
 * all memory, brings the time, and brings every key. Integers in records and pages are
 * little-endian on disk; times are integer milliseconds since 1970 unless a name says seconds.
 */
#ifndef WATCHWORD_H
#define WATCHWORD_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "records and pages are laid out for little-endian machines"
#endif

/* ---- limits: name, unit, and what happens beyond them ---- */

enum {
    WW_NAME_BYTES_MAX = 128,            /* policy names = "any"; longer: BAD_CHARACTER            */
    WW_NAME_CHARS_MAX = 64,             /* default names: lower-case letters and digits           */
    WW_NAME_INLINE_BYTES = 40,          /* longer names live in the cold arena                    */
    WW_RESPONSE_BYTES_MAX = 128,        /* longer: never copied, never right                      */
    WW_SERIAL_BYTES_MAX = 32,           /* device serial, as text                                 */
    WW_KEY_BYTES_MIN = 10,
    WW_KEY_BYTES_MAX = 128,
    WW_DIGITS_MIN = 6,
    WW_DIGITS_MAX = 8,
    WW_SUITE_BYTES_MAX = 64,            /* OCRA: the text of a suite                              */
    WW_SUITE_DIGITS_MIN = 4,            /* or 0: the whole HMAC, in hex                           */
    WW_SUITE_DIGITS_MAX = 10,
    WW_SUITES_MAX = 256,                /* different ones in one store; beyond: not enrolled      */
    WW_TEXT_BYTES_MAX = 896,            /* the longest message of any suite, padded               */
    WW_QUESTION_CHARS_MAX = 64,
    WW_QUESTION_CHARS_MIN = 4,          /* of one that is posed to us                             */
    WW_POSED_CHARS_MAX = 128,           /* the caller's question and a client's, joined           */
    WW_QUESTION_INLINE_BYTES = 12,      /* longer ones are made anew for every attempt            */
    WW_SESSION_BYTES_MAX = 512,
    WW_PIN_DIGEST_BYTES_MAX = 64,
    WW_CARD_CELLS = 224,                /* printed on a code card, numbered from 1               */
    WW_CARD_PAIRS = WW_CARD_CELLS * (WW_CARD_CELLS - 1) / 2,
    WW_CARD_LETTERS = 32,               /* that a cell is made of                                */
    WW_CELL_CHARS = 3,
    WW_EPOCH_MS = 300000,               /* a challenge is good in that of its issue and the next  */
    WW_TOKEN_CHARS = 96,                /* a challenge id ...                                     */
    WW_TOKEN_CHARS_MAX = 352,           /* ... that carries the longest question                  */
    WW_ANSWERS_MAX = 5,                 /* to a client's questions, in an epoch, without response */
    WW_ANSWER_SPACE_MIN = 10000000,     /* questions there must be, where both sign alike         */
    WW_PURPOSE_BYTES_MAX = 256,
    WW_PASSCODE_CHARS = 10,             /* a temporary passcode, RULES 3                          */
    WW_PIN_CHARS_MAX = 16,              /* a PIN typed before the code                            */
    WW_KEPT_BYTES = 48,                 /* of a PIN or an answer: 16 of salt, 32 of its HMAC      */
    WW_ANSWER_BYTES_MAX = 128,
    WW_WRONG_ANSWERS_MAX = 3,           /* in a row, and the user is locked                       */
    WW_SENT_MAX = 6,                    /* times of codes sent that are kept: the limit's limit   */
    WW_SENT_SECONDS = 3600,             /* within which they count                                */
    WW_PHONE_BYTES = 33,                /* a phone's public key: what it is, and 32 bytes         */
    WW_RANGES_MAX = 15,                 /* of addresses that a user may come from: one cold text  */
    WW_RANGE_BYTES = 17,                /* bits that count, and an address                        */
    WW_IDENTITY_BYTES = 16,             /* a keyed digest of identity data                        */
    WW_LIMIT_DAYS = 5,                  /* business days that withdrawals are counted over        */
    WW_SHARERS_MAX = 8,                 /* further users that all devices of one are shared with  */
    WW_PUSH_ID_BYTES = 16,
    WW_PUSH_ID_CHARS = 32,              /* a challenge id as long as this names a push            */
    WW_PUSHES_MAX = 1 << 20,            /* open ones, and those that count; beyond: BUSY          */
    WW_PUSH_BUCKETS = 1 << 16,
    WW_CHALLENGE_KINDS_MAX = 16,        /* the mix of kinds that names without a device seem of   */
    WW_PERIOD_SECONDS_MAX = 3600,
    WW_WINDOW_STEPS_MAX = 10,           /* TOTP: steps either side                                */
    WW_LOOK_AHEAD_MAX = 100,            /* HOTP: counters past the expected one                   */
    WW_DRIFT_STEPS_MAX = 10,
    WW_RESYNC_COUNTERS = 100,           /* RULES 4: how far two consecutive codes may be          */
    WW_RESYNC_STEPS = 20,
    WW_POSITIONS_MAX = 128,             /* positions of one window: the width of a ww_mask        */
    WW_DEVICES_PER_USER_MAX = 16,
    WW_HELD_PER_USER_MAX = 20,          /* with a password, and three questions                   */
    WW_BATCH_ATTEMPTS_MAX = 8192,       /* attempts in one turn                                   */
    WW_GROUP_ATTEMPTS_MAX = 64,         /* attempts laid into lanes together                      */
    WW_LANES_CHUNK = 512,               /* lanes handed to the kernel at once                     */
    WW_TEXTS_CHUNK = 64,                /* the same where each brings a message of its own        */
    WW_SHARED_STEPS_MAX = 8,            /* steps of one window whose words are shared             */
    WW_SHARED_BLOCKS = 2,               /* of a message of OCRA, behind the block with its own    */
    WW_OWN_WORDS = 6,                   /* there: a counter and a question of 12 bytes            */
    WW_COUNTER_WORDS = 3,               /* of them a counter stands in: it may begin within one   */
    WW_SIDE_BY_SIDE = 16,               /* windows of one suite: whole vectors in every row       */
    WW_COUNTERS_MAX = 32,               /* counters of such a window                              */
    WW_LOCKOUT_FAILURES_MAX = 100,
    WW_RING_INLINE = 11,                /* gaps in a user's own line: lockout_failures <= 12 */
    WW_RING_DEEP = 88,                  /* further deltas when the policy asks for more           */
    WW_DECOYS = 65536,                  /* streaks of names that do not exist                     */
    WW_DECOY_WAYS = 8,
    WW_SOURCES = 16384,                 /* addresses whose failures are counted                   */
    WW_SOURCE_WAYS = 8,
    WW_SOURCE_MINUTES = 60,
    WW_GATEWAYS_PER_ROW_MAX = 255,
    WW_PAGE_USERS = 1024,               /* users in one stored page                               */
    WW_RECORD_BYTES = 32,
    WW_ID_BYTES_MIN = 8,                /* of a request id                                        */
    WW_ID_BYTES_MAX = 64,
    WW_ID_MS = 60000,                   /* that one is remembered                                 */
    WW_IDS_MAX = 1 << 20,               /* live ones of a gateway; beyond: BUSY                   */
    WW_IDS_GATEWAYS_MAX = 255,          /* that have a table of them; beyond: BUSY                */
    WW_RECORD_UNITS_PER_ATTEMPT_MAX = 44 /* what came due, a record, its tails, two ALSO a device,
                                         * and one for whoever shares one                        */
};

/* ---- codes ---- */

/* RULES 7. Frozen: numbers are never used again, 0 is never a verdict. Last used: 8. */
typedef enum {
    WW_ACCEPTED = 1, WW_REJECTED = 2, WW_LOCKED = 3, WW_CHALLENGE = 4,
    WW_EXPIRED = 5, WW_NOT_PERMITTED = 6, WW_BAD_CHARACTER = 7, WW_BUSY = 8
} ww_verdict;

/* Why; for the audit trail and for gateways that may see it. Last used: 38. */
typedef enum {
    WW_REASON_NONE = 0,          /* accepted                                                     */
    WW_REASON_WRONG = 1,         /* no position of any window matches                            */
    WW_REASON_REPLAYED = 2,      /* only positions already used match                            */
    WW_REASON_UNKNOWN_USER = 3,
    WW_REASON_NO_DEVICE = 4,     /* the user has none that could answer                          */
    WW_REASON_DEVICE_UNKNOWN = 5,/* the serial named is not one of this user's                   */
    WW_REASON_DEVICE_INACTIVE = 6,
    WW_REASON_LOCKED = 7,
    WW_REASON_EMPTY = 8,         /* nothing was answered: ask for a challenge first              */
    WW_REASON_ACCOUNT = 9,       /* account state forbids the platform                           */
    WW_REASON_REALM = 10,
    WW_REASON_NAME = 11,         /* the name holds what no name may hold                         */
    WW_REASON_SOURCE = 12,       /* too many failures from this address                          */
    WW_REASON_LOAD = 13,         /* load is shed, or the clock is not trusted                    */
    WW_REASON_NO_CHALLENGE = 14, /* the one named is forged, another's or void; or none stands   */
    WW_REASON_OVERDUE = 15,      /* right, but the challenge named, or the passcode, has run out */
    WW_REASON_SCOPE = 16,        /* right, but it opens the portal alone by now                  */
    WW_REASON_PIN = 17,          /* right, but for the PIN before it                             */
    WW_REASON_PASSWORD = 18,     /* the password is wrong, or missing                            */
    WW_REASON_PENDING = 21,      /* a push that nobody has decided yet                           */
    WW_REASON_DENIED = 22,
    WW_REASON_MISMATCHED = 23,   /* approved under a number that was not its own                 */
    WW_REASON_CANCELLED = 24,    /* a push whose place a later one took                          */
    WW_REASON_ENDED = 30,        /* right, but the temporary device was ended by another         */
    WW_REASON_ADDRESS = 34,      /* from where this user may not come; nothing was looked at     */
    WW_REASON_IDENTITY = 35,     /* of sharing: different identification information             */
    WW_REASON_TEMPORARY = 36,    /* of sharing: temporary device in use                          */
    WW_REASON_LESS_SECURE = 37,  /* of sharing: less secure device                               */
    WW_REASON_LIMIT = 38         /* of a withdrawal: more than the day, or five, may have        */
} ww_reason;

typedef enum { WW_SHA1 = 0, WW_SHA256 = 1, WW_SHA512 = 2, WW_HASHES = 3 } ww_hash;
/* How a device answers. RULES 3's kinds are these with figures of their own, told by a label. */
typedef enum {
    WW_KIND_NONE = 0, WW_KIND_TOTP = 1, WW_KIND_HOTP = 2, WW_KIND_OCRA = 3, WW_KIND_CARD = 4,
    WW_KIND_PASSCODE = 5,        /* codes that we make and give out: the label says how          */
    WW_KIND_PASSWORD = 6,        /* these two are kept like devices and are none                 */
    WW_KIND_QUESTION = 7,
    WW_KINDS = 8
} ww_kind;
typedef enum {
    WW_LABEL_NONE = 0, WW_DSC_PLUS = 1, WW_GOLD = 2, WW_PLATINUM = 3, WW_IB_KEY = 4, WW_ALPINE = 5,
    WW_DSC = 6, WW_CODE_CARD = 7, WW_ONLINE_CODE_CARD = 8, WW_TEMPORARY_PASSCODE = 9, WW_SMS = 10,
    WW_LABELS = 11
} ww_label;
/* RULES 6. Only ACTIVE verifies; a temporary device that is ENDED says so to a right answer. */
typedef enum {
    WW_SHIPPED = 0, WW_ACTIVE = 1, WW_SUSPENDED = 2, WW_LOST = 3, WW_RETURNED = 4, WW_ENDED = 5
} ww_device_state;
typedef enum { WW_OPEN = 0, WW_PENDING = 1, WW_CLOSED = 2 } ww_account;
typedef enum { WW_TRADING = 0, WW_PORTAL = 1, WW_PLATFORMS = 2 } ww_platform;
typedef enum { WW_LIVE = 0, WW_PAPER = 1 } ww_realm;

/* What a record is about. Frozen: it stands in journals. Last used: 37. */
typedef enum {
    WW_EVENT_ATTEMPT = 1,        /* a login; tail: client address, and of its request id         */
    WW_EVENT_ALSO = 2,           /* a further device touched by the attempt before it            */
    WW_EVENT_RESYNC = 3,         /* an attempt with two codes                                    */
    WW_EVENT_USER_ADD = 4,       /* tail: name                                                   */
    WW_EVENT_USER_SET = 5,       /* place: account state and realm                               */
    WW_EVENT_USER_REMOVE = 6,
    WW_EVENT_UNLOCK = 7,         /* tail: who did it                                             */
    WW_EVENT_DEVICE_ADD = 8,     /* tail: ww_spec                                                */
    WW_EVENT_DEVICE_SET = 9,     /* place: device state                                          */
    WW_EVENT_DEVICE_REMOVE = 10,
    WW_EVENT_TOMBSTONE = 11,     /* tail: key fingerprint; moving: floor                         */
    WW_EVENT_NOTE = 12,          /* tail: text; what the store itself did (key rotation, clock)  */
    WW_EVENT_CHALLENGE = 13,     /* one was asked for; moving: its count; tail: ww_asked_for     */
    WW_EVENT_PIN = 14,           /* a device's PIN is another; tail: what is kept of it          */
    WW_EVENT_QUESTION = 15,      /* a security question was asked; moving: its count             */
    WW_EVENT_ANSWER = 16,        /* an attempt: its answer; tail: client address                 */
    WW_EVENT_POLICY = 23,        /* tail: text; who set it, what changed, and all its figures    */
    WW_EVENT_IMPORT = 24,        /* the acts of this row are rows of a file; tail: who did it    */
    WW_EVENT_EXPORT = 25,        /* keys of devices were written to a file; tail: who did it     */
    WW_EVENT_DUE = 26,           /* what is due of a user by the moment in moving has come       */
    WW_EVENT_ACTIVATE = 27,      /* an attempt, and the device is active when it is accepted     */
    WW_EVENT_DATES = 28,         /* a device's dates are others; tail: ww_dates                  */
    WW_EVENT_ADDRESSES = 30,     /* where a user may come from; tail: ranges, and who did it     */
    WW_EVENT_IDENTITY = 31,      /* tail: a digest of identity data or nothing, and who did it   */
    WW_EVENT_OPT = 32,           /* place: 1 opted out, 0 in again; tail: who did it             */
    WW_EVENT_SHARE = 33,         /* a user's device, with the user in moving; verdict, reason    */
    WW_EVENT_WITHDRAWAL = 34,    /* moving: cents; lock_ms: the business day; tail: who said so  */
    WW_EVENT_RESTORE = 36,       /* the store is one restored; tail: text, who did it and what   */
    WW_EVENT_FLOOR = 37,         /* of one device, after that (floors.c); lock_ms: least count   */
    WW_EVENT_LAST = 37
} ww_event;

enum { /* in place, of an attempt; those before the third format lack NAMED and EMPTY */
    WW_PLACE_ID = 0x10,          /* the last unit of its tail is a ww_id_tail                    */
    WW_PLACE_NAMED = 0x20,       /* it named a device or a challenge                             */
    WW_PLACE_EMPTY = 0x40,       /* nothing was typed                                            */
    WW_PLACE_UNKNOWN = 0x80      /* the user field is a name's keyed hash, not an id             */
};

/* In place, of DEVICE_ADD, DEVICE_SET and UNLOCK: a permanent device that becomes active by it ends
 * the user's temporary ones, and the one it replaces. Those of before the fourth format lack it. */
enum { WW_PLACE_ENDS = 8 };

enum { /* effects of an attempt: what apply does, in this order */
    WW_EFFECT_CLEAR = 1,         /* the streak is emptied                                        */
    WW_EFFECT_PUSH = 2,          /* one failure more in the streak                               */
    WW_EFFECT_WAIT = 4,          /* refused while locked: the wait starts again                  */
    WW_EFFECT_LOCK = 8,          /* locked until the row's time + lock_ms                        */
    WW_EFFECT_ADVANCE = 16,      /* the device's moving factor and drift; its challenge ends     */
    WW_EFFECT_FORGIVE = 32,      /* the device's own failures are none                           */
    WW_EFFECT_CHARGE = 64,       /* one more failure for device; 0: every device that was tried  */
    WW_EFFECT_SUSPEND = 128      /* the cap: the device is suspended for this user               */
};
enum { WW_FLOOR_RESYNC = 1 };    /* effects of FLOOR: from here on two codes in a row are needed */

/* ---- the journal's record ---- */

typedef struct {
    uint8_t event, verdict, reason;
    uint8_t tail;                /* units of 32 bytes that follow and belong to this record      */
    uint8_t effects;
    uint8_t gateway;             /* index into the row's gateways                                */
    uint8_t place;               /* platform | realm << 2; account or device state for the acts  */
    int8_t drift;                /* of an attempt, or of a device that is added with one         */
    uint64_t user;               /* user id; for a name that does not exist its keyed hash       */
    uint64_t moving;             /* first position not used up; matched position + 1             */
    uint32_t device;             /* number                                                       */
    uint32_t lock_ms;            /* with LOCK; for the acts: bytes of text in the tail           */
} ww_record;

/* The tail of CHALLENGE. */
typedef struct {
    uint64_t purpose;            /* keyed digest of its text; 0: none                            */
    uint32_t epoch;              /* of the issue; of a code sent, the second it runs out         */
    uint32_t sent_s;             /* when a code was sent; else 0                                 */
    uint8_t answered;            /* 1: to a client's question, and the answer was given out      */
    uint8_t pad[15];
} ww_asked_for;

/* When a device comes and goes; 0: no such moment. */
typedef struct {
    uint32_t delivery_day;       /* since 1970: when it is expected; reported                    */
    uint32_t replaces;           /* number of the device that ends when this one becomes active  */
    int64_t activates_ms;        /* SHIPPED until then, unless it is activated before            */
    int64_t expires_ms;          /* ENDED from then on                                           */
} ww_dates;

/* A device as enrolled; of a code card look_ahead is 1 when no cell is shown twice. In a journal
 * the tail of DEVICE_ADD: the first WW_SPEC_HEAD_BYTES as they stand here, then key_len bytes of
 * key, serial_len of serial, suite_len of suite, pin_len of the PIN's digest: behind it, of an
 * ib-key that has one, the public key of its phone; then its ww_dates where it is dated. */
typedef struct {
    uint8_t kind, hash, digits, state;
    uint8_t back, forward, look_ahead, drift_max;
    uint16_t period_s;
    uint8_t key_len, serial_len;
    uint8_t suite_len, pin_len;  /* suite: OCRA alone; PIN: its digest for P, else as kept       */
    uint8_t label;
    uint8_t shared : 4, dated : 1, spare : 3;   /* dated: with dates behind all else          */
    int64_t t0_s;
    uint8_t key[WW_KEY_BYTES_MAX];
    uint8_t serial[WW_SERIAL_BYTES_MAX];
    uint8_t suite[WW_SUITE_BYTES_MAX];
    uint8_t pin[WW_PIN_DIGEST_BYTES_MAX + WW_PHONE_BYTES];
    ww_dates dates;
} ww_spec;

enum { WW_SPEC_HEAD_BYTES = 24 };

/* One journal row, before it is sealed: this header, the gateways' names (one length byte each,
 * padded together to 32), then the records. */
typedef struct {
    uint32_t magic;              /* "WWR1"                                                       */
    uint16_t version, gateways;  /* format; how many names follow                                */
    uint32_t names_bytes;        /* bytes of names, padding included                             */
    uint32_t units;              /* 32-byte units of records                                     */
    int64_t turn;                /* the row's sequence number                                    */
    int64_t time_ms;
} ww_row;

enum { WW_ROW_MAGIC = 0x31525757, WW_ROW_VERSION = 1 };

/* ---- tables ---- */

/* What few devices have; whole times need 48 bits. */
typedef struct {
    int64_t t0_s : 44;           /* 0 to 2^40                                                    */
    uint64_t shared : 4;         /* WW_SHARED_OWN or _LENT; 0: with nobody                       */
    uint64_t delivery_day : 16;  /* since 1970: when a shipped one is expected; 0: never         */
    uint32_t next, alike;        /* of the user's, and of the chain of phones.c; + 1             */
    uint32_t owner;              /* its user's slot                                              */
    uint32_t replaces;           /* number of the device that ends when it is active             */
    int64_t activates_ms, expires_ms;   /* 0: no such moment                                     */
} ww_far;

/* One device: a cache line when its hash is SHA-1, for then the midstates fit, and it has nothing
 * that only few have. */
typedef struct {
    uint64_t moving;             /* first position not used up: counter expected, last step + 1  */
    uint32_t number;             /* never used again; 0 is no device                             */
    uint32_t cold;               /* arena reference of key and serial                            */
    uint16_t period_s : 12;      /* 3,600 at most                                                */
    uint16_t unsure : 1;         /* whatif.c: it may stand otherwise there                       */
    uint16_t dated : 1;          /* it is wide, and has dates                                    */
    uint16_t resync : 1;         /* after a restore: only two codes in a row will do             */
    uint8_t kind : 4, drift_max : 4;
    uint8_t digits : 4, hash : 2, wide : 1, prefix : 1; /* prefix: a PIN is typed before the code */
    uint8_t state : 3, capped : 1, label : 4;   /* apart: of these bits a turn may change some   */
    uint8_t window;              /* TOTP: back << 4 | forward; others: look_ahead                */
    int8_t drift;
    uint8_t failures;            /* in a row, for the cap                                        */
    union {
        uint32_t sha1[10];       /* inner, then outer midstate                                   */
        ww_far far;              /* of a wide one of another hash: ww_far_of                     */
    } u;
} ww_device;

/* A challenge that stands, for one device on one platform. */
typedef struct {
    uint64_t purpose;            /* keyed digest; 0: none, so that any attempt may answer it     */
    uint32_t stands;             /* its count + 1; 0: none stands                                */
    uint32_t epoch;              /* of its issue; of a code sent, the second it runs out         */
} ww_open;

/* What an OCRA device has besides: its suite, and the challenges it was given; a code card has the
 * two indices in place of a question (but one in its user's own line: ww_own_card); a device that
 * codes are sent to: what was sent. */
typedef struct {
    uint32_t issued;             /* the count that the next challenge gets                       */
    uint8_t suite;               /* index into suites                                            */
    uint8_t steps;               /* T: back << 4 | forward                                       */
    uint8_t answers;             /* to client's questions, in the newest epoch asked in          */
    uint8_t phone;               /* bytes of a phone's public key behind the PIN's digest, or 0  */
    ww_open open[WW_PLATFORMS];
    union {
        uint8_t question[WW_PLATFORMS][WW_QUESTION_INLINE_BYTES]; /* as hashed, zeros cut off    */
        uint32_t sent_s[WW_SENT_MAX];                       /* when, the newest first; 0: never   */
    };
} ww_issue;

/* A temporary passcode as kept, in place of key and midstates: HMAC-SHA256 of salt and text. */
typedef struct {
    uint8_t salt[16], digest[32];
    int64_t full_until_ms;       /* both platforms; then the portal alone                        */
    int64_t until_ms;            /* then nothing                                                 */
} ww_passcode;

/* A further or wider device: the same line, and midstates of any hash behind it. Those of SHA-1
 * stand in the line, and what few devices have behind it: so that an answer to a challenge takes
 * two adjacent lines and no third. */
typedef struct {
    ww_device line;              /* line.wide is 1                                               */
    ww_issue issue;
    union {
        uint32_t w32[32];        /* inner words, then outer words                                */
        uint64_t w64[16];
        ww_far far;              /* of SHA-1                                                     */
    } mid;
} ww_wide;

/* Failures in a row: their times as gaps, newest first; users and decoys alike. */
typedef struct {
    int64_t last_ms;             /* last unsuccessful attempt                                    */
    int64_t lock_until_ms;       /* 0: not locked                                                */
    uint8_t count;               /* failures in the streak, at most WW_LOCKOUT_FAILURES_MAX      */
    uint8_t pad[3];
    uint32_t gap_ms[WW_RING_INLINE]; /* saturating; gap_ms[0] is between the last two            */
} ww_streak;

/* What few users have, in the cold arena with the ranges that they may come from: a cache line. */
typedef struct {
    uint8_t identity[WW_IDENTITY_BYTES]; /* keyed digest of identity data; zeros: none set       */
    uint64_t used_cents[WW_LIMIT_DAYS];  /* withdrawn on business day `day` and those before it  */
    uint32_t day;                /* the newest with a withdrawal                                 */
    uint32_t pad;
} ww_extra;

enum { WW_SHARED_OWN = 1, WW_SHARED_LENT = 2 };  /* a device: its owner's, or lent to this user  */

/* The code card in its user's own line: what an answer is held against. The rest of its ww_issue
 * stands in the wide that `more` leads to first, which is no device of its own: an answer needs
 * nothing of it, and is used up here alone (ww_device_open). */
typedef struct {
    uint8_t here;                /* 1: there is one                                              */
    uint8_t stands;              /* by platform a bit: the pair was asked for there, and is not
                                  * used up; WW_CARD_FREE << platform: for no purpose            */
    uint8_t pair[2];             /* indices of cells                                             */
} ww_own_card;
enum { WW_CARD_FREE = 1 << WW_PLATFORMS };

/* One user: three adjacent cache lines. */
typedef struct {
    uint64_t id;                 /* generation << 32 | slot; never used again                    */
    uint32_t more;               /* first further device + 1, an index into wides; 0: none; of
                                  * an own card its issue, and behind that the first             */
    uint32_t extra;              /* cold reference of a ww_extra and of ranges; 0: none          */
    ww_own_card card;
    uint8_t name_len;            /* 0: the slot is free                                          */
    uint8_t account : 2, realm : 1, wrong_answers : 2;
    uint8_t dated : 1;           /* a device of his has dates                                    */
    uint8_t behind : 1, spare : 1;  /* behind: whatif.c                                          */
    uint8_t devices;
    uint8_t restricted : 1, opted_out : 1, sharing : 1, pad : 5; /* sharing: some device is       */
    union { uint8_t text[WW_NAME_INLINE_BYTES]; uint32_t cold; } name;
    ww_device device;            /* the first, when it fits the line; kind NONE: empty           */
    ww_streak streak;
} ww_user;

typedef struct { uint32_t issued, sent_s[WW_SENT_MAX], answers; } ww_sent;
/* Security questions: how many were answered, and how many in a row wrongly. */
typedef struct { uint32_t count, wrong; } ww_answered;

/* What eight decoys that share a place have besides their names' hashes, which are one cache line
 * (decoy_names), and their streaks (decoy_streaks): those are looked at for whoever comes alone. */
typedef struct {
    ww_open open[WW_DECOY_WAYS][WW_PLATFORMS];  /* what they were asked, as if they had a device */
    ww_sent sent[WW_DECOY_WAYS];                /* and were sent                                 */
    ww_answered answered[WW_DECOY_WAYS];        /* and answered                                  */
    uint32_t gap_deep[WW_DECOY_WAYS][WW_RING_DEEP];
} ww_decoys;
typedef struct {
    uint8_t address[16];         /* IPv4 mapped into IPv6; of IPv6 the first 64 bits             */
    int64_t minute;              /* of the newest bucket                                         */
    uint32_t used;
    uint32_t bucket[WW_SOURCE_MINUTES];
    uint32_t pad;
} ww_source;

/* An OCRA suite (RFC 6287 section 6), read, and its message laid out: padded, with zeros where an
 * attempt brings something. Offsets are of bytes from the message's start; 0: it has none. */
typedef struct {
    uint32_t step_s;             /* T                                                            */
    uint16_t session_bytes;      /* S                                                            */
    uint16_t counter_at, question_at, pin_at, session_at, time_at;
    uint8_t hash, digits;        /* digits 0: the whole HMAC                                     */
    uint8_t format, chars;       /* of the question: N, H or A, and how many                     */
    uint8_t pin_hash, pin_bytes; /* P                                                            */
    uint8_t blocks, text_len;
    uint8_t own_at, own_words;   /* of the first block, where ww_ocra_many takes it; else 0: of
                                  * WW_OWN_WORDS, so many may differ, and those behind are alike */
    uint8_t text[WW_SUITE_BYTES_MAX];
    uint64_t words[WW_TEXT_BYTES_MAX / 8];      /* as ww_text_many takes them                    */
} ww_suite;

typedef enum {
    WW_PUSH_NONE = 0, WW_PUSH_PENDING = 1, WW_PUSH_APPROVED = 2, WW_PUSH_DENIED = 3,
    WW_PUSH_MISMATCHED = 4, WW_PUSH_CANCELLED = 5, WW_PUSH_OVERDUE = 6
} ww_push_state;

#define WW_PUSH_NOBODY UINT64_MAX   /* asked for a name that does not exist */

/* A login that a phone is asked to approve. Links are indices + 1. */
typedef struct {
    uint8_t id[WW_PUSH_ID_BYTES];
    uint64_t name_hash, user;
    int64_t asked_ms, until_ms;
    uint32_t device;             /* number of the phone's; 0: a plausible one, which nobody sees */
    uint32_t same_id, same_name; /* the next older one in the bucket                             */
    uint32_t younger;
    uint8_t platform, number;    /* 10 to 99, shown where the login is                           */
    uint8_t state, claimed, biometric;
    uint8_t pad[3];
} ww_push;

/* All of them, in memory alone: after a restart none is open, and none could be. The oldest makes
 * room when it can neither be claimed nor counts any more. */
typedef struct {
    uint32_t cap, used, oldest, newest;
    uint32_t by_id[WW_PUSH_BUCKETS], by_name[WW_PUSH_BUCKETS];
    ww_push at[WW_PUSHES_MAX];
} ww_pushes;

/* All memory is the caller's. Capacities are counts of elements; the door grows tables between
 * turns so that no function here ever lacks room (each says what it may consume). */
typedef struct {
    ww_user *users;
    uint32_t (*deep)[WW_RING_DEEP]; /* per slot, when lockout_failures > 12; else NULL           */
    uint32_t users_used, users_cap, users_free; /* users_free: head of the free chain + 1        */
    uint32_t users_live;
    ww_wide *wides;
    uint32_t wides_used, wides_cap, wides_free;
    uint64_t *index;             /* open addressing: tag << 32 | slot + 1; 0 is empty            */
    uint32_t index_mask;
    uint32_t device_next;        /* number of the next device                                    */
    uint8_t *cold;               /* arena: keys, serials, long names; references count 8 bytes   */
    uint64_t cold_used, cold_cap, cold_dead;
    ww_decoys *decoys;           /* WW_DECOYS / WW_DECOY_WAYS                                    */
    uint64_t *decoy_names;       /* WW_DECOYS keyed hashes, by decoys' places; 0: free           */
    ww_streak *decoy_streaks;    /* in the same order                                            */
    ww_source *sources;          /* WW_SOURCES                                                   */
    uint8_t *dirty;              /* per page: WW_DIRTY bits                                      */
    uint64_t name_key[2];        /* of the keyed hash                                            */
    ww_suite *suites;
    uint32_t suites_used, suites_cap;
    uint64_t ask_key[2];         /* of questions                                                 */
    uint64_t id_key[2];          /* of request ids, and of what was said with them               */
    uint8_t token_key[32];       /* of challenge ids and purposes                                */
    uint32_t passcode_mid[16];   /* of passcodes: midstates of HMAC-SHA256                       */
    uint32_t kept_mid[16];       /* of PINs and answers: the same                                */
    int64_t latest_ms;           /* of any row: what had run out by then stays so                */
    ww_pushes *pushes;           /* or NULL                                                      */
    uint32_t *phones;            /* by public key: the first device that has it, + 1; or NULL    */
    uint32_t phones_mask;
    uint32_t shared_used;        /* devices that are or were shared                              */
} ww_tables;

enum { WW_QUESTIONS = WW_PLATFORMS };    /* a token's platform: it is a security question's      */
enum { WW_DIRTY_STATE = 1, WW_DIRTY_IDENTITY = 2 };

typedef struct {
    int64_t lockout_window_ms;   /* at most 2^32 - 1                                             */
    uint32_t lockout_failures;   /* 1 .. 100                                                     */
    uint32_t failures_cap;       /* 0: off                                                       */
    uint32_t source_failures;    /* an hour; 0: off                                              */
    uint8_t lockout_extend;      /* refused attempts restart the wait                            */
    uint8_t names_any;
    uint8_t ranks[WW_KINDS];     /* of devices without a label                                   */
    uint8_t card_shown_percent;  /* of a card's cells, at which its strength is said to be over  */
    uint8_t mix[WW_CHALLENGE_KINDS_MAX], mix_count; /* labels that plausible challenges bear     */
    uint8_t sms_per_hour;        /* of one user, at most WW_SENT_MAX                             */
    uint32_t sms_seconds;        /* that a code sent is good                                     */
    uint32_t push_ms;            /* that a push is open                                          */
    uint32_t push_window_ms;     /* within which at most so many without an approval             */
    uint32_t push_per_window;
    int64_t session_ms[3];       /* after a PIN; after a fingerprint or a face; after all else   */
    uint8_t allow_no_device;     /* users without any enter with the first factor alone          */
} ww_policy;

/* ---- attempts ---- */

typedef struct { uint64_t lo, hi; } ww_mask;   /* bit j: position base + j matches               */

/* What a client submitted, and what became of it. Positions are offsets into the batch's bytes. */
typedef struct {
    uint32_t name_at, response_at, second_at, serial_at;
    /* second: the second code of a resynchronisation; of a login the challenge id that it names
     * (challenge_len bytes; 0: none), and then the session. */
    uint16_t name_len, response_len, second_len, serial_len;
    uint64_t name_hash;          /* ww_name_hash; filled by ww_turn                              */
    uint32_t slot;               /* filled by ww_turn; WW_SLOT_NONE: no such user                */
    uint8_t event;               /* WW_EVENT_ATTEMPT, _RESYNC, _ANSWER or _ACTIVATE              */
    uint8_t platform, realm, gateway, place_in;  /* place_in: filled by ww_turn                  */
    uint8_t has_address, has_serial;
    uint8_t shed;                /* answer BUSY, do nothing                                      */
    uint8_t bad_name;            /* too long to be copied; after the turn: no name at all        */
    uint8_t address[16];
    uint8_t label, rank;         /* out: of the device that matched                              */
    uint8_t card_only;           /* out: of an acceptance, the scope is `card`                   */
    uint8_t biometric;           /* out: of a push, unlocked by fingerprint or face              */
    uint8_t came_due;            /* filled by ww_turn: something of the user's has               */
    uint8_t asks;                /* out: from elsewhere, what would have read CHALLENGE          */
    uint16_t challenge_len;
    uint8_t first;               /* WW_FIRST: what is said of a password                         */
    uint8_t pin_len;             /* of the response: a PIN that was given apart, in front        */
    uint32_t password;           /* the number of the password it was held against               */
    uint64_t origin;             /* the door's own tag: who waits for the verdict                */
    /* out */
    uint8_t verdict, reason, kind;
    uint8_t units;               /* of records that this attempt wrote                           */
    uint32_t device;             /* matched device's number, or 0                                */
    uint32_t device_cold;        /* its cold reference, for the serial                           */
    int32_t offset;              /* matched position from the expected one, steps or counters    */
    int64_t retry_after_ms;      /* time left while the user is locked, else 0                   */
} ww_attempt;

/* In first: a password was given; it was right; the gateway vouches for it; what is tried must have
 * a PIN, which is to be another; nobody enters without a device; and to a gateway that is confined
 * to this realm whoever is of another is nobody. */
enum { WW_FIRST_GIVEN = 1, WW_FIRST_RIGHT = 2, WW_FIRST_VOUCHED = 4, WW_FIRST_PIN = 8,
       WW_FIRST_DEVICE = 16, WW_FIRST_WITHIN = 32 };
/* What a gateway without the right `reasons` reads as the verdict (RULES section 7). */
uint8_t ww_shown(const ww_attempt *a);

#define WW_SLOT_NONE UINT32_MAX     /* an enumerator would have to fit an int */
#define WW_T0_S_MAX ((int64_t)1 << 40)

typedef struct {
    ww_attempt *attempts;
    uint32_t count;
    const uint8_t *bytes;        /* names, responses, serials                                    */
    ww_record *records;          /* room: count * WW_RECORD_UNITS_PER_ATTEMPT_MAX units          */
    uint32_t units;              /* out                                                          */
    uint32_t given_count;        /* of the attempts so many brought a request id                 */
    struct ww_given *given;      /* in their order                                               */
    uint8_t part;                /* 1: other threads take other parts of its turn                */
    uint32_t lanes, idle_lanes;  /* out: of the vectors that were run, filled and not            */
} ww_batch;

/* ---- dispatch.c: what this CPU can run ---- */

/* A row of the kernel table. mids[i] points at the midstates of lane i (inner words, then outer
 * words: 5, 8 or 8 each), moving[i] is its counter; out[i] receives the 31-bit truncation of
 * RFC 4226 section 5.3. Any n, no alignment asked, mids of all lanes valid. */
typedef void ww_hotp_many(const void *const *mids, const uint64_t *moving, uint32_t *out, size_t n);
/* SHA-1 for n devices that stand at the same step: the inner block, and so its message schedule, is
 * everybody's. shared[j] is what ww_sha1_shared made of step j; out[j * n + i] receives device i's
 * truncation there. At most WW_SHARED_STEPS_MAX steps. */
typedef void ww_totp_many(const void *const *mids, size_t n, const uint32_t (*shared)[80],
                          size_t steps, uint32_t *out);
void ww_sha1_shared(uint64_t moving, uint32_t shared[80]);
void ww_sha1_schedule(const uint32_t words[16], uint32_t shared[80]); /* of any block            */
/* Messages of several blocks, all of one hash and one length: texts[i] points at blocks * 16 words
 * of lane i, in the machine's own order, padded as FIPS 180-4 5.1 says for a text that the key's
 * block came before. Mids, out and n as above. */
typedef void ww_text_many(const void *const *mids, const void *const *texts, size_t blocks,
                          uint32_t *out, size_t n);

/* SHA-1 for n answers to challenges of one suite, each at `steps` counters, whose messages differ
 * in a few words of the first block alone: what is behind it is everybody's, and so is its message
 * schedule. own[k * stride + i] is word own_at + k of answer i, of WW_OWN_WORDS; out[j * n + i]
 * receives the truncation at the counter that is j further. More steps than one, and at most
 * WW_COUNTERS_MAX: n is a multiple of WW_SIDE_BY_SIDE. */
typedef struct {
    uint32_t words[16];          /* the first block, zeros where a lane has its own              */
    size_t counter;              /* which of a lane's own is the first of WW_COUNTER_WORDS       */
    uint32_t one[2];             /* what the next counter adds to the second and the third       */
    uint32_t shared[WW_SHARED_BLOCKS][80];
} ww_common;
typedef void ww_ocra_many(const void *const *mids, const uint32_t *own, size_t stride,
                          size_t own_at, const ww_common *common, size_t steps, uint32_t *out,
                          size_t n);

typedef struct {
    const char *name;            /* "portable", ...                                              */
    uint32_t lanes[WW_HASHES];   /* messages in one vector                                       */
    ww_hotp_many *hotp[WW_HASHES];
    ww_totp_many *totp;          /* SHA-1 at a shared step; NULL: hotp is faster here            */
    ww_text_many *text[WW_HASHES];
    ww_ocra_many *ocra;          /* SHA-1                                                        */
} ww_kernel;

size_t ww_kernels(const ww_kernel **rows);      /* rows this machine can run, portable first      */
const ww_kernel *ww_kernel_in_use(void);
int ww_kernel_force(const char *name);          /* NULL: the best again; -1: no such row here     */

/* Scalar pieces, for enrolment and the plain functions. */
size_t ww_hash_bytes(ww_hash hash);             /* 20, 32, 64                                     */
size_t ww_mid_bytes(ww_hash hash);              /* inner and outer: 40, 64, 128                   */
void ww_hmac_mid(ww_hash hash, const uint8_t *key, size_t key_len, void *mid);
void ww_hmac(ww_hash hash, const uint8_t *key, size_t key_len, const uint8_t *text, size_t text_len,
             uint8_t *mac);
/* The same from midstates; and a plain hash. */
void ww_hmac_from(ww_hash hash, const void *mid, const uint8_t *text, size_t text_len,
                  uint8_t *mac);
void ww_hash_of(ww_hash hash, const uint8_t *text, size_t len, uint8_t *out);
uint32_t ww_truncate(const uint8_t *mac, size_t mac_len);       /* RFC 4226 5.3, 31 bits          */
uint32_t ww_reduce(uint32_t truncated, uint32_t digits);        /* modulo 10^digits, no division  */
/* hit[i]: 1 when truncated[i] reduced is want[i] and misfit[i] is 0; digits at most 10. */
void ww_match_many(const uint32_t *truncated, const uint32_t *want, const uint32_t *misfit,
                   uint32_t digits, uint32_t *hit, size_t n);

/* ---- slots.c: user name -> slot ---- */

uint64_t ww_name_hash(const ww_tables *t, const uint8_t *name, size_t len);
int ww_name_legal(const ww_policy *p, const uint8_t *name, size_t len);
uint32_t ww_slot_find(const ww_tables *t, uint64_t hash, const uint8_t *name, size_t len);
/* The same for a gateway that is confined to realm within - 1, if within is not 0. */
uint32_t ww_slot_within(const ww_tables *t, uint64_t hash, const uint8_t *name, size_t len,
                        uint32_t within);
uint32_t ww_slot_likely(const ww_tables *t, uint64_t hash);  /* by hash alone: what to prefetch */
uint32_t ww_slot_next(const ww_tables *t);              /* the slot the next user gets */
void ww_slot_index(ww_tables *t, uint32_t slot, uint64_t hash);        /* the index has room */
void ww_slot_unindex(ww_tables *t, uint32_t slot);
void ww_slots_rebuild(ww_tables *t);                    /* free chain and count, after a replay */
void ww_index_move(const uint64_t *from, uint32_t from_mask, uint64_t *to, uint32_t to_mask);
ww_streak *ww_decoy_find(ww_tables *t, uint64_t hash, int create, uint32_t **deep);
/* The same for one that is kept, without a jump; else *kept is 0. */
ww_streak *ww_decoy_kept(const ww_tables *t, uint64_t hash, uint32_t *kept);
const void *ww_decoy_line(const ww_tables *t, uint64_t hash);   /* what to prefetch for it */
ww_open *ww_decoy_open(ww_tables *t, uint64_t hash);            /* one for each platform */
ww_sent *ww_decoy_sent(ww_tables *t, uint64_t hash);
ww_answered *ww_decoy_answered(const ww_tables *t, uint64_t hash, int create); /* or NULL */
int ww_source_busy(const ww_tables *t, const ww_policy *p, const uint8_t *address, int64_t now_ms);
void ww_source_charge(ww_tables *t, const uint8_t *address, int64_t now_ms);
const uint8_t *ww_user_name(const ww_tables *t, const ww_user *u, size_t *len);
/* Bytes the arena spends on two texts; references count units of eight, 0 is none. */
#define WW_COLD_BYTES(a_len, b_len) (((size_t)(a_len) + (size_t)(b_len) + 2 + 7) & ~(size_t)7)
uint32_t ww_cold_add(ww_tables *t, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
const uint8_t *ww_cold_first(const ww_tables *t, uint32_t ref, size_t *len);  /* key, or name */
const uint8_t *ww_cold_second(const ww_tables *t, uint32_t ref, size_t *len); /* serial */
ww_device *ww_device_first(const ww_tables *t, ww_user *u);
ww_device *ww_device_next(const ww_tables *t, ww_user *u, ww_device *d);
ww_device *ww_device_find(const ww_tables *t, ww_user *u, uint32_t number);
const void *ww_device_mid(const ww_device *d);
ww_issue *ww_device_issue(ww_device *d);                    /* it is wide */
/* The same of any that is asked: a card stands in its user's own line where it can. */
ww_issue *ww_issue_of(const ww_tables *t, const ww_device *d);
/* What was asked of it on a platform, as it stands; and nothing stands there any more. */
ww_open ww_device_open(const ww_tables *t, const ww_device *d, uint32_t platform);
void ww_open_end(const ww_tables *t, ww_device *d, uint32_t platform);
const uint8_t *ww_device_key(const ww_tables *t, const ww_device *d, size_t *len);
const uint8_t *ww_device_pin(const ww_tables *t, const ww_device *d, size_t *len);
const char *ww_kind_name(uint32_t kind, uint32_t label);    /* RULES 3's, else "totp", ... */
uint32_t ww_device_rank(const ww_policy *p, const ww_device *d);
/* Of two devices that could answer: the higher rank, then the lower serial. */
int ww_device_before(const ww_tables *t, const ww_policy *p, const ww_device *a,
                     const ww_device *b);
ww_far *ww_far_of(const ww_device *d);                      /* it is wide */
int64_t ww_device_t0(const ww_device *d);                   /* seconds */
int64_t ww_step_now(const ww_device *d, int64_t now_ms);   /* floor((now - t0) / period) */

/* ---- verify.c: attempts -> lanes -> masks; one whole turn ---- */

/* Everything a turn does: find users, lay windows, run the kernel, decide and apply in arrival
 * order. Writes verdicts into the attempts and records into the batch. Allocates nothing; grows
 * nothing (attempts never create users or devices). */
void ww_turn(ww_tables *t, const ww_policy *p, ww_batch *b, int64_t now_ms);

/* ---- ids.c: attempts that bring a request id are decided once ---- */

/* Keyed digests of 96 bits: of an id, and of all that was said with it. */
typedef struct { uint64_t id, said; uint32_t id_more, said_more; } ww_id;

/* The last unit of the tail of an attempt that brought one: what the record does not say of its
 * verdict. */
typedef struct {
    ww_id id;
    uint32_t carried;            /* of a failure the time left, saturating; else the device      */
    int16_t offset;
    uint8_t what;                /* kind | label << 4                                            */
    uint8_t flags;               /* rank | card_only << 6 | biometric << 7                       */
} ww_id_tail;

/* What an attempt was told: a cache line. */
typedef struct {
    ww_id id;
    int64_t asked_ms, retry_after_ms;
    uint32_t device, device_cold;
    int32_t offset;
    uint8_t verdict, reason, kind, label, rank, card_only, biometric, pad[5];
} ww_id_told;

enum { WW_IDS_INDEX = 2 * WW_IDS_MAX };

/* A gateway's, oldest first. index: tag << 21 | place + 1; 0 is empty. */
typedef struct {
    uint64_t key[2];
    uint32_t first, count;
    uint8_t pad[40];
    ww_id_told told[WW_IDS_MAX];
    uint32_t index[WW_IDS_INDEX];
} ww_ids;

typedef enum { WW_ID_NEW = 0, WW_ID_AGAIN = 1, WW_ID_MISUSED = 2, WW_ID_FULL = 3 } ww_id_outcome;

/* An attempt's request id. */
typedef struct ww_given {
    ww_ids *ids;                 /* of its gateway                                               */
    ww_id id;
    uint32_t at;                 /* which attempt                                                */
    uint32_t many;               /* of a command's first: how many attempts the command has      */
    uint8_t outcome;             /* out: ww_id_outcome. MISUSED and FULL read BUSY               */
    uint8_t pad[7];
} ww_given;

void ww_ids_init(const ww_tables *t, ww_ids *ids, const uint8_t *gateway, size_t len);
/* SipHash-2-4 of 128 bits. */
void ww_sip128(const uint64_t key[2], const uint8_t *text, size_t len, uint64_t out[2]);
/* Digests of the id of a command's attempt of this number, and of what the attempt says; password:
 * a keyed digest of one, or 0. What is too long to be copied is like whatever else is. */
void ww_given_id(ww_given *g, const uint8_t *text, size_t len, uint32_t number);
void ww_given_said(ww_given *g, const ww_batch *b, uint64_t password);
/* A command of several says what they all say. */
void ww_given_together(ww_given *first, uint32_t many);
/* Whether the attempt is answered without being decided: with what was told before, or BUSY. */
int ww_given_again(const ww_tables *t, ww_batch *b, ww_given *g, int64_t now_ms);
/* It was decided, and is remembered: in its table, and in its record, which is the batch's last. */
void ww_given_keep(const ww_tables *t, ww_batch *b, const ww_given *g, int64_t now_ms);
/* What a recorded attempt was told is remembered again. at_ms: the greatest time of any row up to
 * its own. */
void ww_ids_replay(const ww_tables *t, ww_ids *ids, const ww_record *r, int64_t at_ms);

/* ---- ocra.c: suites, and the messages they make (RFC 6287) ---- */

int ww_suite_read(const uint8_t *text, size_t len, ww_suite *s);   /* -1: no suite               */
int ww_suite_find(const ww_tables *t, const uint8_t *text, size_t len);    /* index, or -1       */
int ww_suite_add(ww_tables *t, const uint8_t *text, size_t len); /* -1: none, or no room for it  */
/* What messages of a suite with own_words have in common, rows of own that are alike included, and
 * the words of one of them. question: as it is kept, or NULL. */
void ww_suite_common(const ww_suite *s, ww_common *common, uint32_t *own, size_t stride);
void ww_suite_own(const ww_suite *s, uint64_t counter,
                  const uint8_t question[WW_QUESTION_INLINE_BYTES], uint32_t *own, size_t stride);
/* A question's text as hashed (section 5.1), zeros on its right cut off: bytes written, no more
 * than there are characters. */
size_t ww_question_pack(const ww_suite *s, const uint8_t *text, size_t len, uint8_t *packed);
/* Bytes into a message's words, at a byte's offset. */
void ww_text_put(const ww_suite *s, uint64_t *words, size_t at, const uint8_t *bytes, size_t n);

/* ---- challenge.c: questions, ids, and what becomes of an ask ---- */

uint64_t ww_sip24(const uint64_t key[2], const uint64_t *words, size_t count);
/* The question of count n: s->chars characters. No value comes back before all were had. */
void ww_question(const uint64_t key[2], const ww_suite *s, uint64_t who, uint32_t n,
                 uint8_t *text);
/* The open one, packed; -1: none such can stand. */
int ww_question_keep(ww_tables *t, ww_device *d, uint32_t platform);
uint64_t ww_purpose(const ww_tables *t, const uint8_t *text, size_t len);  /* never 0            */
uint32_t ww_epoch(const ww_tables *t, int64_t now_ms);
int ww_open_current(const ww_open *o, uint32_t epoch);

/* ---- codes.c: passcodes, and codes that are sent ---- */

uint32_t ww_second(const ww_tables *t, int64_t now_ms);     /* of now, never back                */
uint32_t ww_second_over(const ww_tables *t, int64_t now_ms);    /* the first not before now: an hour
                                                                 * from it is no second short    */
int ww_is_sms(const ww_device *d);
void ww_passcode_key(ww_tables *t, const uint8_t *key, size_t len);

/* ---- pins.c and known.c: what a user knows ---- */

void ww_kept_key(ww_tables *t, const uint8_t *key, size_t len);
ww_device *ww_password_of(const ww_tables *t, ww_user *u);  /* NULL: the user has none           */
/* A security question is asked; the name is legal. */
typedef struct {
    const uint8_t *name;
    size_t name_len;
    uint64_t dice;               /* random: which one, when none stands                          */
    uint8_t within;              /* as of ww_ask                                                 */
    /* out */
    uint32_t cold;               /* of the question: pool and text; 0: a plausible one           */
    uint32_t plausible, whose;   /* a number for it, and one that is always this name's          */
    uint8_t id[WW_TOKEN_CHARS];
    ww_record record;
} ww_quiz;
/* Decides and applies: a whole turn. What stands is asked again. */
void ww_question_ask(ww_tables *t, ww_quiz *q);

/* What a challenge id says, sealed. */
typedef struct {
    uint64_t name_hash, purpose;
    uint32_t device, count, epoch;
    uint8_t platform, version;
    uint16_t posed_len;          /* characters that follow: of a question that was posed to us   */
} ww_token;
/* Writes WW_TOKEN_CHARS, and two more for each character posed. */
void ww_token_seal(const ww_tables *t, const ww_token *token, const uint8_t *posed, uint8_t *text);
/* -1: it is none of ours. */
int ww_token_open(const ww_tables *t, const uint8_t *text, size_t len, ww_token *token,
                  uint8_t posed[WW_POSED_CHARS_MAX]);

/* Somebody asks for a challenge; the name is legal. */
typedef struct {
    const uint8_t *name, *serial;
    size_t name_len, serial_len;
    uint64_t purpose;            /* ww_purpose, or 0; of what is posed ww_posed                  */
    const uint8_t *question, *client;   /* posed: by the caller, by the client; ww_posed_legal   */
    uint8_t question_len, client_len;   /* 0: none                                               */
    uint8_t platform, has_serial;
    uint8_t sends;               /* codes can be delivered: devices that get them are asked too  */
    uint8_t sms;                 /* a code sent is wanted, nothing else                          */
    uint8_t phone;               /* a phone that could have approved, nothing else               */
    uint8_t activates;           /* a shipped device, which it is to make active, nothing else   */
    uint8_t within;              /* 1 + realm: whoever is of another is nobody                   */
    /* out */
    uint8_t kind, label, prompt_len;
    uint8_t prompt[WW_QUESTION_CHARS_MAX], id[WW_TOKEN_CHARS_MAX];
    uint8_t answer[WW_RESPONSE_BYTES_MAX], answer_len;  /* ours, to the client's question        */
    uint16_t id_len;
    int64_t expires_ms;
    uint32_t cold, code;         /* of a code sent: to whose serial, or 0: to nobody; what       */
    ww_record records[2];        /* one, with its tail                                           */
} ww_ask;
/* Decides and applies: a whole turn. Whoever has no device for it gets a plausible one. -1: so many
 * codes were sent as may be within the hour, or so many answers given, and nothing happened. */
int ww_challenge(ww_tables *t, const ww_policy *p, ww_ask *a, int64_t now_ms);

/* ---- posed.c: questions that are posed to us ---- */

int ww_posed_legal(const uint8_t *text, size_t len);        /* of any suite at all */
/* A challenge's purpose when questions are posed; never 0. */
uint64_t ww_posed(const ww_tables *t, const uint8_t *purpose, size_t purpose_len,
                  const uint8_t *question, size_t question_len, const uint8_t *client,
                  size_t client_len);

/* ---- floors.c: what a restored store takes for used up ---- */

/* ended_ms: until then the lost life may have answered; issues, answers: how many challenges, and
 * answers of a card, one device may have had in it at most. */
typedef struct { int64_t ended_ms; uint32_t issues, answers; } ww_lost;
/* FLOOR records of the users from slot *at on, as many as fit: units written; *at is the slot to go
 * on with. Room for one user's must be there. */
uint32_t ww_floors(const ww_tables *t, const ww_lost *lost, uint32_t *at, ww_record *out,
                   uint32_t room);

/* ---- card.c: code cards ---- */

/* Whose pairs: a keyed function of the card's key, so that a key has one order wherever it is. */
uint64_t ww_card_who(const uint8_t *key, size_t len);
/* How many a card can give: each pair in one order, then in the other; or each cell once. */
uint32_t ww_card_answers(int once);
int ww_card_spent(const ww_device *d);                      /* nothing is left to ask            */
/* The pair after n answered ones: indices from 1. once: no cell comes twice, and n is less than
 * ww_card_answers. */
void ww_card_pair(const uint64_t key[2], uint64_t who, int once, uint32_t n, uint32_t pair[2]);
/* Answers until card_shown_percent of the cells were shown. */
uint32_t ww_card_left(const ww_tables *t, const ww_policy *p, const ww_device *d);
void ww_card_cells(const uint8_t *key, size_t len, uint8_t text[WW_CARD_CELLS][WW_CELL_CHARS]);
const uint8_t *ww_card_asked(const ww_device *d, uint32_t platform);   /* its pair, if one stands */
int ww_card_keep(ww_tables *t, ww_device *d, uint32_t platform);   /* ww_question_keep's part    */
/* What stands when this card is asked, or with d NULL the one that a name seems to have. No time is
 * in it, so that to ask again is to see the same, whenever that is and whoever asks. */
ww_open ww_card_ask(const ww_tables *t, const ww_device *d, ww_ask *a, uint64_t hash);

/* ---- push.c: logins that a phone approves ---- */

/* Somebody asks for a push; the name is legal. */
typedef struct {
    const uint8_t *name, *serial;
    size_t name_len, serial_len;
    uint8_t id[WW_PUSH_ID_BYTES], number;       /* random                                        */
    uint8_t platform, has_serial, within;       /* within as of ww_ask                           */
    /* out */
    uint8_t cancels, cancelled[WW_PUSH_ID_BYTES];   /* the one that was pending                  */
    uint32_t device, cold;       /* the phone's; 0: nobody is asked                              */
    int64_t expires_ms;
} ww_push_ask;
typedef enum { WW_PUSH_OPENED = 0, WW_PUSH_SPENT = 1, WW_PUSH_FULL = 2 } ww_push_asked;
/* SPENT: as many as may be without an approval, so that the manual challenge is left. */
ww_push_asked ww_push_open(ww_tables *t, const ww_policy *p, ww_push_ask *a, int64_t now_ms);
ww_push *ww_push_find(const ww_tables *t, const uint8_t id[WW_PUSH_ID_BYTES]);
/* A ww_push_state; NONE when it was claimed. */
uint8_t ww_push_stands(const ww_tables *t, const ww_push *push, int64_t now_ms);
/* Those of a name that have not run out, the newest first: their places. */
uint32_t ww_push_list(const ww_tables *t, uint64_t name_hash, int64_t now_ms, uint32_t *places,
                      uint32_t most);
/* The device that a push asks, while it may answer; or NULL. */
ww_device *ww_push_phone(const ww_tables *t, const ww_push *push);

/* ---- entry.c: from where, without a device, and what few users have ---- */

int64_t ww_session_ms(const ww_policy *p, const ww_attempt *a);     /* that a session may last   */
ww_extra ww_extra_of(const ww_tables *t, const ww_user *u);         /* zeros: there is none      */
const uint8_t *ww_ranges_of(const ww_tables *t, const ww_user *u, size_t *len);

/* ---- shares.c: one device of several users ---- */

/* A device that this one is shared with, and the next; NULL: no more. */
ww_device *ww_sharer_first(const ww_tables *t, const ww_device *d);
ww_device *ww_sharer_next(const ww_tables *t, const ww_device *d, ww_device *sharer);
uint32_t ww_sharers(const ww_tables *t, ww_user *u);        /* of all devices of a user together */
/* Whether this device is not shared, and another one of its key is or was. */
int ww_key_shared(const ww_tables *t, const ww_device *d);

/* ---- life.c: devices that come and go ---- */

int ww_is_temporary(const ww_device *d);        /* a temporary passcode or an online card */
int ww_device_dates(const ww_device *d, ww_dates *dates);      /* 0: it never had any */
/* The state of a device at a moment: what has come due counts, whether it is recorded or not. */
ww_device_state ww_device_stands(const ww_tables *t, ww_user *u, const ww_device *d,
                                 int64_t at_ms);
int ww_user_due(const ww_tables *t, ww_user *u, int64_t at_ms);    /* something is */

/* ---- phones.c: public keys of phones ---- */

const uint8_t *ww_device_phone(const ww_tables *t, const ww_device *d, size_t *len);
void ww_phone_link(ww_tables *t, ww_device *d);
void ww_phone_unlink(ww_tables *t, const ww_device *d);
void ww_phones_rebuild(ww_tables *t);
/* Every device that is the same phone as d, which is one of them; nothing where d is none. */
ww_device *ww_phone_first(const ww_tables *t, const ww_device *d);
ww_device *ww_phone_next(const ww_tables *t, const ww_device *d, const ww_device *other);
/* Whether no user of this phone has another PIN. */
int ww_phone_pin_fits(const ww_tables *t, const uint8_t key[WW_PHONE_BYTES], const uint8_t *pin,
                      size_t pin_len);

/* ---- state.c: the one transition ---- */

/* One window of one device against one response (or two, for resynchronisation). */
typedef struct {
    ww_device *device;           /* NULL: a decoy's lanes, whose masks mean nothing               */
    uint64_t base;               /* position of bit 0                                             */
    uint32_t count;
    uint32_t spoiled;            /* 1: a PIN stands beside the code, and is not right            */
    ww_mask mask, second;
} ww_try;

/* What a try of a device that is asked has besides; a card's, from platform on. */
typedef struct {
    const ww_suite *suite;
    uint64_t first;              /* the time step of bit 0, and how many there are a counter     */
    int64_t step_now;
    uint32_t steps;
    uint32_t count;              /* of the question                                              */
    uint8_t platform;            /* whose open challenge it is                                   */
    uint8_t overdue;             /* which has run out                                            */
    uint8_t posed;               /* bytes of its question, where that was posed; else 0          */
    uint8_t push;                /* of a push that is named, ww_push_state                       */
    uint32_t push_at;            /* its place + 1; 0: it is not this user's                      */
} ww_answer;

/* What decide is given: who, with which windows matched, and when. */
typedef struct {
    ww_user *user;               /* NULL: no such name                                            */
    ww_streak *streak;           /* the user's or the decoy's                                     */
    const uint32_t *deep;        /* its further gaps, or NULL                                     */
    const ww_try *tries;
    const ww_answer *answers;    /* one for each try, read for those that are asked              */
    uint32_t tries_count;
    uint8_t legal;               /* the name is one that could exist                              */
    uint8_t source_busy;         /* too many failures from the address                            */
    uint8_t inactive;            /* what was named cannot answer: the reason, or 0                */
    uint8_t passed_over;         /* an active device had no challenge and was not tried           */
    uint8_t limited;             /* what may refuse what is right: WW_LIMITED and on (internal.h) */
    uint8_t stranger;            /* 1: there is no such name; user is NULL or stands in (alone.c) */
} ww_event_in;

/* decide reads, apply writes. decide returns the units it wrote to out (records and tails). alone:
 * what tells a locked user or a stranger from others is masks there, and no jump (alone.c). */
uint32_t ww_decide(const ww_tables *t, const ww_policy *p, ww_attempt *a, const ww_event_in *in,
                   int64_t now_ms, int alone, ww_record *out);
/* Applies one record with its tail. now_ms is the row's time. streak and deep are the decoy's for
 * a name that does not exist, NULL when replaying a journal (decoys are not durable). Returns 0,
 * or -1 when the record does not fit the tables (a damaged or foreign journal). May consume one
 * user, one wide device, and cold bytes for names, keys and serials: the door sees to room. */
int ww_apply(ww_tables *t, const ww_record *r, int64_t now_ms, ww_streak *streak, uint32_t *deep);
int ww_spec_legal(const ww_spec *s);
int ww_spec_read(const ww_record *r, ww_spec *s);          /* -1: not a legal enrolment */
/* A device's line, midstates (given, or made of the key) and cold texts as enrolled; number and
 * moving are the caller's. NULL: its suite is none, or the table of suites is full. */
ww_device *ww_device_place(ww_tables *t, ww_user *u, const ww_spec *spec, const void *mid);

/* ---- rows: a journal row before sealing and after opening (pages.c) ---- */

/* What replaying a row may consume: users_used after it, wides and cold bytes; events is the set
 * of 1 << event found. -1: not a row. */
typedef struct {
    uint32_t users, wides;
    uint64_t events;
    uint32_t ids;                /* attempts that brought a request id                           */
    uint64_t cold_bytes;
    int64_t turn, time_ms;       /* from the row's header                                        */
} ww_row_needs;
int ww_row_needed(const ww_tables *t, const uint8_t *row, size_t len, ww_row_needs *needs);
/* Applies every record that is newer than its user's page. */
int ww_row_replay(ww_tables *t, const uint8_t *row, size_t len, const int64_t *identity_turns,
                  const int64_t *state_turns, uint32_t pages);

/* ---- deep.c: streaks of more failures than a user's own line holds ---- */

/* Streaks become deep with the row of this turn: times that were not kept count as far apart.
 * state_turns: of the pages whose streaks are from before it; NULL: all are. */
void ww_streaks_deepen(ww_tables *t, const int64_t *state_turns, uint32_t pages, int64_t turn);

/* ---- whatif.c: recorded attempts under another policy ---- */

enum { /* flags of an outcome */
    WW_OUTCOME_LOCKED = 1,       /* with it a lock began                                         */
    WW_OUTCOME_LOCKS = 2,        /* with it a lock begins under this policy                      */
    WW_OUTCOME_UNSURE = 4,       /* it may have been right, which was not looked at: it is wrong */
    WW_OUTCOME_AS_RECORDED = 8,  /* not decided again                                            */
    WW_OUTCOME_LEFT_OUT = 16,    /* a user from before the first row                             */
    WW_OUTCOME_UNKNOWN = 32      /* a name that nobody has                                       */
};

/* What became of an attempt, and what does under this policy. */
typedef struct {
    int64_t time_ms;
    uint64_t user;
    int64_t until_ms;            /* with a lock: when it ends                                    */
    uint8_t was, was_reason, is, is_reason, flags, pad[3];
} ww_outcome;

/* A row of the journal on tables of its own: acts are applied, attempts decided again under this
 * policy. out has room for the row's units; *lost: acts that do not fit. -1: not a row. */
int ww_whatif_row(ww_tables *t, const ww_policy *p, const uint8_t *row, size_t len, ww_outcome *out,
                  uint32_t *count, uint32_t *lost);
/* What no store keeps is counted from nothing: a new file of the journal begins. */
void ww_whatif_forget(ww_tables *t);

/* ---- pages.c: 1,024 users as bytes ---- */

/* Bytes a page may need at most; encode returns what it used. decode returns 0, or -1 when the
 * bytes are not such a page; identity comes first. Decoding may consume slots, wides and cold
 * bytes: needed says how many at most. */
size_t ww_page_identity_max(const ww_tables *t, uint32_t page);
size_t ww_page_identity_encode(const ww_tables *t, uint32_t page, uint8_t *out);
typedef struct { uint32_t slots, wides; uint64_t cold_bytes; } ww_page_needs;
int ww_page_identity_needed(const uint8_t *in, size_t len, ww_page_needs *needs);
int ww_page_identity_decode(ww_tables *t, uint32_t page, const uint8_t *in, size_t len);
size_t ww_page_state_max(const ww_tables *t, uint32_t page);
size_t ww_page_state_encode(const ww_tables *t, uint32_t page, uint8_t *out);
int ww_page_state_decode(ww_tables *t, uint32_t page, const uint8_t *in, size_t len);

/* ---- tally.c: what operators watch ---- */

enum {
    WW_VERDICTS_MAX = 16, WW_REASONS_MAX = 64,
    WW_SIZES = 14,               /* of turns: 1 attempt, 2, 3 to 4, ... 4,097 to 8,192           */
    WW_TIMES_PER_OCTAVE = 8,     /* so that a percentile is a ninth off at most                  */
    WW_TIMES = 192               /* from 1 us; the last one holds 58 s and whatever is longer    */
};

typedef struct {
    uint64_t turns, attempts;
    uint64_t verdicts[WW_VERDICTS_MAX][WW_REASONS_MAX];
    uint64_t lockouts[2];        /* begun: of users; of names that nobody has                    */
    uint64_t suspended;          /* devices that reached the cap                                 */
    uint64_t sizes[WW_SIZES];
    uint64_t lanes, idle_lanes;
} ww_tally;

/* Whole microseconds n at place n below 8, then eight places for each power of two. */
typedef struct { uint64_t counts[WW_TIMES], total, sum_ns; } ww_times;

/* Users and devices as they stand; drift of active TOTP devices, -10 to 10 steps. */
typedef struct {
    uint64_t users, locked;
    uint64_t devices[WW_ENDED + 1];
    uint64_t drift[2 * WW_DRIFT_STEPS_MAX + 1];
} ww_fleet;

/* Whether a record is an attempt's own, of whatever sort: its place says what WW_PLACE_ names. */
static inline int ww_is_attempt(const ww_record *r)
{
    return r->event == WW_EVENT_ATTEMPT || r->event == WW_EVENT_RESYNC ||
           r->event == WW_EVENT_ANSWER || r->event == WW_EVENT_ACTIVATE;
}

void ww_tally_turn(ww_tally *y, uint32_t attempts);
/* What a batch came to, after its turn: the whole turn's, or one of its parts'. */
void ww_tally_add(ww_tally *y, const ww_batch *b);
void ww_times_add(ww_times *t, uint64_t ns, uint64_t count);
/* Adds slots from .. from + count; the slot to go on at, 0 when that were all. */
uint32_t ww_fleet_add(const ww_tables *t, uint32_t from, uint32_t count, int64_t now_ms,
                      ww_fleet *f);
/* Whether a record of a row is among the events (1 << event), or is of an attempt with one of the
 * reasons (1 << reason), or with one of the effects, of which a lock is told where it begins. */
int ww_row_tells(const uint8_t *row, size_t len, uint64_t events, uint64_t reasons,
                 uint8_t effects);
static inline int ww_record_tells(const ww_record *r, uint64_t events, uint64_t reasons,
                                  uint8_t effects)
{
    if (events >> (r->event & 63) & 1)
        return 1;
    uint32_t told = r->effects & effects;
    uint32_t locks = (told & WW_EFFECT_LOCK) & (0u - (uint32_t)(r->verdict != WW_LOCKED));
    uint32_t tells = (reasons >> (r->reason & 63) & 1) | locks | (told & WW_EFFECT_SUSPEND);
    return ww_is_attempt(r) & (tells != 0);
}

/* ---- wire.c: RESP frames in and out of a byte range ---- */

typedef struct { uint32_t at, len; } ww_span;

enum {
    WW_WIRE_INLINE_BYTES_MAX = 65536,
    WW_WIRE_COMMAND_BYTES_MAX = 65536,
    WW_WIRE_MANY_BYTES_MAX = 262144,    /* VERIFYMANY alone                                       */
    WW_WIRE_MANY_PAIRS_MAX = 4096,
    WW_WIRE_ARGS_MAX = 8212             /* VERIFYMANY n, its pairs, its options                   */
};

typedef enum {
    WW_WIRE_MORE = 0,            /* nothing whole yet                                             */
    WW_WIRE_COMMAND = 1,         /* args[0..argc) are spans; the frame ends at end                */
    WW_WIRE_ROOM = 2,            /* args is full: give it more room and call again                */
    WW_WIRE_HTTP = 3,            /* an HTTP method: close without an answer                       */
    WW_WIRE_BAD_MULTIBULK = -1, WW_WIRE_BAD_BULK = -2, WW_WIRE_EXPECTED_BULK = -3,
    WW_WIRE_TOO_BIG_INLINE = -4, WW_WIRE_UNBALANCED = -5, WW_WIRE_TOO_BIG = -6,
    WW_WIRE_TOO_MANY_ARGS = -7
} ww_wire_status;

/* Where the parser stands in a connection's buffer; zeroed for a new connection. A frame that
 * arrives byte by byte is never read twice from its start. */
typedef struct {
    ww_span *args;               /* caller's memory                                               */
    uint32_t args_cap, argc;
    uint32_t expected;           /* arguments of the frame under way; 0: none                     */
    uint32_t at;                 /* next byte to look at, from the frame's start                  */
    uint32_t end;                /* after COMMAND: bytes the frame took                           */
    uint32_t scan;               /* inline: how far a line end was looked for                     */
    uint8_t bad;                 /* after EXPECTED_BULK: the byte found instead                   */
    uint8_t many;                /* the command is VERIFYMANY: its own limits                     */
    uint8_t pad[2];
} ww_wire;

/* Looks at buf[0..len), where buf is the start of the frame under way. Inline quoting rewrites the
 * buffer in place. After COMMAND the caller drops end bytes and calls ww_wire_next. */
ww_wire_status ww_wire_parse(ww_wire *w, uint8_t *buf, size_t len);
void ww_wire_next(ww_wire *w);
/* What a Redis server says to that status, without the CRLF; "" for MORE, COMMAND, ROOM, HTTP. */
const char *ww_wire_error(ww_wire_status status);
/* ASCII, case-insensitive; word is upper case. */
int ww_wire_is(const uint8_t *buf, ww_span s, const char *word);

#endif
