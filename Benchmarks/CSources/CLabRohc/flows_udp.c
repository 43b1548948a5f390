/* Games, voice, and UDP, RTP, ESP and ICMP that do whatever their headers allow. */
#include "flows.h"

static const uint64_t MS = 1000000;

static void put_udp(stream *s, uint8_t *udp, uint32_t bytes) {
    ox_store_be16(udp, s->source);
    ox_store_be16(udp + 2, s->destination);
    ox_store_be16(udp + 4, (uint16_t)bytes);
}

/* ---- game: 64 updates a second with 2 ms of jitter, 40 to 120 bytes ------------------------------------------- */

static void next_game(stream *s) {
    const uint32_t bytes = 8 + between(s, 40, 120);
    uint8_t *udp = begin_packet(s, 17, bytes);
    put_udp(s, udp, bytes);
    end_packet(s, 8);
    s->now_ns += 13625000 + draw(s) % (4 * MS);
}

void start_game(stream *s, id_kind id, bool ipv6) {
    s->next = next_game;
    s->id_kind = id;
    s->ipv6 = ipv6;
    s->destination = 27015;
}

/* ---- voice: G.711, 20 ms a packet, spurts of 1.5 s and silences of 1 s ---------------------------------------- */

static uint32_t put_rtp(stream *s, uint8_t *rtp) {
    rtp[0] = (uint8_t)(0x80 | s->padding << 5 | s->sources_count);
    rtp[1] = (uint8_t)(s->marker << 7 | s->payload_type);
    ox_store_be16(rtp + 2, (uint16_t)s->sequence);
    ox_store_be32(rtp + 4, s->ts);
    ox_store_be32(rtp + 8, s->ssrc);
    for (uint32_t i = 0; i < s->sources_count; i++) ox_store_be32(rtp + 12 + 4 * i, s->sources[i]);
    return 12 + 4u * s->sources_count;
}

static void next_voice(stream *s) {
    enum { SAMPLES = 160, FRAME_MS = 20, SPURT = 75, SILENCE = 50 };
    uint32_t frames = 1;
    s->marker = false;
    if (s->spurt_left == 0) {
        frames += (uint32_t)exponential(s, SILENCE);
        s->spurt_left = 1 + (uint32_t)exponential(s, SPURT);
        s->marker = true;
    }
    s->spurt_left--;
    s->sequence++;
    s->ts += frames * SAMPLES;
    s->now_ns += frames * FRAME_MS * MS;
    uint8_t *udp = begin_packet(s, 17, 8 + 12 + SAMPLES);
    put_udp(s, udp, 8 + 12 + SAMPLES);
    end_packet(s, 8 + put_rtp(s, udp + 8));
}

static void start_rtp(stream *s) {
    s->sequence = (uint32_t)draw(s);
    s->ts = (uint32_t)draw(s);
    s->ssrc = (uint32_t)draw(s);
    s->stride = 160;
    s->destination = (uint16_t)(between(s, 8000, 15000) * 2);
}

void start_voice(stream *s, id_kind id) {
    s->next = next_voice;
    s->id_kind = id;
    s->tos = 0xB8;
    start_rtp(s);
}

/* ---- whatever a header allows --------------------------------------------------------------------------------- */

/* Packets that were lost before they came here: all that counts them goes on. */
static void skip(stream *s, uint32_t packets) {
    s->sequence += packets;
    s->ts += packets * s->stride;
    s->id = (uint16_t)(s->id + packets);
}

/* A jump, mostly small: of 1 to 2^1 as likely as of up to 2^`most`. */
static uint32_t jump(stream *s, uint32_t most) { return (uint32_t)(draw(s) & ((UINT64_C(1) << between(s, 1, most)) - 1)); }

