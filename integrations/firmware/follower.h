/* Follows a compact schedule of the FlatPeak edge agent: time in, what to do out.
 *
 * C99, no heap, no dependency beyond the freestanding headers and string.h. One fp_follower a
 * device. Times are Unix seconds (0: the clock is not set) and seconds since boot, both unsigned
 * 32 bit. Feed every payload of <base>/device/<id>/schedule/compact to fp_take, ask fp_value
 * whenever you like (once a second is plenty), and publish what fp_take returns on the ack topic.
 *
 * The struct may be kept in flash as it is, written when fp_take returns FP_ACCEPTED and the
 * revision has changed; after reading it back call fp_restored.
 */
#ifndef FLATPEAK_FOLLOWER_H
#define FLATPEAK_FOLLOWER_H

#include <stddef.h>
#include <stdint.h>

#define FP_MAX_BYTES 1280u
#define FP_MAX_PAIRS 64u
/* "The device's own logic": the answer where the schedule says null, or says nothing any more. */
#define FP_OWN INT32_MIN

typedef enum { FP_REJECTED = 0, FP_ACCEPTED = 1, FP_REVOKED = 2 } fp_result;

typedef struct {
    uint32_t revision; /* 0: holds none */
    uint32_t start;    /* valid_from */
    uint32_t end;      /* valid_until */
    uint32_t offline_after_s;
    int32_t fallback; /* outside of all pairs: `default` */
    int32_t offline;
    uint32_t arrived_at; /* uptime when the schedule came */
    int32_t safe;        /* the least the device safely can, for the first minutes without one */
    uint8_t held;
    uint8_t withdrawn;
    uint8_t count;
    char unit; /* 'W': values are W; 'M': numbers of modes, from 1 */
    uint32_t at[FP_MAX_PAIRS];
    int32_t value[FP_MAX_PAIRS];
} fp_follower;

/* An empty follower. `safe`: 0 for a charger, 2 (normal) for heat. */
void fp_init(fp_follower *f, int32_t safe);

/* After the struct was read back from flash: counts its arrival from this boot. */
void fp_restored(fp_follower *f);

/* Take a payload in. A length of 0 takes the schedule back. What cannot be read changes nothing.
 * In the acknowledgement name f->revision, whatever is returned. */
fp_result fp_take(fp_follower *f, const char *payload, size_t length, uint32_t now,
                  uint32_t uptime);

/* What to do now: W, or the number of a mode, or FP_OWN. */
int32_t fp_value(const fp_follower *f, uint32_t now, uint32_t uptime);

#endif
