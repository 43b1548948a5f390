/*
 * What the AVX2 and the AVX-512 variant of the batch parser have in common: all but the loads. They differ in what they
 * may load of a short packet; these functions become part of each of them, in its own instructions.
 *
 * Eight packets at a time. Of each packet three pieces are loaded: the start of the IP header, the start of the
 * transport header, and the addresses. The first two are transposed, so that one vector holds one field of all eight;
 * the checks of ox_parse() are made on these, the fields of ox_headers computed, transposed back and stored. What
 * does not pass the checks here is left to ox_parse().
 */
#ifndef COXPACKET_PARSE_EIGHT_H
#define COXPACKET_PARSE_EIGHT_H

#include "parse_impl.h"

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi2")))

enum {
    LANES = 8,
    PIECE = 16, /* bytes of a piece of a header */
};

/* The pieces of eight packets. Packets i and i + 4 share ip[i] and transport[i], as the low and the high half. */
typedef struct pieces {
    /* First octet of the packet, protocol, traffic class (IPv6: second octet), TTL; the length that the IP header
     * states, and flags and fragment offset of IPv4, in the machine's order; 8 octets more. */
    __m256i ip[LANES / 2];
    /* The first 16 octets of the transport header, with ports and the length of UDP in the machine's order. */
    __m256i transport[LANES / 2];
    /* The products of the flow hash over the addresses, added up, for packets 0 to 3 and 4 to 7. */
    __m256i sums[2];
} pieces;

/* One field of eight packets each, 32 bits wide. */
typedef struct columns {
    __m256i first;  /* first octet of the packet, protocol, traffic class (IPv6: second octet), TTL */
    __m256i length; /* the length that the IP header states; flags and fragment offset of IPv4 */
    __m256i ports;  /* source, destination */
    __m256i udp;    /* the length that the UDP header states; two octets more */
    __m256i payload; /* octets 8 to 11 of the transport header: start of the payload of UDP */
    __m256i tcp;     /* octets 12 to 15: TCP's data offset, flags, and two octets more */
} columns;

AVX2 static inline __m256i each(uint32_t value) { return _mm256_set1_epi32((int)value); }
AVX2 static inline __m256i equal(__m256i a, __m256i b) { return _mm256_cmpeq_epi32(a, b); }
/* Of numbers below 2^31. */
AVX2 static inline __m256i greater(__m256i a, __m256i b) { return _mm256_cmpgt_epi32(a, b); }
AVX2 static inline __m256i and(__m256i a, __m256i b) { return _mm256_and_si256(a, b); }
AVX2 static inline __m256i or(__m256i a, __m256i b) { return _mm256_or_si256(a, b); }
AVX2 static inline __m256i choose(__m256i mask, __m256i yes, __m256i no) { return _mm256_blendv_epi8(no, yes, mask); }

AVX2 static inline columns transpose(const pieces *q) {
    const __m256i *ip = q->ip, *transport = q->transport;
    const __m256i ip01 = _mm256_unpacklo_epi32(ip[0], ip[1]), ip23 = _mm256_unpacklo_epi32(ip[2], ip[3]);
    const __m256i low01 = _mm256_unpacklo_epi32(transport[0], transport[1]);
    const __m256i low23 = _mm256_unpacklo_epi32(transport[2], transport[3]);
    const __m256i high01 = _mm256_unpackhi_epi32(transport[0], transport[1]);
    const __m256i high23 = _mm256_unpackhi_epi32(transport[2], transport[3]);
    return (columns){
        .first = _mm256_unpacklo_epi64(ip01, ip23),
        .length = _mm256_unpackhi_epi64(ip01, ip23),
        .ports = _mm256_unpacklo_epi64(low01, low23),
        .udp = _mm256_unpackhi_epi64(low01, low23),
        .payload = _mm256_unpacklo_epi64(high01, high23),
        .tcp = _mm256_unpackhi_epi64(high01, high23),
    };
}

/* The first 6 words of ox_headers, the others being zero, and which packets they are right for. */
typedef struct rows {
    __m256i words[6];
    __m256i pass;
    __m256i rtp; /* of those: which may be RTP */
} rows;

/* UDP whose ports, lengths, version and payload type do not rule RTP out, as ox_parse_rtp() has it. */
AVX2 static inline __m256i may_be_rtp(const columns *c, __m256i is_udp, __m256i udp_len) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i high = each(0xFFFF & ~(RTP_PORT_MIN - 1));
    const __m256i low_source = equal(and(c->ports, high), zero);
    const __m256i low_destination = equal(and(c->ports, _mm256_slli_epi32(high, 16)), zero);
    const __m256i version = equal(and(c->payload, each(0xC0)), each(0x80));
    const __m256i rtcp = equal(and(c->payload, each(0x6000)), each(0x4000)); /* payload types 64 to 95 */
    const __m256i room = greater(udp_len, each(UDP_HEADER_BYTES + RTP_HEADER_BYTES - 1));
    return _mm256_andnot_si256(or(or(low_source, low_destination), rtcp), and(and(is_udp, version), room));
}

