#include "lab/clock.h"

#include <errno.h>
#include <sys/prctl.h>
#include <time.h>

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * LAB_SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t lab_clock_ns(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t lab_clock_thread_ns(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

int64_t lab_clock_offset_from_realtime_ns(void) {
    const uint64_t realtime = read_clock(CLOCK_REALTIME);
    return (int64_t)(lab_clock_ns() - realtime);
}

void lab_clock_sleep_until(uint64_t deadline_ns) {
    const struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ns / LAB_SECOND_NS),
        .tv_nsec = (long)(deadline_ns % LAB_SECOND_NS),
    };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR) {
    }
}

void lab_clock_tighten_timers(void) { prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }
