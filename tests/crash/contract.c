/* SPDX-License-Identifier: MIT */
/**
 * The crash contract, tried out: every row of docs/CRASH_CONTRACT.md in every state that makes a difference, killed at
 * every instruction, and pairs of operations that preempt each other.
 *
 *   contract [--quick] [--jobs N] [--stride N] [--pair-stride N] [--two N] [--only TEXT] [--kills | --schedules] [--list | --rows] [--table] [--json]
 *
 * --quick is what the test suite runs: every instruction that changes something, and some others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cast.h"
#include "explore.h"
#include "report.h"

#define ONE  STRAIT_ONE
#define MANY STRAIT_MANY
#define LAST ((UINT64_C(1) << 40) - 2)

static const struct operation
    /* what is different where messages of one sender lie in several rings */
    *const in_turn[] = {&op_send,      &op_send_many,  &op_send_array, &op_send_blocked, &op_claim,        &op_recv,
                        &op_recv_many, &op_recv_array, &op_peek,       &op_shut,         &op_recv_blocked, &op_sweep,
                        NULL},
           /* and where nothing has to be stolen */
    *const at_home[] = {&op_send,       &op_send_blocked, &op_recv,    &op_recv_many,
                        &op_recv_array, &op_peek,         &op_release, &op_recv_blocked,
                        &op_shut,       &op_sweep,        NULL};

/* A state says which kinds of channel it is tried on. */
static const struct {
    const char *name;
    enum strait_ends senders, receivers;
    enum strait_full full;
    uint32_t lanes, shards;
    enum strait_spread spread;
    bool at_home;
    const struct operation *const *only; /* NULL: all */
    bool packed;
} kinds[] = {
    {"1-1", ONE, ONE, STRAIT_FULL_WAIT, 0},
    {"n-1", MANY, ONE, STRAIT_FULL_WAIT, 0},
    {"1-n", ONE, MANY, STRAIT_FULL_WAIT, 0},
    {"n-n", MANY, MANY, STRAIT_FULL_WAIT, 0},
    {"1-1 drop-oldest", ONE, ONE, STRAIT_FULL_DROP_OLDEST, 0},
    {"n-n drop-oldest", MANY, MANY, STRAIT_FULL_DROP_OLDEST, 0},
    {"lanes-1", MANY, ONE, STRAIT_FULL_WAIT, 4},
    {"lanes-n", MANY, MANY, STRAIT_FULL_WAIT, 4},
    /* processes are at home in different shards: an actor steals what the survivor sent */
    {"shards", MANY, MANY, STRAIT_FULL_WAIT, 0, 2},
    {"shards by key", MANY, MANY, STRAIT_FULL_WAIT, 0, 2, STRAIT_SPREAD_KEY},
    {"shards in turn", MANY, MANY, STRAIT_FULL_WAIT, 0, 2, STRAIT_SPREAD_TURN, false, in_turn},
    {"shards at home", MANY, MANY, STRAIT_FULL_WAIT, 0, 2, STRAIT_SPREAD_NODE, true, at_home},
    {"1-1 packed", ONE, ONE, .packed = true},
    {"n-n packed", MANY, MANY, .packed = true},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))
enum { SHARDS = 8, BY_KEY, IN_TURN, AT_HOME };

/* What the contract says of these kinds alone. */
static const struct {
    size_t kind;
    const struct operation *op;
    const char *row;
} own_rows[] = {
    {SHARDS, &op_send, "send to the own shard"},
    {AT_HOME, &op_send, "send to the own shard"},
    {BY_KEY, &op_send, "send by key"},
    {IN_TURN, &op_send, "send in turn"},
    {AT_HOME, &op_recv, "recv from the own shard"},
    {SHARDS, &op_recv, "recv, stealing"},
    {BY_KEY, &op_recv, "recv by key"},
    {IN_TURN, &op_recv, "recv in turn"},
    {SHARDS, &op_shut, "close all shards"},
    {BY_KEY, &op_shut, "close all shards"},
    {IN_TURN, &op_shut, "close all shards"},
    {AT_HOME, &op_shut, "close all shards"},
    {SHARDS, &op_sweep, "sweep, of shards"},
    {BY_KEY, &op_sweep, "sweep, of shards"},
    {IN_TURN, &op_sweep, "sweep, of shards"},
    {AT_HOME, &op_sweep, "sweep, of shards"},
};

