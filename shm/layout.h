/* SPDX-License-Identifier: MIT */
/** The layout's own description: sizes and offsets by name, so that two builds that differ can say where. */
#ifndef STRAIT_SHM_LAYOUT_H
#define STRAIT_SHM_LAYOUT_H

#include "strait/layout.h"

struct strait_layout_field {
    const char *name;
    uint32_t value;
};

extern const struct strait_layout_field strait_layout_fields[];
extern const uint32_t strait_layout_fields_n;

/** FNV-1a (Fowler, Noll, Vo) over n values. */
uint64_t strait_layout_fingerprint(const uint32_t *values, uint32_t n);

#endif
