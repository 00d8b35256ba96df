/* Passcodes and codes that are sent, with every secret marked: the key of passcodes, the text, its
 * salt and digest, the phone's key, the code on its way, and what is typed. For secrets.c.
 *
 * Public are lengths, when a passcode ends, and that a code was sent. Each row must get its verdict.
 */
#ifndef GIVEN_H
#define GIVEN_H

#include "world.h"

enum { PHONE_KEY = 20, PASS_KEY = 32 };

static int given_verdict(world *w, const char *name, const uint8_t *typed, size_t len,
                         uint8_t verdict, int64_t now_ms)
{
    world_clear(w);
    ww_attempt *a = world_attempt(w, name, typed, len);
    world_turn(w, now_ms);
    if (a->verdict == verdict)
        return 0;
    printf("%s: verdict %d, reason %d\n", name, a->verdict, a->reason);
    return 1;
}

static int given_are_right(int64_t now_ms)
{
    static world w;
    static uint8_t key[PASS_KEY], phone[PHONE_KEY];
    uint8_t text[WW_PASSCODE_CHARS + 1] = "ABCDEFGH23", message[16 + WW_PASSCODE_CHARS], typed[16];
    ww_passcode kept = {.full_until_ms = now_ms + 1, .until_ms = now_ms + 2};
    world_open(&w, 64);
    w.p.sms_per_hour = 3;
    w.p.sms_seconds = 600;
    for (size_t i = 0; i < PASS_KEY; i++)
        key[i] = (uint8_t)(3 * i + 1);
    for (size_t i = 0; i < PHONE_KEY; i++)
        phone[i] = (uint8_t)(5 * i + 2);
    WW_SECRET(key, sizeof key);
    WW_SECRET(phone, sizeof phone);
    WW_SECRET(text, sizeof text);
    WW_SECRET(kept.salt, sizeof kept.salt);
    WW_SECRET(w.t.token_key, sizeof w.t.token_key);
    ww_passcode_key(&w.t, key, sizeof key);
    memcpy(message, kept.salt, 16);
    memcpy(message + 16, text, WW_PASSCODE_CHARS);
    ww_hmac(WW_SHA256, key, sizeof key, message, sizeof message, kept.digest);
    ww_spec passcode = {.kind = WW_KIND_PASSCODE, .label = WW_TEMPORARY_PASSCODE,
                        .hash = WW_SHA256, .digits = WW_PASSCODE_CHARS};
    ww_spec sms = {.kind = WW_KIND_PASSCODE, .label = WW_SMS, .digits = 6};
    world_device(&w, world_user(&w, "pass", WW_OPEN), passcode, (const uint8_t *)&kept,
                 sizeof kept);
    world_device(&w, world_user(&w, "phone", WW_OPEN), sms, phone, sizeof phone);
    int wrong = 0;
    for (int round = 0; round < 2; round++) {
        memcpy(typed, text, sizeof text);
        typed[3] ^= round ? 0 : 1;
        wrong |= given_verdict(&w, "pass", typed, WW_PASSCODE_CHARS,
                               round ? WW_ACCEPTED : WW_REJECTED, now_ms);
        wrong |= given_verdict(&w, "nobody", typed, WW_PASSCODE_CHARS, WW_REJECTED, now_ms);
    }
    for (int round = 0; round < 2; round++) {
        const char *name = round ? "nobody" : "phone";
        ww_ask ask = {.name = (const uint8_t *)name, .name_len = strlen(name), .sends = 1,
                      .sms = 1};
        wrong |= ww_challenge(&w.t, &w.p, &ask, now_ms) != 0;
        code_text(ask.code, 6, typed);
        typed[5] ^= 1;
        wrong |= given_verdict(&w, name, typed, 6, WW_REJECTED, now_ms);
        typed[5] ^= 1;
        wrong |= given_verdict(&w, name, typed, 6, round ? WW_REJECTED : WW_ACCEPTED, now_ms);
    }
    return wrong;
}

#endif
