/* SPDX-License-Identifier: MIT */
/** Names for code addresses of this image and its shared libraries; static functions included. */
#ifndef STRAIT_TESTS_CRASH_SYMBOL_H
#define STRAIT_TESTS_CRASH_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

/** Writes "function+0x12" (or the bare address) to `text`. */
void symbol_name(uint64_t address, char *text, size_t bytes);

#endif
