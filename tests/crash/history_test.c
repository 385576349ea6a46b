/* SPDX-License-Identifier: MIT */
/* The history checker on trial: one good history, and one for each fault that it must see. */
#include <stdio.h>
#include <string.h>

#include "history.h"

enum { N = 6 };

static int expect(const char *what, struct history_sight *sights, size_t n, uint64_t slack, bool unordered,
                  const char *verdict)
{
    static const uint8_t sent[N] = {HISTORY_SENT, HISTORY_SENT,    HISTORY_CUT,
                                    HISTORY_SENT, HISTORY_REFUSED, HISTORY_SENT};
    struct history_producer p = {sent, N};
    struct history h = {&p, 1, sights, n, slack, false, unordered};
    struct history_verdict v;
    history_judge(&h, &v);
    const char *is = v.lost ? "lost" : v.duplicated ? "duplicated" : v.torn ? "torn" : v.disordered ? "order" : "good";
    printf("%s  %s: %s\n", strcmp(is, verdict) ? "FAIL" : "ok  ", what, is);
    return strcmp(is, verdict) != 0;
}

#define SIGHT(i, attempts, released)                                                                                   \
    {                                                                                                                  \
        HISTORY_VALUE(0, i), attempts, released, 0, 1                                                                  \
    }
#define EXPECT_IN(what, slack, unordered, verdict, ...)                                                                \
    expect(what, (struct history_sight[]){__VA_ARGS__},                                                                \
           sizeof((struct history_sight[]){__VA_ARGS__}) / sizeof(struct history_sight), slack, unordered, verdict)
#define EXPECT(what, slack, verdict, ...) EXPECT_IN(what, slack, false, verdict, __VA_ARGS__)

int main(void)
{
    int bad = 0;
    bad += EXPECT("all there", 0, "good", SIGHT(0, 0, 1), SIGHT(1, 0, 1), SIGHT(3, 0, 1), SIGHT(5, 0, 1));
    bad += EXPECT("a cut one arrived", 0, "good", SIGHT(0, 0, 1), SIGHT(1, 0, 1), SIGHT(2, 0, 1), SIGHT(3, 0, 1),
                  SIGHT(5, 0, 1));
    bad += EXPECT("one missing", 0, "lost", SIGHT(0, 0, 1), SIGHT(3, 0, 1), SIGHT(5, 0, 1));
    bad += EXPECT("one missing with its receiver", 1, "good", SIGHT(0, 0, 1), SIGHT(3, 0, 1), SIGHT(5, 0, 1));
    bad += EXPECT("redelivered", 0, "good", SIGHT(0, 0, 0), SIGHT(1, 0, 1), SIGHT(3, 0, 1), SIGHT(5, 0, 1),
                  SIGHT(0, 1, 1));
    bad += EXPECT("released, and again", 0, "duplicated", SIGHT(0, 0, 1), SIGHT(1, 0, 1), SIGHT(3, 0, 1),
                  SIGHT(5, 0, 1), SIGHT(0, 1, 1));
    bad += EXPECT("again, unmarked", 0, "duplicated", SIGHT(0, 0, 0), SIGHT(0, 0, 1), SIGHT(1, 0, 1), SIGHT(3, 0, 1),
                  SIGHT(5, 0, 1));
    bad += EXPECT("a refused one arrived", 0, "torn", SIGHT(0, 0, 1), SIGHT(1, 0, 1), SIGHT(3, 0, 1), SIGHT(4, 0, 1),
                  SIGHT(5, 0, 1));
    bad +=
        EXPECT("never sent", 0, "torn", SIGHT(0, 0, 1), SIGHT(1, 0, 1), SIGHT(3, 0, 1), SIGHT(5, 0, 1), SIGHT(9, 0, 1));
    bad += EXPECT("two changed places", 0, "order", SIGHT(1, 0, 1), SIGHT(0, 0, 1), SIGHT(3, 0, 1), SIGHT(5, 0, 1));
    bad += EXPECT_IN("two changed shards", 0, true, "good", SIGHT(1, 0, 1), SIGHT(0, 0, 1), SIGHT(3, 0, 1),
                     SIGHT(5, 0, 1));
    bad += EXPECT_IN("again from another shard", 0, true, "duplicated", SIGHT(1, 0, 1), SIGHT(0, 0, 1), SIGHT(3, 0, 1),
                     SIGHT(5, 0, 1), SIGHT(1, 0, 1));
    return bad != 0;
}
