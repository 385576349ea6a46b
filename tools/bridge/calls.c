/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include <string.h>

#include "words.h"

#define ERRNO_MOST 4095

/* The header's letter, if it is one of these; else 0. */
static char begin(const char *header, const char *letters, struct words *w)
{
    char letter = header ? *header : 0;

    *w = words_of(header, ' ');
    if (letter == 0 || strchr(letters, letter) == NULL)
        return 0;
    words_letter(w, letter);
    return letter;
}

bool calls_read_request(const char *header, struct calls_request *request)
{
    struct calls_request q = {0};
    struct words w;

    q.letter = begin(header, "QM", &w);
    q.tag = (uint16_t)words_number(&w, 0, UINT16_MAX);
    if (q.letter == 'Q') {
        q.attempt = (uint32_t)words_number(&w, 0, UINT32_MAX);
        q.window = (uint32_t)words_number(&w, 1, UINT32_MAX);
        q.left_us = words_number(&w, 0, UINT64_MAX / 1000);
    }
    if (!q.letter || !words_end(&w))
        return false;
    *request = q;
    return true;
}

bool calls_read_reply(const char *header, bool plain, struct calls_reply *reply)
{
    struct calls_reply r = {0};
    struct words w;

    r.letter = begin(header, plain ? "BDE" : "PABEU", &w);
    if (r.letter == 'P' || r.letter == 'A')
        r.number = (uint32_t)words_number(&w, 0, UINT32_MAX);
    if (r.letter == 'P') {
        r.tag = (uint16_t)words_number(&w, 0, UINT16_MAX);
        r.flags = (uint16_t)words_number(&w, 0, UINT16_MAX);
    }
    if (r.letter == 'P' || r.letter == 'A')
        words_subject(&w, r.call, sizeof r.call);
    if (r.letter == 'E')
        r.number = (uint32_t)words_number(&w, 1, ERRNO_MOST);
    if (!r.letter || !words_end(&w))
        return false;
    *reply = r;
    return true;
}

bool calls_read_word(const char *header, uint32_t sent, struct calls_word *word)
{
    struct calls_word k = {0};
    struct words w;

    k.letter = begin(header, "WKC", &w);
    if (k.letter != 'C')
        k.parts = (uint32_t)words_number(&w, 0, sent);
    if (!k.letter || !words_end(&w))
        return false;
    *word = k;
    return true;
}
