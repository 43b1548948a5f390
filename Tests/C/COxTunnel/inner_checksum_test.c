/* The checksums of inner packets when they are sealed (Wire.md section 6.11). */
#include "Tests/C/COxPacket/supers.h"
#include "ends.h"

static packet in, out[4];

static void a_wrong_checksum_goes_nowhere(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(&in, 4, 100, 1, false, 0);
    in.bytes[99] ^= 1;
    send_packet(&t.a, &in, t.now);
    assert_int_equal(1, drops(&t.a, OX_DROP_CHECKSUM_WRONG));
    assert_int_equal(0, forget_datagrams(&t.a));
    ends_finish(&t);
}

/* UDP of `len` bytes in all, its checksum the sum of the pseudo-header. */
static void udp_inside(uint8_t *at, size_t len) {
    spec is = udp_spec(4);
    is.payload = (uint32_t)len - 28;
    assert_int_equal(len, write_packet(at, &is, true));
}

static void a_checksum_inside_another_packet_is_completed(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (int device_lies = 0; device_lies < 2; device_lies++) {
        make_packet(&in, 4, 200, 1, false, 0);
        in.bytes[9] = 4; // IP in IP
        udp_inside(in.bytes + 20, 180);
        naive_v4_checksum(in.bytes);
        ox_buf *buf = buffer_of(&t.a, in.bytes, in.len);
        buf->checksum = OX_CHECKSUM_PARTIAL;
        buf->transport = device_lies ? 195 : 40;
        buf->protocol = OX_PROTO_UDP;
        ox_list list = {0};
        ox_list_append(&list, buf);
        ox_tunnel_egress(t.a.tunnel, &list, t.now);
        carry(&t.a, &t.b, t.now);
        assert_int_equal(!device_lies, take_packets(&t.b, out, 4));
        assert_int_equal(device_lies, drops(&t.a, OX_DROP_PACKET_HEADER));
        if (device_lies) break;
        ox_headers headers;
        assert_int_equal(OX_PASS, ox_parse(out[0].bytes + 20, 180, &headers));
        assert_true(ox_checksum_verify(out[0].bytes + 20, &headers));
    }
    ends_finish(&t);
}

static void udp_without_a_checksum_crosses(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (int version = 4; version <= 6; version += 2) {
        make_packet(&in, version, 100, 1, false, 0);
        memset(in.bytes + (version == 4 ? 26 : 46), 0, 2);
        send_packet(&t.a, &in, t.now);
        carry(&t.a, &t.b, t.now);
        assert_int_equal(1, take_packets(&t.b, out, 4));
        assert_packet(&in, out);
    }
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_checksum_goes_nowhere),
        cmocka_unit_test(a_checksum_inside_another_packet_is_completed),
        cmocka_unit_test(udp_without_a_checksum_crosses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
