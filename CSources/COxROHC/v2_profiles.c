/* The four profiles as the core knows them; they differ in their number alone. */
#include "v2.h"

static bool recognise(const rohc_packet *packet, uint16_t profile) {
    v2_layout layout;
    return v2_layout_of(&layout, packet, profile);
}

static void feedback(void *state, const rohc_feedback *said) { v2_feedback(state, said); }

#define V2_FUNCTIONS(name_, number_)                                                                                 \
    static bool recognise_##name_(const rohc_packet *packet) { return recognise(packet, number_); }                  \
    static bool matches_##name_(const void *state, const rohc_packet *packet) {                                      \
        return v2_matches(state, packet, number_);                                                                   \
    }                                                                                                                \
    static void open_##name_(void *state, const rohc_packet *packet, const ox_rohc_parameters *parameters) {         \
        (void)parameters;                                                                                            \
        v2_open(state, packet, number_);                                                                             \
    }                                                                                                                \
    static bool compress_##name_(rohc_compression *work) { return v2_compress(work, number_); }                      \
    static ox_rohc_verdict decompress_##name_(rohc_decompression *work) { return v2_decompress(work, number_); }     \
    const rohc_profile rohc_profile_v2_##name_ = {                                                                   \
        .number = number_,                                                                                           \
        .fixed_bytes = sizeof(v2_fixed),                                                                             \
        .dynamic_bytes = sizeof(v2_dynamic),                                                                         \
        .fixed_extent = v2_fixed_extent,                                                                             \
        .recognise = recognise_##name_,                                                                              \
        .matches = matches_##name_,                                                                                  \
        .open = open_##name_,                                                                                        \
        .compress = compress_##name_,                                                                                \
        .feedback = feedback,                                                                                        \
        .decompress = decompress_##name_,                                                                            \
    };

V2_FUNCTIONS(rtp, V2_PROFILE_RTP)
V2_FUNCTIONS(udp, V2_PROFILE_UDP)
V2_FUNCTIONS(esp, V2_PROFILE_ESP)
V2_FUNCTIONS(ip, V2_PROFILE_IP)
