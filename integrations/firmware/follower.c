/* See follower.h. The rules are the four of the wire contract: no schedule, no clock, in time,
 * too late. Sums of times are done in 64 bit, so that no time of the next 80 years wraps. */
#include "follower.h"

#include <string.h>

#define CLOCK_SLACK_S 300u
#define BOOT_GRACE_S 300u
#define MAX_LENGTH_S 2678400u /* 31 days */
#define OWN_LOGIC_AFTER_S 604800u
#define MAX_DEPTH 8

/* --- reading JSON: a cursor that only moves forward ------------------------------------------ */

typedef struct {
    const char *at;
    const char *end;
} cursor;

static void blank(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

static int eat(cursor *c, char wanted) {
    blank(c);
    if (c->at >= c->end || *c->at != wanted) return 0;
    c->at++;
    return 1;
}

static int word(cursor *c, const char *text) {
    size_t length = strlen(text);
    blank(c);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, text, length) != 0) return 0;
    c->at += length;
    return 1;
}

/* A string; its characters between *from and *to, escapes not undone. */
static int string(cursor *c, const char **from, const char **to) {
    if (!eat(c, '"')) return 0;
    *from = c->at;
    while (c->at < c->end && *c->at != '"') {
        if ((unsigned char)*c->at < 0x20) return 0;
        if (*c->at == '\\') {
            c->at++;
            if (c->at >= c->end) return 0;
        }
        c->at++;
    }
    *to = c->at;
    return eat(c, '"');
}

/* A whole number within 64 bit; anything with a point or exponent is refused. */
static int integer(cursor *c, int64_t *out) {
    int64_t value = 0;
    int negative = 0, digits = 0;
    blank(c);
    if (c->at < c->end && *c->at == '-') {
        negative = 1;
        c->at++;
    }
    if (c->end - c->at > 1 && c->at[0] == '0' && c->at[1] >= '0' && c->at[1] <= '9') return 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        if (++digits > 12) return 0;
        value = value * 10 + (*c->at++ - '0');
    }
    if (!digits) return 0;
    if (c->at < c->end && (*c->at == '.' || *c->at == 'e' || *c->at == 'E')) return 0;
    *out = negative ? -value : value;
    return 1;
}

static int unsigned32(cursor *c, uint32_t *out) {
    int64_t value;
    if (!integer(c, &value) || value < 0 || value > (int64_t)UINT32_MAX) return 0;
    *out = (uint32_t)value;
    return 1;
}

/* A power or mode; null is the device's own logic. */
static int power(cursor *c, int32_t *out) {
    int64_t value;
    if (word(c, "null")) {
        *out = FP_OWN;
        return 1;
    }
    if (!integer(c, &value) || value <= INT32_MIN || value > INT32_MAX) return 0;
    *out = (int32_t)value;
    return 1;
}

/* Any value, passed over: keys that we do not know may hold anything. */
static int skip(cursor *c) {
    char closing[MAX_DEPTH];
    int depth = 0;
    const char *from, *to;
    for (;;) {
        blank(c);
        if (c->at >= c->end) return 0;
        if (*c->at == '"') {
            if (!string(c, &from, &to)) return 0;
        } else if (*c->at == '{' || *c->at == '[') {
            if (depth == MAX_DEPTH) return 0;
            closing[depth++] = *c->at++ == '{' ? '}' : ']';
            continue;
        } else if (*c->at == '}' || *c->at == ']') {
            if (!depth || *c->at != closing[depth - 1]) return 0;
            depth--;
            c->at++;
        } else if (*c->at == ',' || *c->at == ':') {
            if (!depth) return 0;
            c->at++;
            continue;
        } else {
            from = c->at;
            while (c->at < c->end && strchr(" \t\r\n,:]}[{\"", *c->at) == NULL) c->at++;
            if (c->at == from) return 0;
        }
        if (!depth) return 1;
    }
}

static int pairs(cursor *c, fp_follower *f) {
    unsigned n = 0;
    if (!eat(c, '[')) return 0;
    if (eat(c, ']')) {
        f->count = 0;
        return 1;
    }
    do {
        if (n == FP_MAX_PAIRS) return 0;
        if (!(eat(c, '[') && unsigned32(c, &f->at[n]) && eat(c, ',') && power(c, &f->value[n]) &&
              eat(c, ']')))
            return 0;
        if (n && f->at[n] <= f->at[n - 1]) return 0;
        n++;
    } while (eat(c, ','));
    f->count = (uint8_t)n;
    return eat(c, ']');
}

