/* SPDX-License-Identifier: MIT */
/**
 * Which requests go through a proxy: http_proxy (lower case only: HTTP_PROXY is what a CGI's client may set), https_proxy,
 * all_proxy, no_proxy, as other tools read them. Loopback is never behind a proxy. Only http:// proxies; https goes through
 * them in a tunnel (CONNECT).
 */
#ifndef STRAIT_PROXY_H
#define STRAIT_PROXY_H

#include "url.h"

struct strait_proxy {
    struct strait_url url; /* of the proxy: scheme http, host, port; its texts are not set */
    char *secret;          /* "Basic …", or NULL */
    const char *why;       /* set: the environment's value is no proxy that we can use */
    bool set;
};

struct strait_proxies {
    struct strait_proxy http, https;
    char *none; /* no_proxy */
};

/* From the environment. 0, -ENOMEM. */
int strait_proxies_load(struct strait_proxies *proxies);
void strait_proxies_free(struct strait_proxies *proxies);

/* The proxy for a URL, or NULL: go there directly. */
const struct strait_proxy *strait_proxy_for(const struct strait_proxies *proxies, const struct strait_url *url);

#endif
