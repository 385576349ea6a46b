/* SPDX-License-Identifier: MIT */
#include "inbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mutex.h"

int strait_inbox_open(struct strait_inbox *inbox)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    *inbox = (struct strait_inbox){.fd = fd};
    inbox->last = &inbox->first;
    return 0;
}

void strait_inbox_close(struct strait_inbox *inbox)
{
    close(inbox->fd);
}

void strait_inbox_post(struct strait_inbox *inbox, struct strait_letter *letter)
{
    bool ring;

    letter->next = NULL;
    strait_mutex_lock(&inbox->lock);
    *inbox->last = letter;
    inbox->last = &letter->next;
    ring = !inbox->rung;
    inbox->rung = true;
    /* under the lock: once the letter can be read, its reader may close the inbox */
    if (ring)
        eventfd_write(inbox->fd, 1);
    strait_mutex_unlock(&inbox->lock);
}

uint32_t strait_inbox_take(struct strait_inbox *inbox)
{
    struct strait_letter *letter, *next;
    eventfd_t count;
    uint32_t n = 0;

    strait_mutex_lock(&inbox->lock);
    letter = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    if (inbox->rung)
        eventfd_read(inbox->fd, &count);
    inbox->rung = false;
    strait_mutex_unlock(&inbox->lock);
    for (; letter; letter = next, n++) {
        next = letter->next;
        letter->read(letter);
    }
    return n;
}
