/* One side of one OxTunnel handshake over stdin and stdout, a message a line in hexadecimal: the C half of
 * noise_interop.t.
 *
 *   noise_peer initiator PRIVATE PSK INDEX PAYLOAD REMOTE-PUBLIC    writes, reads, writes
 *   noise_peer responder PRIVATE PSK INDEX PAYLOAD                  reads, writes, reads
 *
 * Then each side sends one transport message, the initiator first: its peer's payload, sealed. */
#include <stdio.h>
#include <stdlib.h>

#include "oxcore/crypto.h"

enum { LINE_BYTES_MAX = OX_HANDSHAKE_MAX };

static void must(bool held, const char *what) {
    if (held) return;
    fprintf(stderr, "noise_peer: %s\n", what);
    exit(1);
}

static size_t from_hex(const char *hex, uint8_t *bytes, size_t max) {
    const size_t len = strcspn(hex, "\n") / 2;
    must(len <= max, "a value is too long");
    for (size_t i = 0; i < len; i++) {
        const char byte[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return len;
}

static size_t read_line(uint8_t bytes[LINE_BYTES_MAX]) {
    char line[2 * LINE_BYTES_MAX + 2];
    must(fgets(line, sizeof line, stdin) != NULL, "stdin ended early");
    return from_hex(line, bytes, LINE_BYTES_MAX);
}

static void write_line(const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) printf("%02x", bytes[i]);
    printf("\n");
    fflush(stdout);
}

static void send_sealed(ox_aead_engine *engine, const ox_keys *keys, const uint8_t *data, size_t len) {
    uint8_t sealed[OX_HANDSHAKE_PAYLOAD_MAX + OX_TAG_BYTES];
    memcpy(sealed, data, len);
    ox_aead_job job = {.from = sealed, .to = sealed, .len = (uint32_t)len};
    ox_keys_seal(engine, keys, 0, &job, 1);
    write_line(sealed, len + OX_TAG_BYTES);
}

static void expect_sealed(ox_aead_engine *engine, const ox_keys *keys, const uint8_t *data, size_t len) {
    uint8_t sealed[LINE_BYTES_MAX];
    must(read_line(sealed) == len + OX_TAG_BYTES, "a transport message has the wrong length");
    ox_aead_job job = {.from = sealed, .to = sealed, .len = (uint32_t)len};
    ox_keys_open(engine, keys, 0, &job, 1);
    must(job.authentic, "a transport message does not open");
    must(memcmp(sealed, data, len) == 0, "a transport message says something else");
}

int main(int argc, char **argv) {
    must(argc >= 6, "too few arguments");
    const bool initiator = strcmp(argv[1], "initiator") == 0;
    must(argc == (initiator ? 7 : 6), "wrong number of arguments");
    uint8_t private_key[OX_KEY_BYTES], psk[OX_KEY_BYTES], remote[OX_KEY_BYTES];
    uint8_t mine[OX_HANDSHAKE_PAYLOAD_MAX], theirs[OX_HANDSHAKE_PAYLOAD_MAX], message[LINE_BYTES_MAX];
    size_t theirs_len = 0, len = 0;
    uint32_t their_index = 0;
    const uint32_t index = (uint32_t)strtoul(argv[4], NULL, 10);
    must(ox_init() == OX_OK, "ox_init");
    must(from_hex(argv[2], private_key, sizeof private_key) == OX_KEY_BYTES, "the private key has 32 bytes");
    must(from_hex(argv[3], psk, sizeof psk) == OX_KEY_BYTES, "the psk has 32 bytes");
    const size_t mine_len = from_hex(argv[5], mine, sizeof mine);
    ox_identity *local = ox_identity_create(private_key);
    ox_handshake *handshake = ox_handshake_create();
    must(local != NULL && handshake != NULL, "no memory");

    if (initiator) {
        must(from_hex(argv[6], remote, sizeof remote) == OX_KEY_BYTES, "the public key has 32 bytes");
        must(ox_handshake_initiate(handshake, local, remote, psk, index, mine, mine_len, message, &len) == OX_OK,
             "cannot initiate");
        write_line(message, len);
        len = read_line(message);
        must(ox_handshake_read_response(handshake, local, message, len, &their_index, theirs, &theirs_len) == OX_OK,
             "the response is refused");
    } else {
        len = read_line(message);
        must(ox_handshake_read_initiation(handshake, local, message, len, remote, &their_index, theirs,
                                          &theirs_len) == OX_OK,
             "the initiation is refused");
        must(ox_handshake_respond(handshake, psk, index, mine, mine_len, message, &len) == OX_OK, "cannot respond");
        write_line(message, len);
    }
    ox_keys *keys = ox_handshake_keys(handshake, OX_AEAD_CHACHA20POLY1305);
    ox_aead_engine *engine = ox_aead_engine_create();
    must(keys != NULL && engine != NULL, "no memory");
    if (initiator) send_sealed(engine, keys, theirs, theirs_len);
    expect_sealed(engine, keys, mine, mine_len);
    if (!initiator) send_sealed(engine, keys, theirs, theirs_len);
    ox_keys_destroy(keys);
    ox_aead_engine_destroy(engine);
    ox_handshake_destroy(handshake);
    ox_identity_destroy(local);
    return 0;
}
