/*
 * Invariants of the parsers, checksums, ECN and ICMP over any bytes. The input is the packet; libFuzzer gives it as an allocation
 * of exactly its length, so AddressSanitizer sees every read outside of it.
 */
#include "oxcore/cpu.h"
#include "oxcore/packet.h"

#include <stdlib.h>

#define CHECK(condition) OX_ASSERT(condition)

static bool same(const ox_headers *a, const ox_headers *b) {
    return a->version == b->version && a->protocol == b->protocol && a->traffic_class == b->traffic_class &&
           a->ttl == b->ttl && a->fragment == b->fragment && a->first_fragment == b->first_fragment &&
           a->dont_fragment == b->dont_fragment && a->has_transport == b->has_transport && a->rtp == b->rtp &&
           a->tcp_flags == b->tcp_flags && a->icmp_type == b->icmp_type && a->icmp_code == b->icmp_code &&
           a->source_port == b->source_port && a->destination_port == b->destination_port &&
           a->transport_offset == b->transport_offset && a->transport_bytes == b->transport_bytes &&
           a->total_bytes == b->total_bytes && a->rtp_ssrc == b->rtp_ssrc && a->rtp_sequence == b->rtp_sequence;
}

static void check_headers(const uint8_t *data, size_t size, const ox_headers *h) {
    const bool v4 = h->version == 4;
    CHECK(h->version == data[0] >> 4 && (v4 || h->version == 6));
    CHECK(h->total_bytes == size);
    CHECK(h->transport_offset >= (v4 ? 20 : 40));
    CHECK((size_t)h->transport_offset + h->transport_bytes <= size);
    CHECK(h->has_transport == (h->transport_bytes != 0));
    CHECK(h->first_fragment || h->fragment);
    CHECK(!h->fragment || !h->has_transport);
    CHECK(v4 || h->dont_fragment);
    const bool tcp = h->has_transport && h->protocol == OX_PROTO_TCP;
    const bool udp = h->has_transport && h->protocol == OX_PROTO_UDP;
    const bool icmp = h->has_transport && h->protocol == (v4 ? OX_PROTO_ICMP : OX_PROTO_ICMPV6);
    CHECK(h->has_transport == (tcp || udp || icmp));
    CHECK(tcp || h->tcp_flags == 0);
    CHECK(icmp || (h->icmp_type == 0 && h->icmp_code == 0));
    if (tcp || udp) {
        CHECK(h->source_port == ox_load_be16(data + h->transport_offset));
        CHECK(h->destination_port == ox_load_be16(data + h->transport_offset + 2));
    } else {
        CHECK(h->source_port == 0 && h->destination_port == 0);
    }
    if (h->rtp) {
        CHECK(udp && h->source_port >= 1024 && h->destination_port >= 1024);
        CHECK((size_t)h->transport_offset + 8 + 12 <= size);
    } else {
        CHECK(h->rtp_ssrc == 0 && h->rtp_sequence == 0);
    }
}

/* The sum of a right IPv4 header is all ones; what it is must not change with ECN. */
static uint32_t header_sum(const uint8_t *packet, const ox_headers *h) {
    return h->version == 4 ? ox_checksum_add(packet, h->transport_offset, 0) : 0;
}

static void check_ecn(const uint8_t *data, size_t size, const ox_headers *h) {
    uint8_t *packet = malloc(size);
    CHECK(packet != NULL);
    memcpy(packet, data, size);
    const uint8_t inner = ox_ecn_get(packet);
    CHECK(inner == (h->traffic_class & 3));
    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        ox_ecn_set(packet, ecn);
        CHECK(ox_ecn_get(packet) == ecn);
        CHECK(header_sum(packet, h) == header_sum(data, h));
        ox_headers again;
        CHECK(ox_parse(packet, size, &again) == OX_PASS);
        CHECK(again.traffic_class == ((h->traffic_class & ~3) | ecn));
        again.traffic_class = h->traffic_class;
        CHECK(same(&again, h));
    }
    ox_ecn_set(packet, inner);
    /* Back to the start, but for a checksum of 0xFFFF, which is written as zero when it is computed. */
    if (h->version == 4 && ox_load_be16(data + 10) == 0xFFFF) ox_store_be16(packet + 10, 0xFFFF);
    CHECK(memcmp(packet, data, size) == 0);

    for (uint8_t outer = 0; outer < 4; outer++) {
        memcpy(packet, data, size);
        const bool drop = inner == OX_ECN_NOT_ECT && outer == OX_ECN_CE;
        CHECK(ox_ecn_decapsulate(packet, outer) == (drop ? OX_DROP_ECN_NOT_CAPABLE : OX_PASS));
        if (outer == OX_ECN_CE && !drop) CHECK(ox_ecn_get(packet) == OX_ECN_CE);
        if (inner == OX_ECN_NOT_ECT || inner == OX_ECN_CE) CHECK(ox_ecn_get(packet) == inner);
    }
    free(packet);
}

