/* SPDX-License-Identifier: MIT */
/**
 * Static probes for tracers (bpftrace, systemtap, perf): a nop each, until somebody attaches. Off the fast path only, and
 * empty where the build has no sys/sdt.h. readelf -n lists them; docs/SHMCTL.md, "Probes".
 */
#ifndef STRAIT_PROBE_H
#define STRAIT_PROBE_H

#if defined(STRAIT_HAVE_SDT) && !defined(STRAIT_MODEL)
#include <sys/sdt.h>
#define STRAIT_PROBE1(name, a)    DTRACE_PROBE1(strait, name, a)
#define STRAIT_PROBE2(name, a, b) DTRACE_PROBE2(strait, name, a, b)
#else
#define STRAIT_PROBE1(name, a)    ((void)0)
#define STRAIT_PROBE2(name, a, b) ((void)0)
#endif

#endif
