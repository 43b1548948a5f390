/**
 * @file  Reads pcap and pcapng files whole, and takes off what is around the IP packets or ROHC packets in them.
 */
#ifndef CONFORMANCE_CAPTURE_H
#define CONFORMANCE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct capture_record {
    uint8_t *bytes; /**< within the capture */
    size_t size;
    uint32_t link; /**< LINKTYPE of its interface */
} capture_record;

typedef struct capture {
    uint8_t *file;
    capture_record *records;
    size_t count;
} capture;

/** False with a sentence in `why` when the file cannot be read or is neither pcap nor pcapng. */
bool capture_read(capture *read, const char *path, const char **why);
void capture_free(capture *read);

/** Takes the link layer off. False for a link type that is not known, or a frame shorter than its header. */
bool capture_strip_link(capture_record *record);

/**
 * Makes of a stripped record the packet that was compressed: the padding of a shortest Ethernet frame (`frame_bytes` before
 * stripping) is cut to the length that the IP header says, and an IPv4 checksum of 0xffff becomes 0, as the corpus has it.
 */
void capture_clean_packet(capture_record *record, size_t frame_bytes);

#endif
