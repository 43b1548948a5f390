#include "lab/address.h"

#include <netdb.h>
#include <stddef.h>
#include <string.h>

#include "lab/problem.h"

bool lab_address_parse(const char *text, struct sockaddr_storage *address, socklen_t *bytes) {
    const char *colon = strrchr(text, ':');
    const bool bracketed = text[0] == '[' && colon != NULL && colon > text && colon[-1] == ']';
    if (colon == NULL || (!bracketed && strchr(text, ':') != colon)) {
        return lab_fail("\"%s\" is no address: write 192.0.2.1:5000 or [2001:db8::1]:5000", text);
    }
    const char *begin = bracketed ? text + 1 : text;
    const size_t length = (size_t)(colon - begin) - (bracketed ? 1 : 0);
    char host[80];
    if (length >= sizeof host) return lab_fail("\"%s\" is no address: it is too long", text);
    memcpy(host, begin, length);
    host[length] = '\0';

    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_family = bracketed ? AF_INET6 : AF_INET,
        .ai_socktype = SOCK_DGRAM,
    };
    struct addrinfo *found = NULL;
    const int error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error != 0) return lab_fail("\"%s\" is no address: %s", text, gai_strerror(error));
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}
