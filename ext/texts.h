/* Short public texts, names above all: loaded, compared and copied by whole words, in place of
 * calls and loops over bytes.
 *
 * Rule: no byte outside the text is read or written; where it is no multiple of a word, the last
 * word overlaps the one before.
 */
#ifndef WATCHWORD_TEXTS_H
#define WATCHWORD_TEXTS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The machine is little-endian (watchword.h asserts it); what is missing is only alignment. */
static inline uint16_t ww_load_le16(const void *p)
{
    uint16_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline uint32_t ww_load_le32(const void *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline uint64_t ww_load_le64(const void *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline void ww_store_le16(void *p, uint16_t x) { memcpy(p, &x, sizeof x); }
static inline void ww_store_le32(void *p, uint32_t x) { memcpy(p, &x, sizeof x); }
static inline void ww_store_le64(void *p, uint64_t x) { memcpy(p, &x, sizeof x); }

/* Up to eight bytes as a little-endian word, zeros above; no byte beyond them is read. */
static inline uint64_t ww_load_few(const uint8_t *p, size_t len)
{
    if (len >= 4)
        return ww_load_le32(p) | (uint64_t)ww_load_le32(p + len - 4) << (8 * (len - 4));
    if (!len)
        return 0;
    return p[0] | (uint64_t)p[len / 2] << (8 * (len / 2)) | (uint64_t)p[len - 1] << (8 * (len - 1));
}

/* Whether two public texts of one length are the same. */
static inline int ww_same_text(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (len < 8)
        return ww_load_few(a, len) == ww_load_few(b, len);
    for (size_t at = 0; at + 8 < len; at += 8)
        if (ww_load_le64(a + at) != ww_load_le64(b + at))
            return 0;
    return ww_load_le64(a + len - 8) == ww_load_le64(b + len - 8);
}

static inline void ww_copy_short(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len > 16) {
        memcpy(to, from, len);
    } else if (len >= 8) {
        uint64_t first = ww_load_le64(from), last = ww_load_le64(from + len - 8);
        ww_store_le64(to, first);
        ww_store_le64(to + len - 8, last);
    } else if (len >= 4) {
        uint32_t first = ww_load_le32(from), last = ww_load_le32(from + len - 4);
        ww_store_le32(to, first);
        ww_store_le32(to + len - 4, last);
    } else if (len) {
        uint8_t first = from[0], middle = from[len / 2], last = from[len - 1];
        to[0] = first;
        to[len / 2] = middle;
        to[len - 1] = last;
    }
}

#endif
