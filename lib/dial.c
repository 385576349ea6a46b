/* SPDX-License-Identifier: MIT */
#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACE_NS UINT64_C(250000000) /* RFC 8305's connection attempt delay */

/* One address being tried. */
struct strait_attempt {
    struct strait_op op; /* first */
    struct strait_dial *dial;
    struct strait_attempt *next;
    int fd;
    struct sockaddr_storage address; /* the resolver's may go while the kernel reads it */
};

static void strait_dial_try(struct strait_dial *dial);

/* ---- ends ---- */

static void strait_dial_free(struct strait_dial *dial)
{
    if (dial->closed && !dial->attempts && !strait_op_pending(&dial->pace))
        free(dial);
}

void strait_dial_close(struct strait_dial *dial)
{
    if (!dial)
        return;
    dial->closed = true;
    strait_question_close(&dial->question);
    for (struct strait_attempt *a = dial->attempts; a; a = a->next)
        strait_op_cancel(&a->op);
    strait_op_cancel(&dial->pace);
    strait_dial_free(dial);
}

static void strait_dial_end(struct strait_dial *dial, int result, enum strait_dial_stage stage)
{
    strait_dial_done *done = dial->done;
    void *context = dial->context;

    if (dial->closed)
        return;
    strait_dial_close(dial);
    done(context, result, stage);
}

/* ---- addresses ---- */

/* The next of the same family as `at`, or NULL. */
static const struct addrinfo *strait_dial_sibling(const struct addrinfo *at)
{
    int family = at->ai_family;

    while ((at = at->ai_next) != NULL && at->ai_family != family) {
    }
    return at;
}

static const struct addrinfo *strait_dial_take(struct strait_dial *dial)
{
    const struct addrinfo *taken = dial->next[0] ? dial->next[0] : dial->next[1];

    if (!taken)
        return NULL;
    if (taken == dial->next[0])
        dial->next[0] = dial->next[1];
    dial->next[1] = strait_dial_sibling(taken);
    return taken;
}

/* ---- attempts ---- */

static void strait_attempt_done(struct strait_op *op, int res)
{
    struct strait_attempt *a = (struct strait_attempt *)op, **at;
    struct strait_dial *dial = a->dial;
    int fd = a->fd;

    for (at = &dial->attempts; *at != a; at = &(*at)->next) {
    }
    *at = a->next;
    free(a);
    if (dial->closed || res < 0)
        close(fd);
    if (dial->closed) {
        strait_dial_free(dial);
        return;
    }
    if (res == 0) {
        strait_dial_end(dial, fd, STRAIT_DIAL_CONNECT);
        return;
    }
    if (res != -ECANCELED && strait_now_ns() < dial->deadline_ns && (dial->next[0] || dial->next[1]))
        strait_dial_try(dial);
    else if (!dial->attempts)
        strait_dial_end(dial, res, STRAIT_DIAL_CONNECT);
}

static int strait_attempt_socket(const struct addrinfo *address)
{
    int one = 1, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int strait_attempt_start(struct strait_dial *dial, const struct addrinfo *address)
{
    struct strait_attempt *a = calloc(1, sizeof *a);
    int error;

    if (!a)
        return -ENOMEM;
    a->op.done = strait_attempt_done;
    a->dial = dial;
    memcpy(&a->address, address->ai_addr, address->ai_addrlen);
    a->fd = error = strait_attempt_socket(address);
    if (a->fd >= 0)
        error = strait_op_connect(dial->loop, &a->op, a->fd, (struct sockaddr *)&a->address, address->ai_addrlen,
                                  dial->deadline_ns);
    if (error < 0) {
        if (a->fd >= 0)
            close(a->fd);
        free(a);
        return error;
    }
    a->next = dial->attempts;
    dial->attempts = a;
    return 0;
}

static void strait_dial_paced(struct strait_op *op, int res)
{
    struct strait_dial *dial = (struct strait_dial *)op;

    if (dial->closed)
        strait_dial_free(dial);
    else if (res >= 0)
        strait_dial_try(dial);
}

/* Begins with the next address that can be begun with; if there are more, sets the time for the one after it. */
static void strait_dial_try(struct strait_dial *dial)
{
    const struct addrinfo *address;
    int error = -EADDRNOTAVAIL;

    while ((address = strait_dial_take(dial)) != NULL) {
        error = strait_attempt_start(dial, address);
        if (error == 0)
            break;
    }
    if (error && !dial->attempts)
        strait_dial_end(dial, error, error == -EAFNOSUPPORT ? STRAIT_DIAL_CONNECT : STRAIT_DIAL_SOCKET);
    else if ((dial->next[0] || dial->next[1]) && !strait_op_pending(&dial->pace))
        strait_op_timer(dial->loop, &dial->pace, strait_after_ns(PACE_NS));
}

/* ---- begin ---- */

static void strait_dial_with(struct strait_dial *dial, const struct addrinfo *addresses)
{
    dial->next[0] = addresses;
    for (dial->next[1] = addresses; dial->next[1] && dial->next[1]->ai_family == addresses->ai_family;)
        dial->next[1] = dial->next[1]->ai_next;
    strait_dial_try(dial);
}

static void strait_dial_answered(struct strait_question *question, int error, const struct addrinfo *addresses)
{
    struct strait_dial *dial =
        (struct strait_dial *)(void *)((char *)question - offsetof(struct strait_dial, question));

    if (error)
        strait_dial_end(dial, error, STRAIT_DIAL_RESOLVE);
    else
        strait_dial_with(dial, addresses);
}

/* The addresses are there already; the answer still comes from a step of the loop. */
static void strait_dial_begin(struct strait_op *op, int res)
{
    struct strait_dial *dial = (struct strait_dial *)op;

    dial->pace.done = strait_dial_paced;
    if (dial->closed)
        strait_dial_free(dial);
    else if (res >= 0)
        strait_dial_with(dial, dial->next[0]);
}

int strait_dial_open(struct strait_dial **dial, struct strait_loop *loop, struct strait_resolver *resolver,
                     const char *host, uint16_t port, uint64_t deadline_ns, strait_dial_done *done, void *context)
{
    struct strait_dial *d = calloc(1, sizeof *d);
    int error;

    if (!d)
        return -ENOMEM;
    *d = (struct strait_dial){.pace.done = strait_dial_paced,
                              .loop = loop,
                              .question.answered = strait_dial_answered,
                              .deadline_ns = deadline_ns,
                              .context = context,
                              .done = done};
    error = strait_resolve(resolver, &d->question, host, port, &d->next[0]);
    if (error == 1) {
        d->pace.done = strait_dial_begin;
        error = strait_op_timer(loop, &d->pace, STRAIT_NOW);
    }
    if (error < 0) {
        strait_question_close(&d->question);
        free(d);
        return error;
    }
    *dial = d;
    return 0;
}
