#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/cpu.h"
#include "packets.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static packet p;
static ox_flow_key key;
static uint64_t seed;

static uint32_t next_random(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

/* ---- a batch, every packet of which ends at a page that faults --------------------------------------------------- */

enum { PACKET_MAX = 256 };
static uint8_t *slots;
static size_t page;
static const uint8_t *packets[OX_PARSE_BATCH_MAX];
static uint32_t lengths[OX_PARSE_BATCH_MAX];
static uint32_t count;

static int make_slots(void **state) {
    (void)state;
    page = (size_t)sysconf(_SC_PAGESIZE);
    slots = mmap(NULL, 2 * page * OX_PARSE_BATCH_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slots == MAP_FAILED) return -1;
    for (size_t i = 0; i < OX_PARSE_BATCH_MAX; i++) {
        if (mprotect(slots + (2 * i + 1) * page, page, PROT_NONE) != 0) return -1;
    }
    ox_flow_key_init(&key, 0x0123456789ABCDEF);
    return 0;
}

/* `offset` bytes lie between the packet and the page. */
static void add(const uint8_t *bytes, size_t len, size_t offset) {
    uint8_t *at = slots + (2 * count + 1) * page - offset - len;
    memcpy(at, bytes, len);
    packets[count] = at;
    lengths[count++] = (uint32_t)len;
}

static void check_variant(const ox_parse_variant *variant, uint32_t packets_in_batch) {
    static ox_parsed parsed;
    memset(&parsed, 0xA5, sizeof parsed);
    variant->parse(&key, packets, lengths, packets_in_batch, &parsed);
    for (uint32_t i = 0; i < packets_in_batch; i++) {
        ox_headers headers;
        const ox_verdict verdict = ox_parse(packets[i], lengths[i], &headers);
        assert_int_equal(parsed.verdicts[i], verdict);
        if (verdict == OX_PASS) {
            assert_memory_equal(&parsed.headers[i], &headers, sizeof headers);
            assert_int_equal(parsed.hashes[i], ox_flow_hash(&key, packets[i], &headers));
        } else {
            assert_int_equal(parsed.hashes[i], 0);
        }
    }
    /* Nothing behind them is written. */
    if (packets_in_batch < OX_PARSE_BATCH_MAX) {
        assert_int_equal(parsed.verdicts[packets_in_batch], 0xA5);
        assert_int_equal(parsed.hashes[packets_in_batch], 0xA5A5A5A5);
        assert_int_equal(parsed.headers[packets_in_batch].version, 0xA5);
    }
}

/* Every variant gives what ox_parse() and ox_flow_hash() give, for the batch that was added. Empties it. */
static void check(void) {
    uint32_t variants_count;
    const ox_parse_variant *variants = ox_parse_variants(&variants_count);
    assert_int_equal(variants[0].cpu, 0);
    for (uint32_t i = 0; i < variants_count; i++) {
        if (ox_cpu_has(variants[i].cpu)) check_variant(&variants[i], count);
    }
    check_variant(&(ox_parse_variant){"ox_parse_batch", 0, ox_parse_batch}, count);
    count = 0;
}

static void add_and_check_full(const uint8_t *bytes, size_t len, size_t offset) {
    add(bytes, len, offset);
    if (count == OX_PARSE_BATCH_MAX) check();
}

/* ---- packets ----------------------------------------------------------------------------------------------------- */

enum { KINDS = 12 };

/* One of each kind that the variants know, and of those that they leave to ox_parse(), with `payload` bytes. */
static void make(uint32_t kind, size_t payload) {
    static uint8_t bytes[PACKET_MAX];
    for (size_t i = 0; i < payload; i++) bytes[i] = (uint8_t)next_random();
    const bool v4 = kind & 1;
    const uint8_t protocols[] = {OX_PROTO_UDP, OX_PROTO_TCP, OX_PROTO_UDP, OX_PROTO_UDP, OX_PROTO_TCP, OX_PROTO_ICMP};
    const uint8_t protocol = protocols[kind / 2];
    if (v4) begin_v4(&p, protocol, kind / 2 == 3 ? 8 : 0);
    else begin_v6(&p, kind / 2 == 3 ? 60 : protocol);
    for (size_t i = v4 ? 12 : 8; i < (v4 ? 20 : 40); i++) p.bytes[i] = (uint8_t)next_random();
    if (!v4 && kind / 2 == 3) put_extension(&p, protocol, 1);
    if (kind / 2 == 2 && payload >= 2) { /* RTP */
        bytes[0] = (uint8_t)(0x80 | (bytes[0] & 0x3F));
        bytes[1] = (uint8_t)(bytes[1] & 0x1F);
    }
    if (protocol == OX_PROTO_UDP) {
        put_udp(&p, kind / 2 == 2 ? 5004 : (uint16_t)next_random(), (uint16_t)next_random(), bytes, payload);
    } else if (protocol == OX_PROTO_TCP) {
        put_tcp(&p, kind / 2 == 4 ? 8 : 5, (uint8_t)next_random(), 0);
        put(&p, bytes, payload);
    } else {
        put_icmp(&p, 8, 0, payload);
    }
    end(&p);
}

static void every_kind_and_length_at_every_offset(void **state) {
    (void)state;
    seed = 1;
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        for (size_t payload = 0; payload < 48; payload++) {
            make(kind, payload);
            for (size_t offset = 0; offset < 64; offset++) add_and_check_full(p.bytes, p.len, offset);
        }
    }
    check();
}

