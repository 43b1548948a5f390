#include "parse_impl.h"

#include "oxcore/cpu.h"

/* ---- the flow hash ----------------------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_key_word(uint64_t *state) {
    uint64_t word = *state += 0x9E3779B97F4A7C15u;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return word ^ (word >> 31);
}

static uint64_t product(const uint32_t key[2], uint32_t a, uint32_t b) {
    return (uint64_t)(uint32_t)(key[0] + a) * (uint32_t)(key[1] + b);
}

void ox_flow_key_init(ox_flow_key *key, uint64_t seed) {
    for (uint32_t i = 0; i < sizeof key->words / sizeof key->words[0]; i++)
        key->words[i] = (uint32_t)(next_key_word(&seed) >> 32);
    key->v4 = product(key->words + 4, 0, 0) + product(key->words + 6, 0, 0);
}

static uint32_t load32(const uint8_t *p) {
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* From the packet: the two fields in `headers`, just written, would be read as one, which waits for both writes. */
static uint32_t hashed_ports(const uint8_t *packet, const ox_headers *headers) {
    if (!headers->has_transport || (headers->protocol != OX_PROTO_TCP && headers->protocol != OX_PROTO_UDP)) return 0;
    const uint8_t *ports = packet + headers->transport_offset;
    return ox_load_be16(ports) | (uint32_t)ox_load_be16(ports + 2) << 16;
}

uint32_t ox_flow_hash(const ox_flow_key *key, const uint8_t *packet, const ox_headers *headers) {
    const uint32_t *k = key->words;
    uint64_t sum = product(k + 8, hashed_ports(packet, headers), headers->protocol);
    if (headers->version == 4) {
        sum += product(k, 0, load32(packet + 12)) + product(k + 2, load32(packet + 16), 0) + key->v4;
    } else {
        const uint8_t *addresses = packet + 8;
        for (uint32_t i = 0; i < 8; i += 2)
            sum += product(k + i, load32(addresses + 4 * i), load32(addresses + 4 * i + 4));
    }
    uint32_t hash = (uint32_t)(sum ^ sum >> 32);
    hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
    hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
    return hash ^ hash >> 16;
}

/* ---- the scalar variant ------------------------------------------------------------------------------------------ */

void ox_parse_one(const ox_flow_key *key, const uint8_t *packet, uint32_t len, uint32_t i, ox_parsed *parsed) {
    const ox_verdict verdict = ox_parse(packet, len, &parsed->headers[i]);
    parsed->verdicts[i] = (uint8_t)verdict;
    parsed->hashes[i] = verdict == OX_PASS ? ox_flow_hash(key, packet, &parsed->headers[i]) : 0;
}
_Static_assert(OX_VERDICT_COUNT <= UINT8_MAX + 1, "a verdict fits in a byte");

void ox_parse_batch_scalar(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[],
                           uint32_t count, ox_parsed *parsed) {
    for (uint32_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count) __builtin_prefetch(packets[i + PREFETCH_AHEAD]);
        ox_parse_one(key, packets[i], lengths[i], i, parsed);
    }
}

/* ---- the choice -------------------------------------------------------------------------------------------------- */

static const ox_parse_variant variants[] = {
    {"scalar", 0, ox_parse_batch_scalar},
#ifdef __x86_64__
    {"avx2", OX_CPU_AVX2, ox_parse_batch_avx2},
    {"avx512", OX_CPU_AVX512, ox_parse_batch_avx512},
#endif
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

const ox_parse_variant *ox_parse_variants(uint32_t *count) {
    *count = VARIANTS;
    return variants;
}

void ox_parse_batch(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[], uint32_t count,
                    ox_parsed *parsed) {
    OX_ASSERT(count <= OX_PARSE_BATCH_MAX);
    static const ox_parse_variant *chosen;
    const ox_parse_variant *variant = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (variant == NULL) {
        /* The first call. Threads that make it at the same time choose the same. */
        variant = variants + VARIANTS - 1;
        while (!ox_cpu_has(variant->cpu)) variant--;
        __atomic_store_n(&chosen, variant, __ATOMIC_RELAXED);
    }
    variant->parse(key, packets, lengths, count, parsed);
}
