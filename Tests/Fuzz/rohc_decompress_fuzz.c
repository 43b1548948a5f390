/*
 * Any octets into a decompressor: records of two octets of length and number, then the packet. The first octet of the input chooses
 * profiles, kind of CIDs, checksums, segments and feedback.
 *
 * Whatever comes, what passes has lengths that agree with the input and with its own IP header, what does not pass leaves nothing
 * behind, every packet has one verdict, and feedback is well-formed.
 */
#include "oxcore/rohc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition) abort();
}

static void check_passed(const ox_rohc_decompressed *out, const uint8_t *packet, uint32_t len, bool segments) {
    check(out->header_bytes <= OX_ROHC_HEADER_MAX);
    check(out->header_bytes + out->payload_bytes <= OX_ROHC_PACKET_MAX);
    if (!segments && out->payload_bytes != 0) check(out->payload + out->payload_bytes == packet + len);
    check((uint32_t)out->type < OX_ROHC_TYPE_COUNT && out->type != OX_ROHC_TYPE_RAW);
    if (out->profile == 0x0000) return;
    const uint32_t total = out->header_bytes + out->payload_bytes;
    check(out->header_bytes >= 20);
    const uint8_t version = out->header[0] >> 4;
    check(version == 4 || version == 6);
    check(version == 4 ? ox_load_be16(out->header + 2) == total : ox_load_be16(out->header + 4) + 40u == total);
}

static void check_feedback(const uint8_t *elements, uint32_t len) {
    for (uint32_t at = 0; at < len;) {
        check((elements[at] & 0xF8) == 0xF0);
        uint32_t count = elements[at++] & 7;
        if (count == 0) count = elements[at++];
        check(count != 0 && at + count <= len);
        at += count;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const uint8_t how = data[0];
    const ox_rohc_parameters parameters = {
        .profiles = how & 1 ? OX_ROHC_V2 : OX_ROHC_V1,
        .large_cids = (how & 2) != 0,
        .cid_max = how & 4 ? 0 : 7,
        .bidirectional = (how & 8) != 0,
        .verify_checksums = (how & 16) != 0,
        .mrru = how & 32 ? 300 : 0,
        .reorder_ratio = how >> 6,
    };
    ox_rohc_decompressor *decompressor = ox_rohc_decompressor_create(&parameters);
    ox_rohc_compressor *compressor = ox_rohc_compressor_create(&parameters);
    check(decompressor != NULL && compressor != NULL);
    const bool numbered = (data[1] & 1) != 0;
    uint64_t packets = 0, number = 100;
    uint8_t elements[OX_ROHC_FEEDBACK_MAX];
    static ox_rohc_decompressed out;
    for (size_t at = 2; at + 2 <= size; packets++) {
        uint32_t len = data[at];
        number += (uint64_t)(data[at + 1] & 15) - 3;
        const ox_rohc_arrival arrival = {.number = numbered ? number : 0, .lost = packets / 4};
        at += 2;
        if (len > size - at) len = (uint32_t)(size - at);
        /* Exactly as long as it is, so that a read beyond it is found. */
        uint8_t *packet = malloc(len == 0 ? 1 : len);
        check(packet != NULL);
        memcpy(packet, data + at, len);
        at += len;
        const ox_rohc_verdict verdict = ox_rohc_decompress(decompressor, packet, len, &arrival, &out);
        if (verdict == OX_ROHC_PASS) check_passed(&out, packet, len, parameters.mrru != 0);
        else check(out.header_bytes == 0 && out.payload_bytes == 0);
        const uint32_t owed = ox_rohc_feedback_take(decompressor, elements, sizeof elements);
        check(parameters.bidirectional || owed == 0);
        check_feedback(elements, owed);
        ox_rohc_feedback(compressor, elements, owed);
        if (out.feedback_bytes != 0) ox_rohc_feedback(compressor, out.feedback, out.feedback_bytes);
        free(packet);
    }
    ox_rohc_decompressor_report report;
    ox_rohc_decompressor_status(decompressor, &report);
    uint64_t verdicts = 0, types = 0;
    for (uint32_t i = 0; i < OX_ROHC_VERDICT_COUNT; i++) verdicts += report.verdicts[i];
    for (uint32_t i = 0; i < OX_ROHC_TYPE_COUNT; i++) types += report.types[i];
    check(verdicts == packets && types == report.verdicts[OX_ROHC_PASS]);
    ox_rohc_decompressor_destroy(decompressor);
    ox_rohc_compressor_destroy(compressor);
    return 0;
}
