/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TESTS_INCARD_H
#define CW_TESTS_INCARD_H

#include "boards/virt/vb.h"
#include "sim/card.h"

/* A simulated card in this process at a slot of the virtual board: no sockets,
 * and the card's own time is exact.  The caller's; card is NULL while the slot
 * is empty. */
struct cw_incard {
	struct cw_sim_card *card;
};

/* ctx is a struct cw_incard */
extern const struct cw_vb_contact_ops cw_incard_ops;

#endif
