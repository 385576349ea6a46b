/* SPDX-License-Identifier: MIT */
/**
 * The bytes that processes share, version 3. No pointers: offsets from the segment's start, checked on every load.
 *
 *   header | leases | errors | directory | arena: objects, each page-aligned, zeroed and reserved before it is published
 *
 * Each field says who writes it and who reads it. "admin" means: under the segment's admin lock (admin.h).
 * tests/layout has the golden bytes; a change here is a new STRAIT_LAYOUT_VERSION.
 */
#ifndef STRAIT_LAYOUT_H
#define STRAIT_LAYOUT_H

#include "base.h"

#define STRAIT_MAGIC          UINT64_C(0x3154494152545300) /* "\0STRAIT1" */
#define STRAIT_LAYOUT_VERSION 3
#define STRAIT_LEASES         512 /* lease indices 1..511 are handed out; sizes the sets and the per-lease cells */
#define STRAIT_LEASE_NONE     0   /* leases count from 1 */
#define STRAIT_LEASE_ORPHAN   0xFFFF
#define STRAIT_NAME_BYTES     48 /* names of segments and objects, with the final 0 */
#define STRAIT_PROGRAM_BYTES  32
#define STRAIT_WAITS          4  /* wait records of one lease */
#define STRAIT_ERRORS         64 /* distinct errors that a segment remembers */
#define STRAIT_LAYOUT_FIELDS  96 /* room for the layout's own description, layout.c */
#define STRAIT_PAGE           4096

/* OFD byte locks of the segment's file; far beyond any data. Lease i holds STRAIT_LOCK_LEASES + i. */
#define STRAIT_LOCK_ADMIN  (INT64_C(1) << 61)
#define STRAIT_LOCK_LEASES (INT64_C(1) << 62)

/* ---- sets of leases ---- */

/** One bit per lease. Written: admin. Read: anybody. */
struct strait_set {
    uint64_t bits[STRAIT_LEASES / 64]; /* bit 0 stays clear: leases count from 1 */
};

/* ---- segment ---- */

enum strait_gone { STRAIT_GONE_NO = 0, STRAIT_GONE_YES = 1 };

struct strait_header {
    uint64_t magic;                                /* creator, before the name exists; everybody checks */
    uint32_t version;                              /* likewise */
    uint32_t layout_n;                             /* likewise: how many of layout[] are used */
    uint64_t fingerprint;                          /* likewise: hash of layout[] */
    uint64_t bytes;                                /* likewise: of the file */
    uint64_t id;                                   /* likewise: random; orders locks of several segments */
    uint64_t leases_off, directory_off, arena_off; /* likewise */
    uint64_t errors_off;                           /* likewise */
    uint32_t directory_max;                        /* likewise: entries */
    uint32_t page_bytes;                           /* likewise */
    uint64_t created_ns;                           /* likewise: CLOCK_REALTIME, for people */
    uint32_t creator_pid;                          /* likewise, for people */
    uint32_t gone;                                 /* gc, admin, sticky; attach, admin */
    uint64_t sweeps;                               /* sweepers, admin; people */
    uint64_t looked_ns;  /* waiters: when somebody last looked at all leases (CLOCK_MONOTONIC); a hint */
    uint32_t no_barrier; /* attach, admin, sticky: somebody here has no membarrier, bells stay in FENCE mode */
    uint32_t unused0;
    uint64_t errors_lost; /* whoever finds no cell, relaxed add: errors that are counted nowhere else */
    char name[STRAIT_NAME_BYTES];
    uint32_t layout[STRAIT_LAYOUT_FIELDS];
};

/* ---- leases ---- */

enum strait_lease_state { STRAIT_LEASE_FREE = 0, STRAIT_LEASE_USED = 1 };

enum strait_wait_kind {
    STRAIT_WAIT_NONE = 0,
    STRAIT_WAIT_RECV,
    STRAIT_WAIT_SEND,
    STRAIT_WAIT_REPLY,
    STRAIT_WAIT_REPLY_SPACE,
    STRAIT_WAIT_LOCK,
    STRAIT_WAIT_READ_LOCK,
    STRAIT_WAIT_LOOP,
};