enum { HAS_R = 1, HAS_S = 2, HAS_U = 4, HAS_P = 8, HAS_E = 16, HAS_D = 32, HAS_O = 64, ALL = 127 };

static int member(cursor *c, char key, fp_follower *f, unsigned *seen) {
    const char *from, *to;
    switch (key) {
        case 'r':
            *seen |= HAS_R;
            return unsigned32(c, &f->revision);
        case 's':
            *seen |= HAS_S;
            return unsigned32(c, &f->start);
        case 'e':
            *seen |= HAS_E;
            return unsigned32(c, &f->end);
        case 'd':
            *seen |= HAS_D;
            return power(c, &f->fallback);
        case 'p':
            *seen |= HAS_P;
            return pairs(c, f);
        case 'o':
            *seen |= HAS_O;
            return eat(c, '[') && unsigned32(c, &f->offline_after_s) && eat(c, ',') &&
                   power(c, &f->offline) && eat(c, ']');
        case 'u':
            *seen |= HAS_U;
            if (!string(c, &from, &to) || to - from != 1 || (*from != 'W' && *from != 'M')) return 0;
            f->unit = *from;
            return 1;
        default:
            return skip(c);
    }
}

static int read_schedule(const char *payload, size_t length, fp_follower *f) {
    cursor c;
    unsigned seen = 0;
    const char *from, *to;
    c.at = payload;
    c.end = payload + length;
    if (!eat(&c, '{')) return 0;
    if (!eat(&c, '}')) {
        do {
            if (!string(&c, &from, &to) || !eat(&c, ':')) return 0;
            if (!member(&c, to - from == 1 ? *from : '?', f, &seen)) return 0;
        } while (eat(&c, ','));
        if (!eat(&c, '}')) return 0;
    }
    blank(&c);
    if (c.at != c.end || seen != ALL) return 0;
    /* A length, not an instant: a Unix time is never taken for one. */
    if (f->end > MAX_LENGTH_S || f->end > UINT32_MAX - f->start) return 0;
    f->end += f->start;
    return 1;
}

/* --- following ------------------------------------------------------------------------------- */

void fp_init(fp_follower *f, int32_t safe) {
    memset(f, 0, sizeof *f);
    f->safe = safe;
}

void fp_restored(fp_follower *f) { f->arrived_at = 0; }

fp_result fp_take(fp_follower *f, const char *payload, size_t length, uint32_t now,
                  uint32_t uptime) {
    fp_follower fresh;
    if (length == 0) {
        f->held = 0;
        f->revision = 0;
        f->withdrawn = 1;
        return FP_REVOKED;
    }
    if (length > FP_MAX_BYTES) return FP_REJECTED;
    memset(&fresh, 0, sizeof fresh);
    if (!read_schedule(payload, length, &fresh)) return FP_REJECTED;
    if (f->held) {
        if (fresh.revision == f->revision) return FP_ACCEPTED;
        if (fresh.revision < f->revision &&
            !(now != 0 && now >= f->end && fresh.start > f->start))
            return FP_REJECTED;
    }
    fresh.safe = f->safe;
    fresh.held = 1;
    fresh.arrived_at = uptime;
    *f = fresh;
    return FP_ACCEPTED;
}

static int32_t waited(const fp_follower *f, uint32_t seconds) {
    if (seconds < f->offline_after_s) return f->fallback;
    if ((uint64_t)seconds < (uint64_t)f->offline_after_s + OWN_LOGIC_AFTER_S) return f->offline;
    return FP_OWN;
}

int32_t fp_value(const fp_follower *f, uint32_t now, uint32_t uptime) {
    int32_t value;
    unsigned i;
    if (!f->held) return !f->withdrawn && uptime < BOOT_GRACE_S ? f->safe : FP_OWN;
    if (now == 0 || (uint64_t)now + CLOCK_SLACK_S < f->start) return waited(f, uptime - f->arrived_at);
    if (now >= f->end) return waited(f, now - f->end);
    value = f->fallback;
    for (i = 0; i < f->count; i++) {
        if ((uint64_t)now < (uint64_t)f->start + f->at[i]) break;
        value = f->value[i];
    }
    return value;
}
