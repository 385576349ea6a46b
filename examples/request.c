/* SPDX-License-Identifier: MIT */
/* One asks, another answers: a number for a number, and then an answer that comes in parts, as the worker finds them. */
#include "guide.h"

enum { SQUARE, COUNT_TO };

static const struct strait_channel_options options = {.replies = 8};

static void answer(struct strait_rx *rx, const struct strait_msg *request)
{
    struct strait_answer to;
    uint32_t n = *(const uint32_t *)request->data, squared = n * n;

    must(strait_answer_accept(rx, request, &to));
    if (request->tag == SQUARE)
        must(strait_answer_send(&to, 0, STRAIT_MSG_LAST, &squared, sizeof squared, STRAIT_FOREVER));
    else
        for (uint32_t i = 1; i <= n; i++)
            must(strait_answer_send(&to, 0, i == n ? STRAIT_MSG_LAST : 0, &i, sizeof i, STRAIT_FOREVER));
}

static void serve(void) /* until the last caller has gone */
{
    struct strait_rx *rx;
    struct strait_msg request;

    join();
    must(strait_rx_open(segment, "questions", &options, &rx));
    while (strait_peek(rx, &request, STRAIT_FOREVER) == 0) {
        answer(rx, &request);
        must(strait_release(rx, &request));
    }
    strait_detach(segment);
    _exit(0);
}

int main(void)
{
    uint32_t n = 12, part;
    struct strait_tx *tx;
    struct strait_reply_rx reply;
    int status, failed;

    join();
    if (fork() == 0)
        serve();
    must(strait_tx_open(segment, "questions", &options, &tx));
    must((int)strait_call(tx, SQUARE, &n, sizeof n, &part, sizeof part, NULL, STRAIT_FOREVER));
    printf("12 squared is %u\n", part);
    n = 5;
    must(strait_request(tx, COUNT_TO, &n, sizeof n, STRAIT_FOREVER, &reply, STRAIT_FOREVER));
    while (strait_reply_recv(&reply, &part, sizeof part, NULL, STRAIT_FOREVER) > 0) /* -ENODATA after the last */
        printf("%u%s", part, part == n ? ".\n" : ", ");
    strait_reply_close(&reply);
    strait_tx_close(tx);
    wait(&status);
    failed = status != 0 || part != 5;
    return leave(failed);
}
