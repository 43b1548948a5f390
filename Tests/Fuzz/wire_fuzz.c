/*
 * Invariants of everything that reads the bytes of OxTunnel. The first byte chooses the reader, the rest is its input, in an
 * allocation of exactly its length.
 */
#include "oxcore/wire.h"

#include <stdlib.h>

#define CHECK(condition) OX_ASSERT(condition)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is what would be written. */
static void header(const uint8_t *data, size_t size, uint32_t session_bytes) {
    ox_header h;
    ox_verdict verdict = ox_header_read(data, size, session_bytes, &h);
    if (verdict != OX_PASS) {
        CHECK(verdict == OX_DROP_DATAGRAM_SHORT || verdict == OX_DROP_DATAGRAM_TYPE);
        return;
    }
    uint8_t again[OX_HEADER_MAX];
    uint32_t written = h.car ? ox_header_write_car(again, h.session, session_bytes, h.truncated, h.number_bytes,
                                                   h.car_index, h.car_last)
                             : ox_header_write(again, h.session, session_bytes, h.truncated, h.number_bytes);
    CHECK(written == h.header_bytes && (h.car || !h.car_last));
    CHECK(h.header_bytes <= size && memcmp(again, data, h.header_bytes) == 0);
    if (size < h.header_bytes + 8u) return;
    uint64_t next = ox_load_be64(data + h.header_bytes) >> 2;
    uint64_t number = ox_number_rebuild(next, h.truncated, h.number_bytes);
    uint64_t range = (uint64_t)1 << 8 * h.number_bytes;
    CHECK((number & (range - 1)) == h.truncated);
    CHECK(number >= next ? number - next <= range || next < range / 2 : next - number < range);
    if (number >= next) CHECK(number - next <= range / 2 || number < range);
    else CHECK(next - number < range / 2 || number + range > OX_VARINT_LIMIT);
}

/* Every frame lies in the bytes and behind the one before; the walk ends. */
static void frames(const uint8_t *data, size_t size) {
    for (size_t offset = 0; offset < size;) {
        size_t before = offset;
        ox_frame frame = {0};
        if (ox_frame_read(data, size, &offset, &frame) != OX_PASS) {
            CHECK(offset == before);
            return;
        }
        CHECK(offset > before && offset <= size);
        CHECK(frame.body >= data + before && frame.body + frame.len == data + offset);
        CHECK(frame.type < 256 || frame.type == OX_FRAME_PACKET);
    }
}

static void check_ranges(const ox_feedback *f) {
    CHECK(f->count >= 1 && f->count <= OX_FEEDBACK_RANGES_MAX);
    for (uint32_t i = 0; i < f->count; i++) {
        CHECK(f->ranges[i].first <= f->ranges[i].last && f->ranges[i].last < OX_VARINT_LIMIT);
        CHECK(i == 0 || f->ranges[i].last + 1 < f->ranges[i - 1].first);
    }
}

/* Written again it reads the same, and shorter where there is less room. What it does to a ledger is ledger_fuzz.c's. */
static void feedback(const uint8_t *data, size_t size) {
    ox_feedback f, again;
    if (ox_feedback_read(data, size, &f) != OX_PASS) return;
    check_ranges(&f);
    uint8_t out[OX_FEEDBACK_MAX + 3];
    uint32_t len = ox_feedback_write(&f, out, sizeof out);
    CHECK(len > 3);
    CHECK(ox_feedback_read(out + 3, len - 3, &again) == OX_PASS);
    CHECK(memcmp(&f, &again, sizeof f) == 0);

    size_t room = f.delay_us & 0x7ff;
    len = ox_feedback_write(&f, out, room);
    CHECK(len <= room);
    if (len == 0) return;
    CHECK(ox_feedback_read(out + 3, len - 3, &again) == OX_PASS && again.count <= f.count);
    CHECK(memcmp(f.ranges, again.ranges, again.count * sizeof(ox_range)) == 0);
}

static void offer(const uint8_t *data, size_t size) {
    ox_offer o, again;
    if (ox_offer_read(data, size, &o) != OX_OK) return;
    CHECK(o.path_count >= 1 && o.path_count <= OX_OFFER_PATHS_MAX && o.aead_count >= 1);
    CHECK(o.aead_count <= OX_OFFER_AEADS_MAX && o.address_count <= OX_OFFER_ADDRESSES_MAX && o.versions[0] != 0);
    uint8_t out[OX_OFFER_BYTES_MAX];
    CHECK(ox_offer_write(&o, out) == OX_OK);
    CHECK(ox_offer_read(out, sizeof out, &again) == OX_OK);
    CHECK(memcmp(&o, &again, sizeof o) == 0);
}

static void varint(const uint8_t *data, size_t size) {
    uint64_t value = 0;
    uint32_t bytes = ox_varint_read(data, size, &value);
    if (bytes == 0) return;
    CHECK(bytes <= size && value < OX_VARINT_LIMIT && ox_varint_bytes(value) <= bytes);
    uint8_t out[OX_VARINT_MAX];
    uint64_t again = 0;
    CHECK(ox_varint_write(out, value) == ox_varint_read(out, sizeof out, &again) && again == value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    uint8_t *copy = malloc(size - 1);
    CHECK(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    switch (data[0] % 8) {
    case 0:
    case 1:
    case 2:
    case 3: header(copy, size - 1, data[0] % 8 + 1u); break;
    case 4: frames(copy, size - 1); break;
    case 5: feedback(copy, size - 1); break;
    case 6: offer(copy, size - 1); break;
    default: varint(copy, size - 1);
    }
    free(copy);
    return 0;
}
