/* SPDX-License-Identifier: MIT */
/* An nginx for a bench: its own configuration, its own port, its own folder, gone with the harness. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../worker.h"
#include "fetch.h"

#define FOLDER     "/dev/shm" /* memory: a disk's speed is not ours */
#define START_MOST 500        /* looks, 10 ms each */

static char folder[64], url[160];
static uint16_t port;
static pid_t pid;

static const char config[] =
    "worker_processes 1; daemon off; pid pid; error_log error.log;\n%s"
    "events { worker_connections 1024; }\n"
    "http {\n"
    "  access_log off; keepalive_requests 1000000000; default_type application/octet-stream; sendfile on; tcp_nopush "
    "on;\n"
    "  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;\n"
    "  server { listen 127.0.0.1:%u backlog=512; root %s; location = /small { return 200 \"%s\"; } }\n"
    "}\n";

static int say(char *why, size_t why_bytes, int error, const char *what)
{
    snprintf(why, why_bytes, "not run: %s: %s", what, strerror(-error));
    return error;
}

/* A port that was free a moment ago. */
static int free_port(uint16_t *to)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fine =
        fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && getsockname(fd, (struct sockaddr *)&a, &size) == 0;
    int error = fine ? 0 : -errno;
    if (fd >= 0)
        close(fd);
    *to = ntohs(a.sin_port);
    return error;
}

static int write_config(void)
{
    char path[96], body[FETCH_SMALL_BYTES + 1];
    snprintf(path, sizeof path, "%s/nginx.conf", folder);
    FILE *f = fopen(path, "we");
    if (!f)
        return -errno;
    memset(body, 's', FETCH_SMALL_BYTES);
    body[FETCH_SMALL_BYTES] = 0;
    fprintf(f, config, geteuid() == 0 ? "user root;\n" : "", port, folder, body);
    return fclose(f) ? -errno : 0;
}

/* Words that differ, so that a body that is shifted or cut would show. */
static int write_large(uint64_t bytes)
{
    static uint64_t words[1 << 13];
    char path[96];
    uint64_t n = 0;
    snprintf(path, sizeof path, "%s/large", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), error = 0;
    if (fd < 0)
        return -errno;
    for (uint64_t at = 0; at < bytes && error == 0; at += sizeof words) {
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            words[i] = n++;
        error = write(fd, words, sizeof words) == (ssize_t)sizeof words ? 0 : -EIO;
    }
    return close(fd) < 0 && error == 0 ? -errno : error;
}

static void be_nginx(void)
{
    char path[96], log[96];
    int null = open("/dev/null", O_RDWR);
    snprintf(path, sizeof path, "%s/nginx.conf", folder);
    snprintf(log, sizeof log, "%s/error.log", folder);
    bench_worker_alone();
    signal(SIGTERM, SIG_DFL);
    dup2(null, 2);
    setenv("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin", 1);
    execlp("nginx", "nginx", "-p", folder, "-c", path, "-e", log, (char *)NULL);
    _exit(127);
}

static int await(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < START_MOST; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int fine = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
        close(fd);
        if (fine)
            return 0;
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            pid = 0;
            return -ENOENT;
        }
        nanosleep(&(struct timespec){0, 10000000}, NULL); /* nothing is measured yet */
    }
    return -ETIMEDOUT;
}

int bench_nginx_start(uint64_t large_bytes, char *why, size_t why_bytes)
{
    struct statvfs fs;
    int error = statvfs(FOLDER, &fs) < 0 ? -errno : 0;
    if (error == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < 3 * large_bytes)
        error = -ENOSPC;
    snprintf(folder, sizeof folder, FOLDER "/strait-bench-%d-XXXXXX", getpid());
    if (error == 0 && !mkdtemp(folder))
        error = -errno;
    if (error)
        return say(why, why_bytes, error, FOLDER);
    chmod(folder, 0755);
    error = large_bytes ? write_large(large_bytes) : 0;
    if (error == 0)
        error = free_port(&port);
    if (error == 0)
        error = write_config();
    pid = error ? 0 : fork();
    if (pid == 0 && error == 0)
        be_nginx();
    if (error == 0)
        error = pid < 0 ? -errno : await();
    if (error)
        bench_nginx_stop();
    return error ? say(why, why_bytes, error, "nginx (Debian: nginx-light)") : 0;
}

const char *bench_nginx_url(const char *path)
{
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    return url;
}

const char *bench_nginx_folder(void)
{
    return folder;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void bench_nginx_stop(void)
{
    if (pid > 0) {
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
    }
    pid = 0;
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
