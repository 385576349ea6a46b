/* SPDX-License-Identifier: MIT */
/* What the head of an answer means: the body that was wanted, a redirect, a range, a refusal for now or for good. */
#include "transfer.h"

#include <errno.h>
#include <string.h>

/* A status that may be another one in a moment. */
static bool passes(int status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static bool leads_elsewhere(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* A page that comes with an error or a redirect, and has come whole, costs us nothing: its connection stays good. */
static void keep_after_page(struct strait_transfer *t)
{
    if (t->http.done && t->http.keep_alive)
        strait_fetch_http_keep(t);
}

static bool refuse_range(struct strait_transfer *t, const char *why)
{
    strait_transfer_fail(t, STRAIT_FETCH_PROTOCOL, -EPROTO, "status %d: %s", t->http.status, why);
    return false;
}

/* 206: is this the range that was asked for? */
static bool range_fine(struct strait_transfer *t)
{
    uint64_t from, end, total;
    char value[128];

    if (t->request.from == 0 && t->request.bytes == 0)
        return refuse_range(t, "a part, and the whole was asked for");
    if (strait_fields_get(t->http.fields, "content-range", value, sizeof value) < 0 ||
        strait_range_parse(value, &from, &end, &total) < 0 || from == UINT64_MAX)
        return refuse_range(t, "a part without saying which");
    if (from != t->request.from || (t->request.bytes && end - from > t->request.bytes) ||
        (t->http.length != STRAIT_HTTP_LENGTH_UNKNOWN && !t->http.no_body && t->http.length != end - from))
        return refuse_range(t, "another part than the one asked for");
    t->head.offset = from;
    t->head.length = end - from;
    return true;
}

/* 416 to "from where we have left off": nothing is missing, or what we have is of another version. */
static bool range_is_empty(struct strait_transfer *t)
{
    uint64_t from, end, total;
    char value[128];

    if (t->request.bytes || strait_fields_get(t->http.fields, "content-range", value, sizeof value) < 0 ||
        strait_range_parse(value, &from, &end, &total) < 0)
        return false;
    t->head.offset = t->request.from;
    t->head.length = 0;
    return total == t->request.from;
}

/* Does the status, with what was asked for, mean success? */
static bool status_fine(const struct strait_transfer *t)
{
    int status = t->http.status;

    return status / 100 == 2 || (status == 304 && t->conditional) || (t->request.flags & STRAIT_FETCH_ANY_STATUS);
}

static void bad_status(struct strait_transfer *t)
{
    int status = t->http.status;

    keep_after_page(t);
    if (passes(status))
        strait_transfer_stumble(t, STRAIT_FETCH_STATUS, -EREMOTEIO, "status %d", status);
    else
        strait_transfer_fail(t, STRAIT_FETCH_STATUS, -EREMOTEIO, "status %d%s", status,
                             status / 100 == 3 ? ": a redirect that is not followed" : "");
}

static bool size_fine(struct strait_transfer *t)
{
    uint64_t most = t->request.max_bytes;

    if (!most || t->head.length == STRAIT_FETCH_LENGTH_UNKNOWN || t->http.no_body || t->head.length <= most)
        return true;
    strait_transfer_fail(t, STRAIT_FETCH_TOO_LARGE, -EFBIG, "body has %llu bytes, the limit is %llu",
                         (unsigned long long)t->head.length, (unsigned long long)most);
    return false;
}

/* Fields that are wanted go into one part, with the head. */
static bool fields_fit(struct strait_transfer *t)
{
    if (!t->http.want_fields || t->http.fields_bytes <= strait_answer_size(&t->answer) - sizeof t->head)
        return true;
    strait_transfer_fail(t, STRAIT_FETCH_TOO_LARGE, -EMSGSIZE,
                         "the header fields have %u bytes, %zu fit an answer's part", t->http.fields_bytes,
                         strait_answer_size(&t->answer) - sizeof t->head);
    return false;
}

bool strait_fetch_head_fine(struct strait_transfer *t)
{
    int status = t->http.status;
    char location[8];

    t->head.status = (uint32_t)status;
    t->head.length = t->http.length;
    if (leads_elsewhere(status) && !(t->request.flags & STRAIT_FETCH_STAY) &&
        strait_fields_get(t->http.fields, "location", location, sizeof location) >= 0) {
        keep_after_page(t);
        strait_fetch_redirect(t);
        return false;
    }
    if (!fields_fit(t))
        return false;
    if (status == 416 && t->request.from && range_is_empty(t)) {
        t->head.fields_bytes = t->sink && t->http.want_fields ? t->http.fields_bytes : 0;
        keep_after_page(t);
        if (strait_transfer_head(t))
            strait_transfer_succeed(t);
        return false;
    }
    if (status == 416 && t->request.from && !t->request.bytes && t->sink) { /* what we have is longer: all anew */
        keep_after_page(t);
        t->request.from = 0;
        strait_transfer_rewind(t);
        strait_fetch_http_end(t);
        strait_fetch_http(t);
        return false;
    }
    if (!status_fine(t)) {
        bad_status(t);
        return false;
    }
    return (status != 206 || range_fine(t)) && size_fine(t) && (status == 304 || strait_transfer_head(t));
}
