#include "v1_flow.h"

OX_STATIC_ASSERT(sizeof(v1_fixed) + 4 * sizeof(v1_dynamic) <= ROHC_CONTEXT_STATE_BYTES, "a context holds three earlier states");
enum { FIXED_BYTES = (sizeof(v1_fixed) + 7) / 8 * 8, DYNAMIC_BYTES = (sizeof(v1_dynamic) + 7) / 8 * 8 };


/* The store of lists is at the end. */
static uint32_t fixed_extent(const void *state) {
    const v1_fixed *fixed = state;
    return (uint32_t)offsetof(v1_fixed, store.octets) + fixed->store.used;
}

#define PROFILE(name, kind, its_number)                                                                              \
    static bool recognise_##name(const rohc_packet *packet) { return v1_recognise(packet, kind); }                   \
    static bool matches_##name(const void *state, const rohc_packet *packet) {                                       \
        return v1_matches(state, packet, kind);                                                                      \
    }                                                                                                                \
    static void open_##name(void *state, const rohc_packet *packet, const ox_rohc_parameters *parameters) {          \
        v1_open(state, packet, kind, parameters);                                                                    \
    }                                                                                                                \
    static bool compress_##name(rohc_compression *work) { return v1_compress(work, kind); }                          \
    static void feedback_##name(void *state, const rohc_feedback *said) { v1_feedback(state, said); }                \
    static ox_rohc_verdict decompress_##name(rohc_decompression *work) { return v1_decompress(work, kind); }         \
    const rohc_profile rohc_profile_##name = {                                                                       \
        .number = its_number,                                                                                        \
        .fixed_bytes = FIXED_BYTES,                                                                                  \
        .dynamic_bytes = DYNAMIC_BYTES,                                                                              \
        .recognise = recognise_##name,                                                                               \
        .matches = matches_##name,                                                                                   \
        .open = open_##name,                                                                                         \
        .compress = compress_##name,                                                                                 \
        .feedback = feedback_##name,                                                                                 \
        .fixed_extent = fixed_extent,                                                                                \
        .decompress = decompress_##name,                                                                             \
    }

PROFILE(rtp, V1_RTP, 0x0001);
PROFILE(udp, V1_UDP, 0x0002);
PROFILE(esp, V1_ESP, 0x0003);
PROFILE(ip, V1_IP, 0x0004);