AVX2 static inline rows check(const columns *c, __m256i lengths, uint32_t v6_least) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i is_v6 = equal(and(c->first, each(0xF0)), each(0x60));
    const __m256i is_v4 = equal(and(c->first, each(0xFF)), each(0x45)); /* without options */
    const __m256i protocol = and(c->first, each(0xFF00));
    const __m256i is_tcp = equal(protocol, each(OX_PROTO_TCP << 8)), is_udp = equal(protocol, each(OX_PROTO_UDP << 8));

    const __m256i offset = choose(is_v6, each(V6_HEADER_BYTES), each(V4_HEADER_BYTES));
    const __m256i total = _mm256_add_epi32(and(c->length, each(0xFFFF)), and(is_v6, each(V6_HEADER_BYTES)));
    const __m256i left = _mm256_sub_epi32(total, offset);
    const __m256i udp_len = and(c->udp, each(0xFFFF));
    const __m256i tcp_header = and(_mm256_srli_epi32(c->tcp, 2), each(0x3C));
    const __m256i stated = choose(is_udp, udp_len, tcp_header);
    const __m256i least = choose(is_udp, each(UDP_HEADER_BYTES), each(TCP_HEADER_BYTES));
    const __m256i bad_transport = or(greater(least, stated), greater(stated, left));
    const __m256i cut = and(is_v6, greater(each(v6_least), lengths));
    const __m256i whole = equal(and(c->length, each(0x3FFF0000)), zero);  /* no fragment */
    const __m256i good = and(and(or(is_v4, is_v6), or(is_tcp, is_udp)), and(whole, equal(total, lengths)));

    const __m256i class_v6 = or(and(_mm256_slli_epi32(c->first, 20), each(0xF00000)),
                                and(_mm256_srli_epi32(c->first, 4), each(0x0F0000)));
    const __m256i first_v6 = or(or(and(c->first, each(0xFF00FF00)), class_v6), each(6));
    const __m256i first_v4 = or(and(c->first, each(0xFFFFFF00)), each(4));
    const __m256i dont_fragment = and(or(_mm256_srli_epi32(c->length, 14), is_v6), each(0x10000));
    const __m256i pass = _mm256_andnot_si256(or(bad_transport, cut), good);
    return (rows){
        .words = {choose(is_v6, first_v6, first_v4),
                  or(dont_fragment, each(0x01000100)), /* first_fragment, has_transport */
                  and(and(c->tcp, is_tcp), each(0xFF00)), c->ports,
                  or(offset, _mm256_slli_epi32(choose(is_udp, each(UDP_HEADER_BYTES), tcp_header), 16)), total},
        .pass = pass,
        .rtp = and(pass, may_be_rtp(c, is_udp, udp_len)),
    };
}
_Static_assert(offsetof(ox_headers, tcp_flags) == 9 && offsetof(ox_headers, first_fragment) == 5 &&
                   offsetof(ox_headers, dont_fragment) == 6 && offsetof(ox_headers, has_transport) == 7 &&
                   offsetof(ox_headers, source_port) == 12 && offsetof(ox_headers, transport_offset) == 16 &&
                   offsetof(ox_headers, total_bytes) == 20 && offsetof(ox_headers, rtp_ssrc) == 24,
               "the words of rows are those of ox_headers");

AVX2 static inline void store_rows(const rows *r, ox_headers headers[LANES]) {
    const __m256i zero = _mm256_setzero_si256(), *w = r->words;
    const __m256i low01 = _mm256_unpacklo_epi32(w[0], w[1]), high01 = _mm256_unpackhi_epi32(w[0], w[1]);
    const __m256i low23 = _mm256_unpacklo_epi32(w[2], w[3]), high23 = _mm256_unpackhi_epi32(w[2], w[3]);
    const __m256i low45 = _mm256_unpacklo_epi32(w[4], w[5]), high45 = _mm256_unpackhi_epi32(w[4], w[5]);
    const __m256i front[4] = {_mm256_unpacklo_epi64(low01, low23), _mm256_unpackhi_epi64(low01, low23),
                              _mm256_unpacklo_epi64(high01, high23), _mm256_unpackhi_epi64(high01, high23)};
    const __m256i back[4] = {_mm256_unpacklo_epi64(low45, zero), _mm256_unpackhi_epi64(low45, zero),
                             _mm256_unpacklo_epi64(high45, zero), _mm256_unpackhi_epi64(high45, zero)};
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        _mm256_storeu_si256((__m256i *)(headers + i), _mm256_permute2x128_si256(front[i], back[i], 0x20));
        _mm256_storeu_si256((__m256i *)(headers + i + 4), _mm256_permute2x128_si256(front[i], back[i], 0x31));
    }
}

/* ---- the flow hash, as ox_flow_hash() has it --------------------------------------------------------------------- */

/* The four products of the addresses of one packet: `words` as ox_flow_hash() names them. */
AVX2 static inline __m256i multiply(__m256i words, __m256i key) {
    const __m256i keyed = _mm256_add_epi32(words, key);
    return _mm256_mul_epu32(keyed, _mm256_srli_epi64(keyed, 32));
}

