/* Eight lanes of 32 bits, four of 64, on the 256-bit form of AVX-512 (F and VL). This file names
 * what it has over AVX2: rotations and any function of three words in one instruction. The vector
 * is in lanes/ymm.h.
 */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl")
#endif
#include <immintrin.h>

#include "../internal.h"

#define ROW(name) name##_avx512vl
#define v_rol(a, n) ((v_t)_mm256_rol_epi32(V256(a), n))
#define v_ror(a, n) ((v_t)_mm256_ror_epi32(V256(a), n))
#define v_ror64(a, n) ((v_t)_mm256_ror_epi64(V256(a), n))
#define v_choose(a, b, c) ((v_t)_mm256_ternarylogic_epi32(V256(a), V256(b), V256(c), 0xca))
#define v_major(a, b, c) ((v_t)_mm256_ternarylogic_epi32(V256(a), V256(b), V256(c), 0xe8))
#include "../lanes/ymm.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int ww_no_avx512vl;
#endif
