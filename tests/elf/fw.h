/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TESTS_ELF_FW_H
#define CW_TESTS_ELF_FW_H

#include "cw/frame.h"
#include "cw/rlink.h"
#include "rig.h"

/*
 * The firmware on the virtual board with a terminal at the other end of its plain
 * link: one slot at a time, one program at a time, all in virtual time.
 */
struct fw {
	struct rig rig;
	int sock;
	uint32_t id;
	uint64_t attempt;
	uint64_t ping_at;
	size_t taken;		/* of the board's bytes */
	bool hello, stored, done[CW_VB_SLOTS];
	struct cw_rl_hello_ok hello_ok;
	struct cw_rl_slot slot[CW_VB_SLOTS];
	struct cw_rl_result result[CW_VB_SLOTS];
	int error;		/* of the last ERROR or REFUSE */
	void (*on_trace)(void *ctx, const char *line);	/* set before fw_open */
};

/* Boots the image, allows the plain link at its console, connects. */
void fw_open(struct fw *f, const char *elf);
void fw_close(struct fw *f);
/* After a reset or power cut: boots, connects again. */
void fw_connect(struct fw *f);
/* A fresh card at a slot in place of what is there; NULL: none. */
void fw_insert(struct fw *f, int slot, const struct cw_sim_card_config *card);
/* STORE of an image; fails the test when it is not taken. */
void fw_store(struct fw *f, const uint8_t *image, uint32_t len);
/* Gives a program to a slot. */
void fw_start(struct fw *f, int slot, const uint8_t *prog, size_t len);
/* Runs until the slot's result is there (and acknowledged): true; false after ms. */
bool fw_wait(struct fw *f, int slot, uint32_t ms);
/* A little further: bytes both ways. */
void fw_step_us(struct fw *f, uint32_t us);

#endif
