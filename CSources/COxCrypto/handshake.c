/* The framing of Wire.md section 4 around noise.c. Every call works on a copy of the handshake and commits it at the
 * end, so that a failed one leaves the object as it was. */
#include "noise.h"

#include <sodium.h>

enum {
    INITIATION_HEADER = 8,    /* type, version, reserved (2), sender index */
    RESPONSE_HEADER = 12,     /* type, version, reserved (2), receiver index, responder's index */
    RESPONSE_PREFIX = 5,      /* version and responder's index, repeated inside the seal of a response */
    MACS = 2 * OX_MAC_BYTES,
    PROLOGUE_LABEL = 10,
};
_Static_assert(OX_INITIATION_OVERHEAD == (int)INITIATION_HEADER + (int)OX_NOISE_FIRST_OVERHEAD + (int)MACS,
               "initiation");
_Static_assert(OX_RESPONSE_OVERHEAD ==
                   (int)RESPONSE_HEADER + (int)OX_NOISE_SECOND_OVERHEAD + (int)RESPONSE_PREFIX + (int)MACS,
               "response");

ox_handshake *ox_handshake_create(void) {
    ox_handshake *handshake = sodium_malloc(sizeof *handshake);
    if (handshake != NULL) sodium_memzero(handshake, sizeof *handshake);
    return handshake;
}

void ox_handshake_destroy(ox_handshake *handshake) { sodium_free(handshake); /* wipes; NULL is allowed */ }

void ox_handshake_set_ephemeral(ox_handshake *handshake, const uint8_t private_key[OX_KEY_BYTES]) {
    memcpy(handshake->noise.e, private_key, OX_KEY_BYTES);
    handshake->ephemeral_fixed = true;
}

static void generate_ephemeral(ox_handshake *handshake) {
    if (!handshake->ephemeral_fixed) ox_key_random(handshake->noise.e, true);
    handshake->ephemeral_fixed = false;
}

static void write_header(uint8_t *out, uint8_t type, uint32_t index) {
    const uint8_t header[4] = {type, OX_WIRE_VERSION, 0, 0};
    memcpy(out, header, sizeof header);
    ox_store_le32(out + 4, index);
}

/** The prologue binds the clear header of the initiation (Wire.md section 4.1). */
static void begin(ox_noise *noise, const uint8_t header[INITIATION_HEADER],
                  const uint8_t responder_public[OX_KEY_BYTES]) {
    uint8_t prologue[PROLOGUE_LABEL + INITIATION_HEADER];
    memcpy(prologue, "OxTunnel 1", PROLOGUE_LABEL);
    memcpy(prologue + PROLOGUE_LABEL, header, INITIATION_HEADER);
    ox_noise_begin(noise, prologue, sizeof prologue, responder_public);
}

ox_status ox_handshake_initiate(ox_handshake *handshake, const ox_identity *local,
                                const uint8_t remote_public[OX_KEY_BYTES], const uint8_t psk[OX_KEY_BYTES],
                                uint32_t index, const uint8_t *payload, size_t payload_len, uint8_t *out,
                                size_t *out_len) {
    OX_ASSERT(payload_len <= OX_HANDSHAKE_PAYLOAD_MAX);
    ox_handshake next = *handshake;
    next.stage = OX_HANDSHAKE_INITIATED;
    next.initiator = true;
    next.initiator_index = index;
    memcpy(next.psk, psk, OX_KEY_BYTES);
    memcpy(next.noise.rs, remote_public, OX_KEY_BYTES);
    generate_ephemeral(&next);
    write_header(out, OX_TYPE_INITIATION, index);
    begin(&next.noise, out, remote_public);
    const ox_status status = ox_noise_write_first(&next.noise, local->private_key, local->public_key, payload,
                                                  payload_len, out + INITIATION_HEADER);
    if (status == OX_OK) {
        uint8_t mac1_key[OX_KEY_BYTES];
        ox_mac1_key(remote_public, mac1_key);
        *out_len = OX_INITIATION_OVERHEAD + payload_len;
        ox_handshake_seal_macs(out, *out_len, mac1_key);
        *handshake = next;
    }
    ox_wipe(&next, sizeof next);
    return status;
}

/** Shape and mac1 of a message that must be of `type`. */
static ox_status admit(const ox_identity *local, const uint8_t *message, size_t len, uint8_t type) {
    if (len == 0 || message[0] != type) return OX_E_FORMAT;
    switch (ox_handshake_check(local, message, len)) {
    case OX_PASS: return OX_OK;
    case OX_DROP_HANDSHAKE_MAC1: return OX_E_AUTH;
    default: return OX_E_FORMAT;
    }
}

