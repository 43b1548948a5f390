/* Cars of strangers change nothing; cars of a peer that follows no rules harm nobody but itself. */
#include "trains.h"

static shipment s;
static datagram cars[CARS_MAX], bad;
static uint8_t plain[OX_BUF_BYTES];

/* ---- strangers ----------------------------------------------------------------------------------------------- */

/* A datagram with a header that reads well, and nothing else: the car of the train of `like` with this index and length. */
static datagram forge(const ends *t, const datagram *like, uint32_t index, bool last, size_t len) {
    datagram d = *like;
    ox_header header = header_of(&t->b, like);
    uint64_t first = ox_number_rebuild(t->b.session->replay.next, header.truncated, header.number_bytes) - header.car_index;
    uint32_t bytes = ox_header_write_car(d.bytes, t->b.local, 2, first + index, 4, index, last);
    d.len = len;
    memset(d.bytes + bytes, 0xA5, sizeof d.bytes - bytes);
    return d;
}

static void forged_cars_of_every_index_change_nothing(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    static const size_t lengths[] = {27, 40, 300, 1177, 1200, 1500, OX_BUF_CONTENT_MAX};
    uint64_t forged = 0;
    // Before, between or behind the genuine ones, in one buffer with them or alone.
    for (uint32_t round = 0; round < 7 * 2 * 2 * 3; round++) {
        size_t len = lengths[round % 7];
        bool last = round / 7 % 2, grouped = round / 14 % 2;
        uint32_t order = round / 28;
        uint32_t udp = round % 2;
        if (udp) udp_super(&s, 6, 9 * 1000, 1000);
        else tcp_super(&s, 4, 9 * 1000, 1448);
        send_super(&t.a, &s, t.now);
        uint32_t count = take_cars(&t.a, cars, CARS_MAX);
        static datagram fakes[OX_TRAIN_CARS_MAX];
        for (uint32_t i = 0; i < OX_TRAIN_CARS_MAX; i++)
            fakes[i] = forge(&t, &cars[0], i, last, grouped && i % 3 ? cars[1].len : len);
        const datagram *list[3 * CARS_MAX];
        for (uint32_t i = 0, n = 0; i < count; i++, n = 0) {
            if (order == 0) list[n++] = &fakes[i];
            if (order == 1) // all that could reach into what came, and what has not
                for (uint32_t k = 0; k < count + 2; k++) list[n++] = &fakes[(i + k) % OX_TRAIN_CARS_MAX];
            list[n++] = &cars[i];
            if (order == 2) list[n++] = &fakes[(i + 1) % OX_TRAIN_CARS_MAX];
            give_datagrams(&t.b, list, n, grouped ? 64 : 1, i % 2, t.now);
        }
        (void)collect(&t.b, &s);
        expect_all(&s);
        assert_int_equal(0, t.b.tunnel->trains_open);
        assert_int_equal(ENDS_LARGE, ox_pool_free(t.b.pool, OX_BUF_LARGE));
        forged += order == 1 ? count * (count + 2) : count;
        uint64_t known = drops(&t.b, OX_DROP_UNAUTHENTICATED) + drops(&t.b, OX_DROP_REPLAYED);
        assert_int_equal(forged, known);
        assert_int_equal(forged, all_drops(&t.b));
        t.now += 200 * MS;
        forget_events(&t.b);
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        forget_datagrams(&t.b);
    }
    ends_finish(&t);
}

static void a_forged_batch_among_genuine_cars_in_one_buffer(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    // Each car in turn is preceded by a forged one of its own index, in the same buffer, of the same size.
    for (uint32_t mask = 1; mask < 512; mask += 2) {
        tcp_super(&s, 4, 10000, 1448);
        send_super(&t.a, &s, t.now);
        uint32_t count = take_cars(&t.a, cars, CARS_MAX), n = 0;
        assert_int_equal(9, count);
        static datagram broken[CARS_MAX];
        const datagram *list[2 * CARS_MAX];
        uint32_t forged = 0;
        for (uint32_t i = 0; i < count; i++) {
            if ((mask >> i & 1) != 0) {
                broken[i] = cars[i];
                broken[i].bytes[cars[i].len - 1 - mask % 20] ^= 1;
                list[n++] = &broken[i];
                forged++;
            }
            list[n++] = &cars[i];
        }
        uint64_t before = drops(&t.b, OX_DROP_UNAUTHENTICATED);
        give_datagrams(&t.b, list, n, 64, false, t.now);
        assert_int_equal(before + forged, drops(&t.b, OX_DROP_UNAUTHENTICATED));
        (void)collect(&t.b, &s);
        expect_all(&s);
        t.now += 10 * MS;
        forget_events(&t.b);
    }
    assert_int_equal(drops(&t.b, OX_DROP_UNAUTHENTICATED), all_drops(&t.b));
    ends_finish(&t);
}

