/* SPDX-License-Identifier: MIT */
/* One number that everybody raises: a counter; each process has its own cache line, and what the dead have added stays. */
#include <signal.h>

#include "guide.h"

static void count(int i)
{
    struct strait_counter *requests;

    must(strait_counter_open(segment, "requests", NULL, &requests));
    for (int n = 0; n < 100000; n++)
        must(strait_counter_add(requests, 1));
    if (i == 0)
        raise(SIGKILL);
    strait_counter_close(requests);
}

int main(void)
{
    struct strait_counter *requests;
    int64_t sum;
    int killed;

    join();
    must(strait_counter_open(segment, "requests", NULL, &requests));
    killed = in_parallel(4, count);
    must(strait_counter_read(requests, &sum));
    printf("%d killed, %lld requests\n", killed, (long long)sum);
    strait_counter_close(requests);
    return leave(killed != 1 || sum != 400000);
}