static const char *row_of(size_t kind, const struct operation *op)
{
    for (size_t i = 0; i < sizeof(own_rows) / sizeof(*own_rows); i++)
        if (own_rows[i].kind == kind && own_rows[i].op == op)
            return own_rows[i].row;
    return op->row;
}

enum { DEPTH = 4 };

static const struct state {
    const char *name;
    uint64_t first_turn;
    uint32_t turned, unread;
    enum sleeper sleeper;
} states[] = {
    {"empty", 0, 0, 0, AWAKE},
    {"one message", 0, 1, 1, AWAKE},
    {"full", 0, 2, DEPTH, AWAKE},
    {"three, last slot", 0, 3, 3, AWAKE},
    {"full, turn wraps", LAST, 6, DEPTH, AWAKE},
    {"three, turn wraps", LAST, 7, 3, AWAKE},
    {"empty, receiver asleep", 0, 1, 0, RECEIVER_ASLEEP},
    {"full, sender asleep", 0, 1, DEPTH, SENDER_ASLEEP},
};
enum { EMPTY, SINGLE, FULL, THREE, FULL_WRAP, THREE_WRAP, RX_ASLEEP, TX_ASLEEP, STATES };
#define BIT(s) (1u << (s))

/* Which states an operation is tried in. */
static const struct {
    const struct operation *op;
    unsigned states;
} rows[] = {
    {&op_send, BIT(EMPTY) | BIT(SINGLE) | BIT(FULL) | BIT(THREE) | BIT(FULL_WRAP) | BIT(THREE_WRAP) | BIT(RX_ASLEEP)},
    {&op_send_many, BIT(EMPTY) | BIT(THREE) | BIT(THREE_WRAP) | BIT(RX_ASLEEP)},
    {&op_send_array, BIT(EMPTY) | BIT(THREE) | BIT(THREE_WRAP) | BIT(RX_ASLEEP)},
    {&op_claim, BIT(EMPTY) | BIT(FULL) | BIT(THREE_WRAP)},
    {&op_commit, BIT(EMPTY) | BIT(THREE_WRAP) | BIT(RX_ASLEEP)},
    {&op_abort, BIT(SINGLE) | BIT(THREE_WRAP) | BIT(RX_ASLEEP)},
    {&op_recv, BIT(EMPTY) | BIT(SINGLE) | BIT(FULL) | BIT(THREE) | BIT(FULL_WRAP) | BIT(THREE_WRAP) | BIT(TX_ASLEEP)},
    {&op_recv_many, BIT(SINGLE) | BIT(FULL) | BIT(THREE_WRAP) | BIT(TX_ASLEEP)},
    {&op_recv_array, BIT(SINGLE) | BIT(FULL) | BIT(THREE_WRAP) | BIT(TX_ASLEEP)},
    {&op_peek, BIT(SINGLE) | BIT(FULL) | BIT(THREE_WRAP)},
    {&op_release, BIT(SINGLE) | BIT(FULL) | BIT(THREE_WRAP) | BIT(TX_ASLEEP)},
    {&op_send_blocked, BIT(FULL)},
    {&op_recv_blocked, BIT(EMPTY)},
    {&op_tx_close, BIT(SINGLE) | BIT(RX_ASLEEP)},
    {&op_rx_close, BIT(SINGLE) | BIT(TX_ASLEEP)},
    {&op_tx_open, BIT(SINGLE)},
    {&op_rx_open, BIT(SINGLE)},
    {&op_shut, BIT(SINGLE)},
    {&op_hold, BIT(SINGLE)},
    {&op_channel_create, BIT(SINGLE)},
    {&op_unlink, BIT(SINGLE)},
    {&op_attach, BIT(SINGLE)},
    {&op_attach_sweep, BIT(THREE_WRAP)},
    {&op_detach, BIT(SINGLE) | BIT(FULL)},
    {&op_sweep, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_sweep_sleeper, BIT(EMPTY)},
    {&op_peek_last, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_sweep_letter, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_recv_amid, BIT(SINGLE) | BIT(FULL) | BIT(THREE_WRAP)},
    {&op_recv_array_amid, BIT(SINGLE) | BIT(FULL) | BIT(THREE_WRAP)},
    {&op_peek_amid, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_release_amid, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_rx_close_amid, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_sweep_letter_amid, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_create, BIT(EMPTY)},
    {&op_remove, BIT(SINGLE)},
};

