/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TESTS_T0_PLAY_H
#define CW_TESTS_T0_PLAY_H

#include "cw/t0.h"

/*
 * A scripted card for the T=0 engine.
 *
 * Bytes are written as hex; blanks do not count; AA*255 is 255 times AA.  A
 * script is a row of turns: ">" what the engine must send, to the byte, "<" what
 * the card then sends.  play_run() drives the engine through it.  In a script
 * that ends well it also holds the engine to its promise that rx_max never
 * exceeds what the card sends before its next turn to listen.
 */
struct play {
	const char *name;
	const char *apdu;
	const char *script;
	int err;		/* 0: must end in DONE with rsp; else FAIL with err */
	const char *rsp;
	bool manual_get;
	uint32_t null_max;
	size_t rsp_cap;		/* 0: ample */
};

enum play_fault { PLAY_NONE, PLAY_TIMEOUT, PLAY_PARITY, PLAY_NACK };

struct play_opts {
	size_t chunk;		/* characters per RX event at most; 0: rx_max */
	enum play_fault fault;
	size_t at;		/* TIMEOUT, PARITY: in the at-th RECV.  NACK: at the
				 * at-th character sent, not counting repetitions */
	unsigned int times;	/* NACK: how often that character is refused */
};

struct play_result {
	int err;
	const uint8_t *rsp;	/* valid until the next run */
	size_t rsp_len;
	size_t send_cnt, recv_cnt, sent_chars;
	bool fired;		/* the fault took place */
	uint32_t parity_tx_cnt, parity_rx_cnt, null_total_cnt;
};

/* Runs once and fails the test on anything unexpected but the fault's effect. */
void play_run(const struct play *p, const struct play_opts *o,
    struct play_result *r);

/* Asserts that r is the end that p names. */
void play_assert_end(const struct play *p, const struct play_result *r);

/* Parses bytes as above into out; returns their number. */
size_t play_bytes(const char *text, uint8_t *out, size_t cap);

#endif
