/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <strait/error.h>

#include "words.h"

#define RECONNECT_MS 200
#define TIMEOUT_MS   2000

struct server {
    struct bridge *bridge;
    natsOptions *options;
    natsConnection *connection;
    natsSubscription *inbox;
    char prefix[64];
    pthread_t thread;
    int kick_fd;
    struct strait_op kick, readable, writable;
    uint64_t kicks;
    bool up;
    int fd; /* that `readable` polls */
    /* What libnats asks for, perhaps from its own threads. */
    pthread_mutex_t mutex;
    int asked_fd;
    bool asked_read, asked_write, asked_up, asked_down;
};

/* ---- what libnats calls ---- */

static void kick(struct server *s)
{
    uint64_t one = 1;

    if (pthread_equal(pthread_self(), s->thread))
        return; /* the loop's thread settles after each step anyway */
    if (write(s->kick_fd, &one, sizeof one) < 0)
        return; /* full: it is readable already */
}

static natsStatus attach(void **user, void *loop, natsConnection *connection, natsSock fd)
{
    struct server *s = loop;

    (void)connection;
    pthread_mutex_lock(&s->mutex);
    s->asked_fd = fd;
    s->asked_read = true;
    s->asked_write = false;
    pthread_mutex_unlock(&s->mutex);
    *user = s;
    kick(s);
    return NATS_OK;
}

static natsStatus ask_read(void *user, bool add)
{
    struct server *s = user;

    pthread_mutex_lock(&s->mutex);
    s->asked_read = add;
    pthread_mutex_unlock(&s->mutex);
    kick(s);
    return NATS_OK;
}

static natsStatus ask_write(void *user, bool add)
{
    struct server *s = user;

    pthread_mutex_lock(&s->mutex);
    s->asked_write = add;
    pthread_mutex_unlock(&s->mutex);
    kick(s);
    return NATS_OK;
}

static natsStatus detach(void *user)
{
    return ask_read(user, false);
}

static void told_up(natsConnection *connection, void *closure)
{
    struct server *s = closure;

    (void)connection;
    pthread_mutex_lock(&s->mutex);
    s->asked_up = true; /* asked_down stays: who missed the time between must know that it was */
    pthread_mutex_unlock(&s->mutex);
    kick(s);
}

static void told_down(natsConnection *connection, void *closure)
{
    struct server *s = closure;

    (void)connection;
    pthread_mutex_lock(&s->mutex);
    s->asked_down = true;
    s->asked_up = false;
    pthread_mutex_unlock(&s->mutex);
    kick(s);
}

/* ---- what comes ---- */

/* PREFIX.wL.rest */
static void deliver_inbox(struct server *s, natsMsg *msg)
{
    const char *at = natsMsg_GetSubject(msg) + strlen(s->prefix) + 1;
    char what = *at ? *at++ : 0;
    struct words w = words_of(at, '.');
    struct link *link = &s->bridge->link[words_number(&w, 0, s->bridge->options.links - 1)];

    if (!w.wrong && *w.at == '.' && link->open)
        link->kind->message(link, what, w.at + 1, msg);
}

int server_next(natsSubscription *subscription, natsMsg **msg)
{
    uint64_t queued = 0;
    natsStatus e;

    /* asked first, because "nothing" costs libnats a sentence */
    if (subscription == NULL || natsSubscription_QueuedMsgs(subscription, &queued) != NATS_OK || queued == 0)
        return 0;
    e = natsSubscription_NextMsg(msg, subscription, 0);
    return e == NATS_OK ? 1 : e == NATS_NO_RESPONDERS ? -EHOSTUNREACH : 0;
}

static void deliver_pulled(struct link *link)
{
    natsMsg *msg = NULL;
    int r;

    while ((r = server_next(link->pull, &msg)) != 0) {
        link->kind->pulled(link, r > 0 ? msg : NULL);
        if (r > 0)
            bin_put(&link->bridge->bin, msg);
    }
}

static void tell_unheard(struct server *s)
{
    for (uint32_t i = 0; i < s->bridge->options.links; i++)
        if (s->bridge->link[i].open && s->bridge->link[i].kind->unheard)
            s->bridge->link[i].kind->unheard(&s->bridge->link[i]);
}

static void deliver(struct server *s)
{
    natsMsg *msg = NULL;
    int r;

    for (uint32_t i = 0; i < s->bridge->options.links; i++) {
        struct link *link = &s->bridge->link[i];
        while (server_next(link->subscription, &msg) > 0) {
            link->kind->request(link, msg);
            bin_put(&s->bridge->bin, msg);
        }
        deliver_pulled(link);
        if (link->open && link->kind->drain)
            link->kind->drain(link);
    }
    while ((r = server_next(s->inbox, &msg)) != 0) {
        if (r < 0) {
            tell_unheard(s);
            continue;
        }
        deliver_inbox(s, msg);
        bin_put(&s->bridge->bin, msg);
    }
}

