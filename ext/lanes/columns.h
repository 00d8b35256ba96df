/* Records to lanes: words of LANES records turned, in registers, so that column[w] holds word w of
 * every record. For rows whose vector is made of 128-bit blocks; a row of one word needs none.
 *
 * A record is read 16 bytes at a time into its own block, then blocks are turned with zips, which
 * never leave their block: far fewer moves than a whole transposition. Rule: no byte outside the
 * words asked for is read; where they are no multiple of four, the last four overlap.
 *
 * Included once for each V_BITS. The row names v_blocks(rows, first, step, byte), whose block i is
 * the 16 bytes at byte of rows[first + step * i], and the four zips.
 */
#if V_BITS == 32
V_INLINE void v_four_columns(v_t column[4], const void *const *rows, size_t byte)
{
    v_t a = v_blocks(rows, 0, 4, byte), b = v_blocks(rows, 1, 4, byte);
    v_t c = v_blocks(rows, 2, 4, byte), d = v_blocks(rows, 3, 4, byte);
    v_t ab_low = v_zip_low32(a, b), ab_high = v_zip_high32(a, b);
    v_t cd_low = v_zip_low32(c, d), cd_high = v_zip_high32(c, d);
    column[0] = v_zip_low64(ab_low, cd_low);
    column[1] = v_zip_high64(ab_low, cd_low);
    column[2] = v_zip_low64(ab_high, cd_high);
    column[3] = v_zip_high64(ab_high, cd_high);
}

V_INLINE void v_columns32(v_t *column, const void *const *rows, size_t words)
{
    size_t word = 0;
    for (; word + 4 <= words; word += 4)
        v_four_columns(column + word, rows, 4 * word);
    if (word < words)
        v_four_columns(column + words - 4, rows, 4 * (words - 4));
}
#else
V_INLINE void v_columns64(v_t *column, const void *const *rows, size_t words)
{
    for (size_t word = 0; word < words; word += 2) {
        v_t a = v_blocks(rows, 0, 2, 8 * word), b = v_blocks(rows, 1, 2, 8 * word);
        column[word] = v_zip_low64(a, b);
        column[word + 1] = v_zip_high64(a, b);
    }
}
#endif
