#include "kernels_list.h"
#include "oxcore/cpu.h"
#include "oxcore/packet.h"

enum { PACKETS = 64, PACKET_BYTES = 128, PAYLOAD = 64 };

static uint8_t packets[PACKETS][PACKET_BYTES];
static uint32_t lengths[PACKETS];
static const uint8_t *pointers[PACKETS];
static ox_parsed parsed;
static ox_flow_key key;

/* UDP and TCP in turn, each fourth over IPv6: what a tunnel sees in one batch. */
static void make_packets(void) {
    for (uint32_t i = 0; i < PACKETS; i++) {
        uint8_t *packet = packets[i];
        const bool v6 = i % 4 == 3;
        const bool tcp = i % 2 == 1;
        const uint32_t ip = v6 ? 40 : 20;
        const uint32_t transport = tcp ? 20 : 8;
        const uint32_t total = ip + transport + (v6 ? PAYLOAD / 2 : PAYLOAD);
        memset(packet, (int)i, PACKET_BYTES);
        if (v6) {
            packet[0] = 0x60, packet[1] = packet[2] = packet[3] = 0;
            ox_store_be16(packet + 4, (uint16_t)(total - ip));
            packet[6] = tcp ? OX_PROTO_TCP : OX_PROTO_UDP;
        } else {
            packet[0] = 0x45;
            ox_store_be16(packet + 2, (uint16_t)total);
            ox_store_be16(packet + 6, 0x4000);
            packet[9] = tcp ? OX_PROTO_TCP : OX_PROTO_UDP;
        }
        if (tcp) {
            packet[ip + 12] = 5 << 4;
        } else {
            ox_store_be16(packet + ip + 4, (uint16_t)(total - ip));
        }
        pointers[i] = packet;
        lengths[i] = total;
    }
}

static void run_batch(const lab_kernel *kernel) {
    uint32_t count = 0;
    ox_parse_variants(&count)[kernel->choice].parse(&key, pointers, lengths, PACKETS, &parsed);
    lab_keep(parsed.hashes[PACKETS - 1]);
}

void lab_kernels_add_parse(lab_kernels *kernels) {
    make_packets();
    ox_flow_key_init(&key, 1);
    uint32_t count = 0;
    const ox_parse_variant *variants = ox_parse_variants(&count);
    for (uint32_t choice = 0; choice < count; choice++) {
        if (!ox_cpu_has(variants[choice].cpu)) continue;
        lab_kernel *kernel = lab_kernels_add(
            kernels, variants[choice].name, variants[0].name, "parse and hash a packet, batch of %d", PACKETS);
        kernel->run = run_batch;
        kernel->operations = PACKETS;
        kernel->choice = choice;
    }
}
