/* What the fuzz targets share: a claim that must hold, a cheap random source, and memory whose
 * end the address sanitizer watches without a malloc for every input.
 *
 * A fence is a block of which only a part may be touched. The part is moved by fence_open and
 * fence_shut; whatever reads or writes outside of it is reported like any overflow.
 */
#ifndef WATCHWORD_FUZZ_H
#define WATCHWORD_FUZZ_H

#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned int seed);

#define HOLDS(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "does not hold: %s\n", #what);                                         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static inline void fence_open(const void *block, size_t from, size_t to)
{
    ASAN_UNPOISON_MEMORY_REGION((const char *)block + from, to - from);
}

static inline void fence_shut(const void *block, size_t from, size_t to)
{
    ASAN_POISON_MEMORY_REGION((const char *)block + from, to - from);
}

/* Open are the first `from` bytes, and shall be the first `to`. */
static inline void fence_move(const void *block, size_t from, size_t to)
{
    if (to < from)
        fence_shut(block, to, from);
    else
        fence_open(block, from, to);
}

/* A cursor over the input that gives zeros when it has run out: every input means something. */
typedef struct { const uint8_t *at, *end; } source;

static inline uint64_t take(source *s, uint32_t bytes)
{
    uint64_t v = 0;
    size_t left = (size_t)(s->end - s->at);
    size_t n = left < bytes ? left : bytes;
    memcpy(&v, s->at, n);
    s->at += n;
    return v;
}

#endif
