/*
 * What lies behind the CRCs of profile 0x0006: packets whose CRC is wrong change the context all the same, so that formats, lists of
 * options and chains meet contexts that no compressor would make. The input is packets, each with a length of one octet.
 *
 * Whatever they say, a header that comes out has right lengths, and right checksums of its IP headers.
 */
#include "CSources/COxROHC/tcp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition) abort();
}

static void check_header(const uint8_t *header, uint32_t header_bytes, uint32_t payload) {
    static uint8_t packet[OX_ROHC_HEADER_MAX + UINT8_MAX];
    check(header_bytes <= OX_ROHC_HEADER_MAX && payload <= UINT8_MAX);
    memcpy(packet, header, header_bytes);
    rohc_packet read;
    check(rohc_packet_read(&read, packet, header_bytes + payload));
    check(read.protocol == PROTO_TCP && read.transport_bytes >= TCP_BYTES);
    check(read.transport_offset + read.transport[12] / 16 * 4u == header_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t header[OX_ROHC_HEADER_MAX];
    tcp_fixed fixed = {0}, fixed_copy;
    tcp_dynamic dynamic = {0}, dynamic_copy;
    bool fresh = true;
    if (size < 2) return -1;
    const ox_rohc_parameters parameters = {.profiles = OX_ROHC_V1, .cid_max = 15, .large_cids = (data[0] & 1) != 0};
    ox_rohc_decompressor *decompressor = ox_rohc_decompressor_create(&parameters);
    check(decompressor != NULL);
    const bool known_order = (data[0] & 2) != 0;
    const uint64_t lost = data[0] >> 2;
    data++;
    size--;
    while (size >= 2) {
        const uint32_t bytes = data[0] < size - 1 ? data[0] : (uint32_t)(size - 1);
        // A copy of its own, so that nothing behind the packet is read.
        uint8_t *packet = malloc(bytes + 1);
        check(packet != NULL);
        memcpy(packet, data + 1, bytes);
        data += 1 + bytes;
        size -= 1 + bytes;
        fixed_copy = fixed;
        dynamic_copy = dynamic;
        rohc_decompression work = {
            .parameters = &parameters, .decompressor = decompressor, .fixed = &fixed_copy, .dynamic = &dynamic_copy, .fresh = fresh,
            .first = packet[0], .body = {.at = packet + (bytes != 0), .end = packet + bytes}, .known_order = known_order,
            .lost_most = lost, .header = {.at = header, .end = header + sizeof header},
        };
        const ox_rohc_verdict verdict = bytes == 0 ? OX_ROHC_MALFORMED : tcp_decompress(&work);
        if (verdict == OX_ROHC_PASS || verdict == OX_ROHC_CRC || verdict == OX_ROHC_AMBIGUOUS) {
            fixed = fixed_copy;
            dynamic = dynamic_copy;
            fresh = false;
        }
        if (verdict == OX_ROHC_PASS && !work.header.full && !work.body.short_)
            check_header(header, (uint32_t)(work.header.at - header), rohc_left(&work.body));
        free(packet);
    }
    ox_rohc_decompressor_destroy(decompressor);
    return 0;
}