/** Who waits for what, on the slow path only. Written: a thread of the lease. Read: shmctl blame. */
struct strait_wait_record {
    uint32_t thread; /* claimed by CAS 0 -> thread id; 0 = unused */
    uint32_t kind;   /* enum strait_wait_kind */
    uint64_t object; /* offset of the object (channel, region) */
    uint64_t detail; /* reply index, shard, … */
    uint64_t since_ns;
};

/** One process's attachment. Alive = an address space holds the OFD lock of its byte, nothing else. */
struct strait_lease_cell {
    uint32_t state;      /* enum strait_lease_state. attach and sweep, admin; anybody */
    uint32_t pid;        /* attach; for people */
    uint64_t generation; /* attach, admin: how often this index was handed out */
    uint64_t started;    /* attach: process start time, clock ticks since boot; for people */
    uint64_t pid_ns;     /* attach: inode of the pid namespace; for people */
    uint64_t joined_ns;  /* attach: CLOCK_REALTIME; for people */
    char program[STRAIT_PROGRAM_BYTES];
    uint64_t unused[7];
    struct strait_wait_record waits[STRAIT_WAITS];
};

/* ---- errors ---- */

/** What can go wrong so that people should know. Appended to only; the words are shmctl's. */
enum strait_error_kind {
    STRAIT_ERROR_NONE = 0,
    STRAIT_ERROR_DIED,           /* a process died attached */
    STRAIT_ERROR_HALF_WRITTEN,   /* a message whose sender died, or left, before it was committed */
    STRAIT_ERROR_REDELIVERED,    /* a message whose receiver died before it released it */
    STRAIT_ERROR_DEAD_LETTER,    /* a message whose receivers died too often */
    STRAIT_ERROR_DROPPED_NEW,    /* a message for which there was no room, by the channel's policy */
    STRAIT_ERROR_DROPPED_OLDEST, /* likewise, an unread one that made room */
    STRAIT_ERROR_FULL,           /* a send that failed because the channel was full */
    STRAIT_ERROR_NO_REPLY,       /* a request that found all replies in use */
    STRAIT_ERROR_UNANSWERED,     /* a caller whose deadline passed */
    STRAIT_ERROR_JOB_LOST,       /* a caller that was told that its job has failed, with its workers */
    STRAIT_ERROR_LOCK_DIED,      /* an owner that died inside a region */
    STRAIT_ERROR_LOCK_POISONED,  /* a region that was released unhealed after that */
    STRAIT_ERROR_LOCK_LATE,      /* a lock that was not had by its deadline */
    STRAIT_ERROR_DAMAGED,        /* bytes that cannot be: -EPROTO, -EBADMSG */
    STRAIT_ERROR_NO_ROOM,        /* an object for which the segment has no bytes or no entry */
    STRAIT_ERROR_ADMIN_LATE,     /* the admin lock was not had in time */
    STRAIT_ERROR_KINDS
};

/**
 * One distinct error: of one kind, in the object of one name ("" = the segment). Written on slow paths only, by whoever
 * meets it; a cell is claimed by one compare-and-swap and never given back. Until `count` is set it is half-written,
 * and whoever meets the same error next finishes it. Times are CLOCK_REALTIME, for people.
 */
struct strait_error_cell {
    uint64_t key;      /* kind 8 | hash of the name 56; 0 = free. CAS 0 -> key */
    uint64_t count;    /* added to last; readers look here first */
    uint64_t first_ns; /* CAS 0 -> now */
    uint64_t last_ns;  /* relaxed */
    uint64_t who;      /* of the last one: pid 32 | lease 16; relaxed */
    uint64_t unused;
    uint64_t object[STRAIT_NAME_BYTES / 8];     /* the name, its words stored relaxed: those who race store the same */
    uint64_t program[STRAIT_PROGRAM_BYTES / 8]; /* of `who`; a race may mix two */
};

/* ---- directory ---- */

