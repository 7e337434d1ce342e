/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WORLD_PRIV_H
#define TEST_WORLD_PRIV_H

#include "world.h"

/* Counts an op; true when the terminal is dead and nothing happens any more. */
bool world_dead(struct world *w);
/* Copies a message to the end of a queue; frees all of it. */
void world_queue_put(struct frame_queue *q, const uint8_t *buf, size_t len);
void world_queue_clear(struct frame_queue *q);
/* A card comes to (0: leaves) the contacts of reader i. */
void world_reader_card(struct world *w, unsigned int i, uint32_t card_no);
void world_reader_down(struct world *w, unsigned int i, uint64_t for_us);
/* Delivers what readers have said; makes links anew. */
void world_readers_round(struct world *w);
/* The line's op. */
int world_send_reader(void *ctx, unsigned int i, const uint8_t *frame, size_t len);

#endif
