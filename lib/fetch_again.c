/* SPDX-License-Identifier: MIT */
/* Going on elsewhere, or once more: redirects, and retries of what may pass. A GET or HEAD may be repeated. */
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS       10
#define BACKOFF_NS      UINT64_C(200000000) /* before the first retry; doubled with each */
#define BACKOFF_MOST_NS UINT64_C(10000000000)

/* ---- retries ---- */

static uint64_t jitter(struct strait_worker *w, uint64_t ns)
{
    w->dice = w->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ns / 2 + (w->dice >> 33) % (ns / 2 + 1); /* so that those who failed together do not come back together */
}

/* What the server asks for, 0 if nothing: Retry-After in seconds. (A date is as good as nothing: clocks differ.) */
static uint64_t asked_pause_ns(const struct strait_transfer *t)
{
    char value[24], *end;
    unsigned long long seconds;

    if (!t->http.head_done || strait_fields_get(t->http.fields, "retry-after", value, sizeof value) <= 0)
        return 0;
    seconds = strtoull(value, &end, 10);
    return *end || seconds > 86400 ? 0 : seconds * UINT64_C(1000000000);
}

static void again(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (res < 0) {
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, res, "waiting before another try");
        return;
    }
    t->stale = false;
    strait_transfer_rewind(t);
    strait_transfer_go(t);
}

bool strait_fetch_retry(struct strait_transfer *t)
{
    uint64_t pause_ns = BACKOFF_NS << (t->retries < 6 ? t->retries : 6), asked_ns = asked_pause_ns(t), now_ns;

    if (t->retries >= t->request.retries || t->worker->draining)
        return false;
    pause_ns = jitter(t->worker, pause_ns < BACKOFF_MOST_NS ? pause_ns : BACKOFF_MOST_NS);
    if (asked_ns > pause_ns)
        pause_ns = asked_ns;
    now_ns = strait_now_ns();
    if (now_ns >= t->deadline_ns || t->deadline_ns - now_ns <= pause_ns)
        return false; /* what went wrong says more than "deadline passed" would */
    strait_fetch_http_end(t);
    t->op.done = again;
    if (strait_op_timer(t->worker->loop, &t->op, now_ns + pause_ns))
        return false;
    t->retries++;
    return true;
}

/* ---- redirects ---- */

static bool refuse(struct strait_transfer *t, enum strait_fetch_kind kind, const char *why, const char *where)
{
    strait_transfer_fail(t, kind, -EREMOTEIO, "status %d to %.150s: %s", t->http.status, where, why);
    return false;
}

/* May we go there? */
static bool may_follow(struct strait_transfer *t, const char *text, const struct strait_url *to)
{
    uint32_t most = t->request.redirects ? t->request.redirects : REDIRECTS;

    if (t->redirects >= most)
        return refuse(t, STRAIT_FETCH_REDIRECT, "one redirect too many", text);
    if (to->scheme == STRAIT_SCHEME_FILE)
        return refuse(t, STRAIT_FETCH_REFUSED, "a server has no say in our files", text);
    if (t->url.scheme == STRAIT_SCHEME_HTTPS && to->scheme != STRAIT_SCHEME_HTTPS)
        return refuse(t, STRAIT_FETCH_REFUSED, "from https to http", text);
    return true;
}

/* The Location as a URL of its own, which has to be freed; NULL: the transfer has failed. */
static char *read_location(struct strait_transfer *t, struct strait_url *to)
{
    char *location = malloc(STRAIT_URL_BYTES), *text = malloc(STRAIT_URL_BYTES);
    const char *why = "no memory";
    int error = -ENOMEM;

    if (location && text) {
        error = strait_fields_get(t->http.fields, "location", location, STRAIT_URL_BYTES);
        if (error >= STRAIT_URL_BYTES)
            location[64] = 0;
        if (error >= 0)
            error = strait_url_join(text, STRAIT_URL_BYTES, &t->url, location, &why);
        if (error >= 0)
            error = strait_url_parse(to, text, &why);
    }
    if (error < 0) {
        refuse(t, error == -EPROTONOSUPPORT ? STRAIT_FETCH_REFUSED : STRAIT_FETCH_REDIRECT, why,
               location ? location : "");
        free(text);
        text = NULL;
    }
    free(location);
    return text;
}

void strait_fetch_redirect(struct strait_transfer *t)
{
    struct strait_url to;
    char *text = read_location(t, &to);

    if (!text)
        return;
    if (!may_follow(t, text, &to)) {
        free(text);
        return;
    }
    if (!strait_url_same_origin(&t->url, &to))
        strait_fields_drop_secrets(t->fields);
    t->redirects++;
    t->stale = false;
    strait_transfer_rewind(t);
    strait_fetch_http_end(t); /* if the page did not come whole */
    free(t->url_text);
    t->url_text = text;
    t->url = to;
    strait_fetch_http(t);
}