static void poll_socket(struct server *s)
{
    if (!strait_op_pending(&s->readable))
        strait_op_poll(s->bridge->loop, &s->readable, s->fd, POLLIN, STRAIT_FOREVER);
}

static void readable_done(struct strait_op *op, int res)
{
    struct server *s = (struct server *)(void *)((char *)op - offsetof(struct server, readable));

    if (res >= 0) {
        natsConnection_ProcessReadEvent(s->connection);
        deliver(s);
    }
}

static void writable_done(struct strait_op *op, int res)
{
    (void)op;
    (void)res; /* server_settle writes */
}

static void kick_done(struct strait_op *op, int res)
{
    struct server *s = (struct server *)(void *)((char *)op - offsetof(struct server, kick));

    if (res < 0 || read(s->kick_fd, &s->kicks, sizeof s->kicks) < 0)
        return;
    strait_op_poll(s->bridge->loop, op, s->kick_fd, POLLIN, STRAIT_FOREVER);
}

/* ---- up and down ---- */

bool server_carries(struct link *link)
{
    struct bridge *b = link->bridge;
    uint64_t largest = link->kind->largest(link) + BRIDGE_HEADER_BYTES;

    b->status.max_payload = (uint64_t)natsConnection_GetMaxPayload(b->server->connection);
    if (largest <= b->status.max_payload)
        return true;
    bridge_fail(b, -EMSGSIZE,
                "%s: its messages take up to %llu bytes with headers, the server carries %llu at most: make its slots "
                "smaller, or raise max_payload in the server's configuration",
                link->options->name, (unsigned long long)largest, (unsigned long long)b->status.max_payload);
    return false;
}

static void go_up(struct server *s)
{
    struct bridge *b = s->bridge;

    if (s->up)
        return;
    s->up = true;
    if (b->status.unreachable_since_ns && b->status.updated_ns > b->status.started_ns)
        bridge_say(b, "the server is there");
    b->status.unreachable_since_ns = 0;
    for (uint32_t i = 0; i < b->options.links; i++)
        if (b->link[i].open && server_carries(&b->link[i]))
            b->link[i].kind->up(&b->link[i]);
}

static void go_down(struct server *s)
{
    struct bridge *b = s->bridge;
    struct timespec now;

    if (!s->up)
        return;
    s->up = false;
    clock_gettime(CLOCK_REALTIME, &now);
    b->status.unreachable_since_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    b->status.reconnects++;
    bridge_say(b, "the server cannot be reached; trying again");
    for (uint32_t i = 0; i < b->options.links; i++)
        if (b->link[i].open)
            b->link[i].kind->down(&b->link[i]);
}

bool server_up(const struct bridge *b)
{
    return b->server->up;
}

uint64_t server_identity(const struct bridge *b)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    char id[128] = "";

    natsConnection_GetConnectedServerId(b->server->connection, id, sizeof id);
    for (const char *at = id; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    return hash | 1;
}

static bool wants_to_write(struct server *s)
{
    bool writes;

    pthread_mutex_lock(&s->mutex);
    writes = s->asked_write && s->asked_read;
    pthread_mutex_unlock(&s->mutex);
    return writes;
}

void server_flush(struct bridge *b)
{
    struct server *s = b->server;

    if (strait_op_pending(&s->writable) || !wants_to_write(s))
        return;
    natsConnection_ProcessWriteEvent(s->connection);
    if (wants_to_write(s)) /* the socket's buffer is full */
        strait_op_poll(b->loop, &s->writable, s->fd, POLLOUT, strait_after_ns(BRIDGE_TICK_NS));
}

void server_settle(struct bridge *b)
{
    struct server *s = b->server;
    bool down, up, reads;
    int fd;

    pthread_mutex_lock(&s->mutex);
    down = s->asked_down;
    up = s->asked_up;
    s->asked_down = s->asked_up = false;
    reads = s->asked_read;
    fd = s->asked_fd;
    pthread_mutex_unlock(&s->mutex);
    if (down || (s->up && !reads))
        go_down(s);
    if ((!reads || fd != s->fd) && strait_op_pending(&s->readable))
        strait_op_cancel(&s->readable);
    else if (reads) {
        s->fd = fd;
        poll_socket(s);
    }
    if (up && reads)
        go_up(s);
    server_flush(b);
}

/* ---- sending ---- */

const char *server_inbox(const struct bridge *b)
{
    return b->server->prefix;
}

