/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kill.h"

static struct pair_of_numbers *numbers(int i)
{
    return strait_region_data(my.region[i]);
}

static void set(int i, uint64_t value)
{
    numbers(i)->a = value;
    numbers(i)->b = value;
}

/* ---- what actors do ---- */

/* In a pair, one may wait for the other, who is stopped: not for long. */
static uint64_t patience(void)
{
    return strait_after_ns(my.wait_ns);
}

static int act_lock(struct stage *st, int who)
{
    (void)st, (void)who;
    return strait_region_lock(my.region[0], patience());
}

static int act_unlock(struct stage *st, int who)
{
    (void)st, (void)who;
    return strait_region_unlock(my.region[0]);
}

/* Lock, write, unlock: the whole of it. 0, or why not. */
static int update(uint64_t deadline_ns)
{
    int r = strait_region_lock(my.region[0], deadline_ns);

    if (r == 1) {
        numbers(0)->a = numbers(0)->b;
        strait_region_heal(my.region[0]);
    }
    if (r < 0)
        return r;
    numbers(0)->a = numbers(0)->a + 1;
    numbers(0)->b = numbers(0)->b + 1;
    return strait_region_unlock(my.region[0]);
}

static int act_update(struct stage *st, int who)
{
    (void)st, (void)who;
    return update(patience());
}

static int act_try_update(struct stage *st, int who)
{
    (void)st, (void)who;
    return update(STRAIT_NOW);
}

static int act_heal(struct stage *st, int who)
{
    (void)st, (void)who;
    set(0, KILL_FIRST + 1);
    return strait_region_heal(my.region[0]);
}

static int act_lock_for_heal(struct stage *st, int who)
{
    (void)st, (void)who;
    return strait_region_lock_for_heal(my.region[0], patience());
}

static int act_read(struct stage *st, int who)
{
    int r = strait_region_read_lock(my.region[0], patience());

    if (r < 0)
        return r;
    st->actor[who].facts[0] = numbers(0)->a;
    st->actor[who].facts[1] = numbers(0)->b;
    strait_region_read_unlock(my.region[0]);
    return r;
}

static int act_read_unlock(struct stage *st, int who)
{
    st->actor[who].facts[0] = st->actor[who].facts[1] = KILL_FIRST; /* a reader: nothing to be counted */
    return strait_region_read_unlock(my.region[0]);
}

/* An atomic region, whole: the same update through the spare copy. */
static int act_publish(struct stage *st, int who)
{
    struct pair_of_numbers *spare;
    int r = strait_region_lock(my.region[0], patience());

    (void)st, (void)who;
    if (r < 0)
        return r;
    strait_region_begin(my.region[0], (void **)&spare);
    spare->a = spare->a + 1;
    spare->b = spare->b + 1;
    strait_region_commit(my.region[0]);
    return strait_region_unlock(my.region[0]);
}

static int act_snapshot(struct stage *st, int who)
{
    return strait_region_snapshot(my.region[0], st->actor[who].facts, 16, patience());
}

/* Numbers move from one region to another; their sum stays. */
static int move(int from, int to)
{
    struct strait_region *both[] = {my.region[from], my.region[to]};
    int r = strait_region_lock_all(both, 2, patience());

    if (r < 0)
        return r;
    if (r == 1) { /* somebody died between the two: the first one says what the other must be */
        set(0, numbers(0)->b);
        set(2, 2 * KILL_FIRST - numbers(0)->b);
    }
    set(from, numbers(from)->a - 1);
    set(to, numbers(to)->a + 1);
    for (int i = 0; i < 2; i++)
        strait_region_heal(both[i]);
    return strait_region_unlock_all(both, 2);
}

static int act_move(struct stage *st, int who)
{
    (void)st;
    return who == 0 ? move(0, 2) : move(2, 0);
}

static int act_lock_all(struct stage *st, int who)
{
    struct strait_region *all[] = {my.region[2], my.region[0], my.region[1]};
    (void)st, (void)who;
    return strait_region_lock_all(all, KILL_REGIONS, patience());
}

static int act_add(struct stage *st, int who)
{
    (void)st, (void)who;
    return strait_counter_add(my.counter, 5);
}

