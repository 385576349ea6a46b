/* SPDX-License-Identifier: MIT */
/**
 * What the processes of a scene do with the library: the setting they start from, the operations that are stepped, and
 * the books they keep. contract.c puts settings and operations together.
 */
#ifndef STRAIT_TESTS_CRASH_CAST_H
#define STRAIT_TESTS_CRASH_CAST_H

#include "ledger.h"
#include "scene.h"
#include "strait/strait.h"

#define CAST_CHANNEL "c"
#define CAST_BATCH   3
#define CAST_WAIT_NS UINT64_C(1000000000) /* "next send and recv within 1 s" */

enum sleeper { AWAKE, RECEIVER_ASLEEP, SENDER_ASLEEP };

/** Where a scene of a channel begins. */
struct setting {
    const char *name;
    enum strait_ends senders, receivers;
    enum strait_full full;
    uint32_t depth;
    uint64_t first_turn;
    uint32_t turned; /* messages sent and received before */
    uint32_t unread; /* messages that lie in the ring */
    uint32_t replies, lanes, max_attempts;
    uint32_t shards;
    enum strait_spread spread;
    bool at_home; /* all processes are at home in the first shard; else each in another than the one before it */
    bool packed;  /* each of the unread is a pack of CAST_BATCH */
    enum sleeper sleeper;
};

enum role { ROLE_SENDER = 1, ROLE_RECEIVER = 2 };

/** One operation, and what its actor is to the channel. All functions may be null but act. */
struct operation {
    const char *row;
    unsigned roles;        /* handles that the actor opens before: enum role */
    unsigned takes;        /* roles that it takes in act */
    bool alone;            /* the survivor has no handle of these roles either */
    bool bare;             /* the actor is not attached before its operation */
    bool unborn;           /* nor is there a segment */
    bool deserted;         /* nor is anybody else attached */
    bool calls;            /* the survivor has sent a request */
    bool amid;             /* the actor has received a pack's first message: packed channels only */
    uint32_t max_attempts; /* of the channel; 0 = the default */
    bool (*enter)(struct stage *st, const struct setting *s, int who);
    int (*act)(struct stage *st, int who);
    void (*after)(struct stage *st, int who); /* the actor has come back: write down what it got */
    void (*leave)(struct stage *st, int who);
    void (*judge)(struct stage *st, int who, struct ledger *l);       /* survivor: what the contract says now */
    bool (*look)(struct stage *st, const struct setting *s, int who); /* survivor, attached: checks of this row's own */
};

/** A scene's argument. */
struct play {
    const struct setting *setting;
    const struct operation *op[STAGE_ACTORS];
};

/** This process's handles. */
struct cast {
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_rx *rx;
    struct strait_claim claim;
    struct strait_msg msg;
    struct strait_reply_rx reply;
    struct strait_answer answer;
    struct strait_hold *hold;
    unsigned char buffer[CAST_BATCH][LEDGER_PAYLOAD];
    uint32_t bytes[CAST_BATCH];
    struct strait_in in[CAST_BATCH];
    struct strait_out out[CAST_BATCH];
};
extern struct cast me;

/** Name of the stage's segment. */
void cast_name(const struct stage *st, char name[STRAIT_NAME_BYTES]);
bool cast_attach(struct stage *st, enum strait_attach_mode how);
struct strait_channel_options cast_options(const struct setting *s);
bool cast_open(struct stage *st, const struct setting *s, unsigned roles);
/** Close all handles, and the segment. */
void cast_leave(void);

/** Actor who's i-th value; the survivor is producer 0. */
#define CAST_VALUE(who, i) LEDGER_VALUE((who) + 2, i)
#define CAST_ARRAY_TAG     0xffff /* all messages of an array have one tag; the others have the low half of their value */
#define CAST_OWN(i)        LEDGER_VALUE(1, i)

/** Send a value: as strait_send. */
int cast_send(uint64_t value, uint64_t deadline_ns);
/** Receive one message into the ledger, as the survivor: its length or -errno. */
int64_t cast_receive(struct stage *st, uint64_t deadline_ns);

/* ops_channel.c */
int act_recv(struct stage *st, int who);
void after_recv(struct stage *st, int who);
int act_recv_array(struct stage *st, int who);
void after_recv_array(struct stage *st, int who);
int act_peek(struct stage *st, int who);
void after_peek(struct stage *st, int who);
void leave_peek(struct stage *st, int who);
int act_release(struct stage *st, int who);
void after_release(struct stage *st, int who);
void judge_peek(struct stage *st, int who, struct ledger *l);
void judge_release(struct stage *st, int who, struct ledger *l);
int act_rx_close(struct stage *st, int who);
extern const struct operation op_send, op_send_blocked, op_recv, op_recv_blocked, op_send_many, op_recv_many,
    op_send_array, op_recv_array, op_claim, op_commit, op_abort, op_peek, op_release, op_tx_close, op_rx_close,
    op_tx_open, op_rx_open, op_shut;
/* ops_pack.c */
extern const struct operation op_recv_amid, op_recv_array_amid, op_peek_amid, op_release_amid, op_rx_close_amid,
    op_sweep_letter_amid;
/* ops_life.c */
extern const struct operation op_attach, op_attach_sweep, op_detach, op_create, op_remove, op_channel_create, op_unlink,
    op_hold, op_sweep, op_sweep_sleeper;
/* ops_letters.c */
bool look_letters(struct stage *st, const struct setting *s, int who);
extern const struct operation op_peek_last, op_sweep_letter;
/* ops_reply.c */
bool play_prepare_call(struct stage *st);
extern const struct operation op_request, op_reply_recv, op_reply_close, op_reply_close_busy, op_accept, op_answer,
    op_answer_part, op_answer_release, op_sweep_worker;

/* play.c: the functions of a scene whose argument is a struct play */
bool play_prepare(struct stage *st, const void *arg);
bool play_enter(struct stage *st, const void *arg, int who);
int play_act(struct stage *st, const void *arg, int who);
void play_after(struct stage *st, const void *arg, int who);
void play_leave(struct stage *st, const void *arg, int who);
void play_check(struct stage *st, const void *arg);
/** The channel works: the next send and receive within a second each, everything drained. */
bool play_alive(struct stage *st, const struct setting *s);
/** The end of every check: an index can be had, nothing is left, the name can be removed. */
void play_epilogue(struct stage *st);
/** All that can be received now. */
bool play_drain(struct stage *st);
/** A process that is dead when this returns: attached, with the given roles, and what `act` did. */
bool play_dead(struct stage *st, const struct setting *s, unsigned roles, bool (*act)(struct stage *st));

#endif