enum strait_kind {
    STRAIT_KIND_NONE = 0,
    STRAIT_KIND_CHANNEL = 1,
    STRAIT_KIND_REGION = 2,
    STRAIT_KIND_COUNTER = 3,
    STRAIT_KIND_POOL = 4,
};

enum strait_entry_state {
    STRAIT_ENTRY_FREE = 0,
    STRAIT_ENTRY_LIVE = 1,    /* named */
    STRAIT_ENTRY_UNLINKED = 2 /* nameless; goes when no lease refers to it any more */
};

/** Where an object's pages lie, if not on one node. */
enum strait_node_number {
    STRAIT_NODE_ANY = -1,         /* nobody asked: as the kernel likes */
    STRAIT_NODE_INTERLEAVED = -2, /* on all nodes that its creator might use, in turn */
    STRAIT_NODE_SHARDED = -3,     /* shard by shard: each says itself where it lies */
};

/** A named object. state is the single store that allocates (FREE -> LIVE) and frees (-> FREE). */
struct strait_entry {
    uint32_t state;  /* admin; anybody */
    uint32_t kind;   /* before LIVE, admin; anybody */
    uint64_t offset; /* likewise; page-aligned */
    uint64_t bytes;  /* likewise; whole pages */
    int32_t node;    /* likewise: the NUMA node asked for, or enum strait_node_number */
    uint32_t serial; /* admin: how often this entry was used */
    char name[STRAIT_NAME_BYTES];
    uint64_t unused[14];
    struct strait_set refs; /* admin: leases with an open handle */
};

/* ---- bells ---- */

enum strait_bell_mode {
    STRAIT_BELL_FENCE = 0,    /* both sides fence */
    STRAIT_BELL_ASYM = 1,     /* the ringer orders its compiler only, the sleeper calls membarrier */
    STRAIT_BELL_SWITCHING = 2 /* on the way from ASYM to FENCE: both sides do both */
};

/** What sleepers wait on. seq is the futex word. */
struct strait_bell {
    uint32_t seq;      /* ringers add; sleepers read, futex */
    uint32_t mode;     /* generation 30 | enum strait_bell_mode 2. sleepers; ringers */
    uint64_t sleepers; /* epoch 32 | woken 16 | count 16. sleepers, ringers, sweep; ringers */
    uint64_t sleeps;   /* sleepers, relaxed: statistics */
    uint64_t unused[5];
};

/* ---- rings ---- */

/*
 * Slot word: turn 40 | attempts 5 | state 3 | owner 16. Position p lies in slot p mod capacity, turn p / capacity.
 * Because the turn is on top, words and cursors compare and count modulo 2^40 by plain 64-bit arithmetic.
 */
#define STRAIT_TURN_SHIFT     24
#define STRAIT_TURN_ONE       (UINT64_C(1) << STRAIT_TURN_SHIFT)
#define STRAIT_TURN_MASK      (~(STRAIT_TURN_ONE - 1))
#define STRAIT_ATTEMPTS_SHIFT 19
#define STRAIT_ATTEMPTS_ONE   (UINT64_C(1) << STRAIT_ATTEMPTS_SHIFT)
#define STRAIT_ATTEMPTS_MOST  31
#define STRAIT_ATTEMPTS_MASK  (UINT64_C(31) << STRAIT_ATTEMPTS_SHIFT)
#define STRAIT_STATE_SHIFT    16
#define STRAIT_STATE_MASK     (UINT64_C(7) << STRAIT_STATE_SHIFT)
#define STRAIT_OWNER_MASK     UINT64_C(0xFFFF)
#define STRAIT_RING_SLOTS     (UINT32_C(1) << 22) /* most slots of a ring */

enum strait_slot_state {
    STRAIT_SLOT_FREE = 0,
    STRAIT_SLOT_CLAIMED = 1,
    STRAIT_SLOT_READY = 2,
    STRAIT_SLOT_TAKEN = 3,
    STRAIT_SLOT_VOID = 4,
    STRAIT_SLOT_RETURNED = 5
};

