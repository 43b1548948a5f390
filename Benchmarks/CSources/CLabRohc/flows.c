#include "flows.h"

#include <math.h>
#include <stdlib.h>

#include "lab/problem.h"

double exponential(stream *s, double mean) { return -mean * log1p(-unit(s)); }

/* ---- packets -------------------------------------------------------------------------------------------------- */

static uint32_t add_words(uint32_t sum, const uint8_t *bytes, uint32_t count) {
    for (; count > 1; count -= 2, bytes += 2) sum += ox_load_be16(bytes);
    return count != 0 ? sum + ((uint32_t)bytes[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum) {
    while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static void advance_id(stream *s) {
    switch (s->id_kind) {
    case ID_SEQUENTIAL: case ID_SWAPPED: s->id++; break;
    case ID_SHARED: s->id = (uint16_t)(s->id + (chance(s, 0.8) ? 1 : between(s, 2, 4))); break;
    case ID_RANDOM: s->id = (uint16_t)draw(s); break;
    case ID_ZERO: s->id = 0; break;
    case ID_RESTLESS:
        if (chance(s, 0.02)) s->kind = (uint32_t)draw(s);
        s->id = (uint16_t)(s->kind % 4 == 0 ? draw(s) : s->kind % 4 == 1 ? 0 : s->id + 1u + (chance(s, 0.1) ? draw(s) % 40 : 0));
        if (chance(s, 0.01)) s->id = (uint16_t)draw(s);
        break;
    }
}

static uint8_t *put_ipv4(const stream *s, uint8_t *ip, uint8_t protocol, uint32_t bytes, uint16_t id) {
    memset(ip, 0, 20);
    ip[0] = 0x45;
    ip[1] = s->tos;
    ox_store_be16(ip + 2, (uint16_t)bytes);
    ox_store_be16(ip + 4, s->id_kind == ID_SWAPPED ? (uint16_t)(id << 8 | id >> 8) : id);
    ip[6] = s->df ? 0x40 : 0;
    ip[8] = s->ttl;
    ip[9] = protocol;
    ox_store_be32(ip + 12, s->addresses[0]);
    ox_store_be32(ip + 16, s->addresses[1]);
    ox_store_be16(ip + 10, fold(add_words(0, ip, 20)));
    return ip + 20;
}

static uint8_t *put_ipv6(const stream *s, uint8_t *ip, uint8_t protocol, uint32_t bytes) {
    memset(ip, 0, 40);
    ox_store_be32(ip, 0x60000000u | (uint32_t)s->tos << 20 | s->flow_label);
    ox_store_be16(ip + 4, (uint16_t)(bytes - 40));
    ip[6] = protocol;
    ip[7] = s->ttl;
    ip[8] = ip[24] = 0x20;
    ip[9] = ip[25] = 0x01;
    ox_store_be32(ip + 20, s->addresses[0]);
    ox_store_be32(ip + 36, s->addresses[1]);
    return ip + 40;
}

uint8_t *begin_packet(stream *s, uint8_t protocol, uint32_t transport_bytes) {
    const uint32_t inner = transport_bytes + (s->ipv6 ? 40 : 20);
    uint8_t *at = s->packet;
    advance_id(s);
    if (s->nested) at = put_ipv4(s, at, s->ipv6 ? 41 : 4, inner + 20, chance(s, 0.5) ? (uint16_t)draw(s) : (uint16_t)(s->id + 7));
    s->protocol = protocol;
    at = s->ipv6 ? put_ipv6(s, at, protocol, inner) : put_ipv4(s, at, protocol, inner, s->id);
    s->bytes = (uint32_t)(at - s->packet) + transport_bytes;
    return at;
}

void end_packet(stream *s, uint32_t header_bytes) {
    enum { TCP = 6, UDP = 17 };
    const uint32_t before = (s->nested ? 20 : 0) + (s->ipv6 ? 40 : 20);
    uint8_t *transport = s->packet + before;
    const uint32_t bytes = s->bytes - before;
    for (uint32_t i = header_bytes; i < bytes; i++) transport[i] = (uint8_t)(i + s->drawn);
    s->header_bytes = before + header_bytes;
    if (s->protocol != TCP && s->protocol != UDP) return;
    uint8_t *checksum = transport + (s->protocol == TCP ? 16 : 6);
    ox_store_be16(checksum, 0);
    if (s->protocol == UDP && s->checksum_off) return;
    const uint8_t *ip = s->packet + before - (s->ipv6 ? 40 : 20);
    uint32_t sum = s->ipv6 ? add_words(0, ip + 8, 32) : add_words(0, ip + 12, 8);
    const uint16_t value = fold(add_words(sum + s->protocol + bytes, transport, bytes));
    ox_store_be16(checksum, value == 0 && s->protocol == UDP ? 0xFFFF : value);
}

/* ---- flows by name -------------------------------------------------------------------------------------------- */

/* The flows of the table that the README has, and then those that are hard on purpose. */
static const char *const names[] = {
    "voice-seq", "voice-random", "game-seq", "game-random", "game-ipv6", "tcp-data-seq", "tcp-data-zero", "tcp-ack",
    "tcp-ack-sack", "ssh", "web", "mix-24", "game-shared", "hard-rtp", "hard-rtp-random", "hard-rtp-nested", "hard-rtp-shared", "hard-udp",
    "hard-udp-nested", "hard-esp", "hard-icmp", "hard-ipv6", "hard-tcp", "hard-tcp-random", NULL,
};

const char *lab_rohc_flow_name(size_t index) { return index < sizeof names / sizeof names[0] ? names[index] : NULL; }

static stream *add(lab_rohc_flow *flow, uint64_t seed) {
    stream *s = &flow->streams[flow->count];
    *s = (stream){.seed = lab_mix(seed * 64 + flow->count), .ttl = 64, .df = 1, .destination = 443};
    flow->count++;
    s->addresses[0] = 0x0A080000 + (uint32_t)(draw(s) % 60000);
    s->addresses[1] = 0xC6336400 + (uint32_t)(draw(s) % 250);
    s->source = (uint16_t)between(s, 32768, 60000);
    s->id = (uint16_t)draw(s);
    s->flow_label = (uint32_t)draw(s) & 0xFFFFF;
    s->now_ns = 1000000000 + draw(s) % 20000000;
    return s;
}

static void start_mix(lab_rohc_flow *flow, uint64_t seed) {
    start_voice(flow->streams, ID_SEQUENTIAL);
    for (uint32_t i = 1; i < STREAMS_MAX; i++) {
        stream *s = add(flow, seed);
        switch (i % 8) {
        case 0: start_voice(s, ID_SEQUENTIAL); break;
        case 1: start_voice(s, ID_RANDOM); break;
        case 2: start_game(s, ID_SEQUENTIAL, false); break;
        case 3: start_game(s, ID_RANDOM, false); break;
        case 4: start_game(s, ID_ZERO, true); break;
        case 5: start_tcp_data(s, ID_SEQUENTIAL); break;
        case 6: start_tcp_ack(s, i % 3 == 0); break;
        default: start_ssh(s); break;
        }
    }
}

static bool start(lab_rohc_flow *flow, const char *name, uint64_t seed) {
    enum { ICMP = 1, TCP = 6, UDP = 17, ESP = 50, RTP = 255 };
    stream *s = add(flow, seed);
    if (strcmp(name, "voice-seq") == 0) start_voice(s, ID_SEQUENTIAL);
    else if (strcmp(name, "voice-random") == 0) start_voice(s, ID_RANDOM);
    else if (strcmp(name, "game-seq") == 0) start_game(s, ID_SEQUENTIAL, false);
    else if (strcmp(name, "game-random") == 0) start_game(s, ID_RANDOM, false);
    else if (strcmp(name, "game-shared") == 0) start_game(s, ID_SHARED, false);
    else if (strcmp(name, "game-ipv6") == 0) start_game(s, ID_ZERO, true);
    else if (strcmp(name, "tcp-data-seq") == 0) start_tcp_data(s, ID_SEQUENTIAL);
    else if (strcmp(name, "tcp-data-zero") == 0) start_tcp_data(s, ID_ZERO);
    else if (strcmp(name, "tcp-ack") == 0) start_tcp_ack(s, false);
    else if (strcmp(name, "tcp-ack-sack") == 0) start_tcp_ack(s, true);
    else if (strcmp(name, "ssh") == 0) start_ssh(s);
    else if (strcmp(name, "web") == 0) start_web(s);
    else if (strcmp(name, "mix-24") == 0) start_mix(flow, seed);
    else if (strcmp(name, "hard-rtp") == 0) start_hard(s, RTP, ID_RESTLESS);
    else if (strcmp(name, "hard-rtp-random") == 0) start_hard(s, RTP, ID_RANDOM);
    else if (strcmp(name, "hard-rtp-nested") == 0) start_hard(s, RTP, ID_SHARED), s->nested = true;
    else if (strcmp(name, "hard-rtp-shared") == 0) start_hard(s, RTP, ID_SHARED), s->kind = 1;
    else if (strcmp(name, "hard-udp") == 0) start_hard(s, UDP, ID_RESTLESS);
    else if (strcmp(name, "hard-udp-nested") == 0) start_hard(s, UDP, ID_SWAPPED), s->nested = true;
    else if (strcmp(name, "hard-esp") == 0) start_hard(s, ESP, ID_SHARED);
    else if (strcmp(name, "hard-icmp") == 0) start_hard(s, ICMP, ID_RESTLESS);
    else if (strcmp(name, "hard-ipv6") == 0) start_hard(s, UDP, ID_ZERO), s->ipv6 = true;
    else if (strcmp(name, "hard-tcp") == 0) start_hard(s, TCP, ID_RESTLESS);
    else if (strcmp(name, "hard-tcp-random") == 0) start_hard(s, TCP, ID_RANDOM);
    else return lab_fail("there is no flow '%s'; `oxbench rohc flows` lists them", name);
    return true;
}

lab_rohc_flow *lab_rohc_flow_create(const char *name, uint64_t seed) {
    lab_rohc_flow *flow = calloc(1, sizeof *flow);
    if (flow == NULL) {
        lab_fail("no memory");
        return NULL;
    }
    if (start(flow, name, seed)) return flow;
    free(flow);
    return NULL;
}

void lab_rohc_flow_destroy(lab_rohc_flow *flow) { free(flow); }

uint32_t lab_rohc_flow_next(lab_rohc_flow *flow, uint8_t *packet, uint64_t *now_ns, uint32_t *header_bytes) {
    stream *first = &flow->streams[0];
    for (uint32_t i = 1; i < flow->count; i++)
        if (flow->streams[i].now_ns < first->now_ns) first = &flow->streams[i];
    *now_ns = first->now_ns;
    first->packet = packet;
    first->next(first);
    *header_bytes = first->header_bytes;
    return first->bytes;
}
