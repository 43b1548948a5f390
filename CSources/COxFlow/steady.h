/** @file  The look of a flow: whether its datagrams are small and come at a steady pace. */
#ifndef OX_FLOW_STEADY_H
#define OX_FLOW_STEADY_H

#include "oxcore/flow.h"

/** What is remembered of a UDP flow. All zero: nothing. */
typedef struct ox_pace {
    uint64_t since_ns;   /**< when the stretch began that is looked at */
    uint64_t last_ns;    /**< the last packet; 0 for none */
    uint32_t hash;
    uint32_t gap_us;     /**< smoothed: between two packets */
    uint32_t spread_us;  /**< smoothed: how far off that they are */
    uint16_t bytes;      /**< smoothed */
    uint8_t packets;     /**< of that stretch; no more are counted than are asked for */
    bool steady;
    uint8_t lapses;      /**< how often it was steady, and then was not */
} ox_pace;

/** Takes a packet of the flow into account. @return whether it is steady. */
bool ox_pace_note(ox_pace *pace, uint32_t bytes, uint64_t now_ns);
/** Whether the flow has been silent for so long that it is another one. */
bool ox_pace_over(const ox_pace *pace, uint64_t now_ns);

#endif
