"""OxTunnel's handshake messages (Wire.md section 4) around the PyPI package noiseprotocol.

Nothing here comes from the C core: Noise is noiseprotocol's, BLAKE2b is hashlib's.
"""

import hashlib
import struct

from noise.connection import Keypair, NoiseConnection

PROTOCOL = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b"
INITIATION_HEADER, RESPONSE_HEADER, MACS = 8, 12, 32


def public_of(private):
    noise = NoiseConnection.from_name(PROTOCOL)
    noise.set_keypair_from_private_bytes(Keypair.STATIC, private)
    return noise.noise_protocol.keypairs["s"].public_bytes


def with_macs(message, recipient_public):
    key = hashlib.blake2b(b"OxTunnel mac1----" + recipient_public, digest_size=32).digest()
    return message + hashlib.blake2b(message, key=key, digest_size=16).digest() + bytes(16)


def without_macs(message, recipient_public):
    assert with_macs(message[:-MACS], recipient_public) == message, "mac1 is wrong, or mac2 is not zero"
    return message[:-MACS]


class Party:
    """One side of one handshake. Without an ephemeral a fresh one is made."""

    def __init__(self, static, psk, ephemeral=None):
        self.static, self.public = static, public_of(static)
        self.noise = NoiseConnection.from_name(PROTOCOL)
        self.noise.set_psks(psk)
        self.noise.set_keypair_from_private_bytes(Keypair.STATIC, static)
        if ephemeral is not None:
            self.noise.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)

    def _start(self, header):
        self.noise.set_prologue(b"OxTunnel 1" + header)
        self.noise.start_handshake()

    def initiate(self, remote_public, index, payload):
        self.remote = remote_public
        self.noise.set_as_initiator()
        self.noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, remote_public)
        header = struct.pack("<BBHI", 1, 1, 0, index)
        self._start(header)
        return with_macs(header + bytes(self.noise.write_message(payload)), remote_public)

    def read_initiation(self, message):
        """The initiator's index and the payload."""
        message = without_macs(message, self.public)
        kind, version, reserved, self.index = struct.unpack_from("<BBHI", message)
        assert (kind, version, reserved) == (1, 1, 0)
        self.noise.set_as_responder()
        self._start(message[:INITIATION_HEADER])
        payload = bytes(self.noise.read_message(message[INITIATION_HEADER:]))
        self.remote = self.noise.noise_protocol.handshake_state.rs.public_bytes
        return self.index, payload

    def respond(self, index, payload):
        header = struct.pack("<BBHII", 2, 1, 0, self.index, index)
        sealed = bytes(self.noise.write_message(struct.pack("<BI", 1, index) + payload))
        return with_macs(header + sealed, self.remote)

    def read_response(self, message):
        """The initiator's index, the responder's index, and the payload."""
        message = without_macs(message, self.public)
        kind, version, reserved, mine, theirs = struct.unpack_from("<BBHII", message)
        assert (kind, version, reserved) == (2, 1, 0)
        plain = bytes(self.noise.read_message(message[RESPONSE_HEADER:]))
        assert plain[:5] == struct.pack("<BI", version, theirs), "the sealed index differs from the clear one"
        return mine, theirs, plain[5:]

    def handshake_hash(self):
        return self.noise.get_handshake_hash()

    def seal(self, data):
        return self.noise.encrypt(data)

    def open(self, data):
        return self.noise.decrypt(data)
