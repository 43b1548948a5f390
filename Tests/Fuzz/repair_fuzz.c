/*
 * What a receiver recovers is what was sent, whatever is lost, late, doubled and in whatever order; forged combinations beside
 * these change nothing but what is recovered with their help. The input is a list of operations, two bytes each; the first byte
 * says whether forged ones are among them.
 */
#include "oxcore/packet.h"
#include "oxcore/repair.h"
#include "oxcore/wire.h"

#include <stdlib.h>

#define CHECK(condition) OX_ASSERT(condition)

enum { NUMBERS = 2048, LATE = 64, CONTENT = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct world {
    ox_repair_history *history;
    ox_repair_store *store;
    uint64_t next;          /**< number of the next datagram */
    uint64_t expected;      /**< largest that arrived, plus one */
    bool forged;            /**< something of this input was */
    bool symbol[NUMBERS], known[NUMBERS];
    uint64_t late[LATE];
    uint32_t late_count;
} world;

static uint32_t length_of(uint64_t number) { return 1 + (uint32_t)(number * 13 % CONTENT); }

static void content_of(uint64_t number, uint8_t bytes[CONTENT]) {
    for (uint32_t i = 0; i < CONTENT; i++) bytes[i] = (uint8_t)(number * 37 + i * 11 + (number >> 5) * i);
}

static void drain(world *w) {
    ox_repair_symbol s;
    for (uint32_t count = 0; ox_repair_store_solved(w->store, &s); count++) {
        CHECK(count <= 64 && s.len <= OX_REPAIR_CONTENT_MAX);
        if (w->forged || s.number >= NUMBERS) continue;
        uint8_t bytes[CONTENT];
        content_of(s.number, bytes);
        CHECK(w->symbol[s.number] && !w->known[s.number]);
        CHECK(s.car == OX_REPAIR_NO_CAR && s.len == length_of(s.number) && memcmp(bytes, s.content, s.len) == 0);
        w->known[s.number] = true;
    }
}

static void arrive(world *w, uint64_t number) {
    uint8_t bytes[CONTENT];
    content_of(number, bytes);
    if (number < NUMBERS && w->known[number]) return; // the replay window drops it
    if (number < NUMBERS) w->known[number] = true;
    if (number >= w->expected) w->expected = number + 1;
    ox_repair_store_keep(w->store, number, OX_REPAIR_NO_CAR, bytes, length_of(number));
    drain(w);
}

static void send_symbol(world *w, uint32_t fate) {
    if (w->next >= NUMBERS) return;
    uint64_t number = w->next++;
    uint8_t bytes[CONTENT];
    content_of(number, bytes);
    ox_repair_symbol s = {.number = number, .sent_ns = number * 1000000, .content = bytes, .len = (uint16_t)length_of(number),
                          .car = OX_REPAIR_NO_CAR, .windowed = true};
    ox_repair_history_note(w->history, &s, (uint64_t)fate * 1000000);
    w->symbol[number] = true;
    if (fate % 4 < 2) arrive(w, number);
    else if (fate % 4 == 2 && w->late_count < LATE) w->late[w->late_count++] = number;
}

/* The frame crosses as bytes, in an allocation of exactly its length. */
static void take(world *w, const uint8_t *body, size_t len, uint64_t number) {
    ox_repair_frame frame;
    uint8_t *copy = malloc(len + 1);
    CHECK(copy != NULL);
    memcpy(copy, body, len);
    if (ox_repair_read(copy, len, number, &frame) == OX_PASS && frame.len <= OX_REPAIR_SYMBOL_MAX) {
        CHECK((frame.map[0] & 1) != 0 && frame.distance >= 1 && frame.parity + frame.len == copy + len);
        ox_repair_window window = {
            .first = number - frame.distance, .seed = frame.seed, .parity = frame.parity, .len = (uint32_t)frame.len};
        memcpy(window.map, frame.map, sizeof window.map);
        uint64_t arrived[OX_REPAIR_SPAN_MAX / 64] = {0};
        for (uint32_t i = 0; i < OX_REPAIR_SPAN_MAX; i++)
            if (window.first + i < NUMBERS && w->known[window.first + i]) arrived[i / 64] |= (uint64_t)1 << i % 64;
        if (number >= w->expected) w->expected = number + 1;
        if (ox_repair_store_take(w->store, &window, arrived, w->expected) == OX_REPAIR_WRONG) CHECK(w->forged);
        drain(w);
    }
    free(copy);
}

static void send_window(world *w, uint32_t how, uint32_t seed) {
    static uint8_t body[OX_REPAIR_BODY_HEAD_MAX + OX_REPAIR_SYMBOL_MAX];
    uint8_t parity[OX_REPAIR_SYMBOL_MAX];
    ox_repair_order order = {.window = 1 + how % 64, .interleave = 1 + how / 64, .permille = 500};
    ox_repair_window made;
    uint64_t number = w->next++;
    if (!ox_repair_history_combine(w->history, 0, &order, seed % (uint32_t)order.interleave, number, 1400, (uint8_t)seed, parity, &made))
        return;
    ox_repair_frame frame = {.distance = number - made.first, .seed = made.seed};
    memcpy(frame.map, made.map, sizeof frame.map);
    uint32_t head = ox_repair_write_head(&frame, body);
    memcpy(body + head, parity, made.len);
    take(w, body, head + made.len, number);
}

/* Any bytes as each frame, and as a difference. */
static void read_all(world *w, const uint8_t *data, size_t size) {
    ox_copy_frame copy;
    ox_repaired told;
    uint64_t number = w->next++;
    take(w, data, size, number);
    if (ox_copy_read(data, size, number, &copy) == OX_PASS) {
        uint8_t base[OX_REPAIR_DIFFERENCE_MAX] = {0}, out[300], again[300];
        CHECK(copy.distance >= 1 && copy.distance <= number && copy.content + copy.len == data + size);
        uint32_t header = 1 + (uint32_t)(copy.distance % OX_REPAIR_DIFFERENCE_MAX);
        uint32_t len = ox_repair_undo_difference(base, header, copy.content, copy.len, out, sizeof out);
        if (len > 0) {
            uint32_t bytes = ox_repair_difference(base, header, out, len, again, sizeof again);
            CHECK(len >= header && bytes > 0 && bytes <= copy.len);
        }
    }
    if (ox_repaired_read(data, size, &told) == OX_PASS) {
        uint8_t out[OX_REPAIRED_BYTES_MAX];
        CHECK(ox_repaired_write(&told, out) <= sizeof out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    static world w;
    w = (world){.forged = data[0] % 2 == 1};
    w.history = ox_repair_history_init(ox_reserve(ox_repair_history_bytes()));
    w.store = ox_repair_store_init(ox_reserve(ox_repair_store_bytes()));
    for (size_t at = 1; at + 1 < size && w.next < NUMBERS; at += 2) {
        uint32_t what = data[at], how = data[at + 1];
        if (what % 8 < 4) send_symbol(&w, what / 8);
        else if (what % 8 < 6) send_window(&w, how, what + (uint32_t)at);
        else if (what % 8 == 6 && w.late_count > 0) arrive(&w, w.late[--w.late_count]);
        else if (w.forged) read_all(&w, data + at, size - at < how ? size - at : how);
    }
    ox_release(w.history, ox_repair_history_bytes());
    ox_release(w.store, ox_repair_store_bytes());
    return 0;
}
