/* Reads JSON in place: a cursor that only moves forward, no heap, no recursion. Used by follower.c.
 *
 * Every function returns 1 and moves on, or 0 where the text is not what is wanted; after a 0 the
 * cursor may stand anywhere, the document is refused as a whole. What is accepted is RFC 8259 in
 * strict UTF-8, nested at most FP_JSON_DEPTH deep in a value that is passed over.
 */
#ifndef FLATPEAK_FP_JSON_H
#define FLATPEAK_FP_JSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FP_JSON_DEPTH 32

typedef struct {
    const char *at;
    const char *end;
} fp_json;

/* Past white space and this character; where another stands the cursor only loses white space. */
int fp_json_eat(fp_json *c, char wanted);

/* A string. *only: its one character where it has exactly one and that is ASCII, else 0. */
int fp_json_string(fp_json *c, char *only);

/* A member's name and its colon; *only as above. */
int fp_json_name(fp_json *c, char *only);

/* Whole numbers; a point or an exponent is refused. The lowest int32_t is no value but null. */
int fp_json_unsigned(fp_json *c, uint32_t *out);
int fp_json_signed_or_null(fp_json *c, int32_t *out);

/* Any one value, its grammar checked. */
int fp_json_skip(fp_json *c);

/* Nothing but white space is left. */
int fp_json_at_end(fp_json *c);

#ifdef __cplusplus
}
#endif

#endif
