/* SPDX-License-Identifier: MIT */
/* Kill it: a producer is killed in the middle of a message. The consumer is told who died, and goes on. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strait/strait.h>

static void obituary(const struct strait_death *d)
{
    printf("%s died; %u half-written message%s undone\n", d->program, d->voided, d->voided == 1 ? "" : "s");
}

static int produce(const char *text, int die)
{
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_claim claim;

    if (strait_attach("crash", NULL, &segment) < 0 || strait_tx_open(segment, "news", NULL, &tx) < 0)
        return 1;
    strait_send(tx, text, (uint32_t)strlen(text) + 1, STRAIT_FOREVER);
    if (die && strait_claim(tx, &claim, STRAIT_FOREVER) == 0) {
        memcpy(claim.data, "half a mess", 11);
        raise(SIGKILL); /* between claim and commit: where ring buffers wedge */
    }
    strait_tx_close(tx);
    strait_detach(segment);
    return 0;
}

static void run(const char *text, int die)
{
    pid_t child = fork();
    if (child == 0)
        _exit(produce(text, die));
    waitpid(child, NULL, 0);
}

int main(void)
{
    struct strait_segment *segment;
    struct strait_rx *rx;
    char text[48];

    if (strait_attach("crash", NULL, &segment) < 0 || strait_rx_open(segment, "news", NULL, &rx) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    strait_on_death(obituary);
    setvbuf(stdout, NULL, _IONBF, 0);
    run("first message, from a producer that is killed", 1);
    run("second message, from another one", 0);
    while (strait_recv(rx, text, sizeof text, STRAIT_FOREVER) > 0)
        puts(text);
    puts("all producers have gone, everything is read");
    strait_rx_close(rx);
    strait_detach(segment);
    return strait_segment_remove("crash", NULL) == 1 ? 0 : 1;
}
