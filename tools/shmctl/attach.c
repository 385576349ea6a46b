/* SPDX-License-Identifier: MIT */
#include "attach.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/process.h"

int ctl_say_busy(const char *path)
{
    struct ctl_segment s = {.snapshot = NULL};
    struct strait_misfit misfit;
    enum table_colour colour;
    struct ctl_lease l;
    uint32_t holder = 0;

    if (strait_segment_open(&s.map, path, false, false, &misfit) == 0)
        holder = ctl_admin_holder(&s);
    if (holder != 0 && holder < STRAIT_LEASES && ctl_lease(&s, holder, &l))
        ctl_say("%s: the admin lock is held by %s, %s; nothing was changed", path, ctl_lease_name(&l),
                ctl_lease_state(&l, &colour));
    else
        ctl_say("%s: the admin lock is held by somebody; nothing was changed", path);
    ctl_close(&s);
    return CTL_FINDING;
}

int ctl_say_failed(const char *what, int error)
{
    const char *sentence = strait_error();

    ctl_say("%s: %s%s%s", what, strait_strerror(error), *sentence ? ": " : "", sentence);
    return error == -EPROTO || error == -EBADMSG || error == -ESTALE ? CTL_DAMAGED : CTL_FINDING;
}

/* A path into the folder and the name that attach wants. */
static int split(const struct ctl *ctl, const char *name, char *folder, char *base)
{
    char path[PATH_MAX], *slash;
    int r = ctl_path(ctl, name, path);

    if (r != CTL_GOOD)
        return r;
    slash = strrchr(path, '/');
    if (slash == NULL || strncmp(slash + 1, STRAIT_FILE_PREFIX, sizeof STRAIT_FILE_PREFIX - 1) != 0 ||
        strlen(slash + sizeof STRAIT_FILE_PREFIX) >= STRAIT_NAME_BYTES) {
        ctl_say("%s: a segment that is to be changed is a file %sNAME", path, STRAIT_FILE_PREFIX);
        return CTL_USAGE;
    }
    strcpy(base, slash + sizeof STRAIT_FILE_PREFIX);
    snprintf(folder, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return CTL_GOOD;
}

int ctl_attach(const struct ctl *ctl, const char *name, struct strait_segment **segment)
{
    char folder[PATH_MAX], base[STRAIT_NAME_BYTES], path[PATH_MAX];
    struct strait_segment_options options = {
        .attach = STRAIT_OPEN_ONLY, .no_prefault = true, .timeout_ns = CTL_PATIENCE_NS};
    int r = split(ctl, name, folder, base);

    if (r != CTL_GOOD)
        return r;
    options.directory = folder;
    r = strait_attach(base, &options, segment);
    if (r == 0)
        return CTL_GOOD;
    if (r == -ETIMEDOUT && ctl_path(ctl, name, path) == CTL_GOOD)
        return ctl_say_busy(path);
    return ctl_say_failed(name, r);
}

int ctl_open_writable(const struct ctl *ctl, const char *name, struct strait_segment_map *map)
{
    struct strait_misfit misfit = {NULL, 0, 0};
    char path[PATH_MAX], text[256];
    int r = ctl_path(ctl, name, path);

    if (r != CTL_GOOD)
        return r;
    r = strait_segment_open(map, path, true, false, &misfit);
    if (r == 0)
        return CTL_GOOD;
    r = ctl_explain(r, &misfit, text, sizeof text);
    ctl_say("%s: %s", path, text);
    return r;
}

int ctl_attached_view(struct strait_segment *segment, const char *channel, struct strait_channel_view *view)
{
    struct strait_segment_map *map = &segment->map;
    struct strait_object object;
    int r = strait_directory_find(map, channel, STRAIT_KIND_CHANNEL, &object);

    if (r == -ENOENT || r == -ENOTUNIQ) {
        ctl_say("%s has no channel %s", map->path, table_text(channel, STRAIT_NAME_BYTES));
        return CTL_FINDING;
    }
    if (r == 0)
        r = strait_channel_view(map, &object, view);
    if (r == 0)
        return CTL_GOOD;
    ctl_say("%s: channel %s is damaged", map->path, table_text(channel, STRAIT_NAME_BYTES));
    return CTL_DAMAGED;
}

int ctl_as_sender(const struct ctl *ctl, int (*act)(const struct ctl *, struct strait_tx *, void *), void *arg)
{
    struct strait_channel_view view;
    struct strait_segment *segment;
    struct strait_tx *tx;
    int r = ctl_attach(ctl, ctl->word[0], &segment);

    if (r != CTL_GOOD)
        return r;
    r = ctl_attached_view(segment, ctl->word[1], &view); /* opening would make what is not there */
    if (r == CTL_GOOD && (r = strait_tx_open(segment, ctl->word[1], NULL, &tx)) < 0) {
        r = ctl_say_failed(ctl->word[1], r);
    } else if (r == CTL_GOOD) {
        r = act(ctl, tx, arg);
        strait_tx_close(tx);
    }
    strait_detach(segment);
    return r;
}

int ctl_as_receiver(const struct ctl *ctl, int (*act)(const struct ctl *, struct strait_rx *))
{
    struct strait_channel_view view;
    struct strait_segment *segment;
    struct strait_rx *rx;
    int r = ctl_attach(ctl, ctl->word[0], &segment);

    if (r != CTL_GOOD)
        return r;
    r = ctl_attached_view(segment, ctl->word[1], &view);
    if (r == CTL_GOOD && (r = strait_rx_open(segment, ctl->word[1], NULL, &rx)) < 0) {
        r = ctl_say_failed(ctl->word[1], r);
    } else if (r == CTL_GOOD) {
        r = act(ctl, rx);
        strait_rx_close(rx);
    }
    strait_detach(segment);
    return r;
}