static void every_cut_and_surplus(void **state) {
    (void)state;
    seed = 2;
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        make(kind, 40);
        for (size_t len = 0; len <= p.len + 64; len++) add_and_check_full(p.bytes, len, 0);
        /* Cut, but with lengths that agree. */
        for (size_t len = kind & 1 ? 20 : 40; len < p.len; len++) {
            packet whole = p;
            p.len = len;
            end(&p);
            add_and_check_full(p.bytes, p.len, 0);
            p = whole;
        }
    }
    check();
}

static void every_value_of_every_header_octet(void **state) {
    (void)state;
    seed = 3;
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        make(kind, 20);
        for (size_t at = 0; at < p.len; at++) {
            const uint8_t was = p.bytes[at];
            for (uint32_t value = 0; value < 256; value++) {
                p.bytes[at] = (uint8_t)value;
                add_and_check_full(p.bytes, p.len, value % 64);
            }
            p.bytes[at] = was;
        }
    }
    check();
}

static void every_size_of_a_batch(void **state) {
    (void)state;
    seed = 4;
    for (uint32_t packets_in_batch = 0; packets_in_batch <= OX_PARSE_BATCH_MAX; packets_in_batch++) {
        while (count < packets_in_batch) {
            make(next_random() % KINDS, next_random() % 100);
            add(p.bytes, p.len, next_random() % 64);
        }
        check();
    }
}

static void random_and_mangled_headers(void **state) {
    (void)state;
    seed = 5;
    for (uint32_t round = 0; round < 100000; round++) {
        make(next_random() % KINDS, next_random() % 60);
        if (round % 4 == 0) {
            for (size_t i = 1; i < p.len; i++) p.bytes[i] = (uint8_t)next_random();
            if (round % 8 == 0) end(&p);
        }
        for (uint32_t flips = next_random() % 3; flips > 0; flips--)
            p.bytes[next_random() % p.len] ^= (uint8_t)(1u << next_random() % 8);
        add_and_check_full(p.bytes, p.len, 0);
    }
    check();
}

static void lengths_far_above_what_a_header_can_state(void **state) {
    (void)state;
    static uint8_t bytes[65576];
    const uint32_t high[] = {65535, 65536, 65575, 65576};
    seed = 6;
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        make(kind, 8);
        memcpy(bytes, p.bytes, p.len);
        for (size_t i = 0; i < sizeof high / sizeof high[0]; i++) {
            if (kind & 1) ox_store_be16(bytes + 2, (uint16_t)high[i]);
            else ox_store_be16(bytes + 4, (uint16_t)(high[i] - 40));
            packets[count] = bytes;
            lengths[count++] = high[i];
            while (count < 16) add(p.bytes, p.len, 0);
            check();
        }
    }
}

