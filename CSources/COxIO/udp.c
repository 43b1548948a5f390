#include "udp.h"

#include <linux/sock_diag.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t udp_descriptors(ox_port *port, int out[OX_PORT_DESCRIPTORS_MAX]) {
    ox_udp *u = (ox_udp *)port;
    out[0] = u->fds[OX_UDP_DATA];
    if (u->epoll < 0) return 1;
    ox_udp_apply_held(u);
    out[1] = u->epoll;
    return OX_PORT_DESCRIPTORS_MAX;
}

static uint64_t kernel_drops(int fd) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (fd < 0) return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0 || len <= SK_MEMINFO_DROPS * sizeof info[0]) return 0;
    return info[SK_MEMINFO_DROPS];
}

static void udp_status(const ox_port *port, ox_port_report *report) {
    const ox_udp *u = (const ox_udp *)port;
    uint64_t code;
    ox_snapshot(&report->received, &u->received, 8);
    ox_snapshot(&report->sent, &u->sent, 8);
    ox_snapshot(&report->send_failed, &u->failed, 8);
    ox_snapshot(&code, &u->failed_errno, 8);
    report->send_errno = (int32_t)code;
    ox_snapshot(&report->calls_received, &u->calls_received, 8);
    ox_snapshot(&report->calls_sent, &u->calls_sent, 8);
    ox_snapshot(&report->super_received, &u->super_received, 8);
    ox_snapshot(&report->super_sent, &u->super_sent, 8);
    ox_snapshot(&report->offload_fallbacks, &u->fallbacks, 8);
    ox_snapshot(&report->offload, &u->offload, 8);
    report->kernel_drops = kernel_drops(u->fds[OX_UDP_DATA]);
    ox_snapshot(&report->kernel_drops_handshake, &u->misfits, 8);
    for (int i = OX_UDP_HANDSHAKE; i < OX_UDP_SOCKETS; i++) report->kernel_drops_handshake += kernel_drops(u->fds[i]);
}

void ox_udp_close_sockets(ox_udp *u) {
    for (int i = 0; i < OX_UDP_SOCKETS; i++) {
        if (u->fds[i] >= 0) close(u->fds[i]);
        u->fds[i] = -1;
    }
    if (u->epoll >= 0) close(u->epoll);
    u->epoll = -1;
}

static void udp_close(ox_port *port) {
    ox_udp *u = (ox_udp *)port;
    ox_udp_close_sockets(u);
    free(u);
}

const ox_port_operations ox_udp_operations = {
    .receive = ox_udp_receive,
    .send = ox_udp_send,
    .descriptors = udp_descriptors,
    .status = udp_status,
    .close = udp_close,
};
