/* SPDX-License-Identifier: MIT */
/**
 * Put before every file of the library (-include) in the fuzzers' build: the kernel is a few arrays and a clock that we
 * turn ourselves. So an input always does the same, takes microseconds, and a sleep of 100 ms costs nothing.
 */
#ifndef STRAIT_FUZZ_SEAM_H
#define STRAIT_FUZZ_SEAM_H

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "strait/layout.h"

/* One word a set, and four pages of cells: what goes over all leases would be half of the work of most inputs. */
#undef STRAIT_LEASES
#define STRAIT_LEASES 64

int seam_open(const char *path, int flags, ...);
int seam_close(int fd);
int seam_stat(const char *path, struct stat *st);
int seam_fstat(int fd, struct stat *st);
int seam_fchmod(int fd, mode_t mode);
int seam_fcntl(int fd, int command, ...);
void *seam_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t off);
int seam_munmap(void *at, size_t bytes);
int seam_madvise(void *at, size_t bytes, int advice);
int seam_fallocate(int fd, int mode, off_t off, off_t bytes);
int seam_posix_fallocate(int fd, off_t off, off_t bytes);
ssize_t seam_getrandom(void *to, size_t bytes, unsigned flags);
ssize_t seam_read(int fd, void *to, size_t bytes);
ssize_t seam_pread(int fd, void *to, size_t bytes, off_t off);
int seam_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int seam_unlink(const char *path);
long seam_syscall(long number, ...);
int seam_clock_gettime(clockid_t clock, struct timespec *t);
int seam_nanosleep(const struct timespec *t, struct timespec *left);
int seam_sched_getaffinity(pid_t pid, size_t bytes, cpu_set_t *set);

#ifndef STRAIT_FUZZ_KERNEL
#define open(...)              seam_open(__VA_ARGS__)
#define close(...)             seam_close(__VA_ARGS__)
#define stat(...)              seam_stat(__VA_ARGS__)
#define lstat(...)             seam_stat(__VA_ARGS__)
#define fstat(...)             seam_fstat(__VA_ARGS__)
#define fchmod(...)            seam_fchmod(__VA_ARGS__)
#define fcntl(...)             seam_fcntl(__VA_ARGS__)
#define mmap(...)              seam_mmap(__VA_ARGS__)
#define munmap(...)            seam_munmap(__VA_ARGS__)
#define madvise(...)           seam_madvise(__VA_ARGS__)
#define fallocate(...)         seam_fallocate(__VA_ARGS__)
#define posix_fallocate(...)   seam_posix_fallocate(__VA_ARGS__)
#define getrandom(...)         seam_getrandom(__VA_ARGS__)
#define pread(...)             seam_pread(__VA_ARGS__)
#define read(...)              seam_read(__VA_ARGS__)
#define linkat(...)            seam_linkat(__VA_ARGS__)
#define unlink(...)            seam_unlink(__VA_ARGS__)
#define syscall(...)           seam_syscall(__VA_ARGS__)
#define clock_gettime(...)     seam_clock_gettime(__VA_ARGS__)
#define nanosleep(...)         seam_nanosleep(__VA_ARGS__)
#define sched_getaffinity(...) seam_sched_getaffinity(__VA_ARGS__)
#endif

#endif