static const struct operation *const calls[] = {&op_request,          &op_reply_recv,     &op_reply_close,
                                                &op_reply_close_busy, &op_accept,         &op_answer,
                                                &op_answer_part,      &op_answer_release, &op_sweep_worker};

static const struct {
    const struct operation *a, *b;
    unsigned states;
} pairs[] = {
    {&op_send, &op_send, BIT(EMPTY) | BIT(THREE_WRAP) | BIT(FULL)},
    {&op_send, &op_recv, BIT(EMPTY) | BIT(SINGLE) | BIT(FULL)},
    {&op_recv, &op_send, BIT(SINGLE) | BIT(FULL) | BIT(FULL_WRAP)},
    {&op_recv, &op_recv, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_peek, &op_recv, BIT(SINGLE) | BIT(FULL)},
    {&op_peek, &op_peek, BIT(THREE)},
    {&op_release, &op_send, BIT(FULL) | BIT(FULL_WRAP)},
    {&op_send, &op_peek, BIT(SINGLE)},
    {&op_commit, &op_send, BIT(EMPTY)},
    {&op_commit, &op_recv, BIT(EMPTY)},
    {&op_abort, &op_recv, BIT(SINGLE) | BIT(THREE_WRAP)},
    {&op_abort, &op_send, BIT(THREE)},
    {&op_claim, &op_recv, BIT(SINGLE)},
    {&op_send_many, &op_recv_many, BIT(THREE)},
    {&op_send_array, &op_recv_array, BIT(THREE)},
    {&op_recv_array, &op_send_array, BIT(FULL)},
    {&op_send, &op_shut, BIT(SINGLE)},
    {&op_send, &op_recv_blocked, BIT(EMPTY)},
    {&op_recv, &op_send_blocked, BIT(FULL)},
};

static struct scene scenes[EXPLORE_SCENES];
static struct play plays[EXPLORE_SCENES];
static struct setting settings[EXPLORE_SCENES];
static char names[EXPLORE_SCENES][80], row_names[EXPLORE_SCENES][64];
static size_t scenes_n;

static bool listed(const struct operation *const *list, const struct operation *op)
{
    while (*list && *list != op)
        list++;
    return *list != NULL;
}

/* Two actors cannot both be the sole one; drop-oldest never waits, so nobody sleeps there for room. */
static bool possible(size_t kind, const struct state *s, const struct operation *a, const struct operation *b)
{
    unsigned both = b ? (a->roles | a->takes) & (b->roles | b->takes) : 0;
    bool drops = kinds[kind].full == STRAIT_FULL_DROP_OLDEST;
    if (((both & ROLE_SENDER) && kinds[kind].senders == ONE) ||
        ((both & ROLE_RECEIVER) && kinds[kind].receivers == ONE))
        return false;
    if (kinds[kind].only && !(listed(kinds[kind].only, a) && (!b || listed(kinds[kind].only, b))))
        return false;
    if ((a->unborn || a->deserted) && kind > 0) /* the channel is not what it is about */
        return false;
    if (a->amid && !kinds[kind].packed)
        return false;
    return !(drops && (s->sleeper == SENDER_ASLEEP || a == &op_send_blocked || b == &op_send_blocked));
}

/* Requests come by channels that never drop; 1-1 and n-n are enough to see the replies. */
static bool is_call(const struct operation *op)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (calls[i] == op)
            return true;
    return false;
}

static void add_scene(size_t kind, const struct state *s, const struct operation *a, const struct operation *b,
                      bool fresh)
{
    size_t i = scenes_n;
    if (!possible(kind, s, a, b))
        return;
    if (i == EXPLORE_SCENES) {
        fprintf(stderr, "contract: more than %d scenes\n", EXPLORE_SCENES);
        exit(2);
    }
    settings[i] = (struct setting){.senders = kinds[kind].senders,
                                   .receivers = kinds[kind].receivers,
                                   .full = kinds[kind].full,
                                   .lanes = kinds[kind].lanes,
                                   .shards = kinds[kind].shards,
                                   .spread = kinds[kind].spread,
                                   .at_home = kinds[kind].at_home,
                                   .packed = kinds[kind].packed,
                                   .max_attempts = a->max_attempts,
                                   .replies = is_call(a) ? 2 : 0,
                                   .depth = DEPTH,
                                   .first_turn = s->first_turn,
                                   .turned = s->turned,
                                   .unread = s->unread,
                                   .sleeper = s->sleeper};
    plays[i] = (struct play){&settings[i], {a, b}};
    snprintf(names[i], sizeof(names[i]), "%s, %s%s", kinds[kind].name, s->name, fresh ? ", newcomer looks" : "");
    snprintf(row_names[i], sizeof(row_names[i]), "%s%s%s", row_of(kind, a), b ? " / " : "", b ? row_of(kind, b) : "");
    scenes[i] = (struct scene){.row = row_names[i],
                               .state = names[i],
                               .arg = &plays[i],
                               .prepare = play_prepare,
                               .enter = play_enter,
                               .act = play_act,
                               .after = play_after,
                               .leave = play_leave,
                               .check = play_check,
                               .asleep = s->sleeper != AWAKE,
                               .parts = a == &op_create ? 6 : 1,
                               .every = a == &op_create,
                               .pair = b != NULL,
                               .fresh = fresh};
    scenes_n++;
}

