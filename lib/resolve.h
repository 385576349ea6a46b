/* SPDX-License-Identifier: MIT */
/**
 * Host names to addresses without blocking the loop: getaddrinfo runs in helper threads. One loop's; answers are kept for
 * a while, and those who ask for the same name meanwhile share one lookup.
 */
#ifndef STRAIT_RESOLVE_H
#define STRAIT_RESOLVE_H

#include <strait/loop.h>

#include <netdb.h>

struct strait_resolver;
struct strait_host;

/* One question. Yours; zero it, set answered. */
struct strait_question {
    /* error: 0, or getaddrinfo's EAI_…; addresses are valid as long as the question is not closed. */
    void (*answered)(struct strait_question *question, int error, const struct addrinfo *addresses);
    struct strait_host *host;
    struct strait_question *next, **link;
};

int strait_resolver_create(struct strait_resolver **resolver, struct strait_loop *loop);

/* Questions are closed first. Lookups under way end by themselves, in their threads, without us. */
void strait_resolver_destroy(struct strait_resolver *resolver);

/* 0: answered will be called from a later step of the loop; 1: *addresses is there already; -errno; EAI_… errors of a
 * numeric host come through answered, too. */
int strait_resolve(struct strait_resolver *resolver, struct strait_question *question, const char *name, uint16_t port,
                   const struct addrinfo **addresses);

/* No longer interested, in the answer or in its addresses. Idempotent. */
void strait_question_close(struct strait_question *question);

#endif
