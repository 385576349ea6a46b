/* SPDX-License-Identifier: MIT */
#include "origin.h"

#define OK "HTTP/1.1 200 OK\r\n"

const struct origin_script origin_scripts[] = {
    {"/bad/close-at-once", "", ORIGIN_CLOSE, NULL},
    {"/bad/close-in-head", OK "Content-", ORIGIN_CLOSE, NULL},
    {"/bad/close-in-body", OK "Content-Length: 1000\r\n\r\nonly this", ORIGIN_CLOSE, NULL},
    {"/bad/close-in-chunk", OK "Transfer-Encoding: chunked\r\n\r\n64\r\nonly this", ORIGIN_CLOSE, NULL},
    {"/bad/reset-at-once", "", ORIGIN_RESET, NULL},
    {"/bad/reset-in-body", OK "Content-Length: 1000\r\n\r\nonly this", ORIGIN_RESET, NULL},
    {"/bad/stall-at-once", "", ORIGIN_STALL, NULL},
    {"/bad/stall-in-head", OK "Content-", ORIGIN_STALL, NULL},
    {"/bad/stall-in-body", OK "Content-Length: 1000\r\n\r\nonly this", ORIGIN_STALL, NULL},
    {"/bad/stall-in-chunk", OK "Transfer-Encoding: chunked\r\n\r\n64\r\nonly this", ORIGIN_STALL, NULL},
    {"/bad/stall-no-length", OK "\r\nonly this", ORIGIN_STALL, NULL},
    {"/bad/garbage", "\x7f\x45\x4c\x46 this is no HTTP\r\n\r\n", ORIGIN_CLOSE, NULL},
    {"/bad/ssh", "SSH-2.0-OpenSSH_9.2\r\n", ORIGIN_STALL, NULL},
    {"/bad/status", "HTTP/1.1 abc OK\r\n\r\n", ORIGIN_CLOSE, NULL},
    {"/bad/length-twice", OK "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!", ORIGIN_KEEP, NULL},
    {"/bad/length-negative", OK "Content-Length: -4\r\n\r\nbody", ORIGIN_KEEP, NULL},
    {"/bad/length-huge", OK "Content-Length: 99999999999999999999999\r\n\r\nbody", ORIGIN_KEEP, NULL},
    {"/bad/length-and-chunked", OK "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
     ORIGIN_KEEP, NULL},
    {"/bad/chunk-size", OK "Transfer-Encoding: chunked\r\n\r\nzz\r\nbody\r\n0\r\n\r\n", ORIGIN_KEEP, NULL},
    {"/bad/chunk-size-huge", OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nbody", ORIGIN_KEEP, NULL},
    {"/bad/chunk-end", OK "Transfer-Encoding: chunked\r\n\r\n4\r\nbodyXX0\r\n\r\n", ORIGIN_KEEP, NULL},
    {"/bad/upgrade", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", ORIGIN_STALL,
     NULL},
    {"/bad/endless-head", OK, ORIGIN_ENDLESS,
     "X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"},
    {"/bad/endless-line", OK "X: ", ORIGIN_ENDLESS,
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"/bad/endless-continue", "", ORIGIN_ENDLESS, "HTTP/1.1 100 Continue\r\n\r\n"},
    {"/bad/endless-body", OK "\r\n", ORIGIN_ENDLESS,
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"/bad/endless-chunks", OK "Transfer-Encoding: chunked\r\n\r\n", ORIGIN_ENDLESS, "10\r\naaaaaaaaaaaaaaaa\r\n"},
    {"/bad/redirect", "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", ORIGIN_KEEP, NULL},
    /* Right as far as one can tell, but hostile to whoever comes next on the connection. */
    {"/bad/body-too-long", OK "Content-Length: 4\r\n\r\nbody and much more than was announced", ORIGIN_KEEP, NULL},
    {"/bad/once", OK "Content-Length: 4\r\n\r\nbody", ORIGIN_ONCE, NULL}, /* closes when the next request comes */
    {"/bad/keep-then-close", OK "Content-Length: 4\r\n\r\nbody", ORIGIN_CLOSE, NULL},
    {NULL, NULL, ORIGIN_CLOSE, NULL},
};
