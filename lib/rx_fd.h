/* SPDX-License-Identifier: MIT */
/** What closing a receiver needs of strait/fd.h. */
#ifndef STRAIT_RX_FD_H
#define STRAIT_RX_FD_H

struct strait_endpoint;

/** Close the endpoint's fd, if it has one. */
void strait_rx_fd_close(struct strait_endpoint *endpoint);

#endif
