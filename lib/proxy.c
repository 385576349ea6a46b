/* SPDX-License-Identifier: MIT */
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- one proxy ---- */

static int strait_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* "user:pass%40word" to its bytes, in place. */
static size_t strait_percent_decode(char *text)
{
    size_t n = 0;

    for (const char *at = text; *at; at++) {
        int value = (unsigned char)*at;
        if (*at == '%' && strait_hex(at[1]) >= 0 && strait_hex(at[2]) >= 0) {
            value = strait_hex(at[1]) * 16 + strait_hex(at[2]);
            at += 2;
        }
        text[n++] = (char)value;
    }
    return n;
}

/* "Basic " and base64 of the bytes: RFC 7617. */
static char *strait_basic(const char *from, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(6 + (bytes + 2) / 3 * 4 + 1), *to = text;

    if (!text)
        return NULL;
    to += sprintf(to, "Basic ");
    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t three = (uint32_t)(unsigned char)from[i] << 16;
        if (i + 1 < bytes)
            three |= (uint32_t)(unsigned char)from[i + 1] << 8;
        if (i + 2 < bytes)
            three |= (unsigned char)from[i + 2];
        *to++ = digits[three >> 18];
        *to++ = digits[three >> 12 & 63];
        *to++ = i + 1 < bytes ? digits[three >> 6 & 63] : '=';
        *to++ = i + 2 < bytes ? digits[three & 63] : '=';
    }
    *to = 0;
    return text;
}

static int strait_proxy_read(struct strait_proxy *proxy, const char *value)
{
    size_t host, scheme = strstr(value, "://") ? (size_t)(strstr(value, "://") - value) + 3 : 0;
    const char *authority = value + scheme, *at;
    char *text, *user;

    proxy->set = true;
    if (scheme && strncasecmp(value, "http://", 7) != 0) {
        proxy->why = "the environment names a proxy that is not http://";
        return 0;
    }
    host = strcspn(authority, "/?#");
    at = memrchr(authority, '@', host);
    if (at) {
        user = strndup(authority, (size_t)(at - authority));
        if (!user)
            return -ENOMEM;
        proxy->secret = strait_basic(user, strait_percent_decode(user));
        free(user);
        host -= (size_t)(at + 1 - authority);
        authority = at + 1;
    }
    if (asprintf(&text, "http://%.*s", (int)host, authority) < 0 || (at && !proxy->secret))
        return -ENOMEM;
    if (strait_url_parse(&proxy->url, text, &proxy->why) == 0)
        proxy->why = NULL;
    free(text);
    proxy->url.authority = proxy->url.target = NULL;
    return 0;
}

static int strait_proxy_from(struct strait_proxy *proxy, const char *const *names)
{
    for (; *names; names++) {
        const char *value = getenv(*names);
        if (value && *value)
            return strait_proxy_read(proxy, value);
    }
    return 0;
}

int strait_proxies_load(struct strait_proxies *proxies)
{
    const char *none = getenv("no_proxy") ? getenv("no_proxy") : getenv("NO_PROXY");
    int error = strait_proxy_from(&proxies->http, (const char *[]){"http_proxy", "all_proxy", "ALL_PROXY", NULL});

    if (error == 0)
        error = strait_proxy_from(&proxies->https,
                                  (const char *[]){"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL});
    if (error == 0 && none) {
        proxies->none = strdup(none);
        error = proxies->none ? 0 : -ENOMEM;
    }
    return error;
}

void strait_proxies_free(struct strait_proxies *proxies)
{
    free(proxies->http.secret);
    free(proxies->https.secret);
    free(proxies->none);
    *proxies = (struct strait_proxies){0};
}

/* ---- for whom ---- */

static bool strait_is_loopback(const char *host)
{
    struct in_addr v4;

    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* One entry of no_proxy: a host and all below it, perhaps with a port; a v6 address, in [] or not. */
static bool strait_proxy_spares(const char *entry, size_t n, const struct strait_url *url)
{
    const char *bracket = *entry == '[' ? memchr(entry, ']', n) : NULL, *colon = memrchr(entry, ':', n);
    size_t host = strlen(url->host);

    if (n == 1 && *entry == '*')
        return true;
    if (colon && (bracket ? colon < bracket : memchr(entry, ':', n) != colon))
        colon = NULL; /* inside a v6 address */
    if (colon && strtoul(colon + 1, NULL, 10) != url->port)
        return false;
    n = bracket ? (size_t)(bracket - entry) : colon ? (size_t)(colon - entry) : n;
    while (n && (*entry == '.' || *entry == '[')) {
        entry++;
        n--;
    }
    if (n == 0 || n > host || strncasecmp(url->host + host - n, entry, n) != 0)
        return false;
    return n == host || url->host[host - n - 1] == '.';
}

const struct strait_proxy *strait_proxy_for(const struct strait_proxies *proxies, const struct strait_url *url)
{
    const struct strait_proxy *proxy = url->scheme == STRAIT_SCHEME_HTTPS ? &proxies->https : &proxies->http;
    const char *at = proxies->none ? proxies->none : "";

    if (!proxy->set || strait_is_loopback(url->host))
        return NULL;
    while (*at) {
        size_t n;
        at += strspn(at, ", \t");
        n = strcspn(at, ", \t");
        if (n && strait_proxy_spares(at, n, url))
            return NULL;
        at += n;
    }
    return proxy;
}
