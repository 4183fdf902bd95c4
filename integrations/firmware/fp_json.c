/* See fp_json.h. */
#include "fp_json.h"

static void skip_blank(fp_json *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

int fp_json_at_end(fp_json *c) {
    skip_blank(c);
    return c->at == c->end;
}

/* Exactly this character, without white space before it. */
static int next_is(fp_json *c, char wanted) {
    if (c->at >= c->end || *c->at != wanted) return 0;
    c->at++;
    return 1;
}

int fp_json_eat(fp_json *c, char wanted) {
    skip_blank(c);
    return next_is(c, wanted);
}

static int in_range(fp_json *c, uint8_t low, uint8_t high) {
    if (c->at >= c->end || (uint8_t)*c->at < low || (uint8_t)*c->at > high) return 0;
    c->at++;
    return 1;
}

/* --- strings ----------------------------------------------------------------------------------- */

/* What follows a backslash; *code is the character where it was written as \uXXXX, else 0. */
static int escape(fp_json *c, uint16_t *code) {
    uint8_t digit, i;
    *code = 0;
    if (c->at >= c->end) return 0;
    switch (*c->at++) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
            return 1;
        case 'u':
            for (i = 0; i < 4; i++) {
                if (c->at >= c->end) return 0;
                digit = (uint8_t)*c->at++;
                if (digit >= '0' && digit <= '9')
                    digit = (uint8_t)(digit - '0');
                else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
                    digit = (uint8_t)((digit | 0x20) - 'a' + 10);
                else
                    return 0;
                *code = (uint16_t)(*code << 4 | digit);
            }
            return 1;
        default:
            return 0;
    }
}

/* One character of two to four bytes: no overlong form, no surrogate, nothing above U+10FFFF. */
static int multibyte(fp_json *c) {
    uint8_t lead = (uint8_t)*c->at++;
    uint8_t more = 0;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    if (lead >= 0xE0) {
        uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (!in_range(c, low, high)) return 0;
        more = lead >= 0xF0 ? 1 : 0;
    }
    for (; more; more--)
        if (!in_range(c, 0x80, 0xBF)) return 0;
    return in_range(c, 0x80, 0xBF);
}

int fp_json_string(fp_json *c, char *only) {
    uint16_t code, length = 0;
    *only = 0;
    if (!fp_json_eat(c, '"')) return 0;
    while (!next_is(c, '"')) {
        if (c->at >= c->end || (uint8_t)*c->at < 0x20) return 0;
        code = 0;
        if ((uint8_t)*c->at >= 0x80) {
            if (!multibyte(c)) return 0;
        } else if (*c->at == '\\') {
            c->at++;
            if (!escape(c, &code)) return 0;
        } else {
            code = (uint8_t)*c->at++;
        }
        *only = length == 0 && code < 0x80 ? (char)code : 0;
        length = 1;
    }
    return 1;
}

int fp_json_name(fp_json *c, char *only) { return fp_json_string(c, only) && fp_json_eat(c, ':'); }

/* --- numbers and words ------------------------------------------------------------------------- */

static int is_digit(const fp_json *c) { return c->at < c->end && *c->at >= '0' && *c->at <= '9'; }

static int digits(fp_json *c) {
    if (!is_digit(c)) return 0;
    while (is_digit(c)) c->at++;
    return 1;
}

static int number(fp_json *c) {
    next_is(c, '-');
    if (!next_is(c, '0') && !digits(c)) return 0;
    if (next_is(c, '.') && !digits(c)) return 0;
    if (next_is(c, 'e') || next_is(c, 'E')) {
        if (!next_is(c, '-')) next_is(c, '+');
        return digits(c);
    }
    return 1;
}

static int whole(fp_json *c, int *negative, uint32_t *out) {
    uint32_t value = 0;
    uint8_t digit;
    skip_blank(c);
    *negative = next_is(c, '-');
    if (!is_digit(c)) return 0;
    if (!next_is(c, '0')) {
        while (is_digit(c)) {
            digit = (uint8_t)(*c->at++ - '0');
            if (value > (UINT32_MAX - digit) / 10u) return 0;
            value = value * 10u + digit;
        }
    }
    *out = value;
    /* A digit after a leading zero is no more welcome than a point or an exponent. */
    return !is_digit(c) && !next_is(c, '.') && !next_is(c, 'e') && !next_is(c, 'E');
}

int fp_json_unsigned(fp_json *c, uint32_t *out) {
    int negative;
    return whole(c, &negative, out) && !(negative && *out);
}

static int word(fp_json *c, char first) {
    /* Letters one by one: on an AVR a string constant would stand in RAM. */
    if (first == 'n') return next_is(c, 'n') && next_is(c, 'u') && next_is(c, 'l') && next_is(c, 'l');
    if (first == 't') return next_is(c, 't') && next_is(c, 'r') && next_is(c, 'u') && next_is(c, 'e');
    return next_is(c, 'f') && next_is(c, 'a') && next_is(c, 'l') && next_is(c, 's') &&
           next_is(c, 'e');
}

int fp_json_signed_or_null(fp_json *c, int32_t *out) {
    uint32_t value;
    int negative;
    skip_blank(c);
    if (c->at < c->end && *c->at == 'n') {
        *out = INT32_MIN;
        return word(c, 'n');
    }
    if (!whole(c, &negative, &value) || value > (uint32_t)INT32_MAX) return 0;
    *out = negative ? -(int32_t)value : (int32_t)value;
    return 1;
}

static int scalar(fp_json *c) {
    char only;
    skip_blank(c);
    if (c->at >= c->end) return 0;
    switch (*c->at) {
        case '"':
            return fp_json_string(c, &only);
        case 'n':
        case 't':
        case 'f':
            return word(c, *c->at);
        default:
            return number(c);
    }
}

int fp_json_skip(fp_json *c) {
    uint32_t objects = 0; /* a bit for each level we are in: is it an object? */
    uint8_t depth = 0;
    char only;
    for (;;) {
        int object;
        if (depth && (objects & 1u) && !fp_json_name(c, &only)) return 0;
        object = fp_json_eat(c, '{');
        if (object || fp_json_eat(c, '[')) {
            if (depth == FP_JSON_DEPTH) return 0;
            if (!fp_json_eat(c, object ? '}' : ']')) {
                objects = objects << 1 | (uint32_t)object;
                depth++;
                continue;
            }
        } else if (!scalar(c)) {
            return 0;
        }
        for (;;) {
            if (!depth) return 1;
            if (fp_json_eat(c, ',')) break;
            if (!fp_json_eat(c, objects & 1u ? '}' : ']')) return 0;
            objects >>= 1;
            depth--;
        }
    }
}
