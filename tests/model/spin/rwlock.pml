/* SPDX-License-Identifier: MIT */
/* The reader-writer mode of a region (shm/lock.c). NR readers with leases 1..NR, NW writers behind them; each goes in ROUNDS
   times; KILLS of them may die anywhere, sweeping included. NR + NW is 2 to 4.

   Checked: no writer beside a living reader or another living writer; nobody sees what a dead writer left half-done without
   being told; when nothing moves any more, nobody is asleep, not even after three bounded sleeps (which run out only after a death).

   Seeded faults, each of which must be found:
     LOOKFIRST   the reader does not look at the word again after it has marked its cell
     NOSECOND    the writer sleeps without looking at the cells again after it has announced itself
     NODRAINED   the reader wakes without raising `drained`
     KEEPNOT     a lock won after a sleep forgets WAITERS, and one sleeper is woken at a time
     CELLSTAYS   the sweep forgets a dead reader's cell
     NODIED      the sweep forgets DIED */
#ifndef NR
#define NR 2
#endif
#ifndef NW
#define NW 1
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef KILLS
#define KILLS 0
#endif
#define N    (NR + NW)
#define ORPH 99
#define FREE(o) (o == 0 || o == ORPH)

byte own; bool D, W;          /* the word, one atomic cell */
byte cell[N + 1];
byte draining, drained;
byte on[N + 1];               /* asleep: 1 on the word, 2 on drained */
bool woken[N + 1];
bool dead[N + 1], swept[N + 1], kill[N + 1];
byte adm, kills; bool death;
bool inr[N + 1], inw[N + 1], dirty;   /* ghosts */

byte bounds[N + 1];                   /* bounded sleeps that ran out while nothing moved */
#if N == 2
#define UNSWEPT (dead[1] && !swept[1] || dead[2] && !swept[2])
#elif N == 3
#define UNSWEPT (dead[1] && !swept[1] || dead[2] && !swept[2] || dead[3] && !swept[3])
#else
#define UNSWEPT (dead[1] && !swept[1] || dead[2] && !swept[2] || dead[3] && !swept[3] || dead[4] && !swept[4])
#endif

inline wake_all(what) {
    k = 1; do :: k <= N -> if :: on[k] == what -> woken[k] = 1 :: else fi; k++ :: else -> k = 0; break od
}
inline wake_one(what) {
    k = 1; do :: k <= N && !(on[k] == what && !woken[k]) -> k++
              :: k <= N && on[k] == what && !woken[k] -> woken[k] = 1; break :: k > N -> break od; k = 0
}
#ifdef KEEPNOT
#define KEEP 0
#define WAKE wake_one(1)
#else
#define KEEP slept
#define WAKE wake_all(1)
#endif

inline sweep() {
    atomic { adm == 0 -> adm = me }; l = 1;
    do
    :: l <= N ->
       if
       :: atomic { dead[l] && !swept[l] -> skip };
#ifndef CELLSTAYS
          atomic { if :: cell[l] > 0 -> cell[l] = 0; had = 1 :: else -> had = 0 fi };
          if :: atomic { had -> had = 0; drained++ }; atomic { wake_all(2) } :: atomic { !had } fi;
#endif
          atomic { if :: draining == l -> draining = 0 :: else fi };
          atomic {
              if :: own == l -> own = ORPH; W = 0; had = 1;
#ifndef NODIED
                    D = 1
#endif
                 :: else -> had = 0 fi
          };
          if :: atomic { had -> had = 0; wake_all(1) } :: atomic { !had } fi;
          atomic { swept[l] = 1 }
       :: atomic { !(dead[l] && !swept[l]) } fi;
       l++
    :: else -> break
    od;
    atomic { l = 0; adm = 0 }
}

/* Sleep on `what`, already entered atomically with the comparison. */
inline slumber() {
    if
    :: atomic { on[me] != 0 && woken[me] -> on[me] = 0; woken[me] = 0; slept = 1 }
    :: atomic { on[me] == 0 }
    :: atomic { on[me] != 0 && !woken[me] && UNSWEPT -> on[me] = 0; slept = 1 }; sweep()
    :: atomic { timeout && on[me] != 0 && !woken[me] && death && bounds[me] < 3 -> bounds[me]++; on[me] = 0; slept = 1 }
    fi
}