static void forged_cars_alone_hold_no_buffer(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    tcp_super(&s, 4, 10000, 1448);
    send_super(&t.a, &s, t.now);
    uint32_t count = take_cars(&t.a, cars, CARS_MAX);
    datagram fake = forge(&t, &cars[0], 4, false, cars[0].len);
    give_datagram(&t.b, &fake, t.now);
    assert_int_equal(0, t.b.tunnel->trains_open);
    assert_int_equal(ENDS_LARGE, ox_pool_free(t.b.pool, OX_BUF_LARGE));
    give_range(&t.b, cars, 0, 2, 64, t.now); // all of it goes on
    assert_int_equal(1, collect(&t.b, &s));
    assert_int_equal(ENDS_LARGE, ox_pool_free(t.b.pool, OX_BUF_LARGE));
    give_datagram(&t.b, &fake, t.now);
    assert_int_equal(ENDS_LARGE, ox_pool_free(t.b.pool, OX_BUF_LARGE));
    give_range(&t.b, cars, 2, count, 64, t.now);
    (void)collect(&t.b, &s);
    expect_all(&s);
    assert_int_equal(2, all_drops(&t.b));
    ends_finish(&t);
}

/* ---- a peer that follows no rules ---------------------------------------------------------------------------- */

/* Seals `len` bytes of `plain` as a car. */
static void seal_car(ends *t, uint64_t number, uint32_t index, bool last, size_t len, datagram *d) {
    uint32_t header = ox_header_write_car(d->bytes, t->b.local, 2, number, 4, index, last);
    assert_true(header + len + OX_TAG_BYTES <= sizeof d->bytes);
    memcpy(d->bytes + header, plain, len);
    ox_aead_job job = {.number = number, .aad = d->bytes, .from = d->bytes + header, .to = d->bytes + header,
                       .len = (uint32_t)len, .aad_len = (uint8_t)header};
    ox_keys_seal(t->a.engine, t->a.session->keys, 0, &job, 1);
    d->len = header + len + OX_TAG_BYTES;
    d->from = t->a.address;
    d->ecn = 0;
}

/* A train of three cars by the rules, written into `whole`: its content is 40 + 20 bytes of headers and 2,000 of payload. */
enum { SLICE = 700, PAYLOAD = 2000 };

typedef struct lie {
    uint32_t segment, slice;  /* of the meta bytes */
    int32_t total;            /* added to the length that the IP header states */
    uint32_t first, middle;   /* lengths of the cars; the rest is the last one's */
    int32_t copy;             /* added to the length of the copy, as stated */
    uint8_t offset;           /* TCP data offset, 0 for the right one */
    uint8_t protocol, version;
    bool udp;
    uint8_t swap_last; /* this car says to be the last one too */
    uint32_t skip;     /* added to the index of the last */
} lie;

static const lie none = {.segment = 500, .slice = SLICE, .first = SLICE, .middle = SLICE, .swap_last = 0xff};

