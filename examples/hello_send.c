/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <strait/strait.h>

int main(void)
{
    struct strait_segment *segment;
    struct strait_tx *tx;
    if (strait_attach("hello", NULL, &segment) < 0 || strait_tx_open(segment, "greetings", NULL, &tx) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    strait_send(tx, "hello, world", 13, STRAIT_FOREVER);
    strait_tx_close(tx);
    strait_detach(segment);
}
