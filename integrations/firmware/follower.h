/* Follows a compact schedule of the FlatPeak edge agent: time in, what to do out.
 *
 * C99 (and C++), no heap, nothing beyond the freestanding headers and string.h. One fp_follower a
 * device. `now` is Unix time in seconds, 0 while the clock is not set; `uptime` is seconds since
 * boot. Both are unsigned 32 bit. `uptime` may wrap (a millis() counter divided by 1000 does after
 * 49 days) or start again; call any function that takes it at least once a day.
 * README.md beside this file is the guide.
 */
#ifndef FLATPEAK_FOLLOWER_H
#define FLATPEAK_FOLLOWER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest payload that is read. */
#define FP_MAX_BYTES 1280u
#define FP_MAX_PAIRS 64u
/* Room for fp_ack with an empty diagnostic, its closing 0 included. */
#define FP_ACK_BYTES 80u
/* "The device's own logic": the answer where the schedule says null, or says nothing any more. */
#define FP_OWN INT32_MIN
/* Nothing changes by itself any more. */
#define FP_NEVER UINT32_MAX

/* What fp_take says, and the words that a device sends of itself: a program's start and end, a
 * person's override. README.md beside this file has them. */
typedef enum {
    FP_REJECTED = 0,
    FP_ACCEPTED = 1,
    FP_REVOKED = 2,
    FP_STARTED = 3,
    FP_SUCCEEDED = 4,
    FP_ABORTED = 5
} fp_result;

/* Who speaks now. */
typedef enum {
    FP_FROM_OWN = 0,     /* nobody: the device's own logic */
    FP_FROM_BOOT = 1,    /* no schedule yet, the first 300 s: `safe` */
    FP_FROM_SLOT = 2,    /* a pair of the schedule */
    FP_FROM_DEFAULT = 3, /* its `d` */
    FP_FROM_OFFLINE = 4  /* its `o` */
} fp_source;

/* A schedule as it is held, and as it is kept in flash: whole, sealed by its checksum. */
typedef struct {
    uint32_t magic; /* also tells the layout; 0: none is held */
    uint32_t crc;   /* of everything behind it */
    uint32_t revision;
    uint32_t start;  /* valid_from */
    uint32_t length; /* valid_until - valid_from */
    uint32_t offline_after_s;
    int32_t fallback; /* outside of all pairs: `default` */
    int32_t offline;
    char unit;
    uint8_t count;
    uint8_t zero[2];
    uint8_t at[FP_MAX_PAIRS][3];    /* seconds from start, lowest byte first */
    uint8_t value[FP_MAX_PAIRS][4]; /* W or mode, two's complement, lowest byte first */
} fp_schedule;

typedef struct {
    fp_schedule held;
    uint32_t up_s;    /* seconds since boot, however often uptime wrapped */
    uint32_t uptime;  /* the last one given */
    uint32_t arrived; /* up_s when the held schedule first came */
    int32_t safe;
    char unit;
    uint8_t withdrawn;
    uint8_t zero[2];
} fp_follower;

/* An empty follower. `unit`: 'W' (charger, storage, flexible load) or 'M' (heat, program); a
 * schedule in the other one is refused. `safe`: the least the device safely can for the first
 * 300 s without a schedule: 0 for a charger, 1 (idle) for a program, 2 (normal) for heat, FP_OWN
 * (auto) for storage. */
void fp_init(fp_follower *f, char unit, int32_t safe);

/* After fp_init and after `sizeof f->held` bytes were read from flash into `&f->held`: 1 if they
 * are a schedule for this device, which counts as come at this boot; else 0, and none is held.
 * To keep one, write those bytes whenever fp_revision has changed over a call of fp_take. */
int fp_restored(fp_follower *f);

/* Take a payload of <base>/device/<id>/schedule/compact in. A length of 0 takes the schedule back.
 * What is refused changes nothing. Answer every one with fp_ack. */
fp_result fp_take(fp_follower *f, const char *payload, size_t length, uint32_t now,
                  uint32_t uptime);

/* The revision held, 0 for none. */
uint32_t fp_revision(const fp_follower *f);

/* What to do now: W, or the number of a mode, or FP_OWN. */
int32_t fp_value(fp_follower *f, uint32_t now, uint32_t uptime);

/* Whose word fp_value is. A slot may say FP_OWN too. */
fp_source fp_speaks(fp_follower *f, uint32_t now, uint32_t uptime);

/* Seconds from now in which neither fp_value nor fp_speaks changes, unless something comes (at
 * least 1); FP_NEVER if they never do. For devices that sleep. */
uint32_t fp_next_change(fp_follower *f, uint32_t now, uint32_t uptime);

/* The acknowledgement into `out`, closed by a 0. `diagnostic`: printable ASCII without quotes and
 * backslashes ("" or NULL: none). Returns its length, or 0 where it does not fit or may not be. */
size_t fp_ack(const fp_follower *f, fp_result result, const char *diagnostic, char *out,
              size_t size);

/* A payload of <base>/time: the Unix time, or 0 if it is none. */
uint32_t fp_time(const char *payload, size_t length);

#ifdef __cplusplus
}
#endif

#endif
