#include "lab/flood.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/address.h"
#include "lab/clock.h"
#include "lab/problem.h"

enum { SEND_BUFFER = 4 << 20, CALLS_BETWEEN_CLOCKS = 8 };

typedef struct flood {
    const lab_flood_plan *plan;
    lab_flood_sent *sent;
    uint32_t opened;
    int sockets[LAB_FLOOD_PORTS_MAX];
    struct mmsghdr messages[LAB_FLOOD_BATCH];
    struct iovec vectors[LAB_FLOOD_BATCH];
    uint32_t next_datagram;
} flood;

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

static void close_sockets(flood *flood) {
    for (uint32_t i = 0; i < flood->opened; i++) close(flood->sockets[i]);
}

static bool open_sockets(flood *flood, const char *to) {
    struct sockaddr_storage address;
    socklen_t bytes = 0;
    if (!lab_address_parse(to, &address, &bytes)) return false;
    for (; flood->opened < flood->plan->ports; flood->opened++) {
        const int descriptor = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (descriptor < 0) return lab_fail("cannot make socket %u: %s", flood->opened + 1, strerror(errno));
        flood->sockets[flood->opened] = descriptor;
        const int buffer = SEND_BUFFER;
        (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
        if (connect(descriptor, (const struct sockaddr *)&address, bytes) != 0) {
            const int error = errno;
            close(descriptor);
            return lab_fail("cannot send to %s: %s", to, strerror(error));
        }
    }
    return true;
}

static void send_batch(flood *flood, int descriptor) {
    const lab_flood_plan *plan = flood->plan;
    for (int i = 0; i < LAB_FLOOD_BATCH; i++) {
        flood->vectors[i] = (struct iovec){
            .iov_base = (void *)(uintptr_t)(plan->datagrams + (size_t)flood->next_datagram * plan->datagram_bytes),
            .iov_len = plan->datagram_bytes,
        };
        flood->messages[i].msg_hdr = (struct msghdr){.msg_iov = &flood->vectors[i], .msg_iovlen = 1};
        flood->next_datagram = flood->next_datagram + 1 == plan->count ? 0 : flood->next_datagram + 1;
    }
    const int count = sendmmsg(descriptor, flood->messages, LAB_FLOOD_BATCH, 0);
    if (count > 0) {
        flood->sent->datagrams += (uint64_t)count;
    } else {
        flood->sent->refused += 1;
    }
}

/* What a socket was sent while it flooded: as much as its receive buffer holds. */
static void count_replies(flood *flood, int descriptor) {
    uint8_t reply[LAB_FLOOD_DATAGRAM_MAX];
    for (;;) {
        const ssize_t bytes = recv(descriptor, reply, sizeof reply, 0);
        if (bytes < 0) return;
        flood->sent->replies += 1;
        flood->sent->reply_bytes += (uint64_t)bytes;
    }
}

static void run(flood *flood) {
    const uint64_t start_ns = lab_clock_ns();
    uint64_t now_ns = start_ns;
    uint32_t port = 0;
    while (!stopped && (flood->plan->duration_ns == 0 || now_ns - start_ns < flood->plan->duration_ns)) {
        for (int i = 0; i < CALLS_BETWEEN_CLOCKS; i++) {
            send_batch(flood, flood->sockets[port]);
            port = port + 1 == flood->opened ? 0 : port + 1;
        }
        count_replies(flood, flood->sockets[port]);
        now_ns = lab_clock_ns();
    }
    flood->sent->elapsed_ns = now_ns - start_ns;
    for (uint32_t i = 0; i < flood->opened; i++) count_replies(flood, flood->sockets[i]);
}

bool lab_flood_send(const char *to, const lab_flood_plan *plan, lab_flood_sent *sent) {
    *sent = (lab_flood_sent){0};
    if (plan->ports == 0 || plan->ports > LAB_FLOOD_PORTS_MAX) {
        return lab_fail("a flood has 1 to %d source ports", LAB_FLOOD_PORTS_MAX);
    }
    if (plan->count == 0 || plan->datagram_bytes == 0 || plan->datagram_bytes > LAB_FLOOD_DATAGRAM_MAX) {
        return lab_fail("a flood needs datagrams of 1 to %d bytes", LAB_FLOOD_DATAGRAM_MAX);
    }
    flood *state = calloc(1, sizeof *state);
    if (state == NULL) return lab_fail("no memory for the flood");
    state->plan = plan;
    state->sent = sent;
    const bool opened = open_sockets(state, to);
    if (opened) {
        stop_on_signals();
        run(state);
    }
    close_sockets(state);
    free(state);
    return opened && (sent->datagrams > 0 || lab_fail("not one datagram could be sent to %s", to));
}
