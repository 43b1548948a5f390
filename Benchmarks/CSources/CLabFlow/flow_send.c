#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/address.h"
#include "lab/clock.h"
#include "lab/flow_socket.h"
#include "lab/problem.h"

enum {
    ENDS = 10,
    END_INTERVAL_NS = 50000000,
    SEND_BUFFER = 4 << 20,
};

typedef struct sender {
    int descriptor;
    uint64_t flow;
    const lab_flow_plan *plan;
    lab_flow_sent *sent;
    lab_histogram lateness;
    uint8_t datagram[LAB_FLOW_DATAGRAM_MAX];
} sender;

static volatile sig_atomic_t stopped;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

static void stop_on_signals(void) {
    const struct sigaction action = {.sa_handler = stop};
    stopped = 0;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* The time of sending is taken last, so that the delay a sink sees holds as little of the sender as possible. */
static bool send_one(sender *sender, lab_flow_kind kind, uint64_t sequence, uint32_t bytes, uint64_t *sent_ns) {
    for (int attempt = 0;; attempt++) {
        *sent_ns = lab_clock_ns();
        lab_flow_encode(sender->datagram, &(lab_flow_header){.kind = kind,
                                                             .flow = sender->flow,
                                                             .sequence = sequence,
                                                             .sent_ns = *sent_ns});
        if (send(sender->descriptor, sender->datagram, bytes, 0) == (ssize_t)bytes) return true;
        /* A port unreachable from before is reported here once, instead of sending. */
        if (errno != ECONNREFUSED || attempt > 0) return false;
    }
}

static void send_plan(sender *sender) {
    lab_flow_sent *sent = sender->sent;
    const uint64_t start_ns = lab_clock_ns();
    uint64_t first_ns = 0;
    uint64_t now_ns = start_ns;
    for (uint64_t i = 0; i < sender->plan->count && !stopped; i++) {
        const uint64_t due_ns = start_ns + lab_flow_due_ns(sender->plan, i);
        if (due_ns > now_ns) lab_clock_sleep_until(due_ns);
        const uint32_t bytes = lab_flow_size(sender->plan, i);
        if (!send_one(sender, LAB_FLOW_DATA, sent->datagrams, bytes, &now_ns)) {
            sent->failed += 1;
            continue;
        }
        if (sent->datagrams == 0) first_ns = now_ns;
        lab_histogram_record(&sender->lateness, now_ns - due_ns);
        sent->datagrams += 1;
        sent->bytes += bytes;
        sent->elapsed_ns = now_ns - first_ns;
    }
    sent->interrupted = stopped != 0;
}

static void send_ends(sender *sender) {
    uint64_t at_ns = lab_clock_ns();
    for (int i = 0; i < ENDS; i++) {
        uint64_t sent_ns = 0;
        (void)send_one(sender, LAB_FLOW_END, sender->sent->datagrams, LAB_FLOW_HEADER, &sent_ns);
        at_ns += END_INTERVAL_NS;
        lab_clock_sleep_until(at_ns);
    }
}

static bool plan_is_sound(const lab_flow_plan *plan) {
    if (plan->size_min < LAB_FLOW_HEADER || plan->size_max > LAB_FLOW_DATAGRAM_MAX || plan->size_min > plan->size_max) {
        return lab_fail("the size must be %d to %d bytes of UDP payload", LAB_FLOW_HEADER, LAB_FLOW_DATAGRAM_MAX);
    }
    if (plan->burst == 0 || plan->interval_ps == 0) return lab_fail("a flow needs a rate and bursts of at least 1");
    if (plan->count == 0) return lab_fail("the flow is too short for a single datagram");
    if (plan->count > LAB_FLOW_SEQUENCES_MAX) {
        return lab_fail("a flow may have %d datagrams: make it shorter or slower", LAB_FLOW_SEQUENCES_MAX);
    }
    return true;
}

static bool open_sender(sender *sender, const char *to) {
    struct sockaddr_storage address;
    socklen_t bytes = 0;
    if (!lab_address_parse(to, &address, &bytes)) return false;
    sender->descriptor = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sender->descriptor < 0) return lab_fail("cannot make a socket: %s", strerror(errno));
    const int buffer = SEND_BUFFER;
    (void)setsockopt(sender->descriptor, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    if (connect(sender->descriptor, (const struct sockaddr *)&address, bytes) != 0) {
        const int error = errno;
        close(sender->descriptor);
        return lab_fail("cannot send to %s: %s", to, strerror(error));
    }
    return true;
}

bool lab_flow_send(const char *to, const lab_flow_plan *plan, lab_flow_sent *sent) {
    *sent = (lab_flow_sent){0};
    if (!plan_is_sound(plan)) return false;
    sender *state = calloc(1, sizeof *state);
    if (state == NULL) return lab_fail("no memory for the sender");
    state->plan = plan;
    state->sent = sent;
    if (!open_sender(state, to)) {
        free(state);
        return false;
    }
    if (getrandom(&state->flow, sizeof state->flow, 0) != (ssize_t)sizeof state->flow) state->flow = lab_clock_ns();

    stop_on_signals();
    lab_clock_tighten_timers();
    send_plan(state);
    send_ends(state);
    sent->lateness_p50_ns = lab_histogram_quantile(&state->lateness, 0.50);
    sent->lateness_p99_ns = lab_histogram_quantile(&state->lateness, 0.99);
    sent->lateness_max_ns = state->lateness.max;
    const bool any = sent->datagrams > 0;
    close(state->descriptor);
    free(state);
    return any || lab_fail("not one datagram could be sent to %s", to);
}