void server_address(const struct link *link, char what, char *subject, const char *format, ...)
{
    int n = snprintf(subject, BRIDGE_SUBJECT_BYTES, "%s.%c%u.", server_inbox(link->bridge), what, link->index);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(subject + n, (size_t)(BRIDGE_SUBJECT_BYTES - n), format, arguments);
    va_end(arguments);
}

int server_send(struct bridge *b, const struct out_message *m)
{
    struct server *s = b->server;
    natsMsg *msg;
    natsStatus e;

    if (!s->up)
        return -ENOTCONN;
    if (m->header == NULL && m->id == NULL) {
        e = m->reply ? natsConnection_PublishRequest(s->connection, m->subject, m->reply, m->data, (int)m->bytes)
                     : natsConnection_Publish(s->connection, m->subject, m->data, (int)m->bytes);
        return e == NATS_OK ? 0 : e == NATS_MAX_PAYLOAD ? -EMSGSIZE : -ENOTCONN;
    }
    e = natsMsg_Create(&msg, m->subject, m->reply, m->data, (int)m->bytes);
    if (e != NATS_OK)
        return -ENOMEM;
    if (m->header)
        e = natsMsgHeader_Set(msg, BRIDGE_HEADER, m->header);
    if (e == NATS_OK && m->id)
        e = natsMsgHeader_Set(msg, "Nats-Msg-Id", m->id);
    if (e == NATS_OK)
        e = natsConnection_PublishMsg(s->connection, msg);
    bin_put(&b->bin, msg);
    return e == NATS_OK ? 0 : e == NATS_MAX_PAYLOAD ? -EMSGSIZE : -ENOTCONN;
}

int server_subscribe(struct link *link, const char *subject, const char *group)
{
    struct server *s = link->bridge->server;
    natsStatus e;

    if (link->subscription)
        return 0;
    e = group ? natsConnection_QueueSubscribeSync(&link->subscription, s->connection, subject, group)
              : natsConnection_SubscribeSync(&link->subscription, s->connection, subject);
    if (e != NATS_OK)
        return -EIO;
    natsSubscription_SetPendingLimits(link->subscription, -1, -1);
    return 0;
}

int server_box_address(struct link *link, struct server_box *box, uint32_t index, uint32_t number, char *subject)
{
    struct server *s = link->bridge->server;

    if (box->subscription == NULL) {
        snprintf(subject, BRIDGE_SUBJECT_BYTES, "%sb%u.%u.*", s->prefix, link->index, index);
        if (natsConnection_SubscribeSync(&box->subscription, s->connection, subject) != NATS_OK)
            return -EIO;
        natsSubscription_SetPendingLimits(box->subscription, -1, -1);
    }
    snprintf(subject, BRIDGE_SUBJECT_BYTES, "%sb%u.%u.%u", s->prefix, link->index, index, number);
    return 0;
}

void server_box_close(struct server_box *box)
{
    natsSubscription_Destroy(box->subscription);
    box->subscription = NULL;
}

int server_pull_address(struct link *link, uint64_t number, char *subject)
{
    struct server *s = link->bridge->server;

    if (link->pull == NULL) {
        snprintf(subject, BRIDGE_SUBJECT_BYTES, "%sp%u.>", s->prefix, link->index);
        if (natsConnection_SubscribeSync(&link->pull, s->connection, subject) != NATS_OK)
            return -EIO;
        natsSubscription_SetPendingLimits(link->pull, -1, -1);
    }
    snprintf(subject, BRIDGE_SUBJECT_BYTES, "%sp%u.%llu", s->prefix, link->index, (unsigned long long)number);
    return 0;
}

void server_unsubscribe(struct link *link)
{
    if (link->subscription) {
        natsSubscription_Unsubscribe(link->subscription);
        natsSubscription_Destroy(link->subscription);
    }
    link->subscription = NULL;
}

const char *server_header(natsMsg *msg)
{
    const char *value;

    return natsMsgHeader_Get(msg, BRIDGE_HEADER, &value) == NATS_OK ? value : NULL;
}

int server_word(natsMsg *msg)
{
    const char *value = NULL;
    struct words w;

    if (natsMsg_GetDataLength(msg) > 0 || natsMsgHeader_Get(msg, "Status", &value) != NATS_OK)
        return 0;
    w = words_of(value, ' ');
    return (int)words_number(&w, 0, 999);
}

/* ---- beginning and end ---- */

