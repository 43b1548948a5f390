/* Both roles against handshakes that an independent implementation made: Tests/Vectors/noise/PROVENANCE.md.
 * Run from the top of the source tree. */
#include "pair.h"
#include "single.h"

#include <stdio.h>
#include <stdlib.h>

static const char VECTORS[] = "Tests/Vectors/noise/ikpsk2.txt";

enum { FIELDS_MAX = 24, FIELD_BYTES_MAX = OX_HANDSHAKE_MAX };

typedef struct field {
    char name[32];
    uint8_t bytes[FIELD_BYTES_MAX];
    size_t len;
} field;

typedef struct vector {
    field fields[FIELDS_MAX];
    size_t count;
} vector;

static const field *get(const vector *vector, const char *name) {
    for (size_t i = 0; i < vector->count; i++)
        if (strcmp(vector->fields[i].name, name) == 0) return &vector->fields[i];
    fail_msg("%s: no field %s", VECTORS, name);
    return NULL;
}

static const uint8_t *key(const vector *vector, const char *name) {
    assert_int_equal(OX_KEY_BYTES, get(vector, name)->len);
    return get(vector, name)->bytes;
}

static uint32_t number(const vector *vector, const char *name) {
    assert_int_equal(4, get(vector, name)->len);
    return ox_load_be32(get(vector, name)->bytes);
}

/** Reads `name = hexadecimal` lines up to an empty one. False at the end of the file. */
static bool read_vector(FILE *file, vector *vector) {
    char line[1024];
    vector->count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#') continue;
        if (line[0] == '\n') return true;
        assert_true(vector->count < FIELDS_MAX);
        field *field = &vector->fields[vector->count++];
        char hex[2 * FIELD_BYTES_MAX + 1] = "";
        assert_true(sscanf(line, "%31s = %768s", field->name, hex) >= 1);
        field->len = strlen(hex) / 2;
        for (size_t i = 0; i < field->len; i++) {
            const char byte[3] = {hex[2 * i], hex[2 * i + 1], 0};
            field->bytes[i] = (uint8_t)strtoul(byte, NULL, 16);
        }
    }
    return vector->count > 0;
}

/** Both directions' first two transport messages: path 0 gives Noise's own nonces. */
static void transport(const vector *vector, const ox_keys *keys, bool initiator) {
    for (uint64_t n = 0; n < 2; n++) {
        char name[32];
        uint8_t data[FIELD_BYTES_MAX];
        snprintf(name, sizeof name, "transport_plain_%d", (int)n);
        const field *plain = get(vector, name);
        snprintf(name, sizeof name, "%s_sealed_%d", initiator ? "initiator" : "responder", (int)n);
        const field *sent = get(vector, name);
        snprintf(name, sizeof name, "%s_sealed_%d", initiator ? "responder" : "initiator", (int)n);
        const field *received = get(vector, name);

        memcpy(data, plain->bytes, plain->len);
        seal_single(keys, 0, n, NULL, 0, data, plain->len);
        assert_int_equal(sent->len, plain->len + OX_TAG_BYTES);
        assert_memory_equal(sent->bytes, data, sent->len);
        memcpy(data, received->bytes, received->len);
        assert_true(open_single(keys, 0, n, NULL, 0, data, plain->len));
        assert_memory_equal(plain->bytes, data, plain->len);
    }
}

static void finish(const vector *vector, ox_handshake *handshake, bool initiator) {
    const field *hash = get(vector, "handshake_hash");
    assert_int_equal(OX_NOISE_HASH_BYTES, hash->len);
    assert_memory_equal(hash->bytes, handshake->noise.h, OX_NOISE_HASH_BYTES);
    ox_keys *keys = ox_handshake_keys(handshake, OX_AEAD_CHACHA20POLY1305);
    transport(vector, keys, initiator);
    ox_keys_destroy(keys);
    ox_handshake_destroy(handshake);
}

static void as_initiator(const vector *vector) {
    ox_identity *local = ox_identity_create(key(vector, "initiator_private"));
    ox_handshake *handshake = ox_handshake_create();
    const field *initiation = get(vector, "initiation");
    const field *response = get(vector, "response");
    const field *sent = get(vector, "initiation_payload");
    const field *expected = get(vector, "response_payload");
    uint8_t remote[OX_KEY_BYTES];
    uint8_t message[OX_HANDSHAKE_MAX];
    uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX];
    size_t len = 0;
    uint32_t index = 0;
    assert_int_equal(OX_OK, ox_key_public(key(vector, "responder_private"), remote));
    ox_handshake_set_ephemeral(handshake, key(vector, "initiator_ephemeral"));
    assert_int_equal(OX_OK, ox_handshake_initiate(handshake, local, remote, key(vector, "psk"),
                                                  number(vector, "initiator_index"), sent->bytes, sent->len, message,
                                                  &len));
    assert_int_equal(initiation->len, len);
    assert_memory_equal(initiation->bytes, message, len);
    assert_int_equal(OX_OK, ox_handshake_read_response(handshake, local, response->bytes, response->len, &index,
                                                       payload, &len));
    assert_int_equal(number(vector, "responder_index"), index);
    assert_int_equal(expected->len, len);
    assert_memory_equal(expected->bytes, payload, len);
    finish(vector, handshake, true);
    ox_identity_destroy(local);
}

static void as_responder(const vector *vector) {
    ox_identity *local = ox_identity_create(key(vector, "responder_private"));
    ox_handshake *handshake = ox_handshake_create();
    const field *initiation = get(vector, "initiation");
    const field *response = get(vector, "response");
    const field *sent = get(vector, "response_payload");
    const field *expected = get(vector, "initiation_payload");
    uint8_t remote[OX_KEY_BYTES];
    uint8_t read[OX_KEY_BYTES];
    uint8_t message[OX_HANDSHAKE_MAX];
    uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX];
    size_t len = 0;
    uint32_t index = 0;
    assert_int_equal(OX_OK, ox_key_public(key(vector, "initiator_private"), remote));
    assert_int_equal(OX_OK, ox_handshake_read_initiation(handshake, local, initiation->bytes, initiation->len, read,
                                                         &index, payload, &len));
    assert_memory_equal(remote, read, OX_KEY_BYTES);
    assert_int_equal(number(vector, "initiator_index"), index);
    assert_int_equal(expected->len, len);
    assert_memory_equal(expected->bytes, payload, len);
    ox_handshake_set_ephemeral(handshake, key(vector, "responder_ephemeral"));
    assert_int_equal(OX_OK, ox_handshake_respond(handshake, key(vector, "psk"), number(vector, "responder_index"),
                                                 sent->bytes, sent->len, message, &len));
    assert_int_equal(response->len, len);
    assert_memory_equal(response->bytes, message, len);
    finish(vector, handshake, false);
    ox_identity_destroy(local);
}

static void play(void (*role)(const vector *)) {
    FILE *file = fopen(VECTORS, "r");
    if (file == NULL) fail_msg("%s: cannot be read; run this test from the top of the source tree", VECTORS);
    vector vector;
    int count = 0;
    for (; read_vector(file, &vector); count++) role(&vector);
    fclose(file);
    assert_int_equal(8, count);
}

static void the_initiator_agrees_with_an_independent_implementation(void **state) {
    (void)state;
    play(as_initiator);
}

static void the_responder_agrees_with_an_independent_implementation(void **state) {
    (void)state;
    play(as_responder);
}

static int setup(void **state) {
    (void)state;
    return ox_init() == OX_OK ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_initiator_agrees_with_an_independent_implementation),
        cmocka_unit_test(the_responder_agrees_with_an_independent_implementation),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
