#include "lab/emulator.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lab/clock.h"
#include "lab/histogram.h"
#include "lab/problem.h"
#include "release_queue.h"

enum {
    BURST = 16,                      /* packets read or released before the other direction has its turn */
    REALTIME_PRIORITY = 20,
    CONTROL_INTERVAL_NS = 10000000,  /* a loop that never sleeps looks for signals this often */
    IDLE_SLEEP_NS = 500000000,
    SPIN_WINDOW_NS = 100000000,      /* spinning is rationed for each such window */
    SPIN_BUDGET_NS = 60000000,
    AWAKE_MAX_NS = 4000000,          /* the kernel stops a real-time thread that takes 95 % of a second for 50 ms: */
    REST_NS = 250000,                /* resting this long that often costs as much, in small pieces */
};

typedef struct direction {
    lab_tun from;
    lab_tun to;
    lab_link link;
    lab_release_queue queue;
    lab_histogram queueing;
    lab_histogram lateness;
    lab_direction_report report;
} direction;

struct lab_emulator {
    direction directions[LAB_DIRECTIONS];
    uint8_t *packets;     /* buffers + 1 of buffer_bytes each */
    size_t buffer_bytes;
    uint32_t *free_buffers;
    uint32_t free_count;
    uint32_t spare;       /* the buffer that the next packet is read into */
    int signals;          /* a signalfd */
    uint64_t window_start_ns;
    uint64_t spun_ns;
};

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

static int watch_signals(void) {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    return signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
}

lab_emulator *lab_emulator_new(const lab_tun *a, const lab_tun *b, const lab_link_config *a_to_b,
                               const lab_link_config *b_to_a, uint32_t buffers) {
    if (buffers < LAB_BUFFERS_MIN || buffers > LAB_BUFFERS_MAX) {
        lab_fail("the number of buffers must be %d to %d", LAB_BUFFERS_MIN, LAB_BUFFERS_MAX);
        return NULL;
    }
    lab_emulator *emulator = calloc(1, sizeof *emulator);
    if (emulator == NULL) {
        lab_fail("no memory for the emulator");
        return NULL;
    }
    direction *directions = emulator->directions;
    directions[LAB_A_TO_B] = (direction){.from = *a, .to = *b, .link.config = *a_to_b};
    directions[LAB_B_TO_A] = (direction){.from = *b, .to = *a, .link.config = *b_to_a};
    emulator->signals = -1;
    emulator->buffer_bytes = (larger(a_to_b->mtu, b_to_a->mtu) + 63u) / 64 * 64;
    emulator->packets = calloc((size_t)buffers + 1, emulator->buffer_bytes);
    emulator->free_buffers = calloc(buffers, sizeof *emulator->free_buffers);
    const bool queues = lab_release_queue_open(&directions[LAB_A_TO_B].queue, buffers) &&
                        lab_release_queue_open(&directions[LAB_B_TO_A].queue, buffers);
    if (emulator->packets == NULL || emulator->free_buffers == NULL || !queues) {
        lab_emulator_free(emulator);
        lab_fail("no memory for %u buffers", buffers);
        return NULL;
    }
    /* The last one freed is the next one used, so that a short queue stays in few pages. */
    for (uint32_t i = 0; i < buffers; i++) emulator->free_buffers[i] = buffers - i;
    emulator->free_count = buffers;
    emulator->signals = watch_signals();
    if (emulator->signals < 0) {
        lab_fail("cannot watch for signals: %s", strerror(errno));
        lab_emulator_free(emulator);
        return NULL;
    }
    return emulator;
}

void lab_emulator_free(lab_emulator *emulator) {
    if (emulator == NULL) return;
    for (int i = 0; i < LAB_DIRECTIONS; i++) lab_release_queue_close(&emulator->directions[i].queue);
    if (emulator->signals >= 0) close(emulator->signals);
    free(emulator->free_buffers);
    free(emulator->packets);
    free(emulator);
}

