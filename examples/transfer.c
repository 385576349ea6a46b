/* SPDX-License-Identifier: MIT */
/* Two accounts, many processes, transfers in opposite directions: transfer [PROCESSES [TRANSFERS]]. Locking "mine first,
 * yours second" would deadlock; strait_region_lock_all takes both in the one order that is the same in every process. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strait/strait.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST 1000000

struct account {
    int64_t balance;
};

static struct strait_segment *segment;
static struct strait_region *account[2];

static void must(int r)
{
    if (r >= 0)
        return;
    fprintf(stderr, "%s\n", *strait_error() ? strait_error() : strait_strerror(r));
    exit(1);
}

static void open_accounts(const char *name)
{
    static const struct account first = {FIRST};
    struct strait_region_options options = {.bytes = sizeof first, .initial = &first};

    must(strait_attach(name, NULL, &segment));
    must(strait_region_open(segment, "mine", &options, &account[0]));
    must(strait_region_open(segment, "yours", &options, &account[1]));
}

static int64_t *balance(int i)
{
    return &((struct account *)strait_region_data(account[i]))->balance;
}

static void transfer(int from, int64_t amount)
{
    struct strait_region *both[] = {account[from], account[!from]};

    must(strait_region_lock_all(both, 2, STRAIT_FOREVER));
    *balance(from) -= amount;
    *balance(!from) += amount;
    must(strait_region_unlock_all(both, 2));
}

int main(int argc, char **argv)
{
    long processes = argc > 1 ? strtol(argv[1], NULL, 10) : 8, transfers = argc > 2 ? strtol(argv[2], NULL, 10) : 20000;
    int bad = 0, status;
    char name[32];

    snprintf(name, sizeof name, "example-transfer-%d", getpid());
    open_accounts(name);
    for (long p = 0; p < processes; p++)
        if (fork() == 0) {
            open_accounts(name); /* a child attaches itself */
            for (long i = 0; i < transfers; i++)
                transfer((int)(p % 2), 1 + i % 7);
            _exit(0);
        }
    while (wait(&status) > 0)
        bad += status != 0;
    must(strait_region_lock_all(account, 2, STRAIT_FOREVER));
    printf("%ld processes, %ld transfers each: %" PRId64 " + %" PRId64 " = %" PRId64 "\n", processes, transfers,
           *balance(0), *balance(1), *balance(0) + *balance(1));
    bad += *balance(0) + *balance(1) != 2 * FIRST;
    must(strait_region_unlock_all(account, 2));
    strait_detach(segment);
    strait_segment_remove(name, NULL);
    return bad != 0;
}
