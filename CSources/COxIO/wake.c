#include "oxcore/io.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct ox_wake {
    int fd;
};

ox_wake *ox_wake_create(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ox_wake *wake = fd >= 0 ? malloc(sizeof *wake) : NULL;
    if (wake != NULL) wake->fd = fd;
    else if (fd >= 0) close(fd);
    return wake;
}

void ox_wake_destroy(ox_wake *wake) {
    if (wake == NULL) return;
    close(wake->fd);
    free(wake);
}

void ox_wake_signal(ox_wake *wake) {
    uint64_t one = 1;
    // Fails only when the flag is up already.
    ssize_t ignored = write(wake->fd, &one, sizeof one);
    (void)ignored;
}

void ox_wake_clear(ox_wake *wake) {
    uint64_t value;
    ssize_t ignored = read(wake->fd, &value, sizeof value);
    (void)ignored;
}

int ox_wake_descriptor(const ox_wake *wake) { return wake->fd; }

enum { PORTS_MAX = 8 };

void ox_wait(ox_port *const *ports, uint32_t count, const ox_wake *wake, uint64_t timeout_ns) {
    OX_ASSERT(count <= PORTS_MAX);
    struct pollfd polled[PORTS_MAX * OX_PORT_DESCRIPTORS_MAX + 1];
    nfds_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        int fds[OX_PORT_DESCRIPTORS_MAX];
        if (ports[i] == NULL) continue;
        uint32_t n = ports[i]->operations->descriptors(ports[i], fds);
        for (uint32_t k = 0; k < n; k++) polled[total++] = (struct pollfd){.fd = fds[k], .events = POLLIN};
    }
    if (wake != NULL) polled[total++] = (struct pollfd){.fd = wake->fd, .events = POLLIN};
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)};
    (void)ppoll(polled, total, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL);
}
