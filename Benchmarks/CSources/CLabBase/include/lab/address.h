/** @file  "192.0.2.1:5000" and "[2001:db8::1]:5000". Numbers only: a test asks no name server. */
#ifndef LAB_ADDRESS_H
#define LAB_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

bool lab_address_parse(const char *text, struct sockaddr_storage *address, socklen_t *bytes);

#endif
