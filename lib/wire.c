/* SPDX-License-Identifier: MIT */
/* Bytes over a transfer's connection. Plain: one operation, no copy. TLS: the machine of tls.h between us and the socket. */
#include "transfer.h"

#include <errno.h>

#include "method.h"

static void end(struct strait_transfer *t, int res)
{
    t->wire.done(t, res);
}

/* ---- plain ---- */

static void plain_send(struct strait_transfer *t);

static void plain_sent(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (res < 0) {
        end(t, res);
        return;
    }
    t->wire.from += res;
    t->wire.bytes -= (uint32_t)res;
    if (t->wire.bytes)
        plain_send(t);
    else
        end(t, 0);
}

static void plain_send(struct strait_transfer *t)
{
    t->op.done = plain_sent;
    strait_transfer_stuck(t, strait_op_send(t->worker->loop, &t->op, t->connection->fd, t->wire.from, t->wire.bytes,
                                            strait_transfer_until(t)));
}

static void plain_received(struct strait_op *op, int res)
{
    end((struct strait_transfer *)op, res);
}

/* ---- the outlet, then `next` ---- */

static void outlet_sent(struct strait_op *op, int res);

static void empty_outlet(struct strait_transfer *t, strait_transfer_step *next)
{
    uint32_t bytes;
    const void *from = strait_tls_outlet(t->connection->tls, &bytes);

    if (bytes == 0) {
        next(t);
        return;
    }
    t->after_space = next;
    t->op.done = outlet_sent;
    strait_transfer_stuck(
        t, strait_op_send(t->worker->loop, &t->op, t->connection->fd, from, bytes, strait_transfer_until(t)));
}

static void outlet_sent(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (res < 0) {
        end(t, res);
        return;
    }
    strait_tls_sent(t->connection->tls, (uint32_t)res);
    empty_outlet(t, t->after_space);
}

/* ---- the inlet, then wire.step ---- */

static void handshake_step(struct strait_transfer *t);
static void read_step(struct strait_transfer *t);

static void inlet_filled(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (res < 0) {
        end(t, res);
        return;
    }
    strait_tls_received(t->connection->tls, (uint32_t)res);
    if (t->wire.to)
        read_step(t);
    else
        handshake_step(t);
}

static void fill_inlet(struct strait_transfer *t)
{
    uint32_t room;
    void *to = strait_tls_inlet(t->connection->tls, &room);

    t->op.done = inlet_filled;
    strait_transfer_stuck(
        t,
        to ? strait_op_recv(t->worker->loop, &t->op, t->connection->fd, to, room, strait_transfer_until(t)) : -ENOMEM);
}

static void read_step(struct strait_transfer *t)
{
    int n = strait_tls_read(t->connection->tls, t->wire.to, t->wire.bytes);

    if (n == -EAGAIN)
        empty_outlet(t, fill_inlet);
    else
        end(t, n);
}

static void handshaken(struct strait_transfer *t)
{
    end(t, 0);
}

static void handshake_step(struct strait_transfer *t)
{
    int error = strait_tls_handshake(t->connection->tls);

    if (error == -EAGAIN)
        empty_outlet(t, fill_inlet);
    else if (error)
        end(t, error); /* the alert is not waited for */
    else
        empty_outlet(t, handshaken);
}

/* ---- from outside ---- */

void strait_wire_send(struct strait_transfer *t, const void *from, uint32_t bytes, strait_wire_done *done)
{
    int error;

    t->wire = (struct strait_wire){.done = done, .from = from, .bytes = bytes};
    if (!t->connection->tls) {
        plain_send(t);
        return;
    }
    error = strait_tls_write(t->connection->tls, from, bytes);
    if (error)
        end(t, error);
    else
        empty_outlet(t, handshaken);
}

void strait_wire_recv(struct strait_transfer *t, void *to, uint32_t bytes, strait_wire_done *done)
{
    bool asked = t->wire.from != NULL; /* what we did last was to send a request */
    int error;

    t->wire = (struct strait_wire){.done = done, .to = to, .bytes = bytes};
    if (t->connection->tls) {
        read_step(t);
        return;
    }
    t->op.done = plain_received;
    error = (asked ? strait_op_recv_later : strait_op_recv)(t->worker->loop, &t->op, t->connection->fd, to, bytes,
                                                            strait_transfer_until(t));
    strait_transfer_stuck(t, error);
}

void strait_wire_handshake(struct strait_transfer *t, strait_wire_done *done)
{
    t->wire = (struct strait_wire){.done = done};
    handshake_step(t);
}