static void give_lie(ends *t, const lie *l, const uint8_t order[3], bool together) {
    static uint8_t content[8192];
    spec is = l->udp ? udp_spec(4) : tcp_spec(4);
    is.options = 0;
    is.payload = PAYLOAD;
    make_super(&s, is, 500);
    uint32_t bytes = OX_TRAIN_META_BYTES + (uint32_t)s.p.len;
    content[0] = (uint8_t)l->segment;
    content[1] = (uint8_t)(l->segment >> 8);
    content[2] = (uint8_t)l->slice;
    content[3] = (uint8_t)(l->slice >> 8);
    memcpy(content + OX_TRAIN_META_BYTES, s.p.bytes, s.p.len);
    uint8_t *ip = content + OX_TRAIN_META_BYTES;
    ox_store_be16(ip + 2, (uint16_t)(s.p.len + (uint32_t)l->total));
    if (l->protocol != 0) ip[9] = l->protocol;
    if (l->version != 0) ip[0] = l->version;
    if (l->offset != 0) ip[32] = (uint8_t)(l->offset << 4);
    uint32_t copy = OX_TRAIN_META_BYTES + s.head;
    memcpy(content + bytes, content, copy);
    content[bytes + copy] = (uint8_t)(copy + (uint32_t)l->copy);
    uint32_t at[4] = {0, l->first, l->first + l->middle, bytes + copy + 1};
    uint64_t number = t->b.session->replay.next + 5;
    ox_list list = {0};
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t car = order[i], from = at[car], len = at[car + 1] - from;
        memcpy(plain, content + from, len);
        uint32_t index = car + (car == 2 ? l->skip : 0);
        seal_car(t, number + index, index, car == 2 || car == l->swap_last, len, &bad);
        if (!together) {
            give_datagram(&t->b, &bad, t->now);
            continue;
        }
        ox_buf *buf = ox_pool_get(t->b.pool, OX_BUF_SMALL);
        memcpy(buf->data, bad.bytes, bad.len);
        buf->len = (uint32_t)bad.len;
        buf->address = bad.from;
        ox_list_append(&list, buf);
    }
    if (together) ox_tunnel_ingress(t->b.tunnel, &list, false, t->now);
}

static void lies_are_malformed(void **state) {
    (void)state;
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    lie lies[32];
    uint32_t count = 0;
    for (uint32_t i = 0; i < 32; i++) lies[i] = none;
    lies[count++].segment = 0;
    lies[count++].slice = SLICE - 1;
    lies[count++].slice = SLICE + 1;
    lies[count++].slice = 0xffff;
    lies[count++].total = -1;
    lies[count++].total = 1;
    lies[count++].total = -1990;
    lies[count++].total = 60000;
    lies[count++].middle = SLICE - 20; // the last is longer for it
    lies[count++].first = 40; // not even the headers
    lies[count++].copy = 100;
    lies[count++].copy = -44; // none: fine where car 0 comes, but the lengths do not fit
    lies[count++].copy = -40;
    lies[count++].offset = 4;
    lies[count++].protocol = OX_PROTO_ICMP;
    lies[count++].version = 0x65;
    lies[count++].version = 0x46;
    lies[count++].version = 0x15;
    lies[count++].swap_last = 1;
    lies[count++].swap_last = 0;
    lies[count++].skip = 1;
    lies[count++].skip = 61;
    lies[count++] = (lie){.segment = 333, .slice = SLICE, .first = SLICE, .middle = SLICE, .swap_last = 0xff, .udp = true};
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t o = 0; o < 6; o++) {
            for (uint32_t together = 0; together < 2; together++) {
                ends t;
                ends_begin(&t);
                give_lie(&t, &lies[i], orders[o], together);
                // A last car of no copy that comes first has no place.
                assert_true(drops(&t.b, OX_DROP_TRAIN_MALFORMED) + drops(&t.b, OX_DROP_TRAIN_UNFINISHED) > 0);
                t.now += SECOND;
                (void)ox_tunnel_advance(t.b.tunnel, t.now);
                assert_int_equal(0, t.b.tunnel->trains_open);
                // What came out before the lie was seen are packets of the peer's own.
                ox_list list = {0};
                ox_tunnel_take_device(t.b.tunnel, &list);
                for (ox_buf *buf; (buf = ox_list_take(&list)) != NULL; ox_pool_put(t.b.pool, buf)) {
                    ox_headers headers;
                    assert_int_equal(OX_PASS, ox_parse(buf->data, buf->len, &headers));
                    assert_int_equal(1, buf->data[15]);
                }
                ends_finish(&t);
            }
        }
    }
    for (uint32_t o = 0; o < 6; o++) { // the same without a lie
        ends t;
        ends_begin(&t);
        give_lie(&t, &none, orders[o], o % 2);
        assert_int_equal(0, all_drops(&t.b));
        assert_int_equal(PAYLOAD, s.is.payload);
        s.segment = 500;
        (void)collect(&t.b, &s);
        t.now += SECOND;
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        (void)collect(&t.b, &s);
        expect_all(&s);
        ends_finish(&t);
    }
}