static int act_reopen_counter(struct stage *st, int who)
{
    (void)st, (void)who;
    strait_counter_close(my.counter);
    my.counter = NULL;
    return strait_counter_open(my.segment, "n", NULL, &my.counter);
}

static int act_reopen(struct stage *st, int who)
{
    (void)st, (void)who;
    strait_region_close(my.region[0]);
    my.region[0] = NULL;
    return strait_region_open(my.segment, "r0", NULL, &my.region[0]);
}

static int act_unlink(struct stage *st, int who)
{
    (void)st, (void)who;
    return strait_region_unlink(my.segment, "r1");
}

/* ---- before and after ---- */

static int enter_lock(struct stage *st, int who)
{
    int r = act_lock(st, who);
    if (r >= 0)
        set(0, KILL_FIRST + 1);
    return r;
}

static int enter_write(struct stage *st, int who)
{
    struct pair_of_numbers *spare;
    int r = act_lock(st, who);
    if (r >= 0)
        strait_region_begin(my.region[0], (void **)&spare), spare->a = spare->b = KILL_FIRST + 1;
    return r;
}

static int act_commit(struct stage *st, int who)
{
    (void)st, (void)who;
    return strait_region_commit(my.region[0]);
}

static int enter_read(struct stage *st, int who)
{
    (void)st, (void)who;
    return strait_region_read_lock(my.region[0], patience());
}

static void leave_unlock(struct stage *st, int who)
{
    (void)st, (void)who;
    strait_region_unlock(my.region[0]);
}

static void leave_healed(struct stage *st, int who)
{
    (void)st, (void)who;
    strait_region_heal(my.region[0]);
    strait_region_unlock(my.region[0]);
}

static void leave_all(struct stage *st, int who)
{
    (void)st, (void)who;
    strait_region_unlock_all(my.region, KILL_REGIONS);
}

