#include "state.h"

rohc_spread rohc_window_spread(const rohc_window *window, uint32_t value, uint32_t field_bits) {
    if (window->count == 0) return (rohc_spread){.least = INT32_MIN, .most = INT32_MAX};
    const uint32_t shift = 32 - field_bits;
    rohc_spread spread = {.least = INT32_MAX, .most = INT32_MIN};
    for (uint32_t i = 0; i < window->count; i++) {
        const int32_t distance = (int32_t)((value - window->values[i]) << shift) >> shift;
        if (distance < spread.least) spread.least = distance;
        if (distance > spread.most) spread.most = distance;
    }
    return spread;
}
