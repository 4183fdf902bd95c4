/* See follower.h. The rules are the four in README.md beside this file: no schedule, no clock,
 * in time, too late. A payload is read twice: once to judge it, once to fill in its pairs, so that
 * a refused one changes nothing and no second schedule stands on the stack. */
#include "follower.h"

#include <string.h>

#include "fp_json.h"

#define CLOCK_SLACK_S 300u
#define BOOT_GRACE_S 300u
#define MAX_LENGTH_S 2678400u /* 31 days */
#define OWN_LOGIC_AFTER_S 604800u
/* An uptime that is this little behind the last one is a second caller, not a counter begun anew. */
#define UPTIME_JITTER_S 60u
/* "FP" and the size: another layout or FP_MAX_PAIRS is another magic. */
#define MAGIC (0x46500000u | (uint32_t)sizeof(fp_schedule))

/* --- reading ----------------------------------------------------------------------------------- */

typedef struct {
    uint32_t revision, start, length, offline_after_s;
    int32_t fallback, offline;
    const char *pairs; /* where their text begins */
    uint8_t count;
} fields;

static int value_fits(char unit, int32_t value) {
    return unit == 'W' || value == FP_OWN || (value >= 1 && value <= 4);
}

static int value_of(fp_json *c, char unit, int32_t *out) {
    return fp_json_signed_or_null(c, out) && value_fits(unit, *out);
}

/* The pairs, counted; with a schedule given they are written into it. */
static int read_pairs(fp_json *c, char unit, uint8_t *count, fp_schedule *into) {
    uint32_t at, before = 0;
    int32_t value;
    uint8_t n = 0, i;
    *count = 0;
    if (!fp_json_eat(c, '[')) return 0;
    if (fp_json_eat(c, ']')) return 1;
    do {
        if (n == FP_MAX_PAIRS || !fp_json_eat(c, '[') || !fp_json_unsigned(c, &at) ||
            !fp_json_eat(c, ',') || !value_of(c, unit, &value) || !fp_json_eat(c, ']') ||
            at > MAX_LENGTH_S || (n && at <= before))
            return 0;
        if (into) {
            for (i = 0; i < 3; i++) into->at[n][i] = (uint8_t)(at >> 8 * i);
            for (i = 0; i < 4; i++) into->value[n][i] = (uint8_t)((uint32_t)value >> 8 * i);
        }
        before = at;
        n++;
    } while (fp_json_eat(c, ','));
    *count = n;
    return fp_json_eat(c, ']');
}

enum { HAS_R = 1, HAS_S = 2, HAS_U = 4, HAS_P = 8, HAS_E = 16, HAS_D = 32, HAS_O = 64, ALL = 127 };

static uint8_t bit_of(char key) {
    switch (key) {
        case 'r':
            return HAS_R;
        case 's':
            return HAS_S;
        case 'u':
            return HAS_U;
        case 'p':
            return HAS_P;
        case 'e':
            return HAS_E;
        case 'd':
            return HAS_D;
        case 'o':
            return HAS_O;
        default:
            return 0;
    }
}

static int read_member(fp_json *c, char key, char unit, fields *out) {
    char only;
    switch (key) {
        case 'r':
            return fp_json_unsigned(c, &out->revision) && out->revision != 0;
        case 's':
            return fp_json_unsigned(c, &out->start);
        case 'e':
            /* A length, not an instant: a Unix time is never taken for one. */
            return fp_json_unsigned(c, &out->length) && out->length <= MAX_LENGTH_S;
        case 'd':
            return value_of(c, unit, &out->fallback);
        case 'p':
            out->pairs = c->at;
            return read_pairs(c, unit, &out->count, NULL);
        case 'o':
            return fp_json_eat(c, '[') && fp_json_unsigned(c, &out->offline_after_s) &&
                   fp_json_eat(c, ',') && value_of(c, unit, &out->offline) && fp_json_eat(c, ']');
        case 'u':
            return fp_json_string(c, &only) && only == unit;
        default:
            return fp_json_skip(c);
    }
}

