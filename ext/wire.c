/* RESP commands out of a byte range: the arrays of bulk strings that client libraries send, and
 * the inline lines that people and redis-benchmark type.
 *
 * The rule: this file looks at bytes and moves positions. It owns no memory, copies no argument,
 * and knows no command except the one whose limits differ. Every length is held against its limit
 * when it is read, before anybody makes room for what it announces. Texts and leniencies are those
 * of a Redis server, so that its clients report our refusals well; where we differ it says so.
 */
#include "watchword.h"

#include <string.h>

enum { NUMBER_DIGITS_MAX = 18 }; /* fits 64 bits whatever the digits; far beyond every limit here */

_Static_assert(WW_WIRE_COMMAND_BYTES_MAX <= WW_WIRE_MANY_BYTES_MAX, "many is the larger");
_Static_assert(WW_WIRE_ARGS_MAX >= 2 + 2 * WW_WIRE_MANY_PAIRS_MAX + 8, "the pairs and options fit");

static uint8_t upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
}

static int starts(const uint8_t *buf, size_t len, const char *word)
{
    size_t i = 0;
    for (; word[i] != '\0'; i++)
        if (i == len || upper(buf[i]) != (uint8_t)word[i])
            return 0;
    return 1;
}

int ww_wire_is(const uint8_t *buf, ww_span s, const char *word)
{
    return strlen(word) == s.len && starts(buf + s.at, s.len, word);
}

void ww_wire_next(ww_wire *w)
{
    w->argc = w->expected = w->at = w->end = w->scan = 0;
    w->bad = w->many = 0;
}

/* ---- arrays of bulk strings ---- */

/* A number and its CR LF at *at, spelled as Redis spells one: no plus, no leading zero. 1 and *at
 * moves behind it; 0: it has not all arrived; -1: it will never be one. Stricter than Redis: a CR
 * must be followed by LF. */
static int number_line(const uint8_t *buf, size_t len, uint32_t *at, int64_t *value)
{
    size_t p = *at, digits = 0;
    int minus = 0;
    int64_t n = 0;
    for (; p < len && buf[p] != '\r'; p++) {
        if (buf[p] == '-' && p == *at) {
            minus = 1;
            continue;
        }
        if (buf[p] < '0' || buf[p] > '9' || digits == NUMBER_DIGITS_MAX)
            return -1;
        if (digits != 0 && n == 0)
            return -1;
        n = n * 10 + (buf[p] - '0');
        digits++;
    }
    if (p == len)
        return 0;
    if (digits == 0 || (minus && n == 0))
        return -1;
    if (p + 1 == len)
        return 0;
    if (buf[p + 1] != '\n')
        return -1;
    *value = minus ? -n : n;
    *at = (uint32_t)(p + 2);
    return 1;
}

/* *n: how many bulk strings follow. None at all is a frame with nothing in it, and no mistake. */
static ww_wire_status array_header(ww_wire *w, const uint8_t *buf, size_t len)
{
    uint32_t at = 1;
    int64_t count = 0;
    int got = number_line(buf, len, &at, &count);
    if (got == 0)
        return WW_WIRE_MORE;
    if (got < 0)
        return WW_WIRE_BAD_MULTIBULK;
    if (count > WW_WIRE_ARGS_MAX)
        return WW_WIRE_TOO_MANY_ARGS;
    w->at = at;
    w->expected = count > 0 ? (uint32_t)count : 0;
    w->end = at;
    return WW_WIRE_COMMAND;
}

/* $n at w->at: notes where the bulk begins, and in w->scan where it will have ended. */
static ww_wire_status bulk_header(ww_wire *w, const uint8_t *buf, size_t len)
{
    uint32_t limit = w->many ? WW_WIRE_MANY_BYTES_MAX : WW_WIRE_COMMAND_BYTES_MAX;
    uint32_t at = w->at + 1;
    int64_t bytes = 0;
    int got;
    if (w->at >= len)
        return WW_WIRE_MORE;
    if (buf[w->at] != '$') {
        w->bad = buf[w->at];
        return WW_WIRE_EXPECTED_BULK;
    }
    if (w->argc == w->args_cap)
        return WW_WIRE_ROOM;
    got = number_line(buf, len, &at, &bytes);
    if (got == 0)
        return WW_WIRE_MORE;
    if (got < 0 || bytes < 0 || bytes > limit)
        return WW_WIRE_BAD_BULK;
    if (at + (uint32_t)bytes + 2 > limit)
        return WW_WIRE_TOO_BIG;
    w->args[w->argc] = (ww_span){at, (uint32_t)bytes};
    w->at = at;
    w->scan = at + (uint32_t)bytes + 2;
    return WW_WIRE_COMMAND;
}

static ww_wire_status parse_array(ww_wire *w, const uint8_t *buf, size_t len)
{
    if (w->expected == 0) {
        ww_wire_status header = array_header(w, buf, len);
        if (header != WW_WIRE_COMMAND || w->expected == 0)
            return header;
    }
    while (w->argc < w->expected) {
        if (w->scan == 0) {
            ww_wire_status bulk = bulk_header(w, buf, len);
            if (bulk != WW_WIRE_COMMAND)
                return bulk;
        }
        if (len < w->scan)
            return WW_WIRE_MORE;
        /* The two bytes behind a bulk are passed over unread, as Redis does. */
        w->at = w->scan;
        w->scan = 0;
        if (w->argc == 0)
            w->many = (uint8_t)ww_wire_is(buf, w->args[0], "VERIFYMANY");
        w->argc++;
    }
    w->end = w->at;
    return WW_WIRE_COMMAND;
}

/* ---- inline lines ---- */

