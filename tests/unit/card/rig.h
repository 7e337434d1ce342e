/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TEST_CARD_RIG_H
#define CW_TEST_CARD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cw/atr.h"
#include "cw/t0.h"
#include "cw/t1.h"
#include "sim/card.h"

/*
 * A card with the library's own engines in front of it, T=0 or T=1 as the card
 * offers it first: what a reader is, without anything in between.
 */
struct rig {
	struct cw_sim_card *card;
	struct cw_sim_card_config cfg;
	struct cw_sim_io io;	/* of everything since rig_reset */
	struct cw_t0 t0;
	struct cw_t0_cfg t0_cfg;
	bool blocks;		/* T=1 */
	struct cw_t1 t1;
	struct cw_atr atr;
	uint8_t rsp[300];
	int rsp_len;		/* with SW, or a negative CW_E* */
};

/* A card of 8 KiB flash without flash times; fault may be NULL. */
void rig_open(struct rig *r, const char *fault);
void rig_open_t(struct rig *r, enum cw_sim_protocols protocols,
    const char *fault);
void rig_open_cfg(struct rig *r, const struct cw_sim_card_config *cfg);
void rig_close(struct rig *r);

/* Power, reset, ATR: 0 and r->atr, CW_EMUTE, or what the ATR's parser says. */
int rig_reset(struct rig *r);
/* Asks for that F/D and takes it: 1 granted, 0 not, else an error. */
int rig_pps(struct rig *r, uint8_t ta1);
/* One APDU in hex ("00A4000C02 7F10", blanks allowed): SW, or negative CW_E*. */
int rig_apdu(struct rig *r, const char *hex);
int rig_send(struct rig *r, const uint8_t *apdu, size_t len);
/* The response's data is exactly this. */
void rig_expect(const struct rig *r, const char *hex);

/* A bootloader command: class B0, data appended. */
int rig_boot(struct rig *r, uint8_t ins, const uint8_t *data, size_t len);
int rig_erase(struct rig *r, uint32_t addr, uint32_t len);
int rig_write(struct rig *r, uint32_t addr, const uint8_t *data, size_t len);
int rig_verify(struct rig *r, uint32_t addr, const uint8_t *image, uint32_t len);
int rig_activate(struct rig *r, uint32_t addr, uint32_t len);

/* Burns 64 bytes of image and resets into the COS. */
void rig_burn(struct rig *r);
/* A card that runs the COS: 64 bytes of image burnt, reset, no ADM. */
void rig_open_cos(struct rig *r, const char *fault);

#endif
