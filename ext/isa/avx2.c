/* Eight lanes of 32 bits, four of 64, on AVX2. This file names the instruction set; the vector is
 * in lanes/ymm.h, like the rounds.
 */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#include <immintrin.h>

#include "../internal.h"

#define ROW(name) name##_avx2
/* A whole byte goes by a shuffle, one move instead of three. */
#define v_ror64(a, n)                                                                             \
    ((n) == 8 ? (v_t)rotate_byte(V256(a)) : v_or(v_shr(a, n), v_shl(a, 64 - (n))))
#include "../lanes/ymm.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int ww_no_avx2;
#endif