/* The sums of the products of four packets. */
AVX2 static inline __m256i add_products(const __m256i p[4]) {
    const __m256i a = _mm256_add_epi64(_mm256_unpacklo_epi64(p[0], p[1]), _mm256_unpackhi_epi64(p[0], p[1]));
    const __m256i b = _mm256_add_epi64(_mm256_unpacklo_epi64(p[2], p[3]), _mm256_unpackhi_epi64(p[2], p[3]));
    return _mm256_add_epi64(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

AVX2 static inline __m256i widen(__m256i words, int half) {
    return _mm256_cvtepu32_epi64(half == 0 ? _mm256_castsi256_si128(words) : _mm256_extracti128_si256(words, 1));
}

AVX2 static inline __m256i hash_eight(const pieces *q, const columns *c, const ox_flow_key *key) {
    const __m256i ports = _mm256_add_epi32(c->ports, each(key->words[8]));
    const __m256i protocol = and(_mm256_srli_epi32(c->first, 8), each(0xFF));
    const __m256i protocols = _mm256_add_epi32(protocol, each(key->words[9]));
    const __m256i low = _mm256_add_epi64(q->sums[0], _mm256_mul_epu32(widen(ports, 0), widen(protocols, 0)));
    const __m256i high = _mm256_add_epi64(q->sums[1], _mm256_mul_epu32(widen(ports, 1), widen(protocols, 1)));
    const __m256 folded = _mm256_shuffle_ps(_mm256_castsi256_ps(_mm256_xor_si256(low, _mm256_srli_epi64(low, 32))),
                                            _mm256_castsi256_ps(_mm256_xor_si256(high, _mm256_srli_epi64(high, 32))),
                                            0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(folded), 0xD8);
}

/* The last step of the hashes of all packets together: one after the other would wait for its multiplications. */
AVX2 static inline void mix_hashes(uint32_t *hashes, uint32_t count) {
    for (uint32_t i = 0; i < count; i += LANES) {
        __m256i hash = _mm256_loadu_si256((const __m256i *)(hashes + i));
        hash = _mm256_mullo_epi32(_mm256_xor_si256(hash, _mm256_srli_epi32(hash, 16)), each(0x85EBCA6B));
        hash = _mm256_mullo_epi32(_mm256_xor_si256(hash, _mm256_srli_epi32(hash, 13)), each(0xC2B2AE35));
        _mm256_storeu_si256((__m256i *)(hashes + i), _mm256_xor_si256(hash, _mm256_srli_epi32(hash, 16)));
    }
}

AVX2 static inline uint32_t bits(__m256i mask) { return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(mask)); }

/* Bit i: packet i of the eight. */
typedef struct leftovers {
    uint8_t rtp;   /* passed, and may be RTP */
    uint8_t other; /* is left to ox_parse() */
} leftovers;

/*
 * Parses packets `i` to `i` + LANES - 1 from their pieces. Without a whole piece of its transport header are packets of
 * IPv6 below `v6_least` bytes.
 */
AVX2 static inline leftovers parse_eight(const pieces *q, uint32_t v6_least, const ox_flow_key *key,
                                         const uint32_t lengths[], uint32_t i, ox_parsed *parsed) {
    const columns c = transpose(q);
    const rows r = check(&c, _mm256_loadu_si256((const __m256i *)(lengths + i)), v6_least);
    store_rows(&r, parsed->headers + i);
    _mm256_storeu_si256((__m256i *)(parsed->hashes + i), hash_eight(q, &c, key));
    memset(parsed->verdicts + i, OX_PASS, LANES);
    return (leftovers){.rtp = (uint8_t)bits(r.rtp), .other = (uint8_t)~bits(r.pass)};
}

/* What eight packets leave over comes behind all of the batch: a call in the loop would cost it its registers. */
static inline void parse_leftovers(const leftovers *left, const ox_flow_key *key, const uint8_t *const packets[],
                                   const uint32_t lengths[], uint32_t from, ox_parsed *parsed) {
    for (uint32_t bits_left = left->rtp; bits_left != 0; bits_left &= bits_left - 1) {
        const uint32_t i = from + (uint32_t)__builtin_ctz(bits_left);
        const uint8_t *datagram = packets[i] + parsed->headers[i].transport_offset;
        ox_parse_rtp(datagram + UDP_HEADER_BYTES, ox_load_be16(datagram + 4) - UDP_HEADER_BYTES, &parsed->headers[i]);
    }
    for (uint32_t bits_left = left->other; bits_left != 0; bits_left &= bits_left - 1) {
        const uint32_t i = from + (uint32_t)__builtin_ctz(bits_left);
        ox_parse_one(key, packets[i], lengths[i], i, parsed);
    }
}

/* Asks for packets `from` to `from` + LANES - 1, when the batch has so many. */
static inline void prefetch_eight(const uint8_t *const packets[], uint32_t from, uint32_t count) {
    if (from + LANES > count) return;
#pragma GCC unroll 8
    for (uint32_t i = 0; i < LANES; i++) __builtin_prefetch(packets[from + i]);
}

#endif
