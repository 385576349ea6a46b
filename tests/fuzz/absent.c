/* SPDX-License-Identifier: MIT */
/* What handles tell the loop when they go. There is no loop here, so nobody listens; whatever the arguments are. */
void strait_await_orphan(void);
void strait_rx_fd_close(void);

void strait_await_orphan(void)
{
}

void strait_rx_fd_close(void)
{
}