/* ---- the hash ---------------------------------------------------------------------------------------------------- */

static uint32_t hash_of(void) {
    ox_headers headers;
    end(&p);
    assert_int_equal(ox_parse(p.bytes, p.len, &headers), OX_PASS);
    return ox_flow_hash(&key, p.bytes, &headers);
}

static void the_hash_is_of_the_five_tuple_and_of_nothing_else(void **state) {
    (void)state;
    for (int v4 = 0; v4 < 2; v4++) {
        seed = 7;
        make((uint32_t)v4, 30);
        const uint32_t hash = hash_of();
        const size_t transport = v4 ? 20 : 40;
        for (size_t at = 0; at < p.len; at++) {
            const bool address = at >= (v4 ? 12u : 8u) && at < transport, port = at >= transport && at < transport + 4;
            const bool free_octet = at == (v4 ? 1 : 7) || at >= transport + 6;
            p.bytes[at] ^= 1;
            if (address || port) assert_int_not_equal(hash_of(), hash);
            else if (free_octet) assert_int_equal(hash_of(), hash);
            p.bytes[at] ^= 1;
        }
        ox_flow_key other;
        ox_flow_key_init(&other, 1);
        ox_headers headers;
        assert_int_equal(ox_parse(p.bytes, p.len, &headers), OX_PASS);
        assert_int_not_equal(ox_flow_hash(&other, p.bytes, &headers), hash);
    }
}

static void fragments_of_a_packet_hash_alike(void **state) {
    (void)state;
    seed = 8;
    make(1, 30);
    ox_store_be16(p.bytes + 6, 0x2000);
    const uint32_t first = hash_of();
    ox_store_be16(p.bytes + 6, 0x0004);
    p.bytes[20] ^= 0xFF;
    assert_int_equal(hash_of(), first);
}

/* Flows that differ in a port or the last octet of an address fill 64 buckets evenly, by low and by high bits. */
static void neighbouring_flows_spread_evenly(void **state) {
    (void)state;
    enum { BUCKETS = 64, FLOWS = 64 * 1024 };
    for (int v4 = 0; v4 < 2; v4++) {
        static uint32_t low[BUCKETS], high[BUCKETS];
        memset(low, 0, sizeof low);
        memset(high, 0, sizeof high);
        seed = 9;
        make((uint32_t)v4, 0);
        for (uint32_t flow = 0; flow < FLOWS; flow++) {
            p.bytes[v4 ? 19 : 39] = (uint8_t)flow;
            ox_store_be16(p.bytes + (v4 ? 20 : 40), (uint16_t)(40000 + flow / 256));
            const uint32_t hash = hash_of();
            low[hash % BUCKETS]++;
            high[hash / (UINT32_MAX / BUCKETS + 1)]++;
        }
        /* 1,024 are expected in each, with a standard deviation of 32. */
        for (uint32_t i = 0; i < BUCKETS; i++) {
            assert_in_range(low[i], 1024 - 160, 1024 + 160);
            assert_in_range(high[i], 1024 - 160, 1024 + 160);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_and_length_at_every_offset),
        cmocka_unit_test(every_cut_and_surplus),
        cmocka_unit_test(every_value_of_every_header_octet),
        cmocka_unit_test(every_size_of_a_batch),
        cmocka_unit_test(random_and_mangled_headers),
        cmocka_unit_test(lengths_far_above_what_a_header_can_state),
        cmocka_unit_test(the_hash_is_of_the_five_tuple_and_of_nothing_else),
        cmocka_unit_test(fragments_of_a_packet_hash_alike),
        cmocka_unit_test(neighbouring_flows_spread_evenly),
    };
    return cmocka_run_group_tests(tests, make_slots, NULL);
}