static int read_schedule(const char *payload, size_t length, char unit, fields *out) {
    fp_json c;
    uint8_t seen = 0;
    char key;
    c.at = payload;
    c.end = payload + length;
    if (!fp_json_eat(&c, '{')) return 0;
    do {
        if (!fp_json_name(&c, &key) || (seen & bit_of(key)) || !read_member(&c, key, unit, out))
            return 0;
        seen = (uint8_t)(seen | bit_of(key));
    } while (fp_json_eat(&c, ','));
    return fp_json_eat(&c, '}') && fp_json_at_end(&c) && seen == ALL &&
           out->length <= UINT32_MAX - out->start;
}

uint32_t fp_time(const char *payload, size_t length) {
    fp_json c;
    uint32_t now = 0;
    char key;
    if (length > FP_MAX_BYTES) return 0;
    c.at = payload;
    c.end = payload + length;
    if (!fp_json_eat(&c, '{')) return 0;
    do {
        if (!fp_json_name(&c, &key)) return 0;
        if (key != 't') {
            if (!fp_json_skip(&c)) return 0;
        } else if (now || !fp_json_unsigned(&c, &now) || !now) {
            return 0;
        }
    } while (fp_json_eat(&c, ','));
    return fp_json_eat(&c, '}') && fp_json_at_end(&c) ? now : 0;
}

/* --- what is held ------------------------------------------------------------------------------ */

static uint32_t pair_at(const fp_schedule *s, uint8_t i) {
    return s->at[i][0] | (uint32_t)s->at[i][1] << 8 | (uint32_t)s->at[i][2] << 16;
}

static int32_t pair_value(const fp_schedule *s, uint8_t i) {
    uint32_t bits = s->value[i][0] | (uint32_t)s->value[i][1] << 8 |
                    (uint32_t)s->value[i][2] << 16 | (uint32_t)s->value[i][3] << 24;
    return bits <= (uint32_t)INT32_MAX ? (int32_t)bits : -(int32_t)(UINT32_MAX - bits) - 1;
}

/* CRC-32 of IEEE 802.3, bit by bit: a table would cost more than it saves here. */
static uint32_t checksum(const fp_schedule *s) {
    const uint8_t *at = (const uint8_t *)&s->revision, *end = (const uint8_t *)(s + 1);
    uint32_t crc = UINT32_MAX;
    uint8_t bit;
    for (; at < end; at++) {
        crc ^= *at;
        for (bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1u ? 0xEDB88320u : 0u);
    }
    return ~crc;
}

void fp_init(fp_follower *f, char unit, int32_t safe) {
    memset(f, 0, sizeof *f);
    f->unit = unit;
    f->safe = safe;
}

/* The checksum tells a broken cell; the ranges tell a schedule that another program wrote. */
static int is_whole(const fp_schedule *s, char unit) {
    uint8_t i;
    if (s->magic != MAGIC || s->crc != checksum(s) || s->unit != unit || s->revision == 0 ||
        s->length > MAX_LENGTH_S || s->length > UINT32_MAX - s->start ||
        s->count > FP_MAX_PAIRS || !value_fits(unit, s->fallback) || !value_fits(unit, s->offline))
        return 0;
    for (i = 0; i < s->count; i++)
        if (!value_fits(unit, pair_value(s, i)) || pair_at(s, i) > MAX_LENGTH_S ||
            (i && pair_at(s, i) <= pair_at(s, (uint8_t)(i - 1))))
            return 0;
    return 1;
}

int fp_restored(fp_follower *f) {
    f->arrived = f->up_s;
    if (is_whole(&f->held, f->unit)) return 1;
    memset(&f->held, 0, sizeof f->held);
    return 0;
}

uint32_t fp_revision(const fp_follower *f) { return f->held.revision; }

static void count_uptime(fp_follower *f, uint32_t uptime) {
    uint32_t passed = uptime - f->uptime;
    if (uptime < f->uptime) {
        if (f->uptime - uptime <= UPTIME_JITTER_S) return;
        passed = uptime;
    }
    f->uptime = uptime;
    f->up_s = passed > UINT32_MAX - f->up_s ? UINT32_MAX : f->up_s + passed;
}

