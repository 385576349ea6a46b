/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface, driven the fast way: curl_multi_socket_action and epoll, easy handles used again, HTTP/1.1,
 * bodies thrown away by a callback that counts. The large body goes to a file as the curl program does it: an easy handle,
 * 100 KiB of buffer, fwrite.
 */
#include "fetch.h"

#ifdef BENCH_HAVE_CURL

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../clock.h"

#define TOOL_BUFFER_BYTES 102400L /* curl(1) */

static CURLM *multi;
static CURL *easy[FETCH_AT_ONCE];
static uint64_t got[FETCH_AT_ONCE]; /* bytes of body */
static int poll_fd = -1;
static long timer_ms = -1;

static size_t count(char *data, size_t one, size_t n, void *to)
{
    (void)data;
    *(uint64_t *)to += one * n;
    return one * n;
}

/* libcurl says which sockets it waits for; one that is known has something as its socketp. */
static int want_socket(CURL *handle, curl_socket_t fd, int what, void *context, void *known)
{
    struct epoll_event e = {.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0),
                            .data.fd = fd};
    (void)handle, (void)context;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(poll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (epoll_ctl(poll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0)
        return -1;
    curl_multi_assign(multi, fd, multi);
    return 0;
}

static int want_timer(CURLM *handle, long ms, void *context)
{
    (void)handle, (void)context;
    timer_ms = ms;
    return 0;
}

static int begin(const char *small_url)
{
    curl_global_init(CURL_GLOBAL_ALL);
    multi = curl_multi_init();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!multi || poll_fd < 0)
        return -ENOMEM;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)FETCH_AT_ONCE);
    for (int i = 0; i < FETCH_AT_ONCE; i++) {
        easy[i] = curl_easy_init();
        if (!easy[i])
            return -ENOMEM;
        curl_easy_setopt(easy[i], CURLOPT_URL, small_url);
        curl_easy_setopt(easy[i], CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy[i], CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy[i], CURLOPT_WRITEFUNCTION, count);
        curl_easy_setopt(easy[i], CURLOPT_WRITEDATA, &got[i]);
        curl_easy_setopt(easy[i], CURLOPT_PRIVATE, &got[i]);
    }
    return 0;
}

/* Those that have ended: checked, and begun again while there is something left to ask for. How many, or -errno. */
static int reap(unsigned *to_ask)
{
    CURLMsg *m;
    int left, done = 0;
    while ((m = curl_multi_info_read(multi, &left))) {
        CURL *handle = m->easy_handle;
        uint64_t *bytes;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(handle, CURLINFO_PRIVATE, &bytes);
        if (m->data.result != CURLE_OK || *bytes != FETCH_SMALL_BYTES)
            return -EPROTO;
        curl_multi_remove_handle(multi, handle);
        *bytes = 0;
        done++;
        if (*to_ask) {
            curl_multi_add_handle(multi, handle);
            --*to_ask;
        }
    }
    return done;
}

static int small(unsigned n)
{
    struct epoll_event events[FETCH_AT_ONCE];
    unsigned to_ask = n, done = 0;
    int running;
    for (int i = 0; i < FETCH_AT_ONCE && to_ask; i++, to_ask--) {
        got[i] = 0;
        curl_multi_add_handle(multi, easy[i]);
    }
    while (done < n) {
        int came = epoll_wait(poll_fd, events, FETCH_AT_ONCE, timer_ms < 0 ? 1000 : (int)timer_ms);
        if (came == 0)
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        for (int i = 0; i < came; i++)
            curl_multi_socket_action(multi, events[i].data.fd,
                                     (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                         (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
                                     &running);
        int r = reap(&to_ask);
        if (r < 0)
            return r;
        done += (unsigned)r;
    }
    return 0;
}

static int body(const char *url, const char *file, uint64_t bytes)
{
    curl_off_t came = 0;
    CURL *one = curl_easy_init();
    FILE *f = fopen(file, "wbe");
    if (!one || !f)
        return -EIO;
    curl_easy_setopt(one, CURLOPT_URL, url);
    curl_easy_setopt(one, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(one, CURLOPT_BUFFERSIZE, TOOL_BUFFER_BYTES);
    curl_easy_setopt(one, CURLOPT_WRITEDATA, f); /* the default function is fwrite */
    CURLcode r = curl_easy_perform(one);
    curl_easy_getinfo(one, CURLINFO_SIZE_DOWNLOAD_T, &came);
    curl_easy_cleanup(one);
    return fclose(f) || r != CURLE_OK || (uint64_t)came != bytes ? -EIO : 0;
}

static uint64_t cpu_ns(void)
{
    return bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void end(void)
{
    for (int i = 0; i < FETCH_AT_ONCE; i++)
        curl_easy_cleanup(easy[i]);
    curl_multi_cleanup(multi);
    close(poll_fd);
}

const struct bench_fetcher bench_fetcher_curl = {
    .begin = begin, .small = small, .body = body, .cpu_ns = cpu_ns, .end = end};

#else

const struct bench_fetcher bench_fetcher_curl = {.absent = "libcurl4-openssl-dev"};

#endif
