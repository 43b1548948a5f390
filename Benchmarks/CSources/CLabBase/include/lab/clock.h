/** @file  The lab's clock: CLOCK_MONOTONIC, which every network namespace of a machine shares. */
#ifndef LAB_CLOCK_H
#define LAB_CLOCK_H

#include <stdint.h>

#define LAB_SECOND_NS UINT64_C(1000000000)

/** Nanoseconds of CLOCK_MONOTONIC. */
uint64_t lab_clock_ns(void);

/** Nanoseconds of processor time that this thread has had: other threads' turns do not count. */
uint64_t lab_clock_thread_ns(void);

/** CLOCK_MONOTONIC minus CLOCK_REALTIME, to place the kernel's receive timestamps on the lab's clock. */
int64_t lab_clock_offset_from_realtime_ns(void);

/** Sleeps until `deadline_ns`; returns at once when that is in the past. */
void lab_clock_sleep_until(uint64_t deadline_ns);

/** Asks the kernel not to coalesce this thread's timers. Real-time threads need no asking. */
void lab_clock_tighten_timers(void);

#endif
