// The clock by which QEMU's timers go. When the plugin is loaded before QEMU itself (LD_PRELOAD, on
// Linux), this clock_gettime takes the place of the C library's, and the guest's timers ring in
// simulated time, however slow the host is.
#include "lockstep.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *t) {
    if (clock != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, clock, t);
    uint64_t ns = simulated_time_ns();
    t->tv_sec = (time_t)(ns / NS_PER_SECOND);
    t->tv_nsec = (long)(ns % NS_PER_SECOND);
    return 0;
}
