/* libFuzzer target for the RESP parser. The first byte seeds how the rest is cut into arrivals and
 * how much room for arguments is given at a time; whatever the cut, the frames, their arguments and
 * the final status must be those of one arrival. Buffers are heap blocks of the exact size, so that
 * a byte read too far is one the sanitizer sees.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watchword.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What a parse came to: a digest over every argument of every frame, and how it ended. */
typedef struct { uint64_t digest; uint32_t frames; int status; uint8_t bad; } outcome;

#define HOLDS(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "does not hold: %s\n", #what);                                         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t fold(uint64_t digest, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) digest = (digest ^ bytes[i]) * 0x100000001b3u;
    return (digest ^ len ^ 0x9e37u) * 0x100000001b3u;
}

static uint32_t draw(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void frame(const ww_wire *w, const uint8_t *buf, size_t len, outcome *o) {
    uint32_t limit = w->many ? WW_WIRE_MANY_BYTES_MAX : WW_WIRE_COMMAND_BYTES_MAX;
    HOLDS(w->end > 0 && w->end <= len && w->end <= limit);
    HOLDS(w->argc <= w->args_cap && w->argc <= WW_WIRE_ARGS_MAX);
    for (uint32_t i = 0; i < w->argc; i++) {
        HOLDS(w->args[i].at <= w->end && w->args[i].len <= w->end - w->args[i].at);
        o->digest = fold(o->digest, buf + w->args[i].at, w->args[i].len);
    }
    o->digest = fold(o->digest, (const uint8_t *)"|", 1);
    o->frames++;
}

/* Parses everything, in arrivals of 1 to `most` bytes (0: all at once), args growing by `grow`. */
static outcome run(const uint8_t *bytes, size_t size, uint32_t most, uint32_t grow, uint32_t seed) {
    outcome o = {0xcbf29ce484222325u, 0, WW_WIRE_MORE, 0};
    ww_wire w;
    uint8_t *buf = NULL;
    size_t have = 0, taken = 0;
    memset(&w, 0, sizeof w);
    for (;;) {
        ww_wire_status status = have > 0 ? ww_wire_parse(&w, buf, have) : WW_WIRE_MORE;
        o.status = status;
        if (status == WW_WIRE_ROOM) {
            HOLDS(w.argc == w.args_cap && w.args_cap < WW_WIRE_ARGS_MAX);
            uint32_t room = w.args_cap + grow;
            w.args_cap = room < WW_WIRE_ARGS_MAX ? room : WW_WIRE_ARGS_MAX;
            w.args = realloc(w.args, w.args_cap * sizeof *w.args);
            HOLDS(w.args != NULL);
        } else if (status == WW_WIRE_COMMAND) {
            frame(&w, buf, have, &o);
            have -= w.end;
            memmove(buf, buf + w.end, have);
            ww_wire_next(&w);
        } else if (status == WW_WIRE_MORE && taken < size) {
            size_t chunk = most > 0 ? 1 + draw(&seed) % most : size;
            if (chunk > size - taken) chunk = size - taken;
            uint8_t *grown = malloc(have + chunk);
            HOLDS(grown != NULL);
            if (have > 0) memcpy(grown, buf, have);
            memcpy(grown + have, bytes + taken, chunk);
            free(buf);
            buf = grown;
            have += chunk;
            taken += chunk;
        } else {
            HOLDS(status == WW_WIRE_MORE || ww_wire_error(status)[0] == '-' || status == WW_WIRE_HTTP);
            o.bad = w.bad;
            break;
        }
    }
    free(buf);
    free(w.args);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    outcome whole, cut;
    if (size == 0 || size > 1u << 17) return 0;
    whole = run(bytes + 1, size - 1, 0, WW_WIRE_ARGS_MAX, 1);
    cut = run(bytes + 1, size - 1, 1 + bytes[0] % 16u, 1 + bytes[0] / 16u, bytes[0]);
    HOLDS(whole.digest == cut.digest && whole.frames == cut.frames);
    HOLDS(whole.status == cut.status && whole.bad == cut.bad);
    return 0;
}
