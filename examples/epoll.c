/* SPDX-License-Identifier: MIT */
/* A channel in an epoll loop, beside whatever else is in the set: drain to -EAGAIN, arm, and only then wait. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <strait/strait.h>

int main(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct strait_segment *segment;
    struct strait_rx *rx;
    char text[48];
    int64_t n;
    int set = epoll_create1(EPOLL_CLOEXEC);

    if (strait_attach("hello", NULL, &segment) < 0 || strait_rx_open(segment, "greetings", NULL, &rx) < 0 ||
        strait_rx_fd(rx) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    epoll_ctl(set, EPOLL_CTL_ADD, strait_rx_fd(rx), &event);
    puts("waiting");
    fflush(stdout);
    for (;;) {
        while ((n = strait_recv(rx, text, sizeof text, STRAIT_NOW)) >= 0)
            puts(text);
        if (n != -EAGAIN)
            break; /* -EPIPE: the last sender has left */
        if (strait_rx_arm(rx) == 0)
            epoll_wait(set, &event, 1, -1);
    }
    strait_rx_close(rx);
    strait_detach(segment);
    return n == -EPIPE ? 0 : 1;
}
