/* Bytes written one after the other, and read again by whoever trusts none of them: every length is
 * held against what is left before it is used. For pages.c.
 */
#ifndef WATCHWORD_CURSOR_H
#define WATCHWORD_CURSOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A cursor over bytes that never passes their end; bad stays set once anything was missing. */
typedef struct { const uint8_t *at, *end; int bad; } reader;

static inline const uint8_t *take_bytes(reader *r, size_t n)
{
    const uint8_t *at = r->at;
    if ((size_t)(r->end - r->at) < n) {
        r->bad = 1;
        return NULL;
    }
    r->at += n;
    return at;
}

static inline uint64_t take(reader *r, uint32_t bytes)
{
    uint64_t v = 0;
    const uint8_t *at = take_bytes(r, bytes);
    if (at)
        memcpy(&v, at, bytes);
    return v;
}

static inline uint8_t *put_bytes(uint8_t *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return to + n;
}

static inline uint8_t *put(uint8_t *to, uint64_t v, uint32_t bytes)
{
    return put_bytes(to, &v, bytes);
}

static inline void take_text(reader *r, uint8_t *to, size_t len, size_t most)
{
    r->bad |= len > most;
    const uint8_t *from = r->bad ? NULL : take_bytes(r, len);
    if (from)
        memcpy(to, from, len);
}

#endif
