/* SPDX-License-Identifier: MIT */
/**
 * Channels in other people's loops: an fd to poll for POLLIN (level-triggered) beside sockets, in epoll, libuv, asyncio, ….
 * Sending never touches it: a helper thread of this process turns the bell into the fd, and only while it is armed.
 *
 * The contract, each time:
 *   1. receive until -EAGAIN (or -EPIPE: it is over)
 *   2. strait_rx_arm: 1 = something has come meanwhile, begin again; 0 = nothing is there, and from now on the fd tells
 *   3. poll; when the fd is readable, begin again
 * Receiving without arming, or polling without draining, waits for ever. The fd may be readable with nothing there (about
 * once a second it is, so that nothing can be slept through). A loop of strait's own needs none of this: await.h.
 */
#ifndef STRAIT_FD_H
#define STRAIT_FD_H

#include <strait/channel.h>

STRAIT_BEGIN_DECLS

/**
 * The receiver's fd, made at the first call. It is the receiver's: strait_rx_close closes it; never read it, take it out of
 * your loop before. Thread as the rx. The fd, -EOPNOTSUPP a channel made `busy`, -EMFILE, -ENFILE, -ENOMEM, -ECHILD.
 */
STRAIT_API int strait_rx_fd(struct strait_rx *rx);

/**
 * Before polling: 0 nothing is there, the fd becomes readable when something is, when the channel ends, and (within
 * 120 ms, 1.1 s at most) when a death has changed something; 1 something is there, or the channel has ended: receive first.
 * Never blocks. -EAGAIN no helper thread could be started; else as strait_rx_fd. Thread as the rx.
 */
STRAIT_API int strait_rx_arm(struct strait_rx *rx);

STRAIT_END_DECLS

#endif
