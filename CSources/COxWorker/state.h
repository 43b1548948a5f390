/** @file  What a worker is. Private to COxWorker. */
#ifndef COXWORKER_STATE_H
#define COXWORKER_STATE_H

#include "oxcore/worker.h"

typedef struct ox_worker_group ox_worker_group;

struct ox_worker {
    ox_pool *pool;
    ox_tunnel *tunnel;
    ox_cookie_jar *cookies;
    ox_port *device;
    ox_port *network;
    ox_ring *orders;
    ox_ring *events;
    ox_wake *ordered; /**< raised by the control thread, and by workers that hand packets over */
    ox_wake *happened; /**< raised by the worker */
    ox_event owed;     /**< an event that must not be lost, when `owes`: the ring had no room for it */
    bool owes;
    bool reading;      /**< the device is read */
    uint64_t held_until_ns; /**< handshake sockets that were full are left alone until then */
    ox_aead_engine *engine;
    ox_pages pages[OX_BUF_CLASSES];
    bool asked[OX_BUF_CLASSES]; /**< for more buffers */
    uint64_t exhausted[OX_BUF_CLASSES]; /**< requests for a buffer that there was none for, by the end of the last turn */
    bool grown;             /**< the pool has more than its first slabs */
    uint64_t rest_ns;           /**< when to see next whether there are too many */
    ox_spin spin;
    ox_mpsc *inbox;          /**< of ox_buf *: packets that others hand over; NULL for a worker alone */
    ox_worker_group *group;  /**< NULL until ox_worker_connect() */
    uint64_t handed_over, taken_over;
};

/* handoff.c */
ox_mpsc *ox_handoff_inbox(void);
void ox_handoff_send(ox_worker *worker);
bool ox_handoff_receive(ox_worker *worker, uint64_t now_ns);
void ox_handoff_empty(ox_worker *worker);
uint32_t ox_handoff_leave(ox_worker *worker, ox_worker *together[OX_WORKERS_MAX]);

#endif
