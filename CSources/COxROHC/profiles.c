#include "state.h"

const rohc_profile *const rohc_profiles[OX_ROHC_PROFILES] = {
    &rohc_profile_uncompressed, &rohc_profile_rtp,    &rohc_profile_udp,    &rohc_profile_esp,    &rohc_profile_ip,
    &rohc_profile_tcp,          &rohc_profile_v2_rtp, &rohc_profile_v2_udp, &rohc_profile_v2_esp, &rohc_profile_v2_ip,
};

const rohc_profile *rohc_profile_of_octet(uint8_t octet, uint32_t set) {
    for (uint32_t i = 0; i < OX_ROHC_PROFILES; i++)
        if ((set >> i & 1) != 0 && (rohc_profiles[i]->number & 0xFF) == octet) return rohc_profiles[i];
    return NULL;
}

const char *ox_rohc_type_name(ox_rohc_type type) {
    static const char *const names[] = {
#define X(symbol, name) name,
        OX_ROHC_TYPES(X)
#undef X
    };
    OX_ASSERT((uint32_t)type < OX_ROHC_TYPE_COUNT);
    return names[type];
}

const char *ox_rohc_verdict_name(ox_rohc_verdict verdict) {
    static const char *const names[] = {
#define X(symbol, name) name,
        OX_ROHC_VERDICTS(X)
#undef X
    };
    OX_ASSERT((uint32_t)verdict < OX_ROHC_VERDICT_COUNT);
    return names[verdict];
}
