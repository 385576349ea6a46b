/* SPDX-License-Identifier: MIT */
#include "strait/error.h"
#include "strait/layout.h"

#define TEXT(x)         #x
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

const char *strait_version(void)
{
    return DOTTED(STRAIT_VERSION_MAJOR, STRAIT_VERSION_MINOR, STRAIT_VERSION_PATCH);
}

uint32_t strait_layout_version(void)
{
    return STRAIT_LAYOUT_VERSION;
}
