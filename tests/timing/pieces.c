/* The pieces that touch codes, each as a function of its own with every public size fixed, so that
 * whatever jump is left in one hangs on a secret. code.py reads what the compiler made of them.
 */
#include "match.c"
#include "verify.c"

#define PIECE(type, name, given, made)                                                            \
    type piece_##name given;                                                                      \
    type piece_##name given { made; }

PIECE(uint32_t, nonzero, (uint32_t x), return ww_nonzero_u32(x))
PIECE(uint32_t, eq, (uint32_t a, uint32_t b), return ww_eq_u32(a, b))
PIECE(uint64_t, select, (uint32_t bit, uint64_t a, uint64_t b), return ww_select_u64(bit, a, b))
PIECE(uint32_t, equal_16, (const uint8_t *a, const uint8_t *b), return ww_equal(a, b, 16))
PIECE(uint32_t, equal_20, (const uint8_t *a, const uint8_t *b), return ww_equal(a, b, 20))
PIECE(uint32_t, equal_32, (const uint8_t *a, const uint8_t *b), return ww_equal(a, b, 32))
PIECE(void, fold_low, (ww_mask *m, uint32_t code, uint32_t value, uint32_t fits),
      ww_mask_set(m, 3, ww_eq_u32(code, value) & fits))
PIECE(void, fold_high, (ww_mask *m, uint32_t code, uint32_t value, uint32_t fits),
      ww_mask_set(m, 100, ww_eq_u32(code, value) & fits))
PIECE(void, digits, (const uint8_t *text, uint32_t *value, uint32_t *digits),
      read_digits(text, 6, value, digits))
