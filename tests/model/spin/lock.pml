/* SPDX-License-Identifier: MIT */
/* A region's lock word (shm/lock.c): N processes lock, heal or hand on unhealed, unlock; KILLS of them die anywhere and come
   back as newcomers, so that lease numbers are given out again; sweeping dies, too.

   Checked: never two living owners; nobody gets what a dead owner left half-done as if it were sound; in the end nobody sleeps.
   Seeded fault, which must be found: STEAL_BARE (a waiter that finds its owner dead takes the word by a bare compare-and-swap). */
#ifndef N
#define N 3
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef R
#define R 1
#endif
#define NL N
#define ORPH 9
#ifdef SEQ
#define SQINC sq++
#else
#define SQINC skip
#endif
#ifdef SEQ
#define SEQOK (ws==sq)
#else
#define SEQOK 1
#endif
#ifndef KV
#define KV (N-1)
#endif
/* word = own, W, D, PO, (seq if SEQ) : one atomic cell */
byte own; bool W, D, PO; byte sq;
bool used[NL+1], alive[NL+1]; byte adm;
bool kill[N], woken[N], asleep[N];
byte kills; bool dirty; byte cs; /* ghost: lease in the section */ byte csp=255;
bool anydeath; byte healers;
inline wakeone() { if :: asleep[0] && !woken[0] -> woken[0]=1 :: asleep[1] && !woken[1] -> woken[1]=1 
#if N>2
 :: asleep[2] && !woken[2] -> woken[2]=1
#endif
 :: else fi }
inline wakeall() { woken[0]=asleep[0]; woken[1]=asleep[1];
#if N>2
 woken[2]=asleep[2];
#endif
}
#define DEAD1(x) (used[x] && !alive[x])
inline sweepall() {
  atomic { adm==0 -> adm=ml }; L=1;
  do :: L<=NL ->
     if :: atomic { DEAD1(L) -> skip };
           atomic { if :: own==L -> own=ORPH; D=1; hw=W; W=0; SQINC :: else hw=0 fi }
           if :: atomic { hw -> wakeall(); hw=0 } :: atomic{ !hw } fi;
           atomic { used[L]=0 }
        :: atomic { !DEAD1(L) } fi; L++
     :: else -> break od;
  atomic { adm=0; L=0 }
}
#define FREEL (!used[1]||!used[2]||!used[NL])
#define ANYDEAD (DEAD1(1)||DEAD1(2)||DEAD1(NL))
proctype P(byte me) {
  byte ml=0, L=0, w, n=0, ws; bool ww, wd, wp, hw, slept, got;
reborn: {
  do :: atomic { adm==0 && FREEL -> if :: !used[1] -> ml=1 :: used[1] && !used[2] -> ml=2 :: else -> ml=NL fi; used[ml]=1; alive[ml]=1; break }
     :: atomic { ANYDEAD && !FREEL -> ml=NL+1 }; sweepall() od;
  do
  :: atomic { n<R -> n++; slept=0 };
   do
   :: atomic { w=own; ww=W; wd=D; wp=PO; ws=sq };
      if
      :: atomic { wp -> skip }; goto out
      :: atomic { !wp && (w==0 || w==ORPH) -> skip };
         atomic { if :: own==w && W==ww && D==wd && PO==wp && SEQOK -> own=ml; W=(ww||slept); SQINC; got=D; break :: else fi }
      :: atomic { !wp && w!=0 && w!=ORPH -> skip };
         if   /* F_OFD_GETLK on lease w */
#ifdef STEAL_BARE
         :: atomic { !alive[w] -> skip };
            atomic { if :: own==w && W==ww && D==wd && PO==wp && SEQOK -> own=ml; W=1; D=1; SQINC; got=1; break :: else fi }
#else
         :: atomic { !alive[w] -> skip }; sweepall()
#endif
         :: atomic { alive[w] -> if :: own==w&&W==ww&&D==wd&&PO==wp -> W=1 :: else fi };
            /* futex_wait(word, word as just written) */
            atomic { if :: own==w && W==1 && D==wd && PO==wp -> asleep[me]=1; woken[me]=0 :: else fi };
            if :: atomic { asleep[me] && woken[me] -> asleep[me]=0; woken[me]=0; slept=1 }
               :: atomic { !asleep[me] -> skip }
               :: atomic { asleep[me] && !woken[me] && anydeath -> asleep[me]=0; slept=1 }   /* 100 ms */
            fi
         fi
      fi
   od;
   atomic { ww=0;wd=0;wp=0;w=0;ws=0; assert(csp==255 || !alive[cs] || csp==me); cs=ml; csp=me; assert(!dirty || got); dirty=1 };
   atomic { assert(csp==me); assert(own==ml); dirty=0; csp=255; cs=0 };
   if :: atomic { got -> D=0; got=0 }          /* heal */
      :: atomic { got -> got=0; dirty=0 }      /* hand on unhealed: poisoned */
      :: atomic { !got -> skip } fi;
   atomic { assert(own==ml); own=0; ww=W; W=0; PO=D; D=0; SQINC };
   if :: atomic { ww -> if :: PO -> wakeall() :: else -> wakeone() fi; ww=0 } :: atomic { !ww } fi;
  :: n>=R -> break
  od;
 out: skip; goto fin
 } unless { atomic { kill[me] -> kill[me]=0; if :: ml>=1&&ml<=NL -> alive[ml]=0 :: else fi; if :: adm==ml&&ml!=0 -> adm=0 :: else fi; if :: csp==me -> csp=255; cs=0 :: else fi;
     asleep[me]=0;woken[me]=0;ml=0;L=0;w=0;ww=0;wd=0;wp=0;ws=0;hw=0;slept=0;got=0; anydeath=1;  goto reborn } };
fin: atomic { csp=csp };
end: false
}
proctype Killer() { byte v; do :: kills<KILLS -> atomic { select(v: 0 .. KV); kill[v]=1; kills++; v=0 } :: break od }
byte z,y;
init { atomic { z=0; do :: z<N -> run P(z); z++ :: else -> break od; run Killer() }
  timeout; 
  assert(!asleep[0] && !asleep[1]);
  assert(adm==0); assert(own==0 || own==ORPH || !alive[own]);
}
