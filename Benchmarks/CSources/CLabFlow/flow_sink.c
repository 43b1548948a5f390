#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lab/address.h"
#include "lab/clock.h"
#include "lab/flow_socket.h"
#include "lab/problem.h"

enum {
    BATCH = 64,
    PREFIX = LAB_FLOW_RTP + LAB_FLOW_HEADER, /* the rest of a datagram is padding: its length is enough */
    CONTROL = 128,
    RECEIVE_BUFFER = 16 << 20,
};

struct lab_flow_sink {
    int descriptor;
    uint64_t socket_dropped;
    lab_flow_tally tally;
};

typedef struct batch {
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    uint8_t data[BATCH][PREFIX];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL];
} batch;

static void set_option(int descriptor, int option, int value) {
    (void)setsockopt(descriptor, SOL_SOCKET, option, &value, sizeof value);
}

lab_flow_sink *lab_flow_sink_open(const char *listen) {
    struct sockaddr_storage address;
    socklen_t bytes = 0;
    if (!lab_address_parse(listen, &address, &bytes)) return NULL;
    lab_flow_sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL) {
        lab_fail("no memory for the sink");
        return NULL;
    }
    sink->descriptor = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sink->descriptor < 0) {
        lab_fail("cannot make a socket: %s", strerror(errno));
        free(sink);
        return NULL;
    }
    /* The first works for anyone, up to the system's limit; the second for root, above it. */
    set_option(sink->descriptor, SO_RCVBUF, RECEIVE_BUFFER);
    set_option(sink->descriptor, SO_RCVBUFFORCE, RECEIVE_BUFFER);
    set_option(sink->descriptor, SO_TIMESTAMPNS, 1);
    set_option(sink->descriptor, SO_RXQ_OVFL, 1);
    if (bind(sink->descriptor, (const struct sockaddr *)&address, bytes) != 0) {
        lab_fail("cannot listen at %s: %s", listen, strerror(errno));
        lab_flow_sink_free(sink);
        return NULL;
    }
    return sink;
}

void lab_flow_sink_free(lab_flow_sink *sink) {
    if (sink == NULL) return;
    close(sink->descriptor);
    lab_flow_tally_free(&sink->tally);
    free(sink);
}

static void prepare(batch *batch) {
    for (int i = 0; i < BATCH; i++) {
        batch->vectors[i] = (struct iovec){.iov_base = batch->data[i], .iov_len = PREFIX};
        batch->messages[i].msg_hdr = (struct msghdr){
            .msg_iov = &batch->vectors[i],
            .msg_iovlen = 1,
            .msg_control = batch->control[i],
            .msg_controllen = CONTROL,
        };
    }
}

/* The time at which the kernel received it; now, where the kernel does not say. */
static uint64_t read_control(lab_flow_sink *sink, struct msghdr *message, int64_t offset_ns, uint64_t now_ns) {
    uint64_t arrival_ns = now_ns;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET) continue;
        if (control->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec time;
            memcpy(&time, CMSG_DATA(control), sizeof time);
            const uint64_t realtime_ns = (uint64_t)time.tv_sec * LAB_SECOND_NS + (uint64_t)time.tv_nsec;
            arrival_ns = realtime_ns + (uint64_t)offset_ns;
        } else if (control->cmsg_type == SO_RXQ_OVFL) {
            uint32_t dropped = 0;
            memcpy(&dropped, CMSG_DATA(control), sizeof dropped);
            sink->socket_dropped = dropped;
        }
    }
    return arrival_ns;
}

/* Datagrams taken in; -1 when the flow cannot be followed any more. */
static int take_batch(lab_flow_sink *sink, batch *batch) {
    prepare(batch);
    const int count = recvmmsg(sink->descriptor, batch->messages, BATCH, MSG_TRUNC, NULL);
    if (count <= 0) return 0;
    const int64_t offset_ns = lab_clock_offset_from_realtime_ns();
    const uint64_t now_ns = lab_clock_ns();
    for (int i = 0; i < count; i++) {
        const uint64_t arrival_ns = read_control(sink, &batch->messages[i].msg_hdr, offset_ns, now_ns);
        const size_t bytes = batch->messages[i].msg_len;
        lab_flow_header header;
        if (!lab_flow_decode(batch->data[i], bytes, &header)) {
            sink->tally.foreign += 1;
        } else if (!lab_flow_tally_add(&sink->tally, &header, bytes, arrival_ns)) {
            return -1;
        }
    }
    return count;
}

static int watch_signals(void) {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    return signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool receive(lab_flow_sink *sink, batch *batch, int signals, uint64_t linger_ns, uint64_t silence_ns) {
    uint64_t end_ns = lab_clock_ns() + silence_ns;
    bool ended = false;
    for (;;) {
        const uint64_t now_ns = lab_clock_ns();
        if (now_ns >= end_ns) return true;
        const uint64_t left_ns = end_ns - now_ns;
        const struct timespec timeout = {
            .tv_sec = (time_t)(left_ns / LAB_SECOND_NS),
            .tv_nsec = (long)(left_ns % LAB_SECOND_NS),
        };
        struct pollfd descriptors[] = {{.fd = sink->descriptor, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (ppoll(descriptors, 2, &timeout, NULL) <= 0) continue;
        if (descriptors[1].revents != 0) return true;
        if (take_batch(sink, batch) < 0) return false;
        if (!sink->tally.ended) {
            end_ns = lab_clock_ns() + silence_ns;
        } else if (!ended) {
            ended = true;
            end_ns = lab_clock_ns() + linger_ns;
        }
    }
}

bool lab_flow_sink_run(lab_flow_sink *sink, uint64_t linger_ns, uint64_t silence_ns) {
    const int signals = watch_signals();
    if (signals < 0) return lab_fail("cannot watch for signals: %s", strerror(errno));
    batch *messages = calloc(1, sizeof *messages);
    const bool done = messages != NULL ? receive(sink, messages, signals, linger_ns, silence_ns)
                                       : lab_fail("no memory for the sink");
    free(messages);
    close(signals);
    return done;
}

lab_flow_summary lab_flow_sink_summary(const lab_flow_sink *sink) { return lab_flow_tally_summary(&sink->tally); }

uint64_t lab_flow_sink_dropped(const lab_flow_sink *sink) { return sink->socket_dropped; }

bool lab_flow_sink_write_lost(const lab_flow_sink *sink, const char *path) {
    FILE *file = fopen(path, "we");
    if (file == NULL) return lab_fail("cannot write %s: %s", path, strerror(errno));
    for (uint64_t sequence = 0; sequence < sink->tally.sent; sequence++) {
        if (!lab_flow_tally_has(&sink->tally, sequence)) fprintf(file, "%llu\n", (unsigned long long)sequence);
    }
    const bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) return lab_fail("cannot write %s: %s", path, strerror(errno));
    return true;
}
