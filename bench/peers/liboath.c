/* liboath as a peer: its own oath_totp_validate in a plain loop, one step either side. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <liboath/oath.h>

enum { KEY_BYTES = 20, CODE_BYTES = 6, STEP_S = 30, WINDOW = 1 };

int prepare(void)
{
    return oath_init();
}

const char *version(void)
{
    return oath_check_version(NULL);
}

void decide(const uint8_t *keys, const uint32_t *users, const char *codes, size_t n,
            int64_t time_s, uint8_t *answers)
{
    for (size_t i = 0; i < n; i++) {
        char code[CODE_BYTES + 1] = {0}; /* it wants a string */
        memcpy(code, codes + CODE_BYTES * i, CODE_BYTES);
        const char *key = (const char *)keys + (size_t)KEY_BYTES * users[i];
        answers[i] =
            oath_totp_validate(key, KEY_BYTES, (time_t)time_s, STEP_S, 0, WINDOW, code) >= 0;
    }
}
