/* SPDX-License-Identifier: MIT */
/* without CALL… -- PROGRAM …: run a program under a filter that forbids these system calls, as containers' default seccomp
 * profiles forbid io_uring (EPERM) and old kernels lack calls (ENOSYS). The filter is made by hand. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned number;
    unsigned error;
} calls[] = {
    {"io_uring", SYS_io_uring_setup, EPERM},
    {"futex_waitv", SYS_futex_waitv, ENOSYS},
    {"epoll_pwait2", SYS_epoll_pwait2, ENOSYS},
    {"membarrier", SYS_membarrier, EPERM},
};

static int add(struct sock_filter *filter, int n, const char *name)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(calls[i].name, name) != 0)
            continue;
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1);
        filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | calls[i].error);
        return n;
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct sock_filter filter[64] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    struct sock_fprog program = {.filter = filter};
    int n = 1, i;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        n = n < 60 ? add(filter, n, argv[i]) : -1;
        if (n < 0)
            return fprintf(stderr, "without: no such call: %s\n", argv[i]), 2;
    }
    if (i + 1 >= argc)
        return fprintf(stderr, "usage: without CALL… -- PROGRAM …\n"), 2;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = (unsigned short)n;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return printf("SKIPPED: this kernel takes no seccomp filter: %s\n", strerror(errno)), 77;
    execvp(argv[i + 1], argv + i + 1);
    return perror(argv[i + 1]), 2;
}
