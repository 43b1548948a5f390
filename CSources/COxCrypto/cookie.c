/* mac1, mac2 and cookies: Wire.md section 4.4. */
#include "noise.h"

#include <sodium.h>

enum {
    INDEX_AT = 4,
    RESPONDER_INDEX_AT = 8,
    LABEL = 17,
    NONCE_AT = 8,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    SEALED_AT = NONCE_AT + NONCE_BYTES,
    SEALED_BYTES = OX_COOKIE_BYTES + OX_TAG_BYTES,
    MACS = 2 * OX_MAC_BYTES,
};
_Static_assert((int)SEALED_AT + (int)SEALED_BYTES == (int)OX_COOKIE_REPLY_BYTES, "cookie reply");
_Static_assert(sizeof "OxTunnel mac1----" - 1 == LABEL && sizeof "OxTunnel cookie--" - 1 == LABEL, "labels");
_Static_assert((int)crypto_generichash_blake2b_BYTES_MIN <= (int)OX_MAC_BYTES, "BLAKE2b-128 exists");
static const uint64_t SECRET_LIFE_NS = 120 * UINT64_C(1000000000);

struct ox_cookie_jar {
    uint8_t cookie_key[OX_KEY_BYTES];
    uint8_t secret[OX_KEY_BYTES];
    uint8_t previous[OX_KEY_BYTES];
    uint64_t changed_ns;
    bool started;
};

/** BLAKE2b-256(label || public key). */
static void derive(const char label[LABEL], const uint8_t public_key[OX_KEY_BYTES], uint8_t key[OX_KEY_BYTES]) {
    uint8_t input[LABEL + OX_KEY_BYTES];
    memcpy(input, label, LABEL);
    memcpy(input + LABEL, public_key, OX_KEY_BYTES);
    (void)crypto_generichash_blake2b(key, OX_KEY_BYTES, input, sizeof input, NULL, 0);
}

void ox_mac1_key(const uint8_t public_key[OX_KEY_BYTES], uint8_t key[OX_KEY_BYTES]) {
    derive("OxTunnel mac1----", public_key, key);
}

void ox_cookie_key(const uint8_t public_key[OX_KEY_BYTES], uint8_t key[OX_KEY_BYTES]) {
    derive("OxTunnel cookie--", public_key, key);
}

/** Keyed BLAKE2b-128. */
static void mac(uint8_t out[OX_MAC_BYTES], const uint8_t *key, size_t key_len, const uint8_t *data, size_t len) {
    (void)crypto_generichash_blake2b(out, OX_MAC_BYTES, data, len, key, key_len);
}

static bool mac_is(const uint8_t claimed[OX_MAC_BYTES], const uint8_t *key, size_t key_len, const uint8_t *data,
                   size_t len) {
    uint8_t expected[OX_MAC_BYTES];
    mac(expected, key, key_len, data, len);
    const bool equal = sodium_memcmp(claimed, expected, OX_MAC_BYTES) == 0;
    sodium_memzero(expected, sizeof expected);
    return equal;
}

static bool length_fits(size_t len, size_t overhead) {
    return len >= overhead && len <= overhead + OX_HANDSHAKE_PAYLOAD_MAX;
}

ox_verdict ox_handshake_shape(const uint8_t *message, size_t len) {
    if (len < INDEX_AT + 4) return OX_DROP_HANDSHAKE_LENGTH;
    bool fits = false;
    switch (message[0]) {
    case OX_TYPE_INITIATION: fits = length_fits(len, OX_INITIATION_OVERHEAD); break;
    case OX_TYPE_RESPONSE: fits = length_fits(len, OX_RESPONSE_OVERHEAD); break;
    case OX_TYPE_COOKIE_REPLY: fits = len == OX_COOKIE_REPLY_BYTES; break;
    default: return OX_DROP_DATAGRAM_TYPE;
    }
    /* The version first: another version may well have other lengths. */
    if (message[1] != OX_WIRE_VERSION || message[2] != 0 || message[3] != 0) return OX_DROP_HANDSHAKE_VERSION;
    return fits ? OX_PASS : OX_DROP_HANDSHAKE_LENGTH;
}

uint32_t ox_handshake_index(const uint8_t *message) { return ox_load_le32(message + INDEX_AT); }

void ox_handshake_seal_macs(uint8_t *message, size_t len, const uint8_t mac1_key[OX_KEY_BYTES]) {
    mac(message + len - MACS, mac1_key, OX_KEY_BYTES, message, len - MACS);
    memset(message + len - OX_MAC_BYTES, 0, OX_MAC_BYTES);
}

ox_verdict ox_handshake_check(const ox_identity *local, const uint8_t *message, size_t len) {
    const ox_verdict shape = ox_handshake_shape(message, len);
    if (shape != OX_PASS) return shape;
    if (message[0] == OX_TYPE_COOKIE_REPLY) return OX_PASS;
    if (!mac_is(message + len - MACS, local->mac1_key, OX_KEY_BYTES, message, len - MACS))
        return OX_DROP_HANDSHAKE_MAC1;
    return OX_PASS;
}

/** Whether this is a message that can carry mac2, and that a cookie reply can answer. */
static bool has_macs(const uint8_t *message, size_t len) {
    return ox_handshake_shape(message, len) == OX_PASS && message[0] != OX_TYPE_COOKIE_REPLY;
}

