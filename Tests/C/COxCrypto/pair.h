/* Two parties who know each other's keys, for the tests of this room. */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/COxCrypto/noise.h"

typedef struct pair {
    ox_identity *client;
    ox_identity *relay;
    uint8_t psk[OX_KEY_BYTES];
    ox_handshake *initiator;
    ox_handshake *responder;
} pair;

static inline int pair_setup(void **state) {
    static pair one;
    uint8_t key[OX_KEY_BYTES];
    if (ox_init() != OX_OK) return 1;
    ox_key_random(key, true);
    one.client = ox_identity_create(key);
    ox_key_random(key, true);
    one.relay = ox_identity_create(key);
    ox_key_random(one.psk, false);
    one.initiator = ox_handshake_create();
    one.responder = ox_handshake_create();
    *state = &one;
    return one.client == NULL || one.relay == NULL || one.initiator == NULL || one.responder == NULL;
}

static inline int pair_teardown(void **state) {
    pair *p = *state;
    ox_identity_destroy(p->client);
    ox_identity_destroy(p->relay);
    ox_handshake_destroy(p->initiator);
    ox_handshake_destroy(p->responder);
    return 0;
}

/** An initiation from the client to the relay that carries `payload_len` bytes; returns its length. */
static inline size_t pair_initiate(pair *p, uint32_t index, size_t payload_len, uint8_t out[OX_HANDSHAKE_MAX]) {
    uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX];
    size_t len = 0;
    for (size_t i = 0; i < payload_len; i++) payload[i] = (uint8_t)(i * 7 + 1);
    assert_int_equal(OX_OK, ox_handshake_initiate(p->initiator, p->client, ox_identity_public(p->relay), p->psk, index,
                                                  payload, payload_len, out, &len));
    assert_int_equal(OX_INITIATION_OVERHEAD + payload_len, len);
    return len;
}

/** The relay reads it. */
static inline ox_status pair_read(pair *p, const uint8_t *message, size_t len) {
    uint8_t remote[OX_KEY_BYTES];
    uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX];
    uint32_t index;
    size_t payload_len;
    return ox_handshake_read_initiation(p->responder, p->relay, message, len, remote, &index, payload, &payload_len);
}

/** The relay responds with `payload_len` bytes. */
static inline size_t pair_respond(pair *p, uint32_t index, size_t payload_len, uint8_t out[OX_HANDSHAKE_MAX]) {
    uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX];
    size_t len = 0;
    for (size_t i = 0; i < payload_len; i++) payload[i] = (uint8_t)(i * 11 + 3);
    assert_int_equal(OX_OK, ox_handshake_respond(p->responder, p->psk, index, payload, payload_len, out, &len));
    assert_int_equal(OX_RESPONSE_OVERHEAD + payload_len, len);
    return len;
}

/** The client reads that. */
static inline ox_status pair_complete(pair *p, const uint8_t *message, size_t len) {
    uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX];
    uint32_t index;
    size_t payload_len;
    return ox_handshake_read_response(p->initiator, p->client, message, len, &index, payload, &payload_len);
}

#endif
