/* SPDX-License-Identifier: MIT */
/**
 * What other machines have written into a header, a subject or an answer, read word by word. Whoever may publish to our
 * subjects may have written it: a number is digits and nothing else, within its limit, or the whole text is none of ours.
 * Nothing is guessed, cut off or wrapped round; after the first word that is wrong all others are, too.
 */
#ifndef STRAIT_TOOLS_BRIDGE_WORDS_H
#define STRAIT_TOOLS_BRIDGE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct words {
    const char *at; /* the separator before the next word, or the first word */
    char separator;
    bool begun, wrong;
};

/** From the text's first word; NULL is wrong. The text must stay as long as it is read. */
struct words words_of(const char *text, char separator);

/** A word of this one letter. */
void words_letter(struct words *words, char letter);

/** A decimal number from `least` to `most`; 0 if it is wrong. */
uint64_t words_number(struct words *words, uint64_t least, uint64_t most);

/** The next `n` words, whatever they are. */
void words_skip(struct words *words, unsigned n);

/** A subject to publish to, the last word: out[size]; empty if it is wrong. */
void words_subject(struct words *words, char *out, size_t size);

/** Was all of it right, and is nothing left? */
bool words_end(const struct words *words);

#endif