inline wait_word() {
    atomic { w = own; if :: !FREE(w) -> W = 1 :: else fi };
    if
    :: atomic { !FREE(w) -> if :: own == w && W -> on[me] = 1; woken[me] = 0 :: else fi }; slumber()
    :: atomic { FREE(w) }
    fi
}

inline read_leave() {
    atomic { cell[me]-- };
    if
    :: atomic { draining != 0 };
#ifndef NODRAINED
       atomic { drained++ };
#endif
       atomic { wake_one(2) }
    :: atomic { draining == 0 }
    fi
}

proctype Reader(byte me) {
    byte n, w, k, l, had; bool slept, d;
    { do
      :: n < ROUNDS -> n++;
         do
         :: atomic { FREE(own) -> d = D }; atomic { cell[me]++ };
#ifdef LOOKFIRST
            break
#else
            if
            :: atomic { FREE(own) -> d = D }; break
            :: atomic { !FREE(own) }; read_leave()
            fi
#endif
         :: atomic { !FREE(own) }; wait_word()
         od;
         atomic { inr[me] = 1; slept = 0; assert(!dirty || d) };
         atomic { k = NR + 1; do :: k <= N -> assert(!inw[k]); k++ :: else -> k = 0; break od };
         atomic { inr[me] = 0; d = 0 };
         read_leave()
      :: else -> break
      od
    } unless { atomic { kill[me] -> kill[me] = 0; dead[me] = 1; death = 1; inr[me] = 0; on[me] = 0; woken[me] = 0;
                        if :: adm == me -> adm = 0 :: else fi; w = 0; k = 0; l = 0; had = 0; slept = 0; d = 0 } }
}

inline scan() {
    c = 1; do :: c <= NR && cell[c] == 0 -> c++ :: c <= NR && cell[c] != 0 -> break :: c > NR -> break od
}

proctype Writer(byte me) {
    byte n, w, k, l, had, c, v; bool slept, got;
    { do
      :: n < ROUNDS -> n++;
         do
         :: atomic { FREE(own) -> own = me; W = W || KEEP; got = D; break }
         :: atomic { !FREE(own) }; wait_word()
         od;
         do
         :: scan();
            if
            :: c > NR -> break
            :: else ->
               atomic { v = drained }; atomic { draining = me };
#ifndef NOSECOND
               scan();
#endif
               if
               :: c > NR -> break
               :: else -> atomic { if :: drained == v -> on[me] = 2; woken[me] = 0 :: else fi }; slumber()
               fi
            fi
         od;
         atomic { draining = 0; c = 0; v = 0; slept = 0 };
         atomic { k = 1; do :: k <= N -> assert(!inr[k]); assert(!inw[k]); k++ :: else -> k = 0; break od;
                  inw[me] = 1; assert(!dirty || got); dirty = 1 };
         atomic { inw[me] = 0; dirty = 0; got = 0; D = 0 };   /* heals, if there is anything to heal */
         atomic { assert(own == me); own = 0; had = W; W = 0 };
         if :: atomic { had -> had = 0; WAKE } :: atomic { !had } fi
      :: else -> break
      od
    } unless { atomic { kill[me] -> kill[me] = 0; dead[me] = 1; death = 1; inw[me] = 0; on[me] = 0; woken[me] = 0;
                        if :: adm == me -> adm = 0 :: else fi; w = 0; k = 0; l = 0; had = 0; c = 0; v = 0; slept = 0; got = 0 } }
}

proctype Killer() {
    byte v;
    do :: kills < KILLS -> atomic { select(v : 1 .. N); kill[v] = 1; kills++; v = 0 } :: break od
}

byte z, asleep; bool more;
init {
    atomic { z = 1; do :: z <= NR -> run Reader(z); z++ :: z > NR && z <= N -> run Writer(z); z++ :: else -> break od; run Killer(); z = 1 }
    timeout;
    atomic {
        do
        :: z <= N -> if :: on[z] -> asleep++; more = more || death && bounds[z] < 3 :: else fi; z++
        :: else -> break
        od;
        assert(asleep == 0 || more);
        assert(adm == 0)
    }
}
