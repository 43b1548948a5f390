#include "oxcore/wire.h"

//= Wire.md section 4.5
//# items of type, length, value; type 0 is padding to the end
enum {
    ITEM_END = 0,
    ITEM_TIMESTAMP = 1,
    ITEM_VERSIONS = 2,
    ITEM_AEADS = 3,
    ITEM_FEATURES = 4,
    ITEM_SESSION = 5,
    ITEM_ADDRESS = 6,
};

static bool put(uint8_t *out, uint32_t *at, uint8_t type, const uint8_t *value, uint32_t len) {
    if (*at + 2 + len > OX_OFFER_BYTES_MAX) return false;
    out[(*at)++] = type;
    out[(*at)++] = (uint8_t)len;
    memcpy(out + *at, value, len);
    *at += len;
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t len) {
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) any |= bytes[i];
    return any == 0;
}

ox_status ox_offer_write(const ox_offer *offer, uint8_t out[OX_OFFER_BYTES_MAX]) {
    if (offer->aead_count > OX_OFFER_AEADS_MAX || offer->path_count > OX_OFFER_PATHS_MAX ||
        offer->address_count > OX_OFFER_ADDRESSES_MAX)
        return OX_E_LIMIT;
    memset(out, 0, OX_OFFER_BYTES_MAX);
    uint32_t at = 0, versions = 0;
    while (versions < sizeof offer->versions && offer->versions[versions] != 0) versions++;
    uint8_t features[4];
    for (uint32_t i = 0; i < 4; i++) features[i] = (uint8_t)(offer->features >> 8 * i);
    bool fits = put(out, &at, ITEM_VERSIONS, offer->versions, versions) &&
                put(out, &at, ITEM_AEADS, offer->aeads, offer->aead_count) &&
                put(out, &at, ITEM_FEATURES, features, sizeof features);
    if (!is_zero(offer->timestamp, sizeof offer->timestamp))
        fits = fits && put(out, &at, ITEM_TIMESTAMP, offer->timestamp, sizeof offer->timestamp);
    for (uint32_t i = 0; i < offer->path_count; i++) {
        uint8_t value[5] = {offer->paths[i].path};
        uint32_t bytes = offer->paths[i].session_bytes;
        if (bytes > OX_SESSION_ID_BYTES_MAX) return OX_E_LIMIT;
        for (uint32_t b = 0; b < bytes; b++) value[1 + b] = (uint8_t)(offer->paths[i].session >> 8 * b);
        fits = fits && put(out, &at, ITEM_SESSION, value, 1 + bytes);
    }
    for (uint32_t i = 0; i < offer->address_count; i++)
        fits = fits && put(out, &at, ITEM_ADDRESS, offer->addresses[i], 16);
    return fits ? OX_OK : OX_E_LIMIT;
}

static bool read_session(ox_offer *offer, const uint8_t *value, uint32_t len) {
    if (len < 1 || len > 1 + OX_SESSION_ID_BYTES_MAX || offer->path_count == OX_OFFER_PATHS_MAX) return false;
    for (uint32_t i = 0; i < offer->path_count; i++)
        if (offer->paths[i].path == value[0]) return false;
    uint32_t at = offer->path_count++;
    offer->paths[at].path = value[0];
    offer->paths[at].session_bytes = (uint8_t)(len - 1);
    for (uint32_t b = 0; b + 1 < len; b++) offer->paths[at].session |= (uint32_t)value[1 + b] << 8 * b;
    return true;
}

static bool read_item(ox_offer *offer, uint32_t *seen, uint8_t type, const uint8_t *value, uint32_t len) {
    bool repeats = type == ITEM_SESSION || type == ITEM_ADDRESS;
    if (type <= ITEM_ADDRESS && !repeats) {
        if (*seen >> type & 1) return false;
        *seen |= 1u << type;
    }
    switch (type) {
    case ITEM_TIMESTAMP:
        if (len != sizeof offer->timestamp) return false;
        memcpy(offer->timestamp, value, len);
        return true;
    case ITEM_VERSIONS:
        if (len == 0 || len > sizeof offer->versions || memchr(value, 0, len) != NULL) return false;
        memcpy(offer->versions, value, len);
        return true;
    case ITEM_AEADS:
        if (len == 0 || len > OX_OFFER_AEADS_MAX) return false;
        memcpy(offer->aeads, value, len);
        offer->aead_count = (uint8_t)len;
        return true;
    case ITEM_FEATURES:
        if (len != 4) return false;
        offer->features = (uint32_t)value[0] | (uint32_t)value[1] << 8 | (uint32_t)value[2] << 16 | (uint32_t)value[3] << 24;
        return true;
    case ITEM_SESSION: return read_session(offer, value, len);
    case ITEM_ADDRESS:
        if (len != 16 || offer->address_count == OX_OFFER_ADDRESSES_MAX) return false;
        memcpy(offer->addresses[offer->address_count++], value, len);
        return true;
    default: return true; // from a later version
    }
}

ox_status ox_offer_read(const uint8_t *bytes, size_t len, ox_offer *offer) {
    memset(offer, 0, sizeof *offer);
    uint32_t seen = 0;
    for (size_t at = 0; at < len;) {
        uint8_t type = bytes[at++];
        if (type == ITEM_END) {
            if (!is_zero(bytes + at, len - at)) return OX_E_FORMAT;
            break;
        }
        if (at == len) return OX_E_FORMAT;
        uint8_t item = bytes[at++];
        if (item > len - at || !read_item(offer, &seen, type, bytes + at, item)) return OX_E_FORMAT;
        at += item;
    }
    uint32_t required = 1u << ITEM_VERSIONS | 1u << ITEM_AEADS | 1u << ITEM_FEATURES;
    return (seen & required) == required && offer->path_count > 0 ? OX_OK : OX_E_FORMAT;
}