void ox_handshake_set_mac2(uint8_t *message, size_t len, const uint8_t cookie[OX_COOKIE_BYTES]) {
    OX_ASSERT(has_macs(message, len));
    mac(message + len - OX_MAC_BYTES, cookie, OX_COOKIE_BYTES, message, len - OX_MAC_BYTES);
}

ox_cookie_jar *ox_cookie_jar_create(const ox_identity *identity) {
    ox_cookie_jar *jar = sodium_malloc(sizeof *jar);
    if (jar == NULL) return NULL;
    sodium_memzero(jar, sizeof *jar);
    memcpy(jar->cookie_key, identity->cookie_key, OX_KEY_BYTES);
    return jar;
}

void ox_cookie_jar_destroy(ox_cookie_jar *jar) { sodium_free(jar); /* wipes; NULL is allowed */ }

/** Secrets change on a grid of two minutes that starts with the first use, however seldom the jar is used. */
static void turn_secrets(ox_cookie_jar *jar, uint64_t now_ns) {
    const uint64_t lives = jar->started && now_ns > jar->changed_ns ? (now_ns - jar->changed_ns) / SECRET_LIFE_NS : 0;
    if (jar->started && lives == 0) return;
    if (lives == 1) {
        memcpy(jar->previous, jar->secret, OX_KEY_BYTES);
    } else {
        ox_random(jar->previous, OX_KEY_BYTES); /* nobody holds a cookie of it */
    }
    ox_random(jar->secret, OX_KEY_BYTES);
    jar->changed_ns = jar->started ? jar->changed_ns + lives * SECRET_LIFE_NS : now_ns;
    jar->started = true;
}

static void bake(const uint8_t secret[OX_KEY_BYTES], const ox_address *from, uint8_t cookie[OX_COOKIE_BYTES]) {
    uint8_t source[sizeof from->ip + 2];
    memcpy(source, from->ip, sizeof from->ip);
    ox_store_be16(source + sizeof from->ip, from->port);
    mac(cookie, secret, OX_KEY_BYTES, source, sizeof source);
}

bool ox_cookie_valid(ox_cookie_jar *jar, uint64_t now_ns, const uint8_t *message, size_t len, const ox_address *from) {
    if (!has_macs(message, len)) return false;
    turn_secrets(jar, now_ns);
    const uint8_t *secrets[2] = {jar->secret, jar->previous};
    bool valid = false;
    for (int i = 0; i < 2; i++) {
        uint8_t cookie[OX_COOKIE_BYTES];
        bake(secrets[i], from, cookie);
        valid |= mac_is(message + len - OX_MAC_BYTES, cookie, sizeof cookie, message, len - OX_MAC_BYTES);
        sodium_memzero(cookie, sizeof cookie);
    }
    return valid;
}

/** The index by which the sender of a message knows its handshake. */
static const uint8_t *sender_index(const uint8_t *message) {
    return message + (message[0] == OX_TYPE_RESPONSE ? RESPONDER_INDEX_AT : INDEX_AT);
}

void ox_cookie_reply(ox_cookie_jar *jar, uint64_t now_ns, const uint8_t *message, size_t len, const ox_address *from,
                     uint8_t out[OX_COOKIE_REPLY_BYTES]) {
    OX_ASSERT(has_macs(message, len));
    turn_secrets(jar, now_ns);
    const uint8_t header[4] = {OX_TYPE_COOKIE_REPLY, OX_WIRE_VERSION, 0, 0};
    memcpy(out, header, sizeof header);
    memcpy(out + INDEX_AT, sender_index(message), 4);
    ox_random(out + NONCE_AT, NONCE_BYTES);
    uint8_t cookie[OX_COOKIE_BYTES];
    bake(jar->secret, from, cookie);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEALED_AT, NULL, cookie, sizeof cookie,
                                                     message + len - MACS, OX_MAC_BYTES, NULL, out + NONCE_AT,
                                                     jar->cookie_key);
    sodium_memzero(cookie, sizeof cookie);
}

ox_status ox_cookie_read(const uint8_t remote_public[OX_KEY_BYTES], const uint8_t *sent, size_t sent_len,
                         const uint8_t *reply, size_t reply_len, uint8_t cookie[OX_COOKIE_BYTES]) {
    OX_ASSERT(has_macs(sent, sent_len));
    if (ox_handshake_shape(reply, reply_len) != OX_PASS || reply[0] != OX_TYPE_COOKIE_REPLY) return OX_E_FORMAT;
    if (memcmp(reply + INDEX_AT, sender_index(sent), 4) != 0) return OX_E_AUTH;
    uint8_t key[OX_KEY_BYTES];
    uint8_t plain[OX_COOKIE_BYTES];
    ox_cookie_key(remote_public, key);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, reply + SEALED_AT, SEALED_BYTES,
                                                   sent + sent_len - MACS, OX_MAC_BYTES, reply + NONCE_AT, key) != 0)
        return OX_E_AUTH;
    memcpy(cookie, plain, OX_COOKIE_BYTES);
    sodium_memzero(plain, sizeof plain);
    return OX_OK;
}
