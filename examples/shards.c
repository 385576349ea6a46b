/* SPDX-License-Identifier: MIT */
/*
 * Bookings of many accounts, three workers, and those of one account in order, without a lock: a channel in shards, by key.
 * Who has peeked a message has its shard to itself until the release. One worker is killed in between: its booking comes
 * again, marked, before the later ones.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "guide.h"

#define WORKERS  3
#define ACCOUNTS 64
#define BOOKINGS 100 /* of each account */

struct booking {
    uint32_t account, number;
};

struct account {
    uint32_t booked, out_of_order, again;
};

static const struct strait_channel_options channel = {.shards = 4, .spread = STRAIT_SPREAD_KEY};
static const struct strait_region_options region = {.bytes = ACCOUNTS * sizeof(struct account)};

static void send_all(void)
{
    struct strait_tx *tx;

    must(strait_tx_open(segment, "bookings", NULL, &tx));
    for (struct booking b = {.number = 1}; b.number <= BOOKINGS; b.number++)
        for (b.account = 0; b.account < ACCOUNTS; b.account++)
            must(strait_send_key(tx, b.account, 0, &b, sizeof b, STRAIT_FOREVER));
    must(strait_channel_shut(segment, "bookings"));
    strait_tx_close(tx);
}

static void book(struct account *a, const struct booking *b, bool again)
{
    if (again && b->number == a->booked) { /* whoever had it was killed after this, before the release */
        a->again++;
        return;
    }
    a->out_of_order += b->number != a->booked + 1;
    a->booked = b->number;
}

static void work(void)
{
    struct strait_region *accounts;
    struct strait_rx *rx;
    struct strait_msg msg;
    struct booking b;
    int r;

    must(strait_region_open(segment, "accounts", &region, &accounts));
    must(strait_rx_open(segment, "bookings", NULL, &rx));
    while ((r = strait_peek(rx, &msg, STRAIT_FOREVER)) == 0) {
        memcpy(&b, msg.data, sizeof b);
        book((struct account *)strait_region_data(accounts) + b.account, &b, msg.attempts > 0);
        if (b.account == 7 && b.number == 50 && msg.attempts == 0)
            raise(SIGKILL);
        must(strait_release(rx, &msg));
    }
    must(r == -EPIPE ? 0 : r);
}

static void part(int i)
{
    if (i == 0)
        send_all();
    else
        work();
}

int main(void)
{
    struct strait_region *accounts;
    struct account sum = {0};
    int killed;

    join();
    must(strait_region_open(segment, "accounts", &region, &accounts));
    killed = in_parallel_at("bookings", &channel, 1 + WORKERS, part);
    for (int i = 0; i < ACCOUNTS; i++) {
        const struct account *a = (struct account *)strait_region_data(accounts) + i;
        sum.booked += a->booked, sum.out_of_order += a->out_of_order, sum.again += a->again;
    }
    strait_region_close(accounts);
    printf("%u booked, %u out of order, %u came again, %d worker killed\n", sum.booked, sum.out_of_order, sum.again,
           killed);
    return leave(killed != 1 || sum.booked != ACCOUNTS * BOOKINGS || sum.out_of_order || sum.again != 1);
}
