/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <string.h>

struct ledger *ledger_of(struct stage *st)
{
    return (struct ledger *)(void *)st->memory;
}

static uint64_t mix(uint64_t value, uint64_t i)
{
    uint64_t x = (value + i) * UINT64_C(0x9E3779B97F4A7C15);
    return (x ^ x >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
}

static uint32_t length_of(uint64_t value)
{
    return 8 + 8 * (uint32_t)((value >> 1) % (LEDGER_PAYLOAD / 8));
}

uint32_t ledger_write(uint64_t value, void *payload)
{
    uint64_t words[LEDGER_PAYLOAD / 8] = {value};
    for (uint32_t i = 1; i < LEDGER_PAYLOAD / 8; i++)
        words[i] = mix(value, i);
    memcpy(payload, words, length_of(value));
    return length_of(value);
}

uint64_t ledger_read(const void *payload, uint32_t bytes)
{
    uint64_t words[LEDGER_PAYLOAD / 8];
    if (bytes < 8 || bytes > LEDGER_PAYLOAD)
        return 0;
    memcpy(words, payload, bytes);
    if (length_of(words[0]) != bytes || !(words[0] & 1))
        return 0;
    for (uint32_t i = 1; i < bytes / 8; i++)
        if (words[i] != mix(words[0], i))
            return 0;
    return words[0];
}

struct ledger_entry *ledger_find(struct ledger *l, uint64_t value)
{
    for (uint32_t i = 0; i < l->entries_n; i++)
        if (l->entries[i].value == value)
            return &l->entries[i];
    return NULL;
}

struct ledger_entry *ledger_expect(struct ledger *l, uint64_t value)
{
    struct ledger_entry *e = ledger_find(l, value);
    if (!e)
        e = &l->entries[l->entries_n++ % LEDGER_ENTRIES];
    *e = (struct ledger_entry){.value = value, .least = 1, .most = 1};
    return e;
}

void ledger_see(struct ledger *l, uint64_t value, uint32_t attempts, uint32_t observer)
{
    uint32_t i = __atomic_load_n(&l->seen_n, __ATOMIC_SEQ_CST);

    while (i < LEDGER_SEEN &&
           !__atomic_compare_exchange_n(&l->seen_n, &i, i + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    if (i < LEDGER_SEEN) /* ours alone: two actors that leave at the same time both write here */
        l->seen[i] = (struct ledger_sight){value, attempts, observer};
}

static bool check_sights(struct stage *st)
{
    struct ledger *l = ledger_of(st);
    for (uint32_t i = 0; i < l->seen_n; i++) {
        const struct ledger_sight *s = &l->seen[i];
        const struct ledger_entry *e = s->value ? ledger_find(l, s->value) : NULL;
        if (!e)
            return stage_fail(st, VERDICT_TORN, "delivery %u is nobody's message (%#llx)", i,
                              (unsigned long long)s->value);
        if (s->attempts < e->attempts_least || s->attempts > e->attempts_most)
            return stage_fail(st, VERDICT_BROKEN, "message %#llx came with attempts %u, not %u to %u",
                              (unsigned long long)s->value, s->attempts, e->attempts_least, e->attempts_most);
        for (uint32_t k = 0; k < i && !l->unordered; k++) {
            const struct ledger_sight *before = &l->seen[k];
            if (before->observer == s->observer && before->value >> 32 == s->value >> 32 && !s->attempts &&
                !before->attempts && before->value > s->value)
                return stage_fail(st, VERDICT_ORDER, "message %#llx came behind %#llx", (unsigned long long)s->value,
                                  (unsigned long long)before->value);
        }
    }
    return true;
}

bool ledger_close(struct stage *st)
{
    struct ledger *l = ledger_of(st);
    uint32_t slack = l->slack;
    bool oldest = true; /* only while nothing was found that is older */
    if (!check_sights(st))
        return false;
    for (uint32_t i = 0; i < l->entries_n; i++) {
        const struct ledger_entry *e = &l->entries[i];
        uint32_t n = 0;
        for (uint32_t k = 0; k < l->seen_n; k++)
            n += l->seen[k].value == e->value;
        if (n > e->most)
            return stage_fail(st, VERDICT_DUPLICATED, "message %#llx was delivered %u times, %u at most",
                              (unsigned long long)e->value, n, e->most);
        if (n < e->least && slack && (oldest || l->slack_any))
            slack--;
        else if (n < e->least)
            return stage_fail(st, VERDICT_LOST, "message %#llx was delivered %u times, %u at least",
                              (unsigned long long)e->value, n, e->least);
        else
            oldest = false;
    }
    return true;
}
