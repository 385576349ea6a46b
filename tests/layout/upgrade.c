/* SPDX-License-Identifier: MIT */
/* A service whose segment's name has the layout's version in it (docs/OPERATION.md): upgrade serve | upgrade send TEXT….
 * Built twice: with our layout, and with the next one. */
#include <stdio.h>
#include <string.h>

#include <strait/strait.h>

static struct strait_segment *segment;
static char name[48];

static int fail(void)
{
    printf("%s\n", strait_error());
    return 1;
}

static int serve(void)
{
    struct strait_rx *rx;
    char text[48];

    if (strait_rx_open(segment, "orders", NULL, &rx) < 0)
        return fail();
    puts("ready");
    fflush(stdout);
    while (strait_recv(rx, text, sizeof text, strait_after_ns(UINT64_C(20000000000))) > 0) {
        printf("%s\n", text);
        fflush(stdout);
    }
    strait_rx_close(rx);
    strait_detach(segment);
    printf("removed %d\n", strait_segment_remove(name, NULL));
    return 0;
}

/* Keeps the channel open, as a client that runs, until its input ends. */
static int send_lines(void)
{
    struct strait_tx *tx;
    char line[48];

    if (strait_tx_open(segment, "orders", NULL, &tx) < 0)
        return fail();
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strait_send(tx, line, (uint32_t)strlen(line) + 1, strait_after_ns(UINT64_C(10000000000))) < 0)
            return fail();
    }
    strait_tx_close(tx);
    strait_detach(segment);
    return 0;
}

int main(int argc, char **argv)
{
    snprintf(name, sizeof name, "orders.v%u", strait_layout_version());
    if (strait_attach(name, NULL, &segment) < 0)
        return fail();
    return argc > 1 && strcmp(argv[1], "serve") == 0 ? serve() : send_lines();
}
