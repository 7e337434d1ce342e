/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TESTS_ELF_RIG_H
#define CW_TESTS_ELF_RIG_H

#include "boards/virt/vb.h"
#include "incard.h"

/*
 * A virtual board with nothing real about it: memories of the test, cards in
 * this process, and for the W5300 a wire of which the test is the other end.
 */
#define RIG_WIRE 65536

struct rig_sock {
	bool listening, opened, closed;	/* by the board */
	bool calling, ended;		/* by the test */
	uint16_t port;
	uint8_t in[RIG_WIRE], out[RIG_WIRE];	/* to the board, from it */
	size_t in_len, out_len;
};

struct rig {
	struct cw_vb *vb;
	struct cw_vb_config cfg;
	uint8_t *flash, *eeprom;
	struct cw_incard card[CW_VB_SLOTS];
	struct rig_sock sock[8];
	char console[65536];
	size_t console_len;
	/* every line of the trace: called when set */
	void (*on_trace)(void *ctx, const char *line);
	void *trace_ctx;
};

/* Loads the ELF, power on.  Fails the test when it cannot. */
void rig_open(struct rig *r, const char *elf);
void rig_close(struct rig *r);
/* A new life with the memories as they are. */
void rig_power(struct rig *r);
/* Runs for so long and fails the test when it stops. */
void rig_run_ms(struct rig *r, uint32_t ms);
/* A word of a variable of the image. */
uint32_t rig_word(const struct rig *r, const char *symbol, unsigned idx);
/* The board's socket that listens on port: connects to it; its number. */
int rig_call(struct rig *r, uint16_t port);
void rig_say(struct rig *r, int n, const uint8_t *buf, size_t len);
void rig_hang_up(struct rig *r, int n);

#endif