static void change_ip(stream *s) {
    if (chance(s, 0.01)) s->ttl = (uint8_t)between(s, 30, 33);
    if (chance(s, 0.01)) s->tos = (uint8_t)(s->tos ^ 0xB8);
    if (chance(s, 0.004)) s->df ^= 1;
    if (chance(s, 0.004)) s->checksum_off = !s->checksum_off && !s->ipv6;
    if (chance(s, 0.01)) s->id = (uint16_t)(s->id + jump(s, 12));
}

/* A silence, with or without a mark, in which the sender's other packets take IP-IDs. */
static void rest(stream *s) {
    const bool is_long = chance(s, 0.5);
    s->ts += s->stride * (is_long ? between(s, 300, 3000) : between(s, 5, 100));
    s->id = (uint16_t)(s->id + (is_long ? between(s, 300, 20000) : between(s, 5, 100)));
    s->marker = chance(s, 0.5);
}

static void change_rtp(stream *s) {
    s->sequence++;
    s->marker = chance(s, 0.03);
    if (chance(s, 0.04)) s->sequence += jump(s, 15);
    s->ts += s->stride;
    if (chance(s, 0.03)) skip(s, between(s, 1, 40));
    if (chance(s, 0.08)) s->ts += s->stride * jump(s, 9);
    if (chance(s, 0.01)) s->ts += jump(s, 31);
    if (chance(s, 0.01)) s->ts -= s->stride;
    if (s->kind != 0 && chance(s, 0.02)) rest(s);
    if (chance(s, 0.003)) s->stride = between(s, 1, 6) * 80;
    if (chance(s, 0.003)) s->payload_type = (uint8_t)between(s, 0, 34);
    if (chance(s, 0.004)) s->padding = !s->padding;
    if (chance(s, 0.01)) {
        s->sources_count = (uint8_t)(chance(s, 0.5) ? between(s, 0, 15) : between(s, 0, 3));
        for (uint32_t i = 0; i < s->sources_count; i++) s->sources[i] = 0xABC00000 + between(s, 0, 20);
    }
    if (chance(s, 0.001)) s->ssrc = (uint32_t)draw(s);
}

static void next_hard_udp(stream *s) {
    const uint32_t bytes = 8 + between(s, 0, 60);
    change_ip(s);
    uint8_t *udp = begin_packet(s, 17, bytes);
    put_udp(s, udp, bytes);
    end_packet(s, 8);
    s->now_ns += 10 * MS;
}

static void next_hard_rtp(stream *s) {
    change_ip(s);
    change_rtp(s);
    const uint32_t bytes = 8 + 12 + 4u * s->sources_count + between(s, 1, 60);
    uint8_t *udp = begin_packet(s, 17, bytes);
    put_udp(s, udp, bytes);
    end_packet(s, 8 + put_rtp(s, udp + 8));
    s->now_ns += 20 * MS;
}

static void next_hard_esp(stream *s) {
    const uint32_t bytes = 8 + between(s, 16, 80);
    change_ip(s);
    s->sequence++;
    if (chance(s, 0.03)) skip(s, between(s, 1, 60));
    if (chance(s, 0.02)) s->sequence += jump(s, 31);
    uint8_t *esp = begin_packet(s, 50, bytes);
    ox_store_be32(esp, s->ssrc);
    ox_store_be32(esp + 4, s->sequence);
    end_packet(s, 8);
    s->now_ns += 10 * MS;
}

static void next_hard_icmp(stream *s) {
    change_ip(s);
    begin_packet(s, 1, 8 + between(s, 0, 60));
    end_packet(s, 0);
    s->now_ns += 10 * MS;
}


void start_hard(stream *s, uint8_t protocol, uint32_t kind) {
    s->id_kind = (id_kind)kind;
    switch (protocol) {
    case 1: s->next = next_hard_icmp; break;
    case 6: start_hard_tcp(s); break;
    case 17: s->next = next_hard_udp; break;
    case 50:
        s->next = next_hard_esp;
        s->ssrc = (uint32_t)draw(s);
        break;
    default:
        s->next = next_hard_rtp;
        start_rtp(s);
        break;
    }
}
