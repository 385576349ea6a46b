/* SPDX-License-Identifier: MIT */
/* Complicated state: one process owns it and nobody else touches it; the others send it what happened, and it decides. */
#include "guide.h"

enum event { OPEN, SHUT, COIN };

/* A turnstile with more states than a lock would make pleasant; private to its owner. */
struct turnstile {
    bool open;
    unsigned coins, passed, refused;
};

static void decide(struct turnstile *t, enum event event)
{
    if (event != COIN)
        t->open = event == OPEN;
    else if (t->open)
        t->passed++, t->coins++;
    else
        t->refused++;
}

static void visit(int i)
{
    struct strait_tx *tx;

    must(strait_tx_open(segment, "events", NULL, &tx));
    for (int n = 0; n < 3000; n++) {
        uint32_t event = (uint32_t)(i == 0 ? (n % 2 ? SHUT : OPEN) : COIN);
        must(strait_send(tx, &event, sizeof event, STRAIT_FOREVER));
    }
    strait_tx_close(tx);
}

/* They come and go, each with a sender of its own; the last one to leave ends it, and not the first one that is quick. */
static int all_visitors(void)
{
    struct strait_hold *hold;
    int failed;

    join();
    must(strait_channel_hold(segment, "events", &hold));
    failed = in_parallel(3, visit);
    strait_channel_unhold(hold);
    strait_detach(segment);
    return failed;
}

int main(void)
{
    const struct strait_channel_options options = {.receivers = STRAIT_ONE};
    struct turnstile t = {.open = false};
    struct strait_rx *rx;
    uint32_t event;
    pid_t visitors;
    int status;

    join();
    must(strait_rx_open(segment, "events", &options, &rx));
    visitors = fork();
    if (visitors == 0)
        _exit(all_visitors());
    while (strait_recv(rx, &event, sizeof event, STRAIT_FOREVER) > 0)
        decide(&t, (enum event)event);
    waitpid(visitors, &status, 0);
    strait_rx_close(rx);
    printf("%u passed, %u refused\n", t.passed, t.refused);
    return leave(status != 0 || t.passed + t.refused != 6000);
}
