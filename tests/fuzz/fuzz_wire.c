/* libFuzzer target for the RESP parser. The first byte seeds how the rest is cut into arrivals and
 * how much room for arguments is given at a time; whatever the cut, the frames, their arguments and
 * the final status must be those of one arrival. Buffers and arguments stand behind fences that are
 * as wide as what has arrived, so that a byte read too far is one the sanitizer sees.
 *
 * One execution is one call: the same bytes parsed whole and parsed cut. A mutator that knows what
 * frames are made of keeps inputs from dying at their first byte.
 */
#include "fuzz.h"
#include "watchword.h"

enum { SIZE_MAX_BYTES = 1 << 17 };

/* What a parse came to: a digest over every argument of every frame, and how it ended. */
typedef struct { uint64_t digest; uint32_t frames; int status; uint8_t bad; } outcome;

static _Alignas(64) uint8_t buf[SIZE_MAX_BYTES + 64];
static _Alignas(64) ww_span args[WW_WIRE_ARGS_MAX + 8];

static uint64_t fold(uint64_t digest, const uint8_t *bytes, size_t len)
{
    uint64_t word = 0;
    for (; len >= 8; len -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        digest = (digest ^ word ^ digest >> 29) * 0x9e3779b97f4a7c15u;
    }
    word = len;
    memcpy((uint8_t *)&word + 1, bytes, len);
    return (digest ^ word ^ digest >> 29) * 0x9e3779b97f4a7c15u;
}

static void frame(const ww_wire *w, const uint8_t *at, size_t len, outcome *o)
{
    uint32_t limit = w->many ? WW_WIRE_MANY_BYTES_MAX : WW_WIRE_COMMAND_BYTES_MAX;
    HOLDS(w->end > 0 && w->end <= len && w->end <= limit);
    HOLDS(w->argc <= w->args_cap && w->argc <= WW_WIRE_ARGS_MAX);
    for (uint32_t i = 0; i < w->argc; i++) {
        HOLDS(w->args[i].at <= w->end && w->args[i].len <= w->end - w->args[i].at);
        o->digest = fold(o->digest, at + w->args[i].at, w->args[i].len);
    }
    o->digest = fold(o->digest, (const uint8_t *)"|", 1);
    o->frames++;
}

static void more_args(ww_wire *w, uint32_t grow)
{
    HOLDS(w->argc == w->args_cap && w->args_cap < WW_WIRE_ARGS_MAX);
    uint32_t room = w->args_cap + grow;
    room = room < WW_WIRE_ARGS_MAX ? room : WW_WIRE_ARGS_MAX;
    fence_open(args, w->args_cap * sizeof *args, room * sizeof *args);
    w->args_cap = room;
}

/* Parses everything, in arrivals of 1 to `most` bytes (0: all at once), args growing by `grow`. */
static outcome run(const uint8_t *bytes, size_t size, uint32_t most, uint32_t grow, uint32_t seed)
{
    outcome o = {0xcbf29ce484222325u, 0, WW_WIRE_MORE, 0};
    ww_wire w = {.args = args};
    size_t at = 0, have = 0; /* the frame under way: buf[at .. have) */
    for (;;) {
        ww_wire_status status = have > at ? ww_wire_parse(&w, buf + at, have - at) : WW_WIRE_MORE;
        o.status = status;
        if (status == WW_WIRE_ROOM) {
            more_args(&w, grow);
        } else if (status == WW_WIRE_COMMAND) {
            frame(&w, buf + at, have - at, &o);
            fence_shut(buf, at, at + w.end);
            at += w.end;
            ww_wire_next(&w);
        } else if (status == WW_WIRE_MORE && have < size) {
            size_t chunk = most > 0 ? 1 + draw(&seed) % most : size;
            if (chunk > size - have)
                chunk = size - have;
            fence_open(buf, have, have + chunk);
            memcpy(buf + have, bytes + have, chunk);
            have += chunk;
        } else {
            HOLDS(status == WW_WIRE_MORE || ww_wire_error(status)[0] == '-' ||
                  status == WW_WIRE_HTTP);
            o.bad = w.bad;
            break;
        }
    }
    fence_shut(buf, 0, have + 8);
    fence_shut(args, 0, w.args_cap * sizeof *args);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static int shut;
    if (!shut) {
        fence_shut(buf, 0, sizeof buf);
        fence_shut(args, 0, sizeof args);
        shut = 1;
    }
    if (size == 0 || size > SIZE_MAX_BYTES)
        return 0;
    uint32_t seed = bytes[0];
    outcome whole = run(bytes + 1, size - 1, 0, 64, 1);
    outcome cut = run(bytes + 1, size - 1, 1 + seed % 16u, 1 + seed / 16u, seed);
    HOLDS(whole.digest == cut.digest && whole.frames == cut.frames);
    HOLDS(whole.status == cut.status && whole.bad == cut.bad);
    return 0;
}

/* ---- a mutator that knows what frames are made of ---- */

static const char *const pieces[] = {
    "*1\r\n$4\r\nPING\r\n", "*3\r\n$6\r\nVERIFY\r\n$1\r\na\r\n$6\r\n000000\r\n",
    "*2\r\n$10\r\nVERIFYMANY\r\n$1\r\n1\r\n", "*2\r\n", "*0\r\n", "*-1\r\n", "*8212\r\n",
    "*8213\r\n", "$1\r\na\r\n", "$0\r\n\r\n", "$65536\r\n", "$65537\r\n", "$262144\r\n",
    "$262145\r\n", "$-1\r\n", "$", "*", "\r\n", "\n", "\r", " ", "\"", "'", "\\x41", "\\x4", "\\\"",
    "PING\r\n", "VERIFY a \"b\\n\"\r\n", "GET ", "Host:", "POST", "999999999999999999",
};

static size_t insert(uint8_t *bytes, size_t size, size_t most, uint32_t at, const char *piece)
{
    size_t n = strlen(piece);
    if (size + n > most)
        return size;
    memmove(bytes + at + n, bytes + at, size - at);
    memcpy(bytes + at, piece, n);
    return size + n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned int seed)
{
    uint32_t s = seed;
    if (size < 2 || draw(&s) % 4 == 0)
        return LLVMFuzzerMutate(bytes, size, most);
    for (uint32_t rounds = 1 + draw(&s) % 3; rounds > 0; rounds--) {
        uint32_t at = 1 + draw(&s) % (uint32_t)size;
        switch (draw(&s) % 6) {
        case 0: bytes[0] = (uint8_t)draw(&s); break;
        case 1: bytes[draw(&s) % size] ^= (uint8_t)(1u << draw(&s) % 8); break;
        case 2: size = at > 1 ? at : size; break;
        default:
            size = insert(bytes, size, most, at,
                          pieces[draw(&s) % (sizeof pieces / sizeof *pieces)]);
        }
    }
    return size;
}