static int is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = upper(c);
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A browser made to talk to us must not get as far as a command in the body it sends. */
static int is_http(const uint8_t *line, uint32_t len)
{
    static const char *const methods[] = {"GET",   "POST",    "HEAD",  "PUT", "DELETE", "OPTIONS",
                                          "TRACE", "CONNECT", "PATCH", "PRI"};
    uint32_t p = 0, word;
    size_t i;
    while (p < len && is_space(line[p]))
        p++;
    if (starts(line + p, len - p, "HOST:"))
        return 1;
    for (word = p; word < len && !is_space(line[word]); word++)
        continue;
    for (i = 0; i < sizeof methods / sizeof *methods; i++)
        if (ww_wire_is(line, (ww_span){p, word - p}, methods[i]))
            return 1;
    return 0;
}

/* What stands at p inside double quotes; returns how many bytes of the line it took. */
static uint32_t unescape(const uint8_t *buf, uint32_t p, uint32_t end, uint8_t *byte)
{
    static const char letters[] = "nrtba", meanings[] = "\n\r\t\b\a";
    const char *letter;
    if (buf[p] != '\\' || p + 1 == end) {
        *byte = buf[p];
        return 1;
    }
    if (buf[p + 1] == 'x' && end - p >= 4) {
        int high = hex_digit(buf[p + 2]), low = hex_digit(buf[p + 3]);
        if (high >= 0 && low >= 0) {
            *byte = (uint8_t)(high << 4 | low);
            return 4;
        }
    }
    letter = buf[p + 1] != '\0' ? strchr(letters, buf[p + 1]) : NULL;
    *byte = letter != NULL ? (uint8_t)meanings[letter - letters] : buf[p + 1];
    return 2;
}

/* The argument that begins at w->at, which is no space; end is the end of the line. Its bytes are
 * written over the line itself, for without quotes and escapes it is never longer. Unlike Redis,
 * whose lines end at a zero byte, a zero byte here is one like any other. */
static int inline_argument(ww_wire *w, uint8_t *buf, uint32_t end)
{
    uint32_t p = w->at, out = w->at;
    uint8_t quote = 0, byte;
    for (;;) {
        if (p == end) {
            if (quote)
                return -1;
            break;
        }
        if (quote != 0 && buf[p] == quote) { /* closed: nothing but a space may follow */
            p++;
            if (p < end && !is_space(buf[p]))
                return -1;
            break;
        }
        if (quote == '"') {
            p += unescape(buf, p, end, &byte);
            buf[out++] = byte;
        } else if (quote == '\'') {
            if (buf[p] == '\\' && p + 1 < end && buf[p + 1] == '\'')
                p++;
            buf[out++] = buf[p++];
        } else if (buf[p] == '"' || buf[p] == '\'') {
            quote = buf[p++];
        } else if (buf[p] == ' ' || buf[p] == '\t' || buf[p] == '\n' || buf[p] == '\r') {
            break;
        } else {
            buf[out++] = buf[p++];
        }
    }
    w->args[w->argc++] = (ww_span){w->at, out - w->at};
    w->at = p;
    return 0;
}

static ww_wire_status parse_inline(ww_wire *w, uint8_t *buf, size_t len)
{
    size_t within = len < WW_WIRE_INLINE_BYTES_MAX ? len : WW_WIRE_INLINE_BYTES_MAX;
    const uint8_t *found = memchr(buf + w->scan, '\n', within - w->scan);
    uint32_t end;
    if (found == NULL) {
        w->scan = (uint32_t)within;
        return len >= WW_WIRE_INLINE_BYTES_MAX ? WW_WIRE_TOO_BIG_INLINE : WW_WIRE_MORE;
    }
    w->scan = end = (uint32_t)(found - buf); /* stays here while more room for args is asked for */
    w->end = end + 1;
    if (end > 0 && buf[end - 1] == '\r')
        end--;
    if (w->argc == 0 && is_http(buf, end))
        return WW_WIRE_HTTP;
    for (;;) {
        while (w->at < end && is_space(buf[w->at]))
            w->at++;
        if (w->at >= end)
            return WW_WIRE_COMMAND;
        if (w->argc == w->args_cap)
            return w->argc < WW_WIRE_ARGS_MAX ? WW_WIRE_ROOM : WW_WIRE_TOO_MANY_ARGS;
        if (inline_argument(w, buf, end) != 0)
            return WW_WIRE_UNBALANCED;
    }
}

ww_wire_status ww_wire_parse(ww_wire *w, uint8_t *buf, size_t len)
{
    if (len == 0)
        return WW_WIRE_MORE;
    /* An inline line under way may be written over: only a frame's true first byte decides. */
    if (w->expected > 0 || (w->end == 0 && buf[0] == '*'))
        return parse_array(w, buf, len);
    return parse_inline(w, buf, len);
}

/* ---- what it says ---- */

const char *ww_wire_error(ww_wire_status status)
{
    switch (status) {
    case WW_WIRE_MORE:
    case WW_WIRE_COMMAND:
    case WW_WIRE_ROOM:
    case WW_WIRE_HTTP: return "";
    case WW_WIRE_BAD_MULTIBULK:
    case WW_WIRE_TOO_MANY_ARGS: return "-ERR Protocol error: invalid multibulk length";
    case WW_WIRE_BAD_BULK: return "-ERR Protocol error: invalid bulk length";
    case WW_WIRE_EXPECTED_BULK: return "-ERR Protocol error: expected '$', got "; /* 'c' follows */
    case WW_WIRE_TOO_BIG_INLINE: return "-ERR Protocol error: too big inline request";
    case WW_WIRE_UNBALANCED: return "-ERR Protocol error: unbalanced quotes in request";
    case WW_WIRE_TOO_BIG: return "-ERR Protocol error: too big command";
    }
    return "-ERR Protocol error";
}
