/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_VB_LINK_H
#define CW_VB_LINK_H

#include <netinet/in.h>

#include "boards/virt/vb.h"

/*
 * A slot's contacts at a station of cardwright-card, over the contact link
 * (docs/spec/contact-link.md).  A character is a question and its answer, so the
 * virtual time stands still meanwhile; the other side must run without --speed.
 */
struct cw_vb_link;

/* NULL when out of memory.  Connects in cw_vb_link_tick. */
struct cw_vb_link *cw_vb_link_open(const struct sockaddr_in *addr, uint16_t station);
void cw_vb_link_close(struct cw_vb_link *l);
/* -1 while there is no connection. */
int cw_vb_link_fd(const struct cw_vb_link *l);
/* Connects again, reads what came unasked.  True when cw_vb_card_changed is due. */
bool cw_vb_link_tick(struct cw_vb_link *l, uint64_t now_ms);
/* ctx is the link */
extern const struct cw_vb_contact_ops cw_vb_link_ops;

#endif