enum strait_slot_flags {
    STRAIT_MSG_REQUEST = 1, /* the payload begins with a struct strait_request_head */
    STRAIT_MSG_LAST = 2,    /* replies: the last part of a stream */
    STRAIT_MSG_RESTART = 4, /* replies: the job was redelivered, forget what came before */
    STRAIT_MSG_ERROR = 8,   /* replies: the payload is an int32_t -errno (and a text) */
    STRAIT_MSG_PACK = 16,   /* several messages of one size: ring_pack.h */
    STRAIT_MSG_BURIED = 32  /* packs: next has been moved past a dead letter. sweep, while the word says so */
};

struct strait_slot {
    uint64_t word; /* see PROTOCOLS: the transitions */
    uint64_t head; /* bytes 32 | tag 16 | flags 16; packs: ring_pack.h. claimer, taker (packs), sweep; taker */
    /* payload follows in the same cache line */
};
#define STRAIT_SLOT_HEAD 16

enum strait_ring_flags {
    STRAIT_RING_MANY_PRODUCERS = 1, /* claims by compare-and-swap */
    STRAIT_RING_MANY_CONSUMERS = 2, /* takes by compare-and-swap */
    STRAIT_RING_IN_ORDER = 4,       /* and never passes what another consumer has taken: one is TAKEN at most */
    STRAIT_RING_PACKED = 8          /* a slot may be a pack */
};

struct strait_ring {
    /* fixed before publication; every handle checks it and keeps its own copy */
    uint64_t slots_off;
    uint32_t capacity; /* slots, a power of two */
    uint32_t stride;   /* bytes from slot to slot */
    uint32_t flags;    /* enum strait_ring_flags */
    int32_t node;      /* the shard's slots lie on this NUMA node; -1 = where the object lies */
    uint64_t unused0[5];
    /* producers */
    uint64_t tail_hint; /* cursor; producers now and then; producers that lag. never trusted unproven */
    uint64_t unused1[7];
    /* consumers */
    uint64_t head_hint; /* likewise */
    uint64_t unused2[7];
    /* rare */
    uint32_t producer; /* sole producer's lease. admin */
    uint32_t consumer; /* sole consumer's lease. admin */
    uint32_t returned; /* generation: sweep raises it, admin; consumers that differ look for RETURNED slots */
    uint32_t suspect;  /* sweep, admin: 1 = the sole consumer died, its successor raises attempts in the window */
    uint64_t unused3[6];
    struct strait_bell writable; /* producers sleep here, consumers ring */
};

/* ---- channels ---- */

enum strait_full {
    STRAIT_FULL_WAIT = 0,       /* until the deadline */
    STRAIT_FULL_FAIL = 1,       /* -EAGAIN */
    STRAIT_FULL_DROP_NEW = 2,   /* drop the message at hand, count it */
    STRAIT_FULL_DROP_OLDEST = 3 /* drop the oldest unread message, count it */
};

enum strait_channel_flags {
    STRAIT_CHANNEL_MANY_PRODUCERS = 1,
    STRAIT_CHANNEL_MANY_CONSUMERS = 2,
    STRAIT_CHANNEL_BUSY = 4,     /* never sleeps: no bell is rung, waits spin */
    STRAIT_CHANNEL_LANES = 8,    /* one ring per sender */
    STRAIT_CHANNEL_SHARDED = 16, /* a ring per NUMA node; senders go to their own node's, or: */
    STRAIT_CHANNEL_BY_KEY = 32,  /* to the ring that their message's key says; rings are in order */
    STRAIT_CHANNEL_IN_TURN = 64, /* to one ring after the other */
    STRAIT_CHANNEL_PACKED = 128  /* arrays are sent as packs; each receiver has one message in place at most */
};
#define STRAIT_SHARDS_MOST 64 /* rings of a sharded channel */

enum strait_channel_status {
    STRAIT_CHANNEL_CLOSED = 1,      /* closed by a call; sticks */
    STRAIT_CHANNEL_NO_SENDERS = 2,  /* there were some, all have gone; not sticky */
    STRAIT_CHANNEL_NO_RECEIVERS = 4 /* likewise */
};

