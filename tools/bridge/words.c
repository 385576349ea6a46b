/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <string.h>

struct words words_of(const char *text, char separator)
{
    return (struct words){.at = text ? text : "", .separator = separator, .wrong = text == NULL};
}

/* Stand on the next word. */
static bool next(struct words *w)
{
    if (w->begun && !w->wrong) {
        w->wrong = *w->at != w->separator;
        w->at += !w->wrong;
    }
    w->begun = true;
    return !w->wrong;
}

void words_letter(struct words *w, char letter)
{
    if (!next(w))
        return;
    w->wrong = *w->at != letter;
    w->at += !w->wrong;
}

uint64_t words_number(struct words *w, uint64_t least, uint64_t most)
{
    const char *first;
    uint64_t value = 0;

    if (!next(w))
        return 0;
    for (first = w->at; *w->at >= '0' && *w->at <= '9' && !w->wrong; w->at++)
        w->wrong = __builtin_mul_overflow(value, 10, &value) ||
                   __builtin_add_overflow(value, (uint64_t)(*w->at - '0'), &value);
    w->wrong |= w->at == first || value < least || value > most;
    return w->wrong ? 0 : value;
}

void words_skip(struct words *w, unsigned n)
{
    for (; n && next(w); n--)
        while (*w->at && *w->at != w->separator)
            w->at++;
}

void words_subject(struct words *w, char *out, size_t size)
{
    size_t n = 0;

    if (next(w)) {
        while (w->at[n] > ' ' && w->at[n] < 127 && w->at[n] != '*' && w->at[n] != '>' && n < size)
            n++;
        w->wrong = n == 0 || n == size;
    }
    if (w->wrong)
        n = 0;
    memcpy(out, w->at, n);
    out[n] = 0;
    w->at += n;
}

bool words_end(const struct words *w)
{
    return !w->wrong && *w->at == 0;
}
