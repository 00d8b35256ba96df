/* Intel's multi-buffer library as a peer: HMACs from midstates in bursts of 128.
 *
 * It computes MACs and no codes: truncating and comparing are left out of its time. A midstate is
 * ours: inner words, then outer words.
 */
#include <intel-ipsec-mb.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BURST = IMB_MAX_BURST_SIZE, MAC_BYTES_MAX = 64, STEPS = 3 };

static IMB_MGR *state;
static IMB_JOB jobs[BURST];
static uint8_t texts[BURST][8];

static const struct { IMB_HASH_ALG alg; size_t mac_bytes, mid_bytes; } hashes[3] = {
    {IMB_AUTH_HMAC_SHA_1, 20, 20}, {IMB_AUTH_HMAC_SHA_256, 32, 32}, {IMB_AUTH_HMAC_SHA_512, 64, 64},
};

/* 0, or -1 when the library will not start here. */
int prepare(void)
{
    IMB_ARCH arch;
    state = alloc_mb_mgr(0);
    if (!state)
        return -1;
    init_mb_mgr_auto(state, &arch);
    return imb_get_errno(state) ? -1 : 0;
}

const char *version(void)
{
    return imb_get_version_str();
}

/* Which of its code paths this machine gets. */
const char *path_in_use(void)
{
    static const char *const names[] = {"none", "no AES-NI", "SSE", "AVX", "AVX2", "AVX-512"};
    return state->used_arch < 6 ? names[state->used_arch] : "unknown";
}

static void job_lay(size_t i, int hash, const uint8_t *mid, uint64_t counter, uint8_t *mac)
{
    IMB_JOB *job = &jobs[i];
    counter = __builtin_bswap64(counter);
    memcpy(texts[i], &counter, sizeof counter);
    job->src = texts[i];
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = sizeof counter;
    job->auth_tag_output = mac;
    job->auth_tag_output_len_in_bytes = hashes[hash].mac_bytes;
    job->u.HMAC._hashed_auth_key_xor_ipad = mid;
    job->u.HMAC._hashed_auth_key_xor_opad = mid + hashes[hash].mid_bytes;
}

static size_t burst_lost(size_t count, int hash)
{
    return count - IMB_SUBMIT_HASH_BURST_NOCHECK(state, jobs, (uint32_t)count, hashes[hash].alg);
}

/* Lane i: midstates mids[i] and counter moving[i], the whole of it `repeat` times. Returns how many
 * jobs were not completed: 0. */
size_t hmacs(int hash, const uint8_t *const *mids, const uint64_t *moving,
             uint8_t (*macs)[MAC_BYTES_MAX], size_t n, size_t repeat)
{
    size_t lost = 0;
    for (; repeat; repeat--) {
        for (size_t from = 0; from < n; from += BURST) {
            size_t count = n - from < BURST ? n - from : BURST;
            for (size_t i = 0; i < count; i++)
                job_lay(i, hash, mids[from + i], moving[from + i], macs[from + i]);
            lost += burst_lost(count, hash);
        }
    }
    return lost;
}

/* Three SHA-1 lanes for each user of a table whose midstates lie `stride` bytes apart; the next
 * burst's are prefetched. MACs go to the first `kept` lanes' places in turn, so that they stay in
 * the cache when few are kept. */
size_t hmacs_of_users(const uint8_t *mids, size_t stride, const uint32_t *users, size_t n,
                      uint64_t step, uint8_t (*macs)[MAC_BYTES_MAX], size_t kept)
{
    const size_t most = BURST / STEPS;
    size_t lost = 0;
    for (size_t from = 0; from < n; from += most) {
        size_t count = n - from < most ? n - from : most;
        for (size_t i = 0; i < count; i++) {
            const uint8_t *mid = mids + stride * users[from + i];
            for (size_t j = 0; j < STEPS; j++)
                job_lay(STEPS * i + j, 0, mid, step - 1 + j,
                        macs[(STEPS * (from + i) + j) % kept]);
            if (from + most + i < n)
                __builtin_prefetch(mids + stride * users[from + most + i]);
        }
        lost += burst_lost(STEPS * count, 0);
    }
    return lost;
}
