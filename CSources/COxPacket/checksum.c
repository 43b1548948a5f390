#include "checksum_impl.h"

#include "oxcore/cpu.h"

enum { TCP_CHECKSUM_OFFSET = 16, UDP_LENGTH_OFFSET = 4, UDP_CHECKSUM_OFFSET = 6, ALL_ONES = 0xFFFF };

/* ---- the scalar sum ---------------------------------------------------------------------------------------------- */

static inline uint64_t load64(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Ones' complement addition: what is carried out of the top comes in at the bottom. */
static inline uint64_t add_with_carry(uint64_t a, uint64_t b) {
    const uint64_t sum = a + b;
    return sum + (sum < b);
}

/* The words of up to 7 bytes; zero fills the last one (RFC 1071 section 1). */
static inline uint64_t sum_rest(const uint8_t *p, size_t len) {
    uint64_t sum = 0;
    if (len & 4) {
        uint32_t words;
        memcpy(&words, p, sizeof words);
        sum += words;
        p += sizeof words;
    }
    if (len & 2) {
        uint16_t word;
        memcpy(&word, p, sizeof word);
        sum += word;
        p += sizeof word;
    }
    if (len & 1) {
        const uint8_t last[2] = {*p, 0};
        uint16_t word;
        memcpy(&word, last, sizeof word);
        sum += word;
    }
    return sum;
}

uint32_t ox_checksum_scalar(const uint8_t *bytes, size_t len, uint32_t start) {
    /* Four sums side by side: one alone would wait for its own carry. */
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (; len >= 64; bytes += 64, len -= 64) {
        a = add_with_carry(a, load64(bytes));
        b = add_with_carry(b, load64(bytes + 8));
        c = add_with_carry(c, load64(bytes + 16));
        d = add_with_carry(d, load64(bytes + 24));
        a = add_with_carry(a, load64(bytes + 32));
        b = add_with_carry(b, load64(bytes + 40));
        c = add_with_carry(c, load64(bytes + 48));
        d = add_with_carry(d, load64(bytes + 56));
    }
    if (len & 32) {
        a = add_with_carry(a, load64(bytes));
        b = add_with_carry(b, load64(bytes + 8));
        c = add_with_carry(c, load64(bytes + 16));
        d = add_with_carry(d, load64(bytes + 24));
        bytes += 32;
    }
    if (len & 16) {
        a = add_with_carry(a, load64(bytes));
        b = add_with_carry(b, load64(bytes + 8));
        bytes += 16;
    }
    if (len & 8) {
        c = add_with_carry(c, load64(bytes));
        bytes += 8;
    }
    d = add_with_carry(d, sum_rest(bytes, len & 7));
    return ox_checksum_swap_and_add(add_with_carry(add_with_carry(a, b), add_with_carry(c, d)), start);
}

/* ---- the choice -------------------------------------------------------------------------------------------------- */

static const ox_checksum_variant variants[] = {
    {"scalar", 0, ox_checksum_scalar},
#ifdef __x86_64__
    {"avx2", OX_CPU_AVX2, ox_checksum_avx2},
    {"avx512", OX_CPU_AVX512, ox_checksum_avx512},
#endif
};
enum {
    VARIANTS = sizeof variants / sizeof variants[0],
    VECTORS_MIN = 64, /* bytes: below, such as for a header, no variant gains anything on the scalar one */
};

const ox_checksum_variant *ox_checksum_variants(uint32_t *count) {
    *count = VARIANTS;
    return variants;
}

typedef uint32_t checksum_add(const uint8_t *bytes, size_t len, uint32_t start);
static checksum_add choose_and_add;
static checksum_add *chosen = choose_and_add;

/* The first call. Threads that make it at the same time choose the same. */
static uint32_t choose_and_add(const uint8_t *bytes, size_t len, uint32_t start) {
    uint32_t last = VARIANTS - 1;
    while (!ox_cpu_has(variants[last].cpu)) last--;
    __atomic_store_n(&chosen, variants[last].add, __ATOMIC_RELAXED);
    return variants[last].add(bytes, len, start);
}

uint32_t ox_checksum_add(const uint8_t *bytes, size_t len, uint32_t start) {
    if (len < VECTORS_MIN) return ox_checksum_scalar(bytes, len, start);
    return __atomic_load_n(&chosen, __ATOMIC_RELAXED)(bytes, len, start);
}

/* ---- checksums of packets ---------------------------------------------------------------------------------------- */

uint16_t ox_checksum_finish(uint32_t sum) { return (uint16_t)~ox_checksum_fold(sum); }

uint32_t ox_checksum_pseudo(const uint8_t *bytes, const ox_headers *headers, uint32_t transport_len) {
    const bool v4 = headers->version == 4;
    const uint8_t *addresses = v4 ? bytes + 12 : bytes + 8;
    const size_t addresses_bytes = v4 ? 8 : 32;
    /* 16 bits of length in IPv4, 32 in IPv6; folding makes them one. */
    const uint32_t length_and_protocol = ox_checksum_fold((uint64_t)transport_len + headers->protocol);
    return ox_checksum_scalar(addresses, addresses_bytes, length_and_protocol);
}

/* The bytes that the transport checksum of a packet covers, from the transport header on. */
static uint32_t covered_bytes(const uint8_t *packet, const ox_headers *headers) {
    OX_ASSERT(headers->has_transport && (headers->protocol == OX_PROTO_TCP || headers->protocol == OX_PROTO_UDP));
    if (headers->protocol == OX_PROTO_UDP) return ox_load_be16(packet + headers->transport_offset + UDP_LENGTH_OFFSET);
    return headers->total_bytes - headers->transport_offset;
}

void ox_checksum_complete(uint8_t *packet, const ox_headers *headers) {
    const uint32_t covered = covered_bytes(packet, headers);
    const bool udp = headers->protocol == OX_PROTO_UDP;
    uint8_t *transport = packet + headers->transport_offset;
    const uint16_t checksum = ox_checksum_finish(ox_checksum_add(transport, covered, 0));
    //= RFC 768
    //# a computed checksum of zero is sent as all ones: zero says that there is none
    ox_store_be16(transport + (udp ? UDP_CHECKSUM_OFFSET : TCP_CHECKSUM_OFFSET),
                  udp && checksum == 0 ? ALL_ONES : checksum);
}

bool ox_checksum_verify(const uint8_t *packet, const ox_headers *headers) {
    const uint32_t covered = covered_bytes(packet, headers);
    const uint8_t *transport = packet + headers->transport_offset;
    if (headers->protocol == OX_PROTO_UDP && ox_load_be16(transport + UDP_CHECKSUM_OFFSET) == 0)
        return headers->version == 4;
    return ox_checksum_add(transport, covered, ox_checksum_pseudo(packet, headers, covered)) == ALL_ONES;
}
