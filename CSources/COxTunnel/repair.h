/** @file  What a session repairs with. Private to COxTunnel. */
#ifndef COXTUNNEL_REPAIR_H
#define COXTUNNEL_REPAIR_H

#include "state.h"

enum {
    OX_RESENDS_MAX = 64,     /**< lost symbols that wait to be sent again, and those that were, of a session */
    OX_COPY_HEAD_BYTES = 1 + OX_FRAME_FIXED_LENGTH_BYTES + OX_COPY_HEAD_MAX,
    /** A REPAIR frame up to its parity: the distance is below 16,384. */
    OX_WINDOW_HEAD_BYTES = 1 + OX_FRAME_FIXED_LENGTH_BYTES + OX_REPAIR_BODY_HEAD_MAX - OX_VARINT_MAX + 2,
    OX_WINDOW_RESERVE = OX_WINDOW_HEAD_BYTES + OX_REPAIR_HEAD_BYTES + 1, /**< its packet number may take a byte more */
    OX_RESEND_RESERVE = OX_COPY_HEAD_BYTES - OX_VARINT_MAX + 4 + 1,
};

/** REPAIR frames of one class. */
typedef struct ox_window {
    int64_t credit;      /**< thousandths of them that are due; below 0 after one that closed a run of symbols */
    uint64_t sent_ns;    /**< the last one */
    uint64_t symbol_ns;  /**< the newest symbol */
    uint64_t usual_ns;   /**< time between two symbols; 0 unknown */
    uint64_t measured_ns; /**< since when `measured` symbols were counted for that */
    uint32_t measured;
    uint32_t lane;       /**< that the next one covers */
    bool uncovered;      /**< a symbol was sent after the last one */
} ox_window;

struct ox_session_repair {
    /* sending */
    ox_repair_history *history;
    ox_repair_pace *pace;
    ox_window windows[OX_CLASSES];
    uint8_t seed;                       /**< of the next REPAIR frame */
    uint64_t resends[OX_RESENDS_MAX];   /**< numbers of symbols, from `resends_done` up to `resends_due` modulo the size */
    uint64_t resends_done, resends_due;
    uint64_t carriers[OX_RESENDS_MAX];  /**< packet number plus one under which a symbol was sent again, by place in `resends` */
    ox_repaired stated;                 /**< by the other side */
    /* receiving */
    ox_repair_store *store;
    uint64_t store_until_ns;            /**< symbols are kept till then */
    uint64_t given_up;                  /**< of the store's, those that are counted */
    ox_repaired own;
    /* telling */
    ox_repaired told;
    uint64_t told_ns;
    uint32_t tellings;                  /**< of `told` */
};

#endif
