/* The acknowledgement of follower.h, without stdio. */
#include "follower.h"

/* On an AVR a constant would be copied into RAM at start. */
#ifdef __AVR__
#include <avr/pgmspace.h>
#define CONSTANT PROGMEM
#define READ(at) ((char)pgm_read_byte(at))
#else
#define CONSTANT
#define READ(at) (*(at))
#endif

static const char REVISION[] CONSTANT = "{\"revision\":";
static const char STATUS[] CONSTANT = ",\"status_type\":\"";
static const char DIAGNOSTIC[] CONSTANT = "\",\"diagnostic\":\"";
static const char WORDS[][10] CONSTANT = {"REJECTED", "ACCEPTED",  "REVOKED",
                                          "STARTED",  "SUCCEEDED", "ABORTED"};

/* One place is always kept for the closing 0; `used` beyond `size` tells that it did not fit. */
typedef struct {
    char *out;
    size_t size, used;
} writer;

static void put(writer *w, char c) {
    if (w->used + 1 < w->size) w->out[w->used] = c;
    if (w->used < w->size) w->used++;
}

static void put_constant(writer *w, const char *text) {
    for (; READ(text) != 0; text++) put(w, READ(text));
}

static void put_number(writer *w, uint32_t number) {
    char digits[10];
    uint8_t n = 0;
    do {
        digits[n++] = (char)('0' + number % 10u);
        number /= 10u;
    } while (number);
    while (n) put(w, digits[--n]);
}

size_t fp_ack(const fp_follower *f, fp_result result, const char *diagnostic, char *out,
              size_t size) {
    writer w;
    w.out = out;
    w.size = size;
    w.used = 0;
    if (size == 0) return 0;
    out[0] = 0;
    if ((unsigned)result > (unsigned)FP_ABORTED) return 0;
    put_constant(&w, REVISION);
    put_number(&w, fp_revision(f));
    put_constant(&w, STATUS);
    put_constant(&w, WORDS[result]);
    put_constant(&w, DIAGNOSTIC);
    for (; diagnostic && *diagnostic; diagnostic++) {
        if (*diagnostic < 0x20 || *diagnostic > 0x7E || *diagnostic == '"' || *diagnostic == '\\') {
            out[0] = 0;
            return 0;
        }
        put(&w, *diagnostic);
    }
    put(&w, '"');
    put(&w, '}');
    if (w.used >= size) {
        out[0] = 0;
        return 0;
    }
    out[w.used] = 0;
    return w.used;
}