static natsStatus set_options(struct server *s)
{
    const struct bridge_options *o = &s->bridge->options;
    natsStatus e = natsOptions_Create(&s->options);
    char servers[512], *list[16], *save = NULL;
    int n = 0;

    snprintf(servers, sizeof servers, "%s", o->server);
    for (char *at = strtok_r(servers, ",", &save); at && n < 16; at = strtok_r(NULL, ",", &save))
        list[n++] = at;
    if (e == NATS_OK)
        e = natsOptions_SetServers(s->options, (const char **)list, n);
    if (e == NATS_OK)
        e = natsOptions_SetName(s->options, o->name);
    if (e == NATS_OK)
        e = natsOptions_SetEventLoop(s->options, s, attach, ask_read, ask_write, detach);
    if (e == NATS_OK)
        e = natsOptions_SetMaxReconnect(s->options, -1);
    if (e == NATS_OK)
        e = natsOptions_SetReconnectWait(s->options, RECONNECT_MS);
    if (e == NATS_OK) /* nothing that was asked of one server may reach the next, before we know which one it is */
        e = natsOptions_SetReconnectBufSize(s->options, 1);
    if (e == NATS_OK)
        e = natsOptions_SetReconnectJitter(s->options, RECONNECT_MS / 2, RECONNECT_MS / 2);
    if (e == NATS_OK)
        e = natsOptions_SetTimeout(s->options, TIMEOUT_MS);
    if (e == NATS_OK)
        e = natsOptions_SetPingInterval(s->options, (int64_t)(o->ping_ns / 1000000));
    if (e == NATS_OK)
        e = natsOptions_SetMaxPingsOut(s->options, 2);
    if (e == NATS_OK) /* into the buffer, and to us by ask_write: else a thread of libnats waits up to 1 ms for more */
        e = natsOptions_SetSendAsap(s->options, true);
    if (e == NATS_OK)
        e = natsOptions_SetNoEcho(s->options, true);
    if (e == NATS_OK)
        e = natsOptions_SetDisconnectedCB(s->options, told_down, s);
    if (e == NATS_OK)
        e = natsOptions_SetReconnectedCB(s->options, told_up, s);
    if (e == NATS_OK)
        e = natsOptions_SetRetryOnFailedConnect(s->options, true, told_up, s);
    if (e == NATS_OK && o->user_credentials)
        e = natsOptions_SetUserCredentialsFromFiles(s->options, o->user_credentials, NULL);
    return e;
}

static natsStatus connect_inbox(struct server *s)
{
    char all[sizeof s->prefix + 2];
    natsInbox *inbox;
    natsStatus e = natsInbox_Create(&inbox);

    if (e != NATS_OK)
        return e;
    snprintf(s->prefix, sizeof s->prefix, "%s", inbox);
    natsInbox_Destroy(inbox);
    snprintf(all, sizeof all, "%s.>", s->prefix);
    e = natsConnection_Connect(&s->connection, s->options);
    if (e == NATS_OK)
        told_up(s->connection, s);
    if (e == NATS_NOT_YET_CONNECTED) {
        bridge_say(s->bridge, "the server %s is not there yet; trying again", s->bridge->options.server);
        e = NATS_OK;
    }
    if (e == NATS_OK)
        e = natsConnection_SubscribeSync(&s->inbox, s->connection, all);
    if (e == NATS_OK)
        e = natsSubscription_SetPendingLimits(s->inbox, -1, -1);
    return e;
}

int server_open(struct bridge *b)
{
    static struct server
        only; /* libnats' threads may tell us of the end after it: it stays, with its mutex and its descriptor */
    struct server *s = &only;
    natsStatus e;

    b->server = s;
    s->bridge = b;
    s->fd = s->asked_fd = -1;
    s->thread = pthread_self();
    s->readable.done = readable_done;
    s->writable.done = writable_done;
    s->kick.done = kick_done;
    pthread_mutex_init(&s->mutex, NULL);
    s->kick_fd = eventfd(0, EFD_CLOEXEC);
    if (s->kick_fd < 0)
        return -errno;
    b->status.unreachable_since_ns = b->status.started_ns;
    strait_op_poll(b->loop, &s->kick, s->kick_fd, POLLIN, STRAIT_FOREVER);
    e = set_options(s);
    if (e == NATS_OK)
        e = connect_inbox(s);
    if (e == NATS_OK)
        return 0;
    bridge_say(b, "server %s: %s", b->options.server, natsStatus_GetText(e));
    return -ECONNREFUSED;
}

void server_close(struct bridge *b)
{
    struct server *s = b->server;

    if (s == NULL)
        return;
    for (uint32_t i = 0; i < b->options.links; i++) {
        natsSubscription_Destroy(b->link[i].subscription);
        natsSubscription_Destroy(b->link[i].pull);
    }
    natsSubscription_Destroy(s->inbox);
    natsConnection_Destroy(s->connection);
    natsOptions_Destroy(s->options);
    b->server = NULL;
}
