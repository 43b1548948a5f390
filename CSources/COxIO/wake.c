#include "oxcore/io.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct ox_wake {
    int fd;
    uint32_t raised; /**< not 0: the eventfd may hold something. Spares a system call where it does not */
};

ox_wake *ox_wake_create(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ox_wake *wake = fd >= 0 ? malloc(sizeof *wake) : NULL;
    if (wake != NULL) *wake = (ox_wake){.fd = fd};
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
    // First: who is woken may run before the call returns, in this thread's place, and must find something to read.
    __atomic_store_n(&wake->raised, 1, __ATOMIC_RELEASE);
    // Fails only when the flag is up already.
    ssize_t ignored = write(wake->fd, &one, sizeof one);
    (void)ignored;
    // And last: who lowered it in between read nothing, and is woken by the eventfd to look again.
    __atomic_store_n(&wake->raised, 1, __ATOMIC_RELEASE);
}

void ox_wake_clear(ox_wake *wake) {
    if (__atomic_load_n(&wake->raised, __ATOMIC_ACQUIRE) == 0) return;
    // Lowered before it is read: a signal in between raises it again, and costs one reading too many.
    __atomic_store_n(&wake->raised, 0, __ATOMIC_SEQ_CST);
    uint64_t value;
    ssize_t ignored = read(wake->fd, &value, sizeof value);
    (void)ignored;
}

int ox_wake_descriptor(const ox_wake *wake) { return wake->fd; }

enum { PORTS_MAX = 8, POLLED_MAX = PORTS_MAX * OX_PORT_DESCRIPTORS_MAX + 1 };
static const uint64_t SPIN_LEAST_NS = 1000; /* a look takes about half of it */

static uint64_t clock_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static nfds_t list_descriptors(ox_port *const *ports, uint32_t count, const ox_wake *wake, struct pollfd polled[POLLED_MAX]) {
    OX_ASSERT(count <= PORTS_MAX);
    nfds_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        int fds[OX_PORT_DESCRIPTORS_MAX];
        if (ports[i] == NULL) continue;
        uint32_t n = ports[i]->operations->descriptors(ports[i], fds);
        for (uint32_t k = 0; k < n; k++) polled[total++] = (struct pollfd){.fd = fds[k], .events = POLLIN};
    }
    if (wake != NULL) polled[total++] = (struct pollfd){.fd = wake->fd, .events = POLLIN};
    return total;
}

/** Whether one is readable before the time is over. */
static bool poll_for(struct pollfd *polled, nfds_t total, uint64_t timeout_ns) {
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)};
    return ppoll(polled, total, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL) > 0;
}

void ox_wait(ox_port *const *ports, uint32_t count, const ox_wake *wake, uint64_t timeout_ns) {
    struct pollfd polled[POLLED_MAX];
    (void)poll_for(polled, list_descriptors(ports, count, wake, polled), timeout_ns);
}

void ox_wait_spinning(ox_port *const *ports, uint32_t count, const ox_wake *wake, uint64_t timeout_ns, ox_spin *spin) {
    struct pollfd polled[POLLED_MAX];
    const nfds_t total = list_descriptors(ports, count, wake, polled);
    const uint64_t began_ns = clock_ns();
    uint64_t passed_ns = 0;
    while (passed_ns < spin->now_ns && passed_ns < timeout_ns) {
        if (poll_for(polled, total, 0)) {
            spin->now_ns = spin->most_ns;
            return;
        }
        passed_ns = clock_ns() - began_ns;
    }
    spin->now_ns = spin->now_ns / 2 >= SPIN_LEAST_NS ? spin->now_ns / 2 : 0;
    if (passed_ns >= timeout_ns) return;
    const bool found = poll_for(polled, total, timeout_ns == UINT64_MAX ? UINT64_MAX : timeout_ns - passed_ns);
    // It would have been worth it.
    if (found && clock_ns() - began_ns <= spin->most_ns) spin->now_ns = spin->most_ns;
}
