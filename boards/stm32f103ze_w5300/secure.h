/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOARD_SECURE_H
#define CW_BOARD_SECURE_H

#include "board_private.h"
#include "boards/link/link.h"
#include "reader/settings.h"

/*
 * Link security on this board: TLS with the reader's key, random numbers from
 * key, boot counter and chip number.  Without cw_secure_start events pass
 * straight to the core: the plain link.
 */

/* boot_cnt as cw_settings_boot gave it.  0, CW_EINVAL (0), CW_ENOMEM. */
int cw_secure_seed(const struct cw_settings *s, uint64_t boot_cnt);
/* False before the seed. */
bool cw_secure_random(uint8_t *buf, size_t len);
/* After the seed; s has a key. 0, CW_EINVAL, CW_ENOMEM. */
int cw_secure_start(const struct cw_settings *s);
/* For the core's configuration. */
const struct cw_net_ops *cw_secure_ops(void);
/* In place of cw_reader_event; returns when a TICK is due. */
uint64_t cw_secure_event(struct cw_reader *core, const struct cw_event *ev,
    uint64_t now_us);

#endif