fp_result fp_take(fp_follower *f, const char *payload, size_t length, uint32_t now,
                  uint32_t uptime) {
    fp_schedule *s = &f->held;
    fields fresh;
    fp_json c;
    count_uptime(f, uptime);
    if (length == 0) {
        memset(s, 0, sizeof *s);
        f->withdrawn = 1;
        return FP_REVOKED;
    }
    if (length > FP_MAX_BYTES || !read_schedule(payload, length, f->unit, &fresh))
        return FP_REJECTED;
    if (fresh.revision == s->revision) return FP_ACCEPTED;
    if (fresh.revision < s->revision) {
        int over = now != 0 && now >= s->start + s->length;
        if (!over || fresh.start <= s->start) return FP_REJECTED;
    }
    memset(s, 0, sizeof *s);
    s->revision = fresh.revision;
    s->start = fresh.start;
    s->length = fresh.length;
    s->offline_after_s = fresh.offline_after_s;
    s->fallback = fresh.fallback;
    s->offline = fresh.offline;
    s->unit = f->unit;
    c.at = fresh.pairs;
    c.end = payload + length;
    read_pairs(&c, f->unit, &s->count, s);
    s->crc = checksum(s);
    s->magic = MAGIC;
    f->arrived = f->up_s;
    f->withdrawn = 0;
    return FP_ACCEPTED;
}

/* --- following --------------------------------------------------------------------------------- */

typedef struct {
    fp_source source;
    int32_t value;
    uint32_t next_s;
} answer;

static answer answer_of(fp_source source, int32_t value, uint32_t next_s) {
    answer out;
    out.source = source;
    out.value = value;
    out.next_s = next_s;
    return out;
}

/* The offline rule, so many seconds after it began to count. */
static answer waited(const fp_schedule *s, uint32_t seconds) {
    uint32_t after_s = s->offline_after_s < OWN_LOGIC_AFTER_S ? s->offline_after_s : OWN_LOGIC_AFTER_S;
    if (seconds < after_s) return answer_of(FP_FROM_DEFAULT, s->fallback, after_s - seconds);
    if (seconds < OWN_LOGIC_AFTER_S)
        return answer_of(FP_FROM_OFFLINE, s->offline, OWN_LOGIC_AFTER_S - seconds);
    return answer_of(FP_FROM_OWN, FP_OWN, FP_NEVER);
}

static answer in_time(const fp_schedule *s, uint32_t now) {
    answer out = answer_of(FP_FROM_DEFAULT, s->fallback, s->start + s->length - now);
    uint8_t i;
    for (i = 0; i < s->count; i++) {
        uint32_t at = pair_at(s, i);
        if (at >= s->length) break;
        if (now < s->start + at) {
            out.next_s = s->start + at - now;
            break;
        }
        out.source = FP_FROM_SLOT;
        out.value = pair_value(s, i);
    }
    return out;
}

static answer look(fp_follower *f, uint32_t now, uint32_t uptime) {
    const fp_schedule *s = &f->held;
    count_uptime(f, uptime);
    if (s->revision == 0) {
        if (!f->withdrawn && f->up_s < BOOT_GRACE_S)
            return answer_of(FP_FROM_BOOT, f->safe, BOOT_GRACE_S - f->up_s);
        return answer_of(FP_FROM_OWN, FP_OWN, FP_NEVER);
    }
    if (now == 0) return waited(s, f->up_s - f->arrived);
    if (s->start > CLOCK_SLACK_S && now < s->start - CLOCK_SLACK_S) {
        answer out = waited(s, f->up_s - f->arrived);
        uint32_t begins_s = s->start - CLOCK_SLACK_S - now;
        if (begins_s < out.next_s) out.next_s = begins_s;
        return out;
    }
    if (now < s->start + s->length) return in_time(s, now);
    return waited(s, now - (s->start + s->length));
}

int32_t fp_value(fp_follower *f, uint32_t now, uint32_t uptime) { return look(f, now, uptime).value; }

fp_source fp_speaks(fp_follower *f, uint32_t now, uint32_t uptime) {
    return look(f, now, uptime).source;
}

uint32_t fp_next_change(fp_follower *f, uint32_t now, uint32_t uptime) {
    return look(f, now, uptime).next_s;
}
