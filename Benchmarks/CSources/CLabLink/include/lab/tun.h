/**
 * @file  A TUN device made by this process inside a network namespace. The device lives as long as its descriptor: it
 *        is gone when the process is, however that ended.
 */
#ifndef LAB_TUN_H
#define LAB_TUN_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lab_tun {
    int descriptor;
    int statistics;  /**< /proc/net/dev of the device's namespace */
    char device[16];
} lab_tun;

/**
 * Makes a device, up, with the given MTU and no address.
 *
 * @param netns   a name under /run/netns, a path such as /proc/123/ns/net, or "" for the present namespace.
 * @param device  a name of 1 to 15 characters.
 * @return false when that failed; lab_problem() says why, and nothing is left open.
 */
bool lab_tun_open(lab_tun *tun, const char *netns, const char *device, uint32_t mtu);

/** Adds an address such as "10.77.0.1/24" or "fd77::1/64" to the device, through ip(8). */
bool lab_tun_add_address(const lab_tun *tun, const char *netns, const char *address);

/** Packets that the kernel dropped on their way to the descriptor because it was not read in time. */
uint64_t lab_tun_dropped(const lab_tun *tun);

void lab_tun_close(lab_tun *tun);

#endif
