/*
 * Packets of a few flows through the coalescer, in any order and spoiled in many ways. The input: a byte with the number of large
 * buffers, then four bytes a step: flow, what is done, what length, how.
 *
 * Whatever comes, cutting what comes out gives exactly the packets that went in, each flow in its order, byte for byte; and in the
 * end every buffer is back.
 */
#include "Tests/C/COxPacket/coalesced.h"

enum { SMALL = 256, LARGE = 24, FLOWS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static coalesced world;

static void set_up(void) {
    if (world.pool != NULL) return;
    world.pool = pool_of(SMALL, LARGE);
    world.cut = pool_of(OX_SEGMENTS_MAX, 0);
    world.coalescer = ox_coalescer_create(world.pool);
    CHECK(world.coalescer != NULL);
}

static spec flow_of(uint8_t number) {
    const uint8_t version = number & 2 ? 6 : 4;
    spec s = number & 1 ? tcp_spec(version) : udp_spec(version);
    s.host = (uint8_t)(1 + (number >> 2 & 1));
    s.source = (uint16_t)(s.source + (number >> 3 & 1));
    s.payload = 100;
    s.sequence = UINT32_MAX - 5000;
    s.id = 0xFFF0;
    return s;
}

/* One field of this packet, or of all that follow in its flow, otherwise. */
static void change(spec *s, uint8_t how) {
    switch (how & 15) {
    case 0: s->tos ^= (uint8_t)(how >> 4); break;
    case 1: s->ttl ^= (uint8_t)(how >> 4); break;
    case 2: s->df = !s->df; break;
    case 3: s->id = (uint16_t)(s->id + (how >> 4)); break;
    case 4: s->sequence += how >> 4; break;
    case 5: s->acknowledgement += how >> 4; break;
    case 6: s->window = (uint16_t)(s->window + (how >> 4)); break;
    case 7: s->urgent = how >> 4; break;
    case 8: s->option = how >> 4; break;
    case 9: s->options = 4 * (how >> 5); break;
    case 10: s->fill = how; break;
    default: s->flags = (uint8_t)(ACK | (1 << (how >> 5))); break;
    }
}

/* Makes the transport checksum right, whatever the header says. */
static void correct(uint8_t *packet, const ox_headers *headers) {
    const uint32_t len = headers->total_bytes - headers->transport_offset;
    uint8_t *transport = packet + headers->transport_offset;
    uint8_t *field = transport + (headers->protocol == OX_PROTO_TCP ? 16 : 6);
    ox_store_be16(field, 0);
    const uint32_t sum = ox_checksum_pseudo(packet, headers, len) + (uint32_t)folded(naive_sum(transport, len));
    const uint16_t checksum = (uint16_t)~folded(sum);
    ox_store_be16(field, checksum == 0 && headers->protocol == OX_PROTO_UDP ? 0xFFFF : checksum);
}

/* One bit of the headers otherwise, as far as it is still a packet: options, fragments, sums, lengths, reserved bits. */
static void spoil(ox_buf *buf, uint8_t where, uint8_t with) {
    ox_headers headers;
    uint8_t *byte = &buf->data[where % 72 < buf->len ? where % 72 : 0];
    *byte ^= with;
    if (ox_parse(buf->data, buf->len, &headers) != OX_PASS) {
        *byte ^= with;
        return;
    }
    buf->checksum = OX_CHECKSUM_UNKNOWN;
    if ((where & 128) == 0 || !ported(&headers)) return;
    correct(buf->data, &headers);
    buf->checksum = OX_CHECKSUM_VALID;
}

static void step(spec flows[FLOWS], const uint8_t bytes[4]) {
    spec *flow = &flows[bytes[0] & (FLOWS - 1)];
    const uint8_t action = bytes[1];
    const uint8_t state = action & 16 ? OX_CHECKSUM_PARTIAL : OX_CHECKSUM_VALID;
    if (bytes[2] != 0) flow->payload = bytes[2] < 200 ? bytes[2] : 7u * bytes[2];
    if ((action & 7) == 1) change(flow, bytes[3]);
    if ((action & 7) == 7 && bytes[3] < 32) flow->payload = 0;
    spec s = *flow;
    if ((action & 7) == 2) change(&s, bytes[3]);
    if ((action & 7) == 3) s.flags |= PSH;

    const uint32_t repeat = (action & 7) == 4 ? bytes[3] % 80u : 1;
    for (uint32_t i = 0; i < repeat && world.count < PACKETS_MAX; i++) {
        ox_buf *buf = buf_of(world.pool, action & 32 ? OX_BUF_LARGE : OX_BUF_SMALL, &s, state);
        if (buf == NULL) buf = buf_of(world.pool, OX_BUF_SMALL, &s, state);
        if (buf == NULL) break;
        if ((action & 7) == 5) spoil(buf, bytes[3], (uint8_t)(1u << (action >> 5)));
        if ((action & 7) == 6 && s.payload > 1) {
            buf->segment = (uint16_t)(s.payload / 2);
            buf->checksum = OX_CHECKSUM_PARTIAL;
        }
        enter(&world, buf);
        s.sequence += s.payload;
        s.id++;
        s.fill++;
    }
    flow->sequence += repeat * flow->payload;
    flow->id = (uint16_t)(flow->id + repeat);
    if (action & 64) collect(&world);
    if (action >> 6 == 3) flush(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    set_up();
    ox_list taken = {0};
    for (uint32_t i = data[0] % (LARGE + 1); i < LARGE; i++) ox_list_append(&taken, ox_pool_get(world.pool, OX_BUF_LARGE));
    spec flows[FLOWS];
    for (uint8_t i = 0; i < FLOWS; i++) flows[i] = flow_of(i);
    for (size_t at = 1; at + 4 <= size && world.count < PACKETS_MAX; at += 4) step(flows, data + at);
    flush(&world);
    ox_pool_put_list(world.pool, &taken);
    CHECK(ox_pool_free(world.pool, OX_BUF_SMALL) == SMALL && ox_pool_free(world.pool, OX_BUF_LARGE) == LARGE);
    CHECK(ox_pool_free(world.cut, OX_BUF_SMALL) == OX_SEGMENTS_MAX);
    return 0;
}
