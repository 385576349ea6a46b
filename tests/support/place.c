/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

void place_new(void)
{
    strcpy(dir, "/dev/shm/strait-test-XXXXXX");
    if (mkdtemp(dir) == NULL)
        err(99, "%s", dir);
    setenv("STRAIT_DIR", dir, 1);
}

const char *place_dir(void)
{
    return dir;
}

const char *place_path(const char *file)
{
    static _Thread_local char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return path;
}

/* Calls `visit` for each file and says how many there are. */
static int each_file(int (*visit)(const char *path))
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int n = 0;

    while (d && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        n++;
        if (visit)
            visit(place_path(e->d_name));
    }
    if (d)
        closedir(d);
    return n;
}

void place_free(void)
{
    each_file(remove);
    rmdir(dir);
    unsetenv("STRAIT_DIR");
}

int place_files(void)
{
    return each_file(NULL);
}

void place_write(const char *file, const void *bytes, size_t n)
{
    int fd = open(place_path(file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        err(99, "%s", place_path(file));
    close(fd);
}

void place_patch(const char *file, uint64_t off, const void *bytes, size_t n)
{
    int fd = open(place_path(file), O_WRONLY | O_CLOEXEC);

    if (fd < 0 || pwrite(fd, bytes, n, (off_t)off) != (ssize_t)n)
        err(99, "%s", place_path(file));
    close(fd);
}

int place_setup(void **state)
{
    (void)state;
    place_new();
    return 0;
}

int place_teardown(void **state)
{
    (void)state;
    place_free();
    return 0;
}