static void build(void)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        for (size_t k = 0; k < 4; k++)
            add_scene(k, &states[EMPTY], calls[i], NULL, false);
    for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++)
        for (unsigned s = 0; s < STATES; s++)
            for (size_t k = 0; k < KINDS && (rows[r].states & BIT(s)); k++) {
                add_scene(k, &states[s], rows[r].op, NULL, false);
                if (s == THREE_WRAP && (k < 4 || kinds[k].packed) && rows[r].op->roles)
                    add_scene(k, &states[s], rows[r].op, NULL, true);
            }
    for (size_t r = 0; r < sizeof(pairs) / sizeof(*pairs); r++)
        for (unsigned s = 0; s < STATES; s++)
            for (size_t k = 0; k < KINDS && (pairs[r].states & BIT(s)); k++)
                add_scene(k, &states[s], pairs[r].a, pairs[r].b, false);
}

struct flags {
    struct explore_options explore;
    bool list, rows, table, json;
};

static int parse(int argc, char **argv, struct flags *f)
{
    f->explore =
        (struct explore_options){.stride = 1, .pair_stride = 2, .two_most = 64, .kills = true, .schedules = true};
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(a, "--quick"))
            f->explore.stride = 64, f->explore.pair_stride = 96, f->explore.two_most = 1;
        else if (!strcmp(a, "--kills"))
            f->explore.schedules = false;
        else if (!strcmp(a, "--schedules"))
            f->explore.kills = false;
        else if (!strcmp(a, "--list"))
            f->list = true;
        else if (!strcmp(a, "--rows"))
            f->rows = true;
        else if (!strcmp(a, "--table"))
            f->table = true;
        else if (!strcmp(a, "--json"))
            f->json = true;
        else if (!strcmp(a, "--jobs") && *value)
            f->explore.jobs = (uint32_t)atoi(argv[++i]);
        else if (!strcmp(a, "--stride") && *value)
            f->explore.stride = (uint32_t)atoi(argv[++i]);
        else if (!strcmp(a, "--pair-stride") && *value)
            f->explore.pair_stride = (uint32_t)atoi(argv[++i]);
        else if (!strcmp(a, "--two") && *value)
            f->explore.two_most = (uint32_t)atoi(argv[++i]);
        else if (!strcmp(a, "--only") && *value)
            f->explore.only = argv[++i];
        else
            return fprintf(stderr, "contract: unknown option %s\n", a), -EINVAL;
    }
    f->explore.progress = isatty(2);
    return 0;
}

int main(int argc, char **argv)
{
    struct flags f = {0};
    if (parse(argc, argv, &f) < 0)
        return 2;
    build();
    for (size_t i = 0; f.list && i < scenes_n; i++)
        printf("%s: %s\n", scenes[i].row, scenes[i].state);
    for (size_t i = 0; f.rows && i < scenes_n; i++)
        if (!scenes[i].pair)
            printf("%s\n", scenes[i].row);
    if (f.list || f.rows)
        return 0;
    if (!step_supported()) {
        printf("SKIPPED: this machine's single-stepping is not known to the harness\n");
        return 77;
    }
    struct totals *t = explore(scenes, scenes_n, &f.explore);
    if (!t)
        return 1;
    report_failures(f.json ? stderr : stdout, scenes, t);
    if (f.table)
        report_scenes(stdout, scenes, scenes_n, t);
    if (f.json)
        report_json(stdout, scenes, scenes_n, t);
    else
        report_summary(stdout, t);
    bool failed = explore_failed(t) != 0 || (t->points == 0 && t->schedules == 0);
    explore_free(t);
    return failed;
}
