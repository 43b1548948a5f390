#include "lab/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/problem.h"

/* Packets the kernel keeps for us while a burst arrives or we are not scheduled. */
#define TRANSMIT_QUEUE "10000"

/* Namespaces belong to threads: enter, do one thing, and come back. */

static bool netns_enter(const char *netns, int *home) {
    *home = -1;
    if (netns[0] == '\0') return true;
    char path[256];
    snprintf(path, sizeof path, strchr(netns, '/') == NULL ? "/run/netns/%s" : "%s", netns);
    const int target = open(path, O_RDONLY | O_CLOEXEC);
    if (target < 0) {
        return lab_fail("cannot open the network namespace %s: %s. Make it with: ip netns add NAME", path,
                        strerror(errno));
    }
    const int present = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (present < 0 || setns(target, CLONE_NEWNET) != 0) {
        const int error = errno;
        close(target);
        if (present >= 0) close(present);
        return lab_fail("cannot enter the network namespace %s: %s. This needs root, or to run inside the user "
                        "namespace that owns it.",
                        path, strerror(error));
    }
    close(target);
    *home = present;
    return true;
}

static bool netns_leave(int home) {
    if (home < 0) return true;
    const bool back = setns(home, CLONE_NEWNET) == 0;
    close(home);
    return back || lab_fail("cannot return to the first network namespace: %s", strerror(errno));
}

extern char **environ;

/* A child of this thread runs in the namespace that this thread is in. */
static bool run_ip(char *const *arguments) {
    pid_t child = 0;
    const int error = posix_spawnp(&child, "ip", NULL, NULL, arguments, environ);
    if (error != 0) return lab_fail("cannot run ip: %s. Install iproute2.", strerror(error));
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return lab_fail("lost the ip process: %s", strerror(errno));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    return lab_fail("ip %s %s failed for the device %s", arguments[1], arguments[2], arguments[4]);
}

static bool make_device(lab_tun *tun, const char *device) {
    tun->descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (tun->descriptor < 0) {
        return lab_fail("cannot open /dev/net/tun: %s. Load the module tun, or run as root.", strerror(errno));
    }
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    if (ioctl(tun->descriptor, TUNSETIFF, &request) != 0) {
        return lab_fail("cannot make the device %s: %s", device,
                        errno == EBUSY || errno == EINVAL ? "there is a device of that name already" : strerror(errno));
    }
    snprintf(tun->device, sizeof tun->device, "%s", device);
    return true;
}

/* No link-local address and no multicast: the kernel's own chatter must not cross the link, for every packet on it
 * takes an index, and the pattern of losses hangs on the index. */
static bool configure_device(const char *device, uint32_t mtu) {
    char name[16];
    char bytes[16];
    snprintf(name, sizeof name, "%s", device);
    snprintf(bytes, sizeof bytes, "%u", mtu);
    char *const quiet[] = {"ip", "link", "set", "dev", name, "addrgenmode", "none", NULL};
    char *const up[] = {"ip",  "link",       "set",          "dev",       name,  "mtu", bytes,
                        "txqueuelen", TRANSMIT_QUEUE, "multicast", "off", "up",  NULL};
    return run_ip(quiet) && run_ip(up);
}

static bool open_here(lab_tun *tun, const char *device, uint32_t mtu) {
    if (!make_device(tun, device) || !configure_device(device, mtu)) return false;
    tun->statistics = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
    return tun->statistics >= 0 || lab_fail("cannot open /proc/thread-self/net/dev: %s", strerror(errno));
}

bool lab_tun_open(lab_tun *tun, const char *netns, const char *device, uint32_t mtu) {
    *tun = (lab_tun){.descriptor = -1, .statistics = -1};
    if (device[0] == '\0' || strlen(device) >= sizeof tun->device) {
        return lab_fail("\"%s\" is no device name: it needs 1 to 15 characters", device);
    }
    int home = -1;
    if (!netns_enter(netns, &home)) return false;
    const bool opened = open_here(tun, device, mtu);
    const bool back = netns_leave(home);
    if (opened && back) return true;
    lab_tun_close(tun);
    return false;
}

bool lab_tun_add_address(const lab_tun *tun, const char *netns, const char *address) {
    int home = -1;
    if (!netns_enter(netns, &home)) return false;
    char name[16];
    char text[80];
    snprintf(name, sizeof name, "%s", tun->device);
    snprintf(text, sizeof text, "%s", address);
    /* Without nodad an IPv6 address stays unusable for a second or two. */
    char *const with_nodad[] = {"ip", "address", "add", "dev", name, text, "nodad", NULL};
    char *const without[] = {"ip", "address", "add", "dev", name, text, NULL};
    const bool added = run_ip(strchr(address, ':') != NULL ? with_nodad : without);
    if (!added) lab_fail("ip refused the address %s for the device %s", text, name);
    const bool back = netns_leave(home);
    return added && back;
}

uint64_t lab_tun_dropped(const lab_tun *tun) {
    char text[1 << 16];
    size_t length = 0;
    /* The kernel hands out a page or so at a time. */
    for (;;) {
        const ssize_t part = pread(tun->statistics, text + length, sizeof text - 1 - length, (off_t)length);
        if (part <= 0) break;
        length += (size_t)part;
    }
    text[length] = '\0';
    char wanted[20];
    snprintf(wanted, sizeof wanted, "%s:", tun->device);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        line += strspn(line, " ");
        if (strncmp(line, wanted, strlen(wanted)) != 0) continue;
        /* Eight columns for receiving, then bytes, packets, errors, drops of sending. */
        unsigned long long dropped = 0;
        if (sscanf(line + strlen(wanted), "%*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", &dropped) != 1) return 0;
        return dropped;
    }
    return 0;
}

void lab_tun_close(lab_tun *tun) {
    if (tun->descriptor >= 0) close(tun->descriptor);
    if (tun->statistics >= 0) close(tun->statistics);
    tun->descriptor = -1;
    tun->statistics = -1;
}