bool lab_emulator_use_realtime(void) {
    lab_clock_tighten_timers();
    const struct sched_param parameters = {.sched_priority = REALTIME_PRIORITY};
    if (sched_setscheduler(0, SCHED_FIFO, &parameters) != 0) return false;
    /* A page fault in the middle of a run is lateness. Where locking is refused, it is the report that shows it. */
    (void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    return true;
}

static uint8_t *buffer_at(const lab_emulator *emulator, uint32_t buffer) {
    return emulator->packets + (size_t)buffer * emulator->buffer_bytes;
}

/* Arrivals */

enum { IPV6_HEADER = 40, IPV6_ICMP = 58, IPV6_HOP_BY_HOP = 0, ICMPV6_FIRST_ND = 133, ICMPV6_LAST_ND = 137 };

/* The kernel speaks to every new IPv6 interface, at times of its own choosing: router and neighbour discovery, and
 * multicast reports, which are behind a hop-by-hop header and go to ff02::/16. */
static bool is_housekeeping(const uint8_t *packet, size_t bytes) {
    if (bytes < IPV6_HEADER || packet[0] >> 4 != 6) return false;
    if (packet[24] == 0xff && packet[25] == 0x02) return true;
    if (packet[6] != IPV6_ICMP || bytes <= IPV6_HEADER) return false;
    return packet[IPV6_HEADER] >= ICMPV6_FIRST_ND && packet[IPV6_HEADER] <= ICMPV6_LAST_ND;
}

static void offer(lab_emulator *emulator, direction *way, uint32_t bytes) {
    const uint64_t now_ns = lab_clock_ns();
    lab_direction_report *report = &way->report;
    const lab_passage passage = lab_link_offer(&way->link, now_ns, bytes);
    report->offered_packets += 1;
    report->offered_bytes += bytes;
    switch (passage.fate) {
    case LAB_DELIVERED: break;
    case LAB_LOST: report->lost += 1; return;
    case LAB_QUEUE_FULL: report->queue_full += 1; return;
    case LAB_OUTAGE: report->outage += 1; return;
    case LAB_TOO_BIG: report->too_big += 1; return;
    }
    if (emulator->free_count == 0) {
        report->buffers_exhausted += 1;
        return;
    }
    report->held_back += passage.held_back;
    lab_histogram_record(&way->queueing, passage.queued_ns);
    lab_release_queue_push(&way->queue, (lab_release){.departure_ns = passage.departure_ns,
                                                      .buffer = emulator->spare,
                                                      .bytes = bytes,
                                                      .copies = passage.copies});
    emulator->spare = emulator->free_buffers[--emulator->free_count];
}

/* Packets read; -1 when the device failed. */
static int read_burst(lab_emulator *emulator, direction *way) {
    int count = 0;
    while (count < BURST) {
        uint8_t *packet = buffer_at(emulator, emulator->spare);
        const ssize_t bytes = read(way->from.descriptor, packet, emulator->buffer_bytes);
        if (bytes < 0) {
            if (errno == EAGAIN || errno == EINTR) break;
            lab_fail("the device %s failed: %s", way->from.device, strerror(errno));
            return -1;
        }
        count += 1;
        if (is_housekeeping(packet, (size_t)bytes)) {
            way->report.housekeeping += 1;
        } else if (bytes > 0) {
            offer(emulator, way, (uint32_t)bytes);
        }
    }
    return count;
}

/* Releases */

static void release(lab_emulator *emulator, direction *way, uint64_t now_ns) {
    const lab_release packet = lab_release_queue_pop(&way->queue);
    lab_direction_report *report = &way->report;
    lab_histogram_record(&way->lateness, now_ns - packet.departure_ns);
    for (uint32_t copy = 0; copy < packet.copies; copy++) {
        const ssize_t written = write(way->to.descriptor, buffer_at(emulator, packet.buffer), packet.bytes);
        if (written != (ssize_t)packet.bytes) {
            report->write_failed += 1;
        } else if (copy > 0) {
            report->duplicated += 1;
        } else {
            report->delivered_packets += 1;
            report->delivered_bytes += packet.bytes;
        }
    }
    emulator->free_buffers[emulator->free_count++] = packet.buffer;
}

static int release_burst(lab_emulator *emulator, direction *way) {
    int count = 0;
    while (count < BURST) {
        const lab_release *first = lab_release_queue_first(&way->queue);
        if (first == NULL) break;
        const uint64_t now_ns = lab_clock_ns();
        if (first->departure_ns > now_ns) break;
        release(emulator, way, now_ns);
        count += 1;
    }
    return count;
}

/* Waiting */

static uint64_t next_release_ns(const lab_emulator *emulator) {
    uint64_t next_ns = UINT64_MAX;
    for (int i = 0; i < LAB_DIRECTIONS; i++) {
        const lab_release *first = lab_release_queue_first(&emulator->directions[i].queue);
        if (first != NULL && first->departure_ns < next_ns) next_ns = first->departure_ns;
    }
    return next_ns;
}

/* Charges one round of spinning. False when this window's ration is used up. */
static bool may_spin(lab_emulator *emulator, uint64_t now_ns) {
    if (now_ns - emulator->window_start_ns >= SPIN_WINDOW_NS) {
        emulator->window_start_ns = now_ns;
        emulator->spun_ns = 0;
    }
    return emulator->spun_ns < SPIN_BUDGET_NS;
}

/* Sleeps until a packet or a signal comes, or until it is time to spin for the next release. */
static void wait_for_work(const lab_emulator *emulator, uint64_t now_ns, uint64_t wake_ns) {
    const uint64_t sleep_ns = wake_ns <= now_ns ? 0 : wake_ns - now_ns;
    const struct timespec timeout = {.tv_nsec = (long)(sleep_ns < IDLE_SLEEP_NS ? sleep_ns : IDLE_SLEEP_NS)};
    struct pollfd descriptors[] = {
        {.fd = emulator->directions[LAB_A_TO_B].from.descriptor, .events = POLLIN},
        {.fd = emulator->directions[LAB_B_TO_A].from.descriptor, .events = POLLIN},
        {.fd = emulator->signals, .events = POLLIN},
    };
    /* Whatever woke it, the caller looks at everything. */
    (void)ppoll(descriptors, sizeof descriptors / sizeof descriptors[0], &timeout, NULL);
}

static bool has_signal(int signals) {
    struct signalfd_siginfo information;
    return read(signals, &information, sizeof information) == (ssize_t)sizeof information;
}

/* One turn for each direction. The packets moved; -1 when a device failed. */
static int move_packets(lab_emulator *emulator) {
    int moved = 0;
    for (int i = 0; i < LAB_DIRECTIONS; i++) {
        moved += release_burst(emulator, &emulator->directions[i]);
        const int got = read_burst(emulator, &emulator->directions[i]);
        if (got < 0) return -1;
        moved += got;
    }
    return moved;
}

static bool forward(lab_emulator *emulator, uint64_t end_ns) {
    uint64_t control_ns = 0;
    uint64_t before_ns = lab_clock_ns();
    uint64_t awake_since_ns = before_ns;
    bool spinning = false;
    for (;;) {
        const int moved = move_packets(emulator);
        if (moved < 0) return false;
        const uint64_t now_ns = lab_clock_ns();
        if (spinning && moved == 0) emulator->spun_ns += now_ns - before_ns;
        before_ns = now_ns;
        if (now_ns >= end_ns) return true;
        if (now_ns >= control_ns) {
            if (has_signal(emulator->signals)) return true;
            control_ns = now_ns + CONTROL_INTERVAL_NS;
        }
        if (now_ns - awake_since_ns >= AWAKE_MAX_NS) {
            lab_clock_sleep_until(now_ns + REST_NS);
            awake_since_ns = lab_clock_ns();
            continue;
        }

        const uint64_t release_ns = next_release_ns(emulator);
        const uint64_t spin_ns = may_spin(emulator, now_ns) ? LAB_SPIN_MAX_NS : 0;
        spinning = release_ns <= now_ns + spin_ns;
        if (moved > 0 || spinning) continue;
        const uint64_t wake_ns = release_ns == UINT64_MAX ? UINT64_MAX : release_ns - spin_ns;
        wait_for_work(emulator, now_ns, wake_ns < end_ns ? wake_ns : end_ns);
        awake_since_ns = lab_clock_ns();
        control_ns = 0;
    }
}

bool lab_emulator_run(lab_emulator *emulator, uint64_t duration_ns) {
    const uint64_t start_ns = lab_clock_ns();
    for (int i = 0; i < LAB_DIRECTIONS; i++) {
        const lab_link_config config = emulator->directions[i].link.config;
        lab_link_start(&emulator->directions[i].link, &config, start_ns);
    }
    const bool done = forward(emulator, duration_ns == 0 ? UINT64_MAX : start_ns + duration_ns);
    for (int i = 0; i < LAB_DIRECTIONS; i++) {
        direction *way = &emulator->directions[i];
        way->report.device_dropped = lab_tun_dropped(&way->from);
    }
    return done;
}

lab_direction_report lab_emulator_report(const lab_emulator *emulator, int which) {
    const direction *way = &emulator->directions[which];
    lab_direction_report report = way->report;
    report.in_flight = way->queue.count;
    report.queue_p50_ns = lab_histogram_quantile(&way->queueing, 0.50);
    report.queue_p95_ns = lab_histogram_quantile(&way->queueing, 0.95);
    report.queue_p99_ns = lab_histogram_quantile(&way->queueing, 0.99);
    report.lateness_p50_ns = lab_histogram_quantile(&way->lateness, 0.50);
    report.lateness_p99_ns = lab_histogram_quantile(&way->lateness, 0.99);
    report.lateness_max_ns = way->lateness.max;
    return report;
}
