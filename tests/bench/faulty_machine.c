/* A machine whose clock jumps and whose disk is slow, for one process: put before the C library by LD_PRELOAD.

   $POSTERN_BENCH_MACHINE names a file of two 64-bit integers: seconds by which the wall clock is wrong, and milliseconds
   that a sync takes longer. Whoever writes them there changes the running process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *told;
static int64_t well[2];

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POSTERN_BENCH_MACHINE");
    int file = path ? open(path, O_RDONLY) : -1;
    void *shared = file < 0 ? MAP_FAILED : mmap(NULL, sizeof well, PROT_READ, MAP_SHARED, file, 0);
    told = shared == MAP_FAILED ? well : shared;
    if (file >= 0)
        close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && told && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += told[0];
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

static int after_a_while(const char *name, int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    if (told && told[1] > 0)
        usleep((useconds_t)told[1] * 1000);
    return real(file);
}

int fsync(int file) { return after_a_while("fsync", file); }

int fdatasync(int file) { return after_a_while("fdatasync", file); }
