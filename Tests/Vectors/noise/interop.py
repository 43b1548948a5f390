"""Handshakes between noiseprotocol and the C core, in both roles, with fresh keys. Prints TAP.

    python interop.py PEER      PEER is Tests/EndToEnd/noise_peer.c, compiled
"""

import os
import random
import subprocess
import sys

from framing import Party, public_of

LENGTHS = [(0, 0), (1, 192), (192, 1), (41, 60)]


class Core:
    """The C side: one process, a message a line."""

    def __init__(self, peer, role, private, psk, index, payload, *remote):
        arguments = [peer, role, private.hex(), psk.hex(), str(index), payload.hex(), *[key.hex() for key in remote]]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self):
        return bytes.fromhex(self.process.stdout.readline())

    def write(self, message):
        self.process.stdin.write(message.hex() + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(timeout=10)
        self.process.stdout.close()
        assert status == 0, f"the C side ended with status {status}"


class Case:
    def __init__(self, peer, psk, core_len, our_len):
        self.peer, self.psk = peer, psk
        self.core_private, self.private = os.urandom(32), os.urandom(32)
        self.core_index, self.index = random.getrandbits(32), random.getrandbits(32)
        self.core_payload, self.payload = os.urandom(core_len), os.urandom(our_len)

    def core_initiates(self):
        us = Party(self.private, self.psk)
        core = Core(self.peer, "initiator", self.core_private, self.psk, self.core_index, self.core_payload, us.public)
        assert us.read_initiation(core.read()) == (self.core_index, self.core_payload)
        assert us.remote == public_of(self.core_private)
        core.write(us.respond(self.index, self.payload))
        assert us.open(core.read()) == self.payload
        core.write(us.seal(self.core_payload))
        core.close()

    def core_responds(self):
        us = Party(self.private, self.psk)
        core = Core(self.peer, "responder", self.core_private, self.psk, self.core_index, self.core_payload)
        core.write(us.initiate(public_of(self.core_private), self.index, self.payload))
        assert us.read_response(core.read()) == (self.index, self.core_index, self.core_payload)
        core.write(us.seal(self.core_payload))
        assert us.open(core.read()) == self.payload
        core.close()


def main():
    peer = sys.argv[1]
    number, failed = 0, 0
    print(f"1..{2 * 2 * len(LENGTHS)}", flush=True)
    for psk_name, psk in ("psk", os.urandom(32)), ("no psk", bytes(32)):
        for lengths in LENGTHS:
            for role in "core_initiates", "core_responds":
                number += 1
                name = f"{role.replace('_', ' ')}, {psk_name}, payloads of {lengths[0]} and {lengths[1]} bytes"
                try:
                    getattr(Case(peer, psk, *lengths), role)()
                    print(f"ok {number} - {name}", flush=True)
                except Exception as problem:  # every failure is a line of the report
                    failed += 1
                    print(f"not ok {number} - {name}\n# {type(problem).__name__}: {problem}", flush=True)
    return 1 if failed else 0


sys.exit(main())
