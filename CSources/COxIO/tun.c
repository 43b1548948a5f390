#include "oxcore/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { VNET_BYTES = sizeof(struct virtio_net_hdr) };
_Static_assert((int)VNET_BYTES <= (int)OX_BUF_HEADROOM, "the vnet_hdr lies in the headroom");

typedef struct tun {
    ox_port port;
    int fd;
    uint64_t received, sent, failed, failed_errno;
} tun;

/** The vnet_hdr precedes the packet, so that the packet itself lies where every stage expects it. */
static uint32_t tun_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
    tun *t = (tun *)port;
    uint32_t count = 0;
    while (count < max) {
        ox_buf *buf = ox_pool_get(pool);
        if (buf == NULL) break;
        ssize_t n = read(t->fd, buf->data - VNET_BYTES, VNET_BYTES + OX_BUF_CONTENT_MAX);
        if (n < VNET_BYTES) {
            // What the kernel says of a device that was deleted under us.
            port->lost = n < 0 && errno == EBADFD;
            ox_pool_put(pool, buf);
            break;
        }
        buf->len = (uint32_t)n - VNET_BYTES;
        ox_list_append(out, buf);
        count++;
    }
    ox_count(&t->received, count);
    return count;
}

static uint32_t tun_send(ox_port *port, ox_pool *pool, ox_list *packets) {
    tun *t = (tun *)port;
    uint32_t failed = 0, total = packets->count;
    for (ox_buf *buf; (buf = ox_list_take(packets)) != NULL; ox_pool_put(pool, buf)) {
        OX_ASSERT(ox_buf_headroom(buf) >= VNET_BYTES);
        memset(buf->data - VNET_BYTES, 0, VNET_BYTES);
        ssize_t n;
        do n = write(t->fd, buf->data - VNET_BYTES, VNET_BYTES + buf->len);
        while (n < 0 && errno == EINTR);
        if (n >= 0) continue;
        failed++;
        ox_publish(&t->failed_errno, (uint64_t)errno);
    }
    ox_count(&t->sent, total - failed);
    ox_count(&t->failed, failed);
    return failed;
}

static uint32_t tun_descriptors(ox_port *port, int out[OX_PORT_DESCRIPTORS_MAX]) {
    out[0] = ((tun *)port)->fd;
    return 1;
}

static void tun_status(const ox_port *port, ox_port_report *report) {
    const tun *t = (const tun *)port;
    ox_snapshot(&report->received, &t->received, 8);
    ox_snapshot(&report->sent, &t->sent, 8);
    ox_snapshot(&report->send_failed, &t->failed, 8);
    uint64_t code;
    ox_snapshot(&code, &t->failed_errno, 8);
    report->send_errno = (int32_t)code;
}

static void tun_close(ox_port *port) {
    close(((tun *)port)->fd);
    free(port);
}

static const ox_port_operations tun_operations = {
    .receive = tun_receive,
    .send = tun_send,
    .descriptors = tun_descriptors,
    .status = tun_status,
    .close = tun_close,
};

/** The device behind an open descriptor. False with errno. */
static bool attach(int fd, char name[OX_DEVICE_NAME_MAX + 1]) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
    memcpy(request.ifr_name, name, strnlen(name, OX_DEVICE_NAME_MAX));
    if (ioctl(fd, TUNSETIFF, &request) != 0) return false;
    int header = VNET_BYTES;
    // No offloads: the kernel hands out packets of at most the MTU, their checksums complete.
    if (ioctl(fd, TUNSETVNETHDRSZ, &header) != 0 || ioctl(fd, TUNSETOFFLOAD, 0) != 0) return false;
    memcpy(name, request.ifr_name, OX_DEVICE_NAME_MAX);
    name[OX_DEVICE_NAME_MAX] = 0;
    return true;
}

ox_status ox_tun_open(char name[OX_DEVICE_NAME_MAX + 1], ox_port **port) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return OX_E_SYSTEM;
    if (!attach(fd, name)) {
        int code = errno;
        close(fd);
        errno = code;
        return OX_E_SYSTEM;
    }
    tun *t = calloc(1, sizeof *t);
    if (t == NULL) {
        close(fd);
        return OX_E_MEMORY;
    }
    t->port.operations = &tun_operations;
    t->fd = fd;
    *port = &t->port;
    return OX_OK;
}