struct strait_channel {
    /* fixed before publication */
    uint32_t flags;        /* enum strait_channel_flags */
    uint32_t full;         /* enum strait_full */
    uint32_t slot_bytes;   /* largest payload */
    uint32_t rings;        /* how many */
    uint32_t max_attempts; /* deliveries of one message before it is a dead letter */
    uint32_t peek_window;  /* messages that one receiver may hold at once */
    uint32_t replies;      /* how many; 0 = no requests on this channel */
    uint32_t dead_max;     /* dead letters kept */
    uint64_t rings_off;    /* struct strait_ring[rings] */
    uint64_t replies_off;  /* struct strait_reply[replies] */
    uint64_t dead_off;     /* struct strait_dead_letters */
    uint64_t unused0;
    /* status */
    uint32_t status;      /* enum strait_channel_status. admin; senders and receivers */
    uint32_t had_senders; /* admin */
    uint32_t had_receivers;
    uint32_t unused1;
    uint64_t unused2[6];
    struct strait_bell readable; /* receivers sleep here, senders ring */
    struct strait_set senders, receivers;
    struct strait_set holders; /* keep the channel open without sending or receiving */
    /* statistics, approximate after a death */
    uint64_t dropped_new, dropped_oldest; /* senders, relaxed add */
    uint64_t redelivered, voided;         /* sweep, admin */
    uint64_t unused3[4];
};

/** The last dead_max messages whose receivers died max_attempts times. Written: sweep, admin. */
struct strait_dead_letters {
    uint64_t count; /* ever; entry i is number count - 1 - ((count - 1 - i) mod dead_max) */
    uint64_t entry_bytes;
    uint64_t unused[6];
    /* struct strait_dead_letter[dead_max] */
};

struct strait_dead_letter {
    uint64_t turn; /* the slot's turn and index: tells a repeated sweep that it is already here */
    uint32_t ring;
    uint32_t bytes;
    uint16_t tag, flags, attempts;
    uint16_t part; /* the message's place in its pack */
    uint64_t unused1;
    /* payload: slot_bytes */
};

/* ---- replies ---- */

/* word: generation 40 | owner 16 | state 8 */
#define STRAIT_REPLY_GENERATION_SHIFT 24
#define STRAIT_REPLY_GENERATION_ONE   (UINT64_C(1) << STRAIT_REPLY_GENERATION_SHIFT)
#define STRAIT_REPLY_OWNER_SHIFT      8
#define STRAIT_REPLY_OWNER_MASK       (UINT64_C(0xFFFF) << STRAIT_REPLY_OWNER_SHIFT)
#define STRAIT_REPLY_STATE_MASK       UINT64_C(0xFF)

enum strait_reply_state {
    STRAIT_REPLY_FREE = 0,
    STRAIT_REPLY_OPEN = 1,
    STRAIT_REPLY_BUSY = 2,
    STRAIT_REPLY_DONE = 3,
    STRAIT_REPLY_ABANDONED = 4,
    STRAIT_REPLY_FAILED = 5
};

/** Where the answer to one request goes: a word and a one/one ring of its own. */
struct strait_reply {
    uint64_t word;   /* see PROTOCOLS: the transitions */
    uint32_t caller; /* lease. the caller, between its CAS and sending the token; sweep */
    uint32_t unused0;
    uint64_t unused1[6];
    struct strait_bell readable; /* the caller sleeps here */
    struct strait_ring ring;
};

/** First bytes of the payload of a message that carries a reply. */
struct strait_request_head {
    uint64_t token;       /* generation 40 | reply index 24 */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC, 0 = none; travels with the request */
};
#define STRAIT_TOKEN_INDEX_MASK UINT64_C(0xFFFFFF)

/* ---- regions ---- */

enum strait_region_flags {
    STRAIT_REGION_ATOMIC = 1, /* two copies and a sequence: a death inside leaves the old state */
    STRAIT_REGION_READERS = 2 /* reader-writer mode: a cell for each lease */
};

