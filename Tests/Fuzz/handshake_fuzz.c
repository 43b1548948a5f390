/* Handshake datagrams (Wire.md section 4) between two fixed parties.
 *
 * The first byte of the input chooses: its two low bits a raw datagram (0) or edits of the true initiation (1),
 * response (2) or cookie reply (3); its third bit makes mac1 fit again after the edits, which anybody who knows a
 * public key can do. Edits are one byte of change in length, then pairs of position and difference.
 *
 * Nothing but the true message is ever accepted, and a refused one leaves the handshake as it was. */
#include <sodium.h>
#include <stdlib.h>

#include "CSources/COxCrypto/noise.h"

enum { RAW, INITIATION, RESPONSE, COOKIE_REPLY, KINDS };
enum { MACS = 2 * OX_MAC_BYTES, PAYLOAD = 41, INDEX = 0x11223344, RESPONDER_INDEX = 0x55667788 };

typedef struct datagram {
    uint8_t bytes[OX_HANDSHAKE_MAX];
    size_t len;
} datagram;

static ox_identity *client, *relay;
static ox_handshake *initiator, *responder;
static ox_handshake waiting, idle; /* what a refused message must leave in the two above */
static datagram truth[KINDS];
static uint8_t payload[PAYLOAD], cookie[OX_COOKIE_BYTES];

static ox_identity *fixed_identity(uint8_t seed) {
    uint8_t key[OX_KEY_BYTES];
    memset(key, seed, sizeof key);
    ox_identity *identity = ox_identity_create(key);
    OX_ASSERT(identity != NULL);
    return identity;
}

/** The true messages are the same in every process, so that inputs mean the same too. */
static void make_truth(void) {
    uint8_t psk[OX_KEY_BYTES], ephemeral[OX_KEY_BYTES], remote[OX_KEY_BYTES], got[OX_HANDSHAKE_PAYLOAD_MAX];
    uint32_t index;
    size_t got_len;
    OX_ASSERT(ox_init() == OX_OK);
    client = fixed_identity(0x21);
    relay = fixed_identity(0x42);
    initiator = ox_handshake_create();
    responder = ox_handshake_create();
    OX_ASSERT(initiator != NULL && responder != NULL);
    memset(psk, 3, sizeof psk);
    memset(payload, 4, sizeof payload);
    memset(cookie, 5, sizeof cookie);
    datagram *d = &truth[INITIATION];
    memset(ephemeral, 0x51, sizeof ephemeral);
    ox_handshake_set_ephemeral(initiator, ephemeral);
    OX_ASSERT(ox_handshake_initiate(initiator, client, ox_identity_public(relay), psk, INDEX, payload, PAYLOAD,
                                    d->bytes, &d->len) == OX_OK);
    OX_ASSERT(ox_handshake_read_initiation(responder, relay, d->bytes, d->len, remote, &index, got, &got_len) ==
              OX_OK);
    memset(ephemeral, 0x61, sizeof ephemeral);
    ox_handshake_set_ephemeral(responder, ephemeral);
    d = &truth[RESPONSE];
    OX_ASSERT(ox_handshake_respond(responder, psk, RESPONDER_INDEX, payload, PAYLOAD, d->bytes, &d->len) == OX_OK);
    d = &truth[COOKIE_REPLY];
    d->len = OX_COOKIE_REPLY_BYTES;
    memset(d->bytes, 7, d->len);
    const uint8_t header[4] = {OX_TYPE_COOKIE_REPLY, OX_WIRE_VERSION, 0, 0};
    memcpy(d->bytes, header, sizeof header);
    ox_store_le32(d->bytes + 4, INDEX);
    crypto_aead_xchacha20poly1305_ietf_encrypt(d->bytes + 32, NULL, cookie, sizeof cookie,
                                               truth[INITIATION].bytes + truth[INITIATION].len - MACS, OX_MAC_BYTES,
                                               NULL, d->bytes + 8, relay->cookie_key);
    waiting = *initiator;
    ox_wipe(responder, sizeof *responder);
    idle = *responder;
}

/** Equal but for mac2, which authenticates nothing of the handshake. */
static bool is_true(int kind, const uint8_t *message, size_t len) {
    const size_t covered = truth[kind].len - (kind == COOKIE_REPLY ? 0 : OX_MAC_BYTES);
    return len == truth[kind].len && memcmp(message, truth[kind].bytes, covered) == 0;
}

