/* SPDX-License-Identifier: MIT */
/* The embedded origin as a program: prints its port, serves until its stdin ends. */
#include "origin.h"

#include <stdio.h>
#include <string.h>

int main(void)
{
    struct origin origin;
    int error = origin_start(&origin);

    if (error) {
        fprintf(stderr, "origin: %s\n", strerror(-error));
        return 1;
    }
    printf("%u\n", origin.port);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    origin_stop(&origin);
    return 0;
}
