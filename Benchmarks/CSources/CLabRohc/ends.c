#include "ends.h"

#include <string.h>

#include "lab/problem.h"

ox_rohc_parameters ends_parameters(const lab_rohc_options *options, bool tunnel) {
    ox_rohc_parameters parameters = {
        .profiles = options->profiles,
        .cid_max = options->cid_max,
        .large_cids = options->large_cids,
        .bidirectional = options->bidirectional,
        .reorder_ratio = options->reorder_ratio,
        .repetitions = options->repetitions,
        .raw = tunnel,
        .verify_checksums = tunnel,
        .rtp_ports = options->rtp_ports,
    };
    memcpy(parameters.rtp_port, options->rtp_port, sizeof options->rtp_port);
    return parameters;
}

bool ends_open(ends *e, const lab_rohc_options *options, bool tunnel) {
    const ox_rohc_parameters parameters = ends_parameters(options, tunnel);
    e->sender = ox_rohc_compressor_create(&parameters);
    e->receiver = ox_rohc_decompressor_create(&parameters);
    if (e->sender != NULL && e->receiver != NULL) return true;
    ends_close(e);
    return lab_fail("no memory for the contexts");
}

void ends_close(ends *e) {
    ox_rohc_compressor_destroy(e->sender);
    ox_rohc_decompressor_destroy(e->receiver);
}

uint32_t ends_join(const ox_rohc_compressed *made, ox_rohc_outcome outcome, const uint8_t *packet, uint32_t bytes, uint8_t *wire) {
    if (outcome == OX_ROHC_RAW) {
        memcpy(wire, packet, bytes);
        return bytes;
    }
    memcpy(wire, made->header, made->header_bytes);
    memcpy(wire + made->header_bytes, packet + made->consumed, bytes - made->consumed);
    return made->header_bytes + bytes - made->consumed;
}

bool ends_equal(const ox_rohc_decompressed *made, const uint8_t *packet, uint32_t bytes) {
    return made->header_bytes + made->payload_bytes == bytes && memcmp(made->header, packet, made->header_bytes) == 0 &&
           memcmp(made->payload, packet + made->header_bytes, made->payload_bytes) == 0;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

uint32_t lab_rohc_profiles_of(const char *name) {
    static const struct {
        const char *name;
        uint32_t set;
    } known[] = {
        {"v1", OX_ROHC_V1},           {"v2", OX_ROHC_V2},         {"uncompressed", OX_ROHC_UNCOMPRESSED},
        {"rtp", OX_ROHC_RTP},         {"udp", OX_ROHC_UDP},       {"esp", OX_ROHC_ESP},
        {"ip", OX_ROHC_IP},           {"tcp", OX_ROHC_TCP},       {"v2-rtp", OX_ROHC_V2_RTP},
        {"v2-udp", OX_ROHC_V2_UDP},   {"v2-esp", OX_ROHC_V2_ESP}, {"v2-ip", OX_ROHC_V2_IP},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0) return known[i].set;
    return 0;
}

bool lab_rohc_profiles_clash(uint32_t profiles) {
    return ((profiles & OX_ROHC_RTP) && (profiles & OX_ROHC_V2_RTP)) || ((profiles & OX_ROHC_UDP) && (profiles & OX_ROHC_V2_UDP)) ||
           ((profiles & OX_ROHC_ESP) && (profiles & OX_ROHC_V2_ESP)) || ((profiles & OX_ROHC_IP) && (profiles & OX_ROHC_V2_IP));
}

const char *lab_rohc_type_name(size_t index) {
    return index < OX_ROHC_TYPE_COUNT ? ox_rohc_type_name((ox_rohc_type)index) : NULL;
}
