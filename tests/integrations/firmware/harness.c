/* Drives the follower from a pipe, for the sanitizers. Bytes are written in hex, `-` for none.
 *   t NOW UPTIME BYTES   fp_take: result and revision
 *   v NOW UPTIME         fp_value, fp_speaks, fp_next_change
 *   a RESULT SIZE BYTES  fp_ack into a buffer of that size: length and text
 *   c BYTES              fp_time
 *   k                    the bytes to keep in flash
 *   l BYTES              boot with these bytes from flash: fp_restored
 *   z                    sizeof the follower
 * Arguments: unit and the safe value. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "follower.h"

static int nibble(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* Exactly as long as the bytes, so that reading one too far is seen. */
static char *bytes_of(const char *hex, size_t *length) {
    char *out;
    size_t i;
    *length = strcspn(hex, "\n") / 2;
    out = (char *)malloc(*length ? *length : 1);
    for (i = 0; i < *length; i++) out[i] = (char)(nibble(hex[2 * i]) * 16 + nibble(hex[2 * i + 1]));
    return out;
}

int main(int argc, char **argv) {
    static char line[1 << 16];
    fp_follower follower;
    if (argc != 3) return 2;
    fp_init(&follower, argv[1][0], (int32_t)atol(argv[2]));
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned long first = 0, second = 0;
        int used = 0;
        size_t length, i;
        char *bytes;
        if (strchr("tva", line[0]) && sscanf(line + 1, "%lu %lu %n", &first, &second, &used) != 2)
            return 2;
        bytes = bytes_of(line + (used ? 1 + used : 2), &length);
        switch (line[0]) {
            case 't':
                printf("%d", (int)fp_take(&follower, bytes, length, (uint32_t)first,
                                          (uint32_t)second));
                printf(" %lu\n", (unsigned long)fp_revision(&follower));
                break;
            case 'v':
                printf("%ld", (long)fp_value(&follower, (uint32_t)first, (uint32_t)second));
                printf(" %d", (int)fp_speaks(&follower, (uint32_t)first, (uint32_t)second));
                printf(" %lu\n", (unsigned long)fp_next_change(&follower, (uint32_t)first,
                                                               (uint32_t)second));
                break;
            case 'a': {
                char *out = (char *)malloc(second ? second : 1);
                char *diagnostic = (char *)calloc(length + 1, 1);
                memcpy(diagnostic, bytes, length);
                length = fp_ack(&follower, (fp_result)first, diagnostic, out, second);
                printf("%lu %s\n", (unsigned long)length, second ? out : "");
                free(diagnostic);
                free(out);
                break;
            }
            case 'c':
                printf("%lu\n", (unsigned long)fp_time(bytes, length));
                break;
            case 'k':
                for (i = 0; i < sizeof follower.held; i++)
                    printf("%02x", ((const unsigned char *)&follower.held)[i]);
                printf("\n");
                break;
            case 'l':
                fp_init(&follower, argv[1][0], (int32_t)atol(argv[2]));
                if (length != sizeof follower.held) return 2;
                memcpy(&follower.held, bytes, length);
                printf("%d\n", fp_restored(&follower));
                break;
            case 'z':
                printf("%lu\n", (unsigned long)sizeof follower);
                break;
            default:
                return 2;
        }
        free(bytes);
        fflush(stdout);
    }
    return 0;
}
