/* SPDX-License-Identifier: MIT */
#include "bin.h"

void bin_empty(struct bin *bin)
{
    while (bin->n)
        natsMsg_Destroy(bin->msg[--bin->n]);
    bin->bytes = 0;
}

void bin_put(struct bin *bin, natsMsg *msg)
{
    if (msg == NULL)
        return;
    bin->msg[bin->n++] = msg;
    bin->bytes += (uint64_t)natsMsg_GetDataLength(msg);
    if (bin->n == BIN_MESSAGES || bin->bytes > BIN_BYTES)
        bin_empty(bin);
}
