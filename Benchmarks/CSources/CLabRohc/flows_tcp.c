/* TCP as Linux sends it: a download and its acknowledgements, a shell, short connections; and TCP that is hard to compress. */
#include "flows.h"

static const uint64_t MS = 1000000;

enum { MSS = 1448, FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

/* Starts a segment of `options` and `payload` bytes; returns where the options go. */
static uint8_t *begin_segment(stream *s, uint32_t options, uint32_t payload) {
    uint8_t *tcp = begin_packet(s, 6, 20 + options + payload);
    ox_store_be16(tcp, s->source);
    ox_store_be16(tcp + 2, s->destination);
    ox_store_be32(tcp + 4, s->sequence);
    ox_store_be32(tcp + 8, s->acknowledged);
    tcp[12] = (uint8_t)((20 + options) / 4 << 4);
    tcp[13] = s->flags;
    ox_store_be16(tcp + 14, s->window);
    ox_store_be16(tcp + 18, s->urgent);
    return tcp + 20;
}

static uint8_t *put_timestamps(const stream *s, uint8_t *option) {
    option[0] = option[1] = 1;
    option[2] = 8;
    option[3] = 10;
    ox_store_be32(option + 4, s->clock);
    ox_store_be32(option + 8, s->echo);
    return option + 12;
}

/* A segment with timestamps, and then `payload` more bytes sent. */
static void send_segment(stream *s, uint32_t payload) {
    put_timestamps(s, begin_segment(s, 12, payload));
    end_packet(s, 32);
}

static void start_tcp(stream *s, id_kind id) {
    s->id_kind = id;
    s->source = (uint16_t)between(s, 32768, 60000);
    s->sequence = (uint32_t)draw(s);
    s->acknowledged = (uint32_t)draw(s);
    s->clock = (uint32_t)draw(s);
    s->echo = (uint32_t)draw(s);
    s->window = 501;
    s->flags = ACK;
}

/* Time passes, in whole milliseconds of the TCP clock; `drift` is what is left of one. */
static void wait(stream *s, uint64_t ns) {
    const uint64_t before = s->now_ns / MS;
    s->now_ns += ns;
    s->clock += (uint32_t)(s->now_ns / MS - before);
}

/* ---- download: 10 Mbit/s in full segments, pushed now and then, one in 300 sent again ------------------------- */

static void next_data(stream *s) {
    const uint32_t newest = s->sequence;
    const bool again = chance(s, 1.0 / 300);
    if (again) s->sequence -= MSS * between(s, 3, 20);
    s->flags = (uint8_t)(ACK | (chance(s, 0.06) ? PSH : 0));
    const uint32_t payload = chance(s, 0.01) ? between(s, 100, MSS - 1) : MSS;
    send_segment(s, payload);
    s->sequence = again ? newest : newest + payload;
    wait(s, 1100000 + draw(s) % 120000);
    // Each second segment is answered, so the echo goes on with every other packet.
    if (s->drawn % 2 == 0) s->echo += between(s, 1, 3);
    if (chance(s, 0.004)) s->acknowledged += between(s, 100, 500);
}

void start_tcp_data(stream *s, id_kind id) {
    start_tcp(s, id);
    s->next = next_data;
}

/* ---- its acknowledgements: one for two segments, one in 200 another window; with holes, SACK in one of 60 ------ */

static void next_ack(stream *s) {
    if (s->step == 0) {
        s->acknowledged += 2 * MSS;
        if (chance(s, 0.005)) s->window = (uint16_t)(s->window + between(s, 1, 30));
        if (s->kind != 0 && chance(s, 1.0 / 60)) {
            s->step = (uint8_t)between(s, 4, 20);
            s->holes[0] = s->acknowledged + MSS;
            s->holes[1] = s->holes[0];
        }
        send_segment(s, 0);
    } else {
        s->holes[1] += MSS;
        uint8_t *option = put_timestamps(s, begin_segment(s, 24, 0));
        option[0] = option[1] = 1;
        option[2] = 5;
        option[3] = 10;
        ox_store_be32(option + 4, s->holes[0]);
        ox_store_be32(option + 8, s->holes[1]);
        end_packet(s, 44);
        if (--s->step == 0) s->acknowledged = s->holes[1] - 2 * MSS;
    }
    wait(s, 2200000 + draw(s) % 200000);
    s->echo += between(s, 2, 3);
}

void start_tcp_ack(stream *s, bool holes) {
    start_tcp(s, ID_SEQUENTIAL);
    s->next = next_ack;
    s->kind = holes;
}

/* ---- shell: keystrokes of 36 bytes, echoed; and bare acknowledgements of what a command printed ---------------- */

static void next_key(stream *s) {
    const bool key = chance(s, 0.7);
    const uint32_t payload = key ? 36 + 8 * (uint32_t)(chance(s, 0.1) ? between(s, 1, 6) : 0) : 0;
    s->flags = (uint8_t)(ACK | (key ? PSH : 0));
    send_segment(s, payload);
    s->sequence += payload;
    s->acknowledged += key ? 36 : 36 + 8 * between(s, 0, 60);
    if (chance(s, 0.02)) s->window = (uint16_t)(s->window + between(s, 0, 8));
    const uint64_t pause = key ? 40 * MS + (uint64_t)exponential(s, 150e6) : 2 * MS + draw(s) % (20 * MS);
    wait(s, pause);
    s->echo += (uint32_t)(pause / MS) + between(s, 0, 2);
}

void start_ssh(stream *s) {
    start_tcp(s, ID_SEQUENTIAL);
    s->next = next_key;
    s->tos = 0x48;
    s->destination = 22;
}

/* ---- short connections, what goes up of them: 10 to 20 packets, then the next from another port --------------- */

static void next_syn(stream *s) {
    s->source = (uint16_t)(s->source + between(s, 2, 20));
    s->sequence = (uint32_t)draw(s);
    s->id = (uint16_t)draw(s);
    s->flags = SYN;
    s->window = 64240;
    const uint32_t answered = s->acknowledged, echo = s->echo;
    s->acknowledged = s->echo = 0;
    uint8_t *option = begin_segment(s, 20, 0);
    static const uint8_t offered[] = {2, 4, 0x05, 0xB4, 4, 2};
    memcpy(option, offered, sizeof offered);
    option[6] = 8;
    option[7] = 10;
    ox_store_be32(option + 8, s->clock);
    ox_store_be32(option + 12, 0);
    static const uint8_t scale[] = {1, 3, 3, 7};
    memcpy(option + 16, scale, sizeof scale);
    end_packet(s, 40);
    s->acknowledged = answered ^ (uint32_t)draw(s);
    s->echo = echo + 1000;
    s->window = 502;
    s->sequence++;
}

static void next_web(stream *s) {
    uint32_t payload = 0;
    s->flags = ACK;
    if (s->step == 0) {
        next_syn(s);
        s->kind = between(s, 10, 20);
    } else {
        if (s->step == 2) payload = 517;
        if (s->step == 5) payload = 64 + between(s, 0, 20);
        if (s->step == 6) payload = between(s, 200, 600);
        if (payload != 0) s->flags |= PSH;
        if (s->step + 1u == s->kind) s->flags |= FIN;
        send_segment(s, payload);
        s->sequence += payload;
        if (s->step > 2) s->acknowledged += chance(s, 0.8) ? 2 * MSS : between(s, 60, MSS);
        if (chance(s, 0.1)) s->window = (uint16_t)(s->window + between(s, 1, 22));
    }
    s->step++;
    wait(s, s->step < 4 ? 20 * MS : 1 * MS + draw(s) % (6 * MS));
    s->echo += between(s, 1, 8);
    if (s->step >= s->kind) {
        s->step = 0;
        wait(s, 200 * MS);
    }
}

void start_web(stream *s) {
    start_tcp(s, ID_SEQUENTIAL);
    s->next = next_web;
}

/* ---- whatever the header allows -------------------------------------------------------------------------------- */

/* One of the lists of options that senders and fuzzers use; its length. */
static uint32_t put_options(stream *s, uint8_t *option) {
    switch (s->holes_count % 6) {
    case 0: return 0;
    case 1: return (uint32_t)(put_timestamps(s, option) - option);
    case 2: {
        uint8_t *more = put_timestamps(s, option);
        const uint32_t blocks = between(s, 1, 3);
        more[0] = more[1] = 1;
        more[2] = 5;
        more[3] = (uint8_t)(2 + 8 * blocks);
        for (uint32_t i = 0; i < blocks; i++) {
            ox_store_be32(more + 4 + 8 * i, s->acknowledged + MSS * (4 + 8 * i));
            ox_store_be32(more + 8 + 8 * i, s->acknowledged + MSS * (6 + 8 * i));
        }
        return 16 + 8 * blocks;
    }
    case 3: // like TCP MD5
        option[0] = option[1] = 1;
        option[2] = 19;
        option[3] = 18;
        for (uint32_t i = 4; i < 20; i++) option[i] = (uint8_t)draw(s);
        return 20;
    case 4: { // like MPTCP, behind timestamps
        uint8_t *more = put_timestamps(s, option);
        more[0] = 30;
        more[1] = 8;
        more[2] = 0x20;
        more[3] = 1;
        ox_store_be32(more + 4, s->acknowledged);
        return 20;
    }
    default: // an end, and what should not be behind it
        for (uint32_t i = 0; i < 40; i++) option[i] = 1;
        option[8] = 0;
        for (uint32_t i = 9; i < 40; i++) option[i] = (uint8_t)(chance(s, 0.02) ? 1 : 0);
        return 40;
    }
}

static void next_hard_tcp(stream *s) {
    uint8_t options[40];
    if (chance(s, 0.01)) s->ttl = (uint8_t)between(s, 30, 33);
    if (chance(s, 0.01)) s->tos = (uint8_t)(s->tos ^ 0xB8);
    if (chance(s, 0.01)) s->holes_count = (uint8_t)draw(s);
    if (chance(s, 0.02)) s->window = (uint16_t)draw(s);
    if (chance(s, 0.01)) s->tos ^= (uint8_t)between(s, 0, 3);
    if (chance(s, 0.01)) s->sequence = (uint32_t)draw(s);
    if (chance(s, 0.01)) s->acknowledged = (uint32_t)draw(s);
    if (chance(s, 0.05)) s->acknowledged += between(s, 0, 100000);
    if (chance(s, 0.004)) s->step = (uint8_t)draw(s);
    const bool urgent = chance(s, 0.01);
    s->urgent = urgent ? (uint16_t)draw(s) : 0;
    s->flags = (uint8_t)(ACK | (chance(s, 0.1) ? PSH : 0) | (urgent ? URG : 0));
    if (chance(s, 0.01)) s->flags = (uint8_t)draw(s);
    const uint32_t payload = s->step % 3 == 0 ? 0 : s->step % 3 == 1 ? MSS : between(s, 1, 1400);
    const uint32_t bytes = put_options(s, options);
    memcpy(begin_segment(s, bytes, payload), options, bytes);
    end_packet(s, 20 + bytes);
    s->sequence += payload;
    if (payload == 0) s->acknowledged += MSS * between(s, 0, 2);
    wait(s, 1 * MS + draw(s) % (10 * MS));
    s->echo += between(s, 0, 5);
}

void start_hard_tcp(stream *s) {
    const id_kind id = s->id_kind;
    start_tcp(s, id);
    s->holes_count = 1;
    s->step = 1;
    s->next = next_hard_tcp;
}