/* Lock word: owner 16 | flags. See PROTOCOLS: the transitions. */
#define STRAIT_LOCK_OWNER_MASK UINT32_C(0xFFFF)
#define STRAIT_LOCK_DIED       (UINT32_C(1) << 16) /* an owner died inside and nobody has healed it yet */
#define STRAIT_LOCK_POISONED   (UINT32_C(1) << 17) /* released unhealed; the owner is 0 */
#define STRAIT_LOCK_WAITERS    (UINT32_C(1) << 18) /* somebody may be asleep on the word */

#define STRAIT_REGION_PARTS 4096 /* most parts of a region */
#define STRAIT_SHARD_HASH   1    /* which hash of a key says to which part it belongs: see strait_shards_of */

/** A region: one or more parts (shards), each with a lock of its own. */
struct strait_region_head {
    /* fixed before publication; every handle checks it and keeps its own copy */
    uint32_t flags; /* enum strait_region_flags */
    uint32_t parts;
    uint64_t bytes;      /* of one part's data */
    uint64_t parts_off;  /* from the segment's start: struct strait_lock, cells, data; parts times */
    uint64_t part_bytes; /* from part to part within a node's run of them */
    uint32_t cells_at;   /* from a part's start: struct strait_reader_cell[STRAIT_LEASES], reader-writer mode only */
    uint32_t data_at;    /* from a part's start */
    uint64_t copy_bytes; /* from one copy of the data to the other, atomic regions only; else 0 */
    uint64_t run_bytes;  /* from run to run, whole pages if there are several: each lies on a node of its own */
    uint32_t run_parts;  /* in each run but the last, which may have fewer */
    uint32_t unused0;
    struct strait_set readers; /* admin: leases with a handle in reader-writer mode; writers look at their cells only */
};

/** The lock of one part. */
struct strait_lock {
    uint32_t word;      /* owner | flags, a futex. lockers by CAS, owner by exchange, sweep by CAS; anybody */
    uint32_t draining;  /* the writer that waits for readers, a lease. the word's owner, sweep; readers that leave */
    uint32_t drained;   /* a futex. readers that leave add; the draining writer sleeps */
    int32_t node;       /* fixed before publication: the NUMA node of the part's run; -1 = where the object lies */
    uint64_t contended; /* locks that were not had at once. lockers on their slow path, relaxed: statistics */
    uint64_t slept;     /* sleeps. likewise */
    uint64_t deaths;    /* owners that died inside. sweep, admin */
    uint64_t unused1[3];
    /* a line of its own: readers of snapshots do not meet those who lock */
    uint64_t sequence; /* atomic regions: copy sequence & 1 is published. the word's owner; readers of snapshots */
    uint64_t unused2[7];
};

/** Reader-writer mode: how many threads of one lease read this part. Written: the lease, sweep. Read: writers. */
struct strait_reader_cell {
    uint32_t count;
    uint32_t unused[15];
};

/* ---- counters ---- */

/** A counter: one or more shards, each with cells of its own for the handles of its node. */
struct strait_counter_head {
    /* fixed before publication; every handle checks it and keeps its own copy */
    uint32_t shards;
    uint32_t cells;       /* of each shard */
    uint64_t shards_off;  /* from the segment's start: struct strait_counter_shard, cells; shards times */
    uint64_t shard_bytes; /* from shard to shard; whole pages if there are several */
    uint64_t unused[5];
};

struct strait_counter_shard {
    uint32_t used; /* admin: the first so many cells have ever been used; only grows. readers */
    int32_t node;  /* fixed before publication: the shard lies on this NUMA node; -1 = where the object lies */
    uint64_t unused[7];
};

/** One handle's share of the sum. A freed cell keeps its value, and whoever gets it adds to that. */
struct strait_counter_cell {
    uint64_t value; /* the handle's thread, plain load and store; readers */
    uint32_t lease; /* admin: whose it is, 0 = free */
    uint32_t unused0;
    uint64_t unused1[6];
};

#endif