/* Somebody died in region 0. */
static bool prepare_suspect(struct stage *st)
{
    pid_t pid = fork();

    if (pid == 0) {
        my = (struct hands){NULL};
        _exit(kill_open(st, STRAIT_OPEN_ONLY, PLAIN) && strait_region_lock(my.region[0], STRAIT_NOW) == 0 ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, NULL, 0) == pid && strait_sweep_dead(my.segment) == 1;
}

static bool prepare_poisoned(struct stage *st)
{
    return prepare_suspect(st) && strait_region_lock(my.region[0], patience()) == 1 &&
           strait_region_unlock(my.region[0]) == 0;
}

/* The actor goes first: it holds what the survivor then waits for. */
static void let_enter(const struct stage *st)
{
    while (!__atomic_load_n(&st->actor[0].entered, __ATOMIC_SEQ_CST))
        sched_yield();
}

static int sleep_lock(struct stage *st)
{
    let_enter(st);
    __atomic_store_n(&st->sleeping, 1, __ATOMIC_SEQ_CST);
    return strait_region_lock(my.region[0], patience());
}

static int sleep_read(struct stage *st)
{
    let_enter(st);
    __atomic_store_n(&st->sleeping, 1, __ATOMIC_SEQ_CST);
    return strait_region_read_lock(my.region[0], patience());
}

/* ---- what must hold ---- */

static bool wrong(struct stage *st, int r, const char *what)
{
    return stage_fail(st, r == -ETIMEDOUT ? VERDICT_HUNG : VERDICT_BROKEN, "%s: %s (%s)", what, strait_strerror(r),
                      strait_error());
}

/* The survivor has region 0, told `r`. Sound data are whole, and what was promised; then all goes on. */
static bool judge_had(struct stage *st, int r, uint64_t least)
{
    uint64_t a, b;

    if (r < 0)
        return wrong(st, r, "the next lock");
    a = numbers(0)->a, b = numbers(0)->b;
    if (r == 0 && (a != b || a < least))
        return stage_fail(st, VERDICT_TORN, "sound, and it is %llu, %llu", (unsigned long long)a,
                          (unsigned long long)b);
    if (r == 1) {
        set(0, least);
        r = strait_region_heal(my.region[0]);
        if (r < 0)
            return wrong(st, r, "heal");
    }
    r = strait_region_unlock(my.region[0]);
    return r == 0 || wrong(st, r, "unlock");
}

/* The lock itself was the operation: dead after it, it died inside. */
static bool judge_lock(struct stage *st, int slept)
{
    int r = strait_region_lock(my.region[0], kill_soon());

    (void)slept;
    if (st->actor[0].fate == FATE_RAN && st->actor[0].result >= 0 && r != 1)
        return stage_fail(st, VERDICT_BROKEN, "its owner died inside, and lock says %d", r);
    return judge_had(st, r, KILL_FIRST);
}

/* No lock was in it: everything is as it was. */
static bool judge_untouched(struct stage *st, int slept)
{
    int r = strait_region_lock(my.region[0], kill_soon());

    (void)slept;
    if (r == 1)
        return stage_fail(st, VERDICT_BROKEN, "nobody died inside, and lock says 1");
    return judge_had(st, r, KILL_FIRST);
}

/* A whole update: counted once for each actor that came back from it. */
static bool judge_update(struct stage *st, int slept)
{
    int r = slept >= 0 ? slept : strait_region_lock(my.region[0], kill_soon());
    uint64_t least = KILL_FIRST;

    for (int i = 0; i < STAGE_ACTORS; i++)
        least += st->actor[i].returned && st->actor[i].result == 0 && st->actor[i].facts[0] == 0;
    return judge_had(st, r, least);
}

/* Locked before the window, unlocked in it. */
static bool judge_unlock(struct stage *st, int slept)
{
    int r = slept >= 0 ? slept : strait_region_lock(my.region[0], kill_soon());

    if (st->actor[0].returned && r != 0)
        return stage_fail(st, VERDICT_BROKEN, "it was unlocked, and lock says %d", r);
    return judge_had(st, r, KILL_FIRST + 1);
}

/* The healer held it: dead, it leaves it suspect in any case; it is never poisoned. */
static bool judge_heal(struct stage *st, int slept)
{
    int r = strait_region_lock(my.region[0], kill_soon());

    (void)slept;
    if (kill_died(st, 0) && r != 1)
        return stage_fail(st, VERDICT_BROKEN, "a healer died inside, and lock says %d", r);
    return judge_had(st, r, KILL_FIRST + 1);
}

/* Suspect, and given back unhealed: suspect or poisoned, never sound; then it can be healed. */
static bool judge_poison(struct stage *st, int slept)
{
    int r = strait_region_lock(my.region[0], kill_soon());

    (void)slept;
    if (r == 1)
        return judge_had(st, 1, KILL_FIRST);
    if (r != -ENOTRECOVERABLE)
        return stage_fail(st, VERDICT_BROKEN, "nobody healed it, and lock says %d", r);
    r = strait_region_lock_for_heal(my.region[0], kill_soon());
    return r == 1 ? judge_had(st, 1, KILL_FIRST) : wrong(st, r, "lock for healing");
}

/* Atomic: old or new, whole, nobody is told; new if the actor came back. */
static bool judge_atomic(struct stage *st, int slept)
{
    uint64_t got[2], least = KILL_FIRST, most = KILL_FIRST;
    int r = strait_region_snapshot(my.region[0], got, sizeof got, kill_soon());

    (void)slept;
    for (int i = 0; i < STAGE_ACTORS; i++) {
        bool reads = st->actor[i].facts[0] != 0;
        least += !reads && st->actor[i].returned && st->actor[i].result == 0;
        most += !reads && st->actor[i].fate != FATE_OPEN;
        if (reads && st->actor[i].returned && st->actor[i].facts[0] != st->actor[i].facts[1])
            return stage_fail(st, VERDICT_TORN, "an actor's snapshot is torn");
    }
    if (r < 0)
        return wrong(st, r, "snapshot");
    if (got[0] != got[1] || got[0] < least || got[0] > most)
        return stage_fail(st, VERDICT_TORN, "a snapshot of %llu, %llu", (unsigned long long)got[0],
                          (unsigned long long)got[1]);
    r = strait_region_lock(my.region[0], kill_soon());
    if (r != 0)
        return wrong(st, r, "an atomic region's lock");
    return strait_region_unlock(my.region[0]) == 0;
}

/* Readers: what they read is whole, and their deaths leave nothing behind. */
static bool judge_readers(struct stage *st, int slept)
{
    for (int i = 0; i < STAGE_ACTORS; i++)
        if (st->actor[i].returned && st->actor[i].result == 0 && st->actor[i].facts[0] != st->actor[i].facts[1])
            return stage_fail(st, VERDICT_TORN, "a reader read %llu, %llu", (unsigned long long)st->actor[i].facts[0],
                              (unsigned long long)st->actor[i].facts[1]);
    if (slept >= 0 && strait_region_read_unlock(my.region[0]) == 0)
        slept = -1; /* it slept as a reader */
    return judge_update(st, slept);
}

static bool judge_only_reader(struct stage *st, int slept)
{
    if (slept > 0)
        return stage_fail(st, VERDICT_BROKEN, "only a reader died, and lock says %d", slept);
    return judge_readers(st, slept);
}

/* A read lock that was taken and not given back. */
static bool judge_sleeping_reader(struct stage *st, int slept)
{
    if (slept < 0)
        return wrong(st, slept, "the sleeping reader");
    if (strait_region_read_unlock(my.region[0]) != 0)
        return wrong(st, -EPERM, "the sleeping reader's unlock");
    return judge_unlock(st, -1);
}

/* Sound regions add up; and nobody is left in any of them. */
static bool judge_all(struct stage *st, int slept)
{
    struct strait_region *all[] = {my.region[0], my.region[1], my.region[2]};
    int r = strait_region_lock_all(all, KILL_REGIONS, kill_soon());
    bool died = kill_died(st, 0) || kill_died(st, 1);
    uint64_t sum = 0;

    (void)slept;
    if (r < 0)
        return wrong(st, r, "the next lock_all");
    if (r == 1 && !died)
        return stage_fail(st, VERDICT_BROKEN, "nobody died, and lock_all says 1");
    for (int i = 0; i < KILL_REGIONS; i++)
        sum += numbers(i)->a;
    if (r == 0 && sum != KILL_REGIONS * KILL_FIRST)
        return stage_fail(st, VERDICT_TORN, "all sound, and the sum is %llu", (unsigned long long)sum);
    for (int i = 0; i < KILL_REGIONS; i++)
        strait_region_heal(all[i]);
    r = strait_region_unlock_all(all, KILL_REGIONS);
    return r == 0 || wrong(st, r, "unlock_all");
}

/* Counted exactly: all that came back, and of the dead all or nothing. */
static bool judge_counter(struct stage *st, int slept)
{
    int64_t sum = -1, least = 0, most = 0;

    (void)slept;
    for (int i = 0; i < STAGE_ACTORS; i++) {
        least += st->actor[i].returned ? 5 : 0;
        most += st->actor[i].fate != FATE_OPEN ? 5 : 0;
    }
    strait_counter_read(my.counter, &sum);
    if (sum < least || sum > most || sum % 5)
        return stage_fail(st, VERDICT_LOST, "the counter is at %lld", (long long)sum);
    strait_sweep_dead(my.segment);
    if (act_reopen_counter(st, 0) < 0 || strait_counter_add(my.counter, 1) < 0)
        return stage_fail(st, VERDICT_BROKEN, "the counter cannot be opened again: %s", strait_error());
    most = -1;
    strait_counter_read(my.counter, &most);
    return most == sum + 1 || stage_fail(st, VERDICT_LOST, "1 more than %lld is %lld", (long long)sum, (long long)most);
}

static bool judge_counter_handles(struct stage *st, int slept)
{
    int64_t sum = -1;

    (void)st, (void)slept;
    strait_counter_read(my.counter, &sum);
    return sum == 0 || stage_fail(st, VERDICT_BROKEN, "nobody added, and the counter is at %lld", (long long)sum);
}

const struct operation operations[] = {
    {"lock", "free", PLAIN, NULL, NULL, act_lock, leave_unlock, NULL, judge_lock, NULL},
    {"lock", "suspect", PLAIN, prepare_suspect, NULL, act_lock, leave_healed, NULL, judge_lock, NULL},
    {"lock", "poisoned", PLAIN, prepare_poisoned, NULL, act_lock, NULL, NULL, judge_poison, NULL},
    {"lock for healing", "poisoned", PLAIN, prepare_poisoned, NULL, act_lock_for_heal, leave_healed, NULL, judge_poison,
     NULL},
    {"lock, write, unlock", "free", PLAIN, NULL, NULL, act_update, NULL, NULL, judge_update, NULL},
    {"unlock", "held", PLAIN, NULL, enter_lock, act_unlock, NULL, NULL, judge_unlock, NULL},
    {"unlock", "held, waiter asleep", PLAIN, NULL, enter_lock, act_unlock, NULL, sleep_lock, judge_unlock, NULL},
    {"heal", "held, suspect", PLAIN, prepare_suspect, enter_lock, act_heal, leave_unlock, NULL, judge_heal, NULL},
    {"unlock unhealed", "held, suspect", PLAIN, prepare_suspect, act_lock, act_unlock, NULL, NULL, judge_poison, NULL},
    {"lock_all", "free", PLAIN, NULL, NULL, act_lock_all, leave_all, NULL, judge_all, NULL},
    {"lock_all", "one suspect", PLAIN, prepare_suspect, NULL, act_move, NULL, NULL, judge_all, NULL},
    {"lock_all, write, unlock_all", "free", PLAIN, NULL, NULL, act_move, NULL, NULL, judge_all, NULL},
    {"commit", "held, written", ATOMIC, NULL, enter_write, act_commit, leave_unlock, NULL, judge_atomic, NULL},
    {"begin, write, commit", "free", ATOMIC, NULL, NULL, act_publish, NULL, NULL, judge_atomic, NULL},
    {"snapshot", "free", ATOMIC, NULL, NULL, act_snapshot, NULL, NULL, judge_atomic, NULL},
    {"rdlock, read, unlock", "free", READERS, NULL, NULL, act_read, NULL, NULL, judge_readers, NULL},
    {"rdunlock", "writer asleep", READERS, NULL, enter_read, act_read_unlock, NULL, sleep_lock, judge_only_reader,
     NULL},
    {"write lock, write, unlock", "free", READERS, NULL, NULL, act_update, NULL, NULL, judge_update, NULL},
    {"write unlock", "reader asleep", READERS, NULL, enter_lock, act_unlock, NULL, sleep_read, judge_sleeping_reader,
     NULL},
    {"counter add", "-", PLAIN, NULL, NULL, act_add, NULL, NULL, judge_counter, NULL},
    {"counter close, open", "-", PLAIN, NULL, NULL, act_reopen_counter, NULL, NULL, judge_counter_handles, NULL},
    {"region close, open", "-", PLAIN, NULL, NULL, act_reopen, NULL, NULL, judge_untouched, NULL},
    {"region close, open", "readers", READERS, NULL, NULL, act_reopen, NULL, NULL, judge_untouched, NULL},
    {"region unlink", "open", PLAIN, NULL, NULL, act_unlink, NULL, NULL, judge_all, NULL},
    /* pairs */
    {"lock / update", "waiting", PLAIN, NULL, NULL, act_lock, leave_unlock, NULL, judge_lock, act_update},
    {"update / update", "tried", PLAIN, NULL, NULL, act_try_update, NULL, NULL, judge_update, act_try_update},
    {"update / update", "waiting", PLAIN, NULL, NULL, act_update, NULL, NULL, judge_update, act_update},
    {"update / update", "suspect", PLAIN, prepare_suspect, NULL, act_update, NULL, NULL, judge_update, act_update},
    {"publish / snapshot", "free", ATOMIC, NULL, NULL, act_publish, NULL, NULL, judge_atomic, act_snapshot},
    {"snapshot / publish", "free", ATOMIC, NULL, NULL, act_snapshot, NULL, NULL, judge_atomic, act_publish},
    {"read / update", "waiting", READERS, NULL, NULL, act_read, NULL, NULL, judge_readers, act_update},
    {"update / read", "waiting", READERS, NULL, NULL, act_update, NULL, NULL, judge_readers, act_read},
    {"update / update", "readers, waiting", READERS, NULL, NULL, act_update, NULL, NULL, judge_update, act_update},
    {"move / move back", "waiting", PLAIN, NULL, NULL, act_move, NULL, NULL, judge_all, act_move},
    {"add / add", "-", PLAIN, NULL, NULL, act_add, NULL, NULL, judge_counter, act_add},
};
const size_t operations_n = sizeof operations / sizeof *operations;
