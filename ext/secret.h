/* The one place for constant-time pieces: equal, select, wipe, and the marks a check build tests.
 *
 * Rule: what a key, a midstate, an expected code or a typed response holds never decides a branch
 * or an index. It becomes a mask here, and masks are folded with arithmetic. ww_opaque hides a
 * value from the optimiser, which otherwise may turn a mask back into a branch.
 */
#ifndef WATCHWORD_SECRET_H
#define WATCHWORD_SECRET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Under a check build a secret is memory that valgrind takes for undefined: any branch or index
 * made from it is reported. WW_PUBLIC ends that where a value is meant to be known. */
#ifdef WATCHWORD_CHECK_SECRETS
#include <valgrind/memcheck.h>
#define WW_SECRET(p, n) ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (n)))
#define WW_PUBLIC(p, n) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (n)))
#else
#define WW_SECRET(p, n) ((void)(p), (void)(n))
#define WW_PUBLIC(p, n) ((void)(p), (void)(n))
#endif

static inline uint32_t ww_opaque_u32(uint32_t x)
{
    __asm__("" : "+r"(x));
    return x;
}

static inline uint64_t ww_opaque_u64(uint64_t x)
{
    __asm__("" : "+r"(x));
    return x;
}

/* 1 when x is not 0: either x or its negative has the top bit. */
static inline uint32_t ww_nonzero_u32(uint32_t x)
{
    x = ww_opaque_u32(x);
    return ww_opaque_u32((x | (0u - x)) >> 31);
}

static inline uint32_t ww_eq_u32(uint32_t a, uint32_t b)
{
    return ww_nonzero_u32(a ^ b) ^ 1u;
}

/* bit is 0 or 1: a when it is 1. */
static inline uint64_t ww_select_u64(uint32_t bit, uint64_t a, uint64_t b)
{
    uint64_t mask = ww_opaque_u64(0u - (uint64_t)bit);
    return b ^ (mask & (a ^ b));
}

/* 1 when n bytes are the same; the time depends on n alone. */
static inline uint32_t ww_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint32_t differ = 0;
    for (size_t i = 0; i < n; i++)
        differ |= (uint32_t)(a[i] ^ b[i]);
    return ww_nonzero_u32(differ) ^ 1u;
}

/* n bytes as lower-case hex: a letter is 39 beyond what follows '9'. */
static inline void ww_hex(const uint8_t *bytes, size_t n, uint8_t *text)
{
    for (size_t i = 0; i < 2 * n; i++) {
        uint32_t nibble = ww_opaque_u32((uint32_t)bytes[i / 2] >> (i % 2 ? 0 : 4) & 15u);
        text[i] = (uint8_t)('0' + nibble + (39u & (0u - ((nibble + 6) >> 4))));
    }
}

/* The compiler is told that somebody may still look, so that the stores stay. */
static inline void ww_wipe(void *p, size_t n)
{
    memset(p, 0, n);
    __asm__ __volatile__("" : : "r"(p) : "memory");
}

#endif
