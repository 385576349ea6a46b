/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <strait/strait.h>

int main(void)
{
    struct strait_segment *segment;
    struct strait_rx *rx;
    char text[48];
    if (strait_attach("hello", NULL, &segment) < 0 || strait_rx_open(segment, "greetings", NULL, &rx) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    while (strait_recv(rx, text, sizeof text, STRAIT_FOREVER) > 0)
        puts(text);
    strait_rx_close(rx);
    strait_detach(segment);
}
