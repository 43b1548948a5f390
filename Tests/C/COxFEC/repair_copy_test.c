/* What a difference says is the packet again, whatever differs; what is no difference is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/repair.h"

enum { LEN = 92, HEADER = 28 };

static void fill(uint8_t *bytes, size_t len, uint32_t seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        bytes[i] = (uint8_t)(seed >> 16);
    }
}

static void the_packet_comes_back(void **state) {
    (void)state;
    uint8_t base[LEN], packet[LEN], out[2 * LEN], again[LEN];
    for (uint32_t header = 1; header <= OX_REPAIR_DIFFERENCE_MAX; header++)
        for (uint32_t changed = 0; changed <= header; changed += 1 + header / 7) {
            fill(base, sizeof base, header);
            fill(packet, sizeof packet, header);
            for (uint32_t i = 0; i < changed; i++) packet[(i * 5) % header] ^= 0x55;
            uint32_t len = ox_repair_difference(base, header, packet, LEN, out, sizeof out);
            assert_true(len > 0 && len <= (header + 7) / 8 + LEN);
            assert_int_equal(LEN, ox_repair_undo_difference(base, header, out, len, again, sizeof again));
            assert_memory_equal(packet, again, LEN);
        }
}

/* A game's packet: identification and both checksums differ. */
static void a_small_packet_costs_few_bytes(void **state) {
    (void)state;
    uint8_t base[LEN], packet[LEN], out[LEN];
    fill(base, sizeof base, 1);
    fill(packet, sizeof packet, 2);
    memcpy(packet, base, HEADER);
    const uint8_t differ[] = {4, 5, 10, 11, 26, 27};
    for (size_t i = 0; i < sizeof differ; i++) packet[differ[i]] ^= 0xff;
    assert_int_equal(4 + 6 + LEN - HEADER, ox_repair_difference(base, HEADER, packet, LEN, out, sizeof out));
}

static void it_stays_in_its_room(void **state) {
    (void)state;
    uint8_t base[LEN], packet[LEN];
    fill(base, sizeof base, 1);
    fill(packet, sizeof packet, 2);
    uint8_t whole[2 * LEN];
    uint32_t need = ox_repair_difference(base, HEADER, packet, LEN, whole, sizeof whole);
    for (uint32_t room = 0; room <= need; room++) {
        uint8_t *out = malloc(room + 1);
        assert_int_equal(room == need ? need : 0, ox_repair_difference(base, HEADER, packet, LEN, out, room));
        free(out);
        uint8_t *in = malloc(room + 1), *undone = malloc(LEN);
        memcpy(in, whole, room);
        uint32_t got = ox_repair_undo_difference(base, HEADER, in, room, undone, LEN);
        assert_int_equal(room < need - (LEN - HEADER) ? 0 : HEADER + room - (need - (LEN - HEADER)), got);
        assert_int_equal(0, ox_repair_undo_difference(base, HEADER, whole, need, undone, LEN - 1));
        free(in);
        free(undone);
    }
    whole[3] |= 0x80; // behind the header's last byte
    uint8_t undone[2 * LEN];
    assert_int_equal(0, ox_repair_undo_difference(base, HEADER, whole, need, undone, sizeof undone));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_packet_comes_back),
        cmocka_unit_test(a_small_packet_costs_few_bytes),
        cmocka_unit_test(it_stays_in_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
