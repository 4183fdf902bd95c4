/* Drives the follower from a pipe, for the sanitizers. A line is `t NOW UPTIME HEX` (take a payload,
 * `-` for an empty one) or `v NOW UPTIME` (ask); the answer is one line of numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "follower.h"

static int nibble(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

int main(int argc, char **argv) {
    static char line[1 << 16];
    fp_follower follower;
    fp_init(&follower, argc > 1 ? atoi(argv[1]) : 0);
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned long now, uptime;
        int used = 0;
        if (sscanf(line + 1, "%lu %lu %n", &now, &uptime, &used) != 2) return 2;
        if (line[0] == 'v') {
            printf("%ld\n", (long)fp_value(&follower, (uint32_t)now, (uint32_t)uptime));
        } else {
            const char *hex = line + 1 + used;
            size_t length = strcspn(hex, "\n") / 2, i;
            /* Exactly as long as the payload, so that reading one byte too far is seen. */
            char *payload = malloc(length ? length : 1);
            for (i = 0; i < length; i++)
                payload[i] = (char)(nibble(hex[2 * i]) * 16 + nibble(hex[2 * i + 1]));
            printf("%d", (int)fp_take(&follower, payload, length, (uint32_t)now, (uint32_t)uptime));
            printf(" %lu\n", (unsigned long)follower.revision);
            free(payload);
        }
        fflush(stdout);
    }
    return 0;
}
