/* SPDX-License-Identifier: MIT */
/* Attaches to "x" and says how that went. Built twice: with our layout, and with another. */
#include <errno.h>
#include <stdio.h>

#include <strait/error.h>
#include <strait/segment.h>

int main(void)
{
    struct strait_segment *segment;
    int r = strait_attach("x", NULL, &segment);

    puts(r < 0 ? strait_error() : "attached");
    if (r == 0)
        strait_detach(segment);
    return r == -ESTALE ? 2 : r < 0;
}
