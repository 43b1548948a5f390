#include "udp.h"

#include <netinet/in.h>

bool ox_udp_is_mapped(const ox_address *address) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address->ip, prefix, sizeof prefix) == 0;
}

bool ox_udp_is_zero(const uint8_t ip[16]) {
    static const uint8_t zero[16];
    return memcmp(ip, zero, sizeof zero) == 0;
}

socklen_t ox_udp_to_name(const ox_udp *u, const ox_address *address, struct sockaddr_storage *name) {
    if (u->family == AF_INET) {
        // Without IPv6 in the kernel there is no way there: a length of 0 is refused, and counted as such.
        if (!ox_udp_is_mapped(address) && !ox_udp_is_zero(address->ip)) return 0;
        struct sockaddr_in *v4 = (struct sockaddr_in *)name;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&v4->sin_addr, address->ip + 12, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)name;
    *v6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(address->port), .sin6_scope_id = address->scope};
    memcpy(&v6->sin6_addr, address->ip, 16);
    return sizeof *v6;
}

void ox_udp_from_name(const struct sockaddr_storage *name, ox_address *address) {
    memset(address, 0, sizeof *address);
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)name;
        address->ip[10] = address->ip[11] = 0xff;
        memcpy(address->ip + 12, &v4->sin_addr, 4);
        address->port = ntohs(v4->sin_port);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)name;
        memcpy(address->ip, &v6->sin6_addr, 16);
        address->port = ntohs(v6->sin6_port);
        // Only link-local addresses mean something different on each interface.
        if (v6->sin6_addr.s6_addr[0] == 0xfe && (v6->sin6_addr.s6_addr[1] & 0xc0) == 0x80)
            address->scope = v6->sin6_scope_id;
    }
}
