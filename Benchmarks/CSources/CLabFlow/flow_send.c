#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
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
    /* Above what a full queue of a network device holds: a sender that waits for it would not keep its schedule. */
    SEND_BUFFER = 64 << 20,
    BATCH = 64,           /* datagrams of a system call */
    GSO_BYTES_MAX = 65000, /* of the datagrams that one UDP_SEGMENT call takes */
};

typedef struct sender {
    int descriptor;
    uint64_t flow;
    const lab_flow_plan *plan;
    lab_flow_sent *sent;
    uint64_t first_ns;
    lab_histogram lateness;
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    uint8_t *datagrams; /* BATCH times size_max bytes */
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

static uint8_t *datagram_at(sender *sender, uint32_t place) {
    return sender->datagrams + (size_t)place * sender->plan->size_max;
}

/* A port unreachable from before is reported here once, instead of sending. */
static int send_again(sender *sender, uint32_t count) {
    for (int attempt = 0;; attempt++) {
        const int done = sendmmsg(sender->descriptor, sender->messages, count, 0);
        if (done >= 0 || errno != ECONNREFUSED || attempt > 0) return done;
    }
}

static uint32_t rtp_bytes(const lab_flow_plan *plan) { return plan->rtp ? LAB_FLOW_RTP : 0; }

static uint32_t end_bytes(const lab_flow_plan *plan) { return rtp_bytes(plan) + LAB_FLOW_HEADER; }

/*
 * Hands `count` datagrams of the plan, from `index`, to the kernel in one call. The time of sending is taken last, so that
 * the delay a sink sees holds as little of the sender as possible. Returns how many went, or -1.
 */
static int send_together(sender *sender, lab_flow_kind kind, uint64_t index, uint32_t count, uint64_t *sent_ns) {
    const bool end = kind == LAB_FLOW_END;
    const bool gso = sender->plan->gso && !end;
    const uint32_t ahead = rtp_bytes(sender->plan);
    lab_flow_header header = {.kind = kind, .flow = sender->flow, .sequence = sender->sent->datagrams};
    header.sent_ns = *sent_ns = lab_clock_ns();
    for (uint32_t i = 0; i < count; i++, header.sequence++) {
        if (ahead > 0) lab_flow_encode_rtp(datagram_at(sender, i), sender->flow, header.sequence + sender->sent->ends);
        lab_flow_encode(datagram_at(sender, i) + ahead, &header);
        const uint32_t bytes = end ? end_bytes(sender->plan) : lab_flow_size(sender->plan, index + i);
        sender->vectors[i] = (struct iovec){.iov_base = datagram_at(sender, i), .iov_len = bytes};
        sender->messages[i].msg_hdr = (struct msghdr){.msg_iov = &sender->vectors[i], .msg_iovlen = 1};
    }
    if (!gso) return send_again(sender, count);
    /* All are of one size and lie side by side: one message, which the kernel cuts. */
    sender->vectors[0].iov_len = (size_t)count * sender->plan->size_max;
    return send_again(sender, 1) == 1 ? (int)count : -1;
}

static void note_sent(sender *sender, uint64_t index, uint32_t count, uint64_t start_ns, uint64_t sent_ns) {
    lab_flow_sent *sent = sender->sent;
    if (sent->datagrams == 0) sender->first_ns = sent_ns;
    for (uint32_t i = 0; i < count; i++) {
        lab_histogram_record(&sender->lateness, sent_ns - start_ns - lab_flow_due_ns(sender->plan, index + i));
        sent->bytes += lab_flow_size(sender->plan, index + i);
    }
    sent->datagrams += count;
    sent->elapsed_ns = sent_ns - sender->first_ns;
}

static void send_plan(sender *sender) {
    const lab_flow_plan *plan = sender->plan;
    const uint32_t most = plan->gso && plan->size_max * BATCH > GSO_BYTES_MAX ? GSO_BYTES_MAX / plan->size_max : BATCH;
    const uint64_t start_ns = lab_clock_ns();
    uint64_t now_ns = start_ns;
    for (uint64_t i = 0; i < plan->count && !stopped;) {
        if (plan->limit_ns > 0 && now_ns - start_ns > plan->limit_ns) break;
        const uint64_t due_ns = start_ns + lab_flow_due_ns(plan, i);
        if (due_ns > now_ns) lab_clock_sleep_until(due_ns);
        uint64_t left = plan->burst - i % plan->burst;
        if (left > plan->count - i) left = plan->count - i;
        const uint32_t together = left > most ? most : (uint32_t)left;
        const int done = send_together(sender, LAB_FLOW_DATA, i, together, &now_ns);
        if (done < 0) {
            /* Only the first is known to have failed. */
            sender->sent->failed += 1;
            i += 1;
            continue;
        }
        note_sent(sender, i, (uint32_t)done, start_ns, now_ns);
        i += (uint32_t)done;
    }
    sender->sent->interrupted = stopped != 0;
}

static void send_ends(sender *sender) {
    uint64_t at_ns = lab_clock_ns();
    for (int i = 0; i < ENDS; i++) {
        uint64_t sent_ns = 0;
        if (send_together(sender, LAB_FLOW_END, 0, 1, &sent_ns) == 1) {
            sender->sent->ends += 1;
            sender->sent->end_bytes += end_bytes(sender->plan);
        }
        at_ns += END_INTERVAL_NS;
        lab_clock_sleep_until(at_ns);
    }
}

static bool plan_is_sound(const lab_flow_plan *plan) {
    if (plan->size_min < end_bytes(plan) || plan->size_max > LAB_FLOW_DATAGRAM_MAX || plan->size_min > plan->size_max) {
        return lab_fail("the size must be %d to %d bytes of UDP payload", (int)end_bytes(plan), LAB_FLOW_DATAGRAM_MAX);
    }
    if (plan->burst == 0 || plan->interval_ps == 0) return lab_fail("a flow needs a rate and bursts of at least 1");
    if (plan->count == 0) return lab_fail("the flow is too short for a single datagram");
    if (plan->count > LAB_FLOW_SEQUENCES_MAX) {
        return lab_fail("a flow may have %d datagrams: make it shorter or slower", LAB_FLOW_SEQUENCES_MAX);
    }
    if (plan->gso && (plan->size_min != plan->size_max || plan->size_max > GSO_BYTES_MAX / 2)) {
        return lab_fail("segmentation offload needs datagrams of one size, of at most %d bytes", GSO_BYTES_MAX / 2);
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
    /* The first works for anyone, up to the system's limit; the second for root, above it. */
    (void)setsockopt(sender->descriptor, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    (void)setsockopt(sender->descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    const int segment = sender->plan->gso ? (int)sender->plan->size_max : 0;
    if (segment > 0 && setsockopt(sender->descriptor, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0) {
        const int error = errno;
        close(sender->descriptor);
        return lab_fail("the kernel refuses segmentation offload: %s", strerror(error));
    }
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
    state->datagrams = calloc(BATCH, plan->size_max);
    if (state->datagrams == NULL || !open_sender(state, to)) {
        if (state->datagrams == NULL) lab_fail("no memory for the datagrams");
        free(state->datagrams);
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
    free(state->datagrams);
    free(state);
    return any || lab_fail("not one datagram could be sent to %s", to);
}
