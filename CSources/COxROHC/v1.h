/**
 * @file  What profiles 0x0001 to 0x0004 share (RFC 3095, 3843, 4815): one description of the headers, as contexts hold them.
 */
#ifndef OX_ROHC_V1_H
#define OX_ROHC_V1_H

#include "state.h"

typedef enum v1_kind { V1_RTP = 1, V1_UDP = 2, V1_ESP = 3, V1_IP = 4 } v1_kind;

/* ---- v1_list.c: compressed lists (RFC 3095 section 5.8) --------------------------------------------------------- */

enum {
    V1_STORE_BYTES = 600,
    V1_LIST_ITEMS = 15,     /* of one list */
    V1_LIST_REFERENCES = 8, /* lists with a gen_id that are kept, of each kind of list */
    V1_CSRC_LIST = 2,       /* after the lists of extension headers, of either IP header */
};

/** Items, reference lists and current lists, as records one behind the other. All zero is empty. */
typedef struct v1_store {
    uint16_t used;
    uint8_t octets[V1_STORE_BYTES];
} v1_store;

/** Reads a compressed list, which becomes the current one. False: it is malformed, or there is no room for it. */
bool v1_list_read(v1_store *store, uint32_t list, rohc_reader *reader);
/** How many items the current list has. */
uint32_t v1_list_items(const v1_store *store, uint32_t list);
/** One of them, `index` below v1_list_items(). */
const uint8_t *v1_list_item(const v1_store *store, uint32_t list, uint32_t index, uint32_t *bytes);

/* ---- the decompressor's context --------------------------------------------------------------------------------- */

/** What is static of an IP header. Version 0: there is no such header. */
typedef struct v1_ip_fixed {
    uint8_t version;
    uint8_t protocol; /* behind its extension headers */
    uint32_t flow_label;
    uint8_t source[16], destination[16];
} v1_ip_fixed;

typedef struct v1_fixed_headers {
    v1_ip_fixed ip[ROHC_IPS];
    uint16_t source_port, destination_port;
    uint32_t identity; /* SSRC or SPI */
    uint8_t ips;
} v1_fixed_headers;

typedef struct v1_fixed {
    v1_ip_fixed ip[ROHC_IPS];
    uint16_t source_port, destination_port;
    uint32_t identity; /* SSRC or SPI */
    uint8_t ips;
    uint8_t reserved;
    v1_store store;
} v1_fixed;

typedef struct v1_ip_dynamic {
    uint8_t tos, ttl;
    uint16_t id;     /* as it is in the header */
    uint16_t offset; /* IP-ID, in network order, minus sequence number */
    bool df : 1, rnd : 1, nbo : 1, sid : 1;
} v1_ip_dynamic;

typedef struct v1_dynamic {
    v1_ip_dynamic ip[ROHC_IPS];
    uint32_t sn;
    uint32_t ts, ts_scaled, ts_stride, ts_offset;
    uint8_t rtp_flags;    /* version, padding, extension: the first octet, its CSRC count apart */
    uint8_t payload_type; /* without the marker */
    bool udp_checksum;    /* compressed headers carry it */
    bool complete;        /* a dynamic chain was received */
} v1_dynamic;

/** A header of which all is known. */
typedef struct v1_values {
    uint32_t sn, ts;
    bool marker;
    uint16_t udp_checksum;
} v1_values;

/** Where the headers of a packet are: octets of each IP header with its extension headers. */
typedef struct v1_extent {
    uint8_t ips;
    uint16_t ip_bytes[ROHC_IPS];
} v1_extent;

/** Writes the headers; `payload` octets follow. */
void v1_build(rohc_writer *writer, v1_kind kind, const v1_fixed *fixed, const v1_dynamic *dynamic, const v1_values *values,
              uint32_t payload, v1_extent *extent);
/** The CRC of a header, of 3 or 7 bits. */
uint8_t v1_crc(v1_kind kind, const uint8_t *header, const v1_extent *extent, uint32_t bits);

/** IR and IR-DYN: chains into the context. `values` becomes what is in them. */
ox_rohc_verdict v1_read_ir(rohc_decompression *work, v1_kind kind, v1_values *values);

/** Bits of a field, of which some came in the base header and some in an extension. */
typedef struct v1_bits {
    uint32_t value;
    uint8_t count;
} v1_bits;

/** What a UO packet says. What its extension 3 says of IP headers and RTP is in the context's copies already. */
typedef struct v1_uo {
    v1_bits sn, ts;
    v1_bits id[ROHC_IPS];
    bool ts_unscaled;   /* Tsc = 0 */
    bool marker;
    uint16_t udp_checksum;
    uint8_t crc, crc_bits;
} v1_uo;

/** UO-0, UO-1 and UOR-2 of all kinds. */
ox_rohc_verdict v1_read_uo(rohc_decompression *work, v1_kind kind, v1_uo *uo);

ox_rohc_verdict v1_decompress(rohc_decompression *work, v1_kind kind);

/** References that UO-0's sequence number bridges: as many losses in a row, but one, leave nothing unsaid in O mode. */
static inline uint8_t v1_bridge(v1_kind kind, const ox_rohc_parameters *parameters) {
    if (!parameters->bidirectional) return parameters->repetitions;
    return kind == V1_UDP || kind == V1_IP ? 16 : ROHC_BRIDGE;
}

/* ---- values and their intervals ---------------------------------------------------------------------------------- */

/** RFC 3095 sections 4.5.1 and 5.7, RFC 3843 section 3.3. */
static inline int64_t v1_sn_offset(v1_kind kind, uint32_t bits) {
    if (kind == V1_UDP || kind == V1_IP) return -1;
    return bits <= 4 ? 1 : ((int64_t)1 << (bits - 5)) - 1;
}
static inline int64_t v1_ts_offset(uint32_t bits) { return bits <= 2 ? 0 : ((int64_t)1 << (bits - 2)) - 1; }
static inline uint32_t v1_sn_width(v1_kind kind) { return kind == V1_ESP ? 32 : 16; }

/** The index of the IP header whose IP-ID the base header carries: the innermost IPv4 one with RND = 0. -1: there is none. */
static inline int v1_id_header(const v1_fixed *fixed, const v1_dynamic *dynamic) {
    for (int i = fixed->ips - 1; i >= 0; i--)
        if (fixed->ip[i].version == 4 && !dynamic->ip[i].rnd) return i;
    return -1;
}

#endif