ox_status ox_handshake_read_initiation(ox_handshake *handshake, const ox_identity *local, const uint8_t *message,
                                       size_t len, uint8_t remote_public[OX_KEY_BYTES], uint32_t *index,
                                       uint8_t *payload, size_t *payload_len) {
    const ox_status admitted = admit(local, message, len, OX_TYPE_INITIATION);
    if (admitted != OX_OK) return admitted;
    ox_handshake next = *handshake;
    uint8_t plain[OX_HANDSHAKE_PAYLOAD_MAX];
    next.stage = OX_HANDSHAKE_READ;
    next.initiator = false;
    ox_wipe(next.psk, sizeof next.psk); /* what an earlier initiation may have left */
    next.initiator_index = ox_load_le32(message + 4);
    begin(&next.noise, message, local->public_key);
    const ox_status status = ox_noise_read_first(&next.noise, local->private_key, message + INITIATION_HEADER,
                                                 len - INITIATION_HEADER - MACS, plain);
    if (status == OX_OK) {
        memcpy(remote_public, next.noise.rs, OX_KEY_BYTES);
        *index = next.initiator_index;
        *payload_len = len - OX_INITIATION_OVERHEAD;
        if (*payload_len > 0) memcpy(payload, plain, *payload_len);
        *handshake = next;
    }
    ox_wipe(plain, sizeof plain);
    ox_wipe(&next, sizeof next);
    return status;
}

ox_status ox_handshake_respond(ox_handshake *handshake, const uint8_t psk[OX_KEY_BYTES], uint32_t index,
                               const uint8_t *payload, size_t payload_len, uint8_t *out, size_t *out_len) {
    OX_ASSERT(handshake->stage == OX_HANDSHAKE_READ);
    OX_ASSERT(payload_len <= OX_HANDSHAKE_PAYLOAD_MAX);
    ox_handshake next = *handshake;
    uint8_t plain[RESPONSE_PREFIX + OX_HANDSHAKE_PAYLOAD_MAX];
    next.stage = OX_HANDSHAKE_COMPLETE;
    generate_ephemeral(&next);
    write_header(out, OX_TYPE_RESPONSE, next.initiator_index);
    ox_store_le32(out + 8, index);
    plain[0] = OX_WIRE_VERSION;
    ox_store_le32(plain + 1, index);
    if (payload_len > 0) memcpy(plain + RESPONSE_PREFIX, payload, payload_len);
    const ox_status status =
        ox_noise_write_second(&next.noise, psk, plain, RESPONSE_PREFIX + payload_len, out + RESPONSE_HEADER);
    if (status == OX_OK) {
        uint8_t mac1_key[OX_KEY_BYTES];
        ox_mac1_key(next.noise.rs, mac1_key);
        *out_len = OX_RESPONSE_OVERHEAD + payload_len;
        ox_handshake_seal_macs(out, *out_len, mac1_key);
        *handshake = next;
    }
    ox_wipe(plain, sizeof plain);
    ox_wipe(&next, sizeof next);
    return status;
}

ox_status ox_handshake_read_response(ox_handshake *handshake, const ox_identity *local, const uint8_t *message,
                                     size_t len, uint32_t *index, uint8_t *payload, size_t *payload_len) {
    // Answered already: a second response, however authentic, is one too many.
    if (handshake->stage != OX_HANDSHAKE_INITIATED) return OX_E_AUTH;
    const ox_status admitted = admit(local, message, len, OX_TYPE_RESPONSE);
    if (admitted != OX_OK) return admitted;
    if (ox_load_le32(message + 4) != handshake->initiator_index) return OX_E_AUTH;
    ox_handshake next = *handshake;
    uint8_t plain[RESPONSE_PREFIX + OX_HANDSHAKE_PAYLOAD_MAX];
    next.stage = OX_HANDSHAKE_COMPLETE;
    ox_status status = ox_noise_read_second(&next.noise, local->private_key, next.psk, message + RESPONSE_HEADER,
                                            len - RESPONSE_HEADER - MACS, plain);
    /* The responder's index travels in clear; its sealed copy tells whether it is the one that was sent. */
    if (status == OX_OK && (plain[0] != message[1] || memcmp(plain + 1, message + 8, 4) != 0)) status = OX_E_AUTH;
    if (status == OX_OK) {
        *index = ox_load_le32(message + 8);
        *payload_len = len - OX_RESPONSE_OVERHEAD;
        if (*payload_len > 0) memcpy(payload, plain + RESPONSE_PREFIX, *payload_len);
        *handshake = next;
    }
    ox_wipe(plain, sizeof plain);
    ox_wipe(&next, sizeof next);
    return status;
}

ox_keys *ox_handshake_keys(ox_handshake *handshake, ox_aead aead) {
    OX_ASSERT(handshake->stage == OX_HANDSHAKE_COMPLETE);
    uint8_t first[OX_KEY_BYTES];
    uint8_t second[OX_KEY_BYTES];
    ox_noise_split(&handshake->noise, first, second);
    ox_keys *keys =
        handshake->initiator ? ox_keys_create(aead, first, second) : ox_keys_create(aead, second, first);
    ox_wipe(first, sizeof first);
    ox_wipe(second, sizeof second);
    if (keys != NULL) ox_wipe(handshake, sizeof *handshake); /* which is the idle stage */
    return keys;
}