/** What the status must be, given what the cheap check said. */
static void agree(ox_status status, ox_verdict verdict, bool right_type) {
    if (!right_type) OX_ASSERT(status == OX_E_FORMAT);
    else if (verdict == OX_DROP_HANDSHAKE_MAC1) OX_ASSERT(status == OX_E_AUTH);
    else if (verdict == OX_PASS) OX_ASSERT(status == OX_OK || status == OX_E_AUTH);
    else OX_ASSERT(status == OX_E_FORMAT);
}

static void deliver(const uint8_t *message, size_t len) {
    uint8_t remote[OX_KEY_BYTES], got[OX_HANDSHAKE_PAYLOAD_MAX], got_cookie[OX_COOKIE_BYTES];
    uint32_t index = 0;
    size_t got_len = 0;
    const uint8_t type = len > 0 ? message[0] : 0;
    const ox_verdict at_relay = ox_handshake_check(relay, message, len);
    const ox_verdict at_client = ox_handshake_check(client, message, len);

    ox_status status = ox_handshake_read_initiation(responder, relay, message, len, remote, &index, got, &got_len);
    agree(status, at_relay, type == OX_TYPE_INITIATION);
    OX_ASSERT((status == OX_OK) == is_true(INITIATION, message, len));
    if (status == OX_OK) {
        OX_ASSERT(ox_key_equal(remote, ox_identity_public(client)) && index == INDEX);
        OX_ASSERT(got_len == PAYLOAD && memcmp(got, payload, PAYLOAD) == 0);
        *responder = idle;
    }
    OX_ASSERT(memcmp(responder, &idle, sizeof idle) == 0);

    status = ox_handshake_read_response(initiator, client, message, len, &index, got, &got_len);
    agree(status, at_client, type == OX_TYPE_RESPONSE);
    OX_ASSERT((status == OX_OK) == is_true(RESPONSE, message, len));
    if (status == OX_OK) {
        OX_ASSERT(index == RESPONDER_INDEX);
        OX_ASSERT(got_len == PAYLOAD && memcmp(got, payload, PAYLOAD) == 0);
        *initiator = waiting;
    }
    OX_ASSERT(memcmp(initiator, &waiting, sizeof waiting) == 0);

    status = ox_cookie_read(ox_identity_public(relay), truth[INITIATION].bytes, truth[INITIATION].len, message, len,
                            got_cookie);
    agree(status, at_client, type == OX_TYPE_COOKIE_REPLY);
    OX_ASSERT((status == OX_OK) == is_true(COOKIE_REPLY, message, len));
    if (status == OX_OK) OX_ASSERT(memcmp(got_cookie, cookie, sizeof cookie) == 0);
}

static size_t edit(int kind, bool fit_mac1, const uint8_t *edits, size_t size, uint8_t out[OX_HANDSHAKE_MAX]) {
    size_t len = truth[kind].len;
    memset(out, 0, OX_HANDSHAKE_MAX);
    memcpy(out, truth[kind].bytes, len);
    if (size > 0) {
        const ptrdiff_t changed = (ptrdiff_t)len + (int8_t)edits[0];
        len = changed < 0 ? 0 : changed > OX_HANDSHAKE_MAX ? OX_HANDSHAKE_MAX : (size_t)changed;
    }
    for (size_t i = 1; i + 1 < size && len > 0; i += 2) out[edits[i] % len] ^= edits[i + 1];
    if (fit_mac1 && kind != COOKIE_REPLY && len >= MACS)
        ox_handshake_seal_macs(out, len, kind == INITIATION ? relay->mac1_key : client->mac1_key);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (client == NULL) make_truth();
    if (size == 0) return 0;
    const int kind = data[0] & 3;
    uint8_t edited[OX_HANDSHAKE_MAX];
    size_t len = size - 1;
    const uint8_t *from = data + 1;
    if (kind != RAW) {
        len = edit(kind, (data[0] & 4) != 0, data + 1, size - 1, edited);
        from = edited;
    }
    uint8_t *exact = malloc(len > 0 ? len : 1); /* its end is where the sanitizer watches */
    OX_ASSERT(exact != NULL);
    if (len > 0) memcpy(exact, from, len);
    deliver(exact, len);
    free(exact);
    return 0;
}
