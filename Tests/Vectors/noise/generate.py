"""Writes the handshake vectors to stdout. See PROVENANCE.md."""

import hashlib
import struct
import warnings

from framing import Party, public_of

# name, whether the peers share a key, lengths of the two handshake payloads
CASES = [
    ("psk, no payload", True, 0, 0),
    ("no psk, no payload", False, 0, 0),
    ("psk, short payloads", True, 1, 2),
    ("no psk, ordinary payloads", False, 41, 60),
    ("psk, ordinary payloads", True, 41, 60),
    ("psk, payloads around a block", True, 64, 59),
    ("no psk, odd payloads", False, 127, 129),
    ("psk, largest payloads", True, 192, 192),
]


def derived(name, what, length=32):
    """Fixed bytes that look random, so that the file is the same each time."""
    return hashlib.shake_256(f"OxTunnel vector: {name}: {what}".encode()).digest(length)


def show(name, value):
    print(f"{name} = {value.hex()}".rstrip())


def main():
    warnings.filterwarnings("ignore", message="One of ephemeral keypairs")  # it is fixed on purpose
    for name, shared, first_len, second_len in CASES:
        keys = {what: derived(name, what) for what in
                ("initiator_private", "responder_private", "initiator_ephemeral", "responder_ephemeral")}
        psk = derived(name, "psk") if shared else bytes(32)
        indices = struct.unpack("<II", derived(name, "indices", 8))
        payloads = derived(name, "first", first_len), derived(name, "second", second_len)
        initiator = Party(keys["initiator_private"], psk, keys["initiator_ephemeral"])
        responder = Party(keys["responder_private"], psk, keys["responder_ephemeral"])

        initiation = initiator.initiate(public_of(keys["responder_private"]), indices[0], payloads[0])
        assert responder.read_initiation(initiation) == (indices[0], payloads[0])
        response = responder.respond(indices[1], payloads[1])
        assert initiator.read_response(response) == (*indices, payloads[1])
        assert initiator.handshake_hash() == responder.handshake_hash()

        print(f"# {name}")
        for what, key in keys.items():
            show(what, key)
        show("psk", psk)
        show("initiator_index", struct.pack(">I", indices[0]))
        show("responder_index", struct.pack(">I", indices[1]))
        show("initiation_payload", payloads[0])
        show("response_payload", payloads[1])
        show("initiation", initiation)
        show("response", response)
        show("handshake_hash", initiator.handshake_hash())
        for number in range(2):
            plain = derived(name, f"transport {number}", 20 + number)
            show(f"transport_plain_{number}", plain)
            show(f"initiator_sealed_{number}", initiator.seal(plain))
            show(f"responder_sealed_{number}", responder.seal(plain))
        print()


main()