static void check_too_big(const uint8_t *data, size_t size, const ox_headers *h) {
    uint8_t *out = malloc(1280);
    CHECK(out != NULL);
    const uint32_t len = ox_icmp_too_big(data, size, h, 1400, out);
    if (len != 0) {
        const bool v4 = h->version == 4;
        CHECK(h->dont_fragment && h->first_fragment && len <= (v4 ? 576u : 1280u));
        ox_headers error;
        CHECK(ox_parse(out, len, &error) == OX_PASS);
        CHECK(error.version == h->version && error.has_transport);
        const uint32_t icmp_len = len - error.transport_offset;
        const uint32_t start = v4 ? 0 : ox_checksum_pseudo(out, &error, icmp_len);
        CHECK(ox_checksum_add(out + error.transport_offset, icmp_len, start) == 0xFFFF);
        CHECK(!v4 || header_sum(out, &error) == 0xFFFF);
        CHECK(memcmp(out + error.transport_offset + 8, data, icmp_len - 8) == 0);
        /* Never an error about an error. */
        uint8_t again[1280];
        CHECK(ox_icmp_too_big(out, len, &error, 1400, again) == 0);
    }
    free(out);
}

/* Every variant of the batch parser gives what ox_parse() and ox_flow_hash() give. Around the packet lie prefixes of it. */
static void check_batch(const uint8_t *data, size_t size, ox_verdict verdict, const ox_headers *headers) {
    enum { PACKETS = 17 }; /* more than one step of the widest variant */
    static ox_parsed parsed;
    const uint8_t *packets[PACKETS];
    uint32_t lengths[PACKETS];
    ox_flow_key key;
    ox_flow_key_init(&key, size);
    for (uint32_t i = 0; i < PACKETS; i++) {
        packets[i] = data;
        lengths[i] = i % 3 == 2 && size >= i ? (uint32_t)size - i : (uint32_t)size;
    }
    uint32_t count;
    const ox_parse_variant *variants = ox_parse_variants(&count);
    for (uint32_t v = 0; v < count; v++) {
        if (!ox_cpu_has(variants[v].cpu)) continue;
        variants[v].parse(&key, packets, lengths, PACKETS, &parsed);
        for (uint32_t i = 0; i < PACKETS; i++) {
            if (lengths[i] != size) {
                ox_headers cut;
                CHECK(parsed.verdicts[i] == ox_parse(data, lengths[i], &cut));
                continue;
            }
            CHECK(parsed.verdicts[i] == verdict);
            CHECK(parsed.hashes[i] == (verdict == OX_PASS ? ox_flow_hash(&key, data, headers) : 0));
            CHECK(verdict != OX_PASS || same(&parsed.headers[i], headers));
        }
    }
}

static void check_checksums(const uint8_t *data, size_t size) {
    uint32_t count;
    const ox_checksum_variant *variants = ox_checksum_variants(&count);
    for (uint32_t v = 0; v < count; v++) {
        if (ox_cpu_has(variants[v].cpu))
            CHECK(variants[v].add(data, size, (uint32_t)size) == ox_checksum_add(data, size, (uint32_t)size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ox_headers headers;
    const ox_verdict verdict = ox_parse(data, size, &headers);
    CHECK(verdict <= OX_DROP_PACKET_EXTENSIONS);
    check_batch(data, size, verdict, &headers);
    check_checksums(data, size);
    if (verdict != OX_PASS) return 0;

    check_headers(data, size, &headers);
    ox_headers again;
    CHECK(ox_parse(data, size, &again) == OX_PASS && same(&headers, &again));
    CHECK(ox_parse(data, size - 1, &again) == OX_DROP_PACKET_TRUNCATED);
    check_ecn(data, size, &headers);
    check_too_big(data, size, &headers);
    return 0;
}