static void single_cars_of_any_content_do_no_harm(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint64_t seed = 9;
    for (uint32_t round = 0; round < 20000; round++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t r = (uint32_t)(seed >> 32);
        uint32_t index = r % 3 == 0 ? r >> 4 & 63 : r >> 4 & 3;
        size_t len = r >> 10 & 1 ? r >> 11 & 127 : (r >> 11) % (OX_BUF_CONTENT_MAX - 30);
        spec is = r & 1 << 20 ? tcp_spec(r & 1 << 21 ? 4 : 6) : udp_spec(r & 1 << 21 ? 4 : 6);
        is.payload = (r >> 3) % 60000;
        make_super(&s, is, 500);
        memset(plain, (int)(r >> 24), sizeof plain);
        memcpy(plain, (const uint8_t[]){(uint8_t)r, (uint8_t)(r >> 9 & 3), (uint8_t)(r >> 5), (uint8_t)(r >> 13 & 7)}, 4);
        memcpy(plain + 4, s.p.bytes, s.p.len < 1800 ? s.p.len : 1800);
        if (len > 0 && r % 7 == 0) plain[len - 1] = (uint8_t)(4 + s.head);
        uint64_t number = t.b.session->replay.next + (round % 5 == 0 ? 40 + index : 0);
        seal_car(&t, number, index, r % 5 == 0, len, &bad);
        give_datagram(&t.b, &bad, t.now);
        t.now += round % 64 == 0 ? 4 * MS : 0;
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        forget_events(&t.b);
        forget_packets(&t.b);
        forget_datagrams(&t.b);
    }
    assert_true(drops(&t.b, OX_DROP_TRAIN_MALFORMED) > 1000);
    ends_finish(&t);
}

static void headers_that_are_too_long_are_malformed(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    // IPv6 with 80 bytes of destination options and a TCP header: 140 bytes.
    static packet p;
    begin_v6(&p, 60);
    put_extension(&p, OX_PROTO_TCP, 10);
    put_tcp(&p, 5, 0x10, 500);
    p.bytes[7] = 64;
    end(&p);
    memcpy(plain, (const uint8_t[]){100, 0, 0, 0}, 4);
    memcpy(plain + 4, p.bytes, p.len);
    plain[4 + p.len] = 0;
    seal_car(&t, 7, 0, true, 4 + p.len + 1, &bad);
    give_datagram(&t.b, &bad, t.now);
    assert_int_equal(1, drops(&t.b, OX_DROP_TRAIN_MALFORMED));
    assert_int_equal(0, forget_packets(&t.b));
    // Our own side sends such a packet without a train.
    ox_list list = {0};
    ox_buf *buf = ox_pool_get(t.a.pool, OX_BUF_LARGE);
    memcpy(buf->data, p.bytes, p.len);
    buf->len = (uint32_t)p.len;
    buf->segment = 100;
    buf->transport = 120;
    buf->protocol = OX_PROTO_TCP;
    buf->checksum = OX_CHECKSUM_PARTIAL;
    ox_list_append(&list, buf);
    ox_tunnel_egress(t.a.tunnel, &list, t.now);
    static packet out[8];
    carry(&t.a, &t.b, t.now);
    assert_int_equal(5, take_packets(&t.b, out, 8));
    ends_finish(&t);
}

static void an_index_before_number_zero_is_malformed(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    seal_car(&t, 3, 4, false, 100, &bad);
    give_datagram(&t.b, &bad, t.now);
    assert_int_equal(1, drops(&t.b, OX_DROP_TRAIN_MALFORMED));
    assert_int_equal(0, t.b.tunnel->trains_open);
    ends_finish(&t);
}

static void a_train_from_a_foreign_source_is_refused(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    tcp_super(&s, 4, 9000, 1000);
    s.p.bytes[15] = 9;
    naive_finish(s.p.bytes, s.p.len, true);
    send_super(&t.a, &s, t.now);
    uint32_t count = take_cars(&t.a, cars, CARS_MAX);
    give_range(&t.b, cars, 0, count, 64, t.now);
    assert_int_equal(9, drops(&t.b, OX_DROP_SOURCE_NOT_ALLOWED));
    assert_int_equal(0, forget_packets(&t.b));
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_cars_of_every_index_change_nothing),
        cmocka_unit_test(a_forged_batch_among_genuine_cars_in_one_buffer),
        cmocka_unit_test(forged_cars_alone_hold_no_buffer),
        cmocka_unit_test(lies_are_malformed),
        cmocka_unit_test(single_cars_of_any_content_do_no_harm),
        cmocka_unit_test(headers_that_are_too_long_are_malformed),
        cmocka_unit_test(an_index_before_number_zero_is_malformed),
        cmocka_unit_test(a_train_from_a_foreign_source_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
