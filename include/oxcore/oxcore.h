/**
 * @file  All of the C core, for C and C++. Each header is the manual of its room:
 *
 *     base.h     statuses, verdicts (why a packet was dropped), addresses, byte order, assertions
 *     cpu.h      instructions that the processor has
 *     machine.h  NUMA nodes and huge pages
 *     ring.h     records from one thread to another
 *     packet.h   buffers, the parser of IP packets, checksums
 *     crypto.h   keys, AEADs, the handshake and its cookies
 *     wire.h     the bytes of OxTunnel: headers, frames, feedback, the handshake's payload
 *     path.h     what is in flight on a path, what became of it, and how fast it was delivered
 *     rs.h       Reed-Solomon erasure code
 *     repair.h   what repairs lost datagrams: copies, windows, and the solver
 *     flow.h     which class of traffic a packet is of
 *     queue.h    packets that wait for their path, and the pacer that says when it takes them
 *     rohc.h     headers of inner packets, compressed and rebuilt
 *     tunnel.h   peers, sessions, routes and policy; a packet's way through the stages
 *     io.h       TUN devices, UDP sockets, and ports in memory
 *     worker.h   one turn of one thread: orders in, packets through, events out
 *     process.h  signals and what else a long-running process asks of Linux
 *
 * ox_init() comes first. No call reads a clock (time is an argument, from any monotonic clock), none allocates in a turn,
 * and none decides: the program that turns a worker reads its events and answers with orders. It runs the handshake of
 * crypto.h when ::OX_EVENT_PACKETS_WAITING or ::OX_EVENT_HANDSHAKE asks for it, and gives the keys to ox_session_create().
 *
 *     int main(void) {
 *         if (ox_init() != OX_OK) return 1;
 *         uint8_t key[OX_KEY_BYTES];
 *         ox_key_random(key, true);
 *         ox_identity *identity = ox_identity_create(key);
 *         ox_wipe(key, sizeof key);
 *
 *         char name[OX_DEVICE_NAME_MAX + 1] = "ox0";
 *         ox_port *device, *network;
 *         if (identity == NULL || ox_tun_open(name, &device) != OX_OK) return 1;
 *         if (ox_udp_open(&(ox_udp_parameters){.port = 51820}, NULL, &network) != OX_OK) return 1;
 *         ox_worker *worker = ox_worker_create(&(ox_worker_parameters){
 *             .session_id_bytes = 1, .identity = identity, .device = device, .network = network});
 *         if (worker == NULL) return 1;
 *
 *         const ox_route route = {.ip = {[10] = 0xff, [11] = 0xff, 10, 9, 0, 2}, .bits = 128, .peer = 0};
 *         ox_policy policy;
 *         ox_policy_defaults(&policy);
 *         policy.epoch = 1;
 *         policy.routes = ox_routes_create(&route, 1);
 *         ox_order orders[] = {{.kind = OX_ORDER_SET_POLICY, .object = &policy},
 *                              {.kind = OX_ORDER_ADD_PEER, .object = ox_peer_create(0)}};
 *         for (size_t i = 0; i < 2; i++)
 *             if (!ox_worker_order(worker, &orders[i])) return 1;
 *
 *         for (;;) {
 *             uint64_t now = monotonic_ns(), next;                          // yours
 *             bool more = ox_worker_turn(worker, now, &next);
 *             ox_event event;
 *             while (ox_worker_event(worker, &event)) decide(worker, &event); // yours
 *             if (!more) ox_worker_wait(worker, next > now ? next - now : 0);
 *         }
 *     }
 */
#ifndef OXCORE_H
#define OXCORE_H

#include "base.h"
#include "cpu.h"
#include "crypto.h"
#include "flow.h"
#include "io.h"
#include "machine.h"
#include "packet.h"
#include "path.h"
#include "process.h"
#include "queue.h"
#include "repair.h"
#include "ring.h"
#include "rohc.h"
#include "rs.h"
#include "tunnel.h"
#include "wire.h"
#include "worker.h"

#endif
