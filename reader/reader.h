/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_READER_H
#define CW_READER_H

#include "cw/rlink.h"
#include "cw/t0.h"
#include "port.h"
#include "update.h"

/*
 * The reader core: link session, image store, slots.  Freestanding, no heap;
 * the same object code runs in the firmware, the host reader and the simulator.
 *
 *	cw_reader_init(&r, &cfg, now_us);
 *	for (;;) {
 *		deadline = cw_reader_event(&r, &ev, now_us);
 *		... wait for the next event or the deadline (then CW_EV_TICK) ...
 *	}
 *
 * struct cw_reader is defined in reader/reader_private.h for those who must
 * know its size; its members are nobody else's business.
 */
struct cw_reader;

#define CW_READER_KEPT_BYTES 24576

struct cw_reader_config {
	const struct cw_card_ops *card;	/* NULL when apdu is given */
	const struct cw_talk_ops *talk;	/* NULL: card does it all */
	const struct cw_apdu_ops *apdu;	/* NULL when card is given */
	const struct cw_net_ops *net;
	const struct cw_image_ops *store;
	const struct cw_sys_ops *sys;
	void *dev;			/* given to every op */
	uint8_t serial[16];
	char firmware[32];
	uint64_t boot_id;		/* never the same twice: boot counter or random */
	uint8_t slot_cnt;		/* 1..CW_RLINK_SLOTS_MAX */
	uint32_t store_cap;		/* bytes, CW_COS_MAX on a full board */
	uint32_t clk_hz;		/* card clock before PPS, 1e6..5e6 */
	uint32_t vcc_mv;		/* 5000, 3000 or 1800 */
	/* CW_RLINK_QUEUE * CW_PROG_MAX bytes per slot; holds records: the core
	 * wipes each part as its program ends. */
	uint8_t *queue_mem;
	size_t queue_mem_len;
	/* Results until they are acknowledged: CW_READER_KEPT_BYTES per slot,
	 * aligned to 8, for a board whose fast memory is small; NULL: inside of
	 * the core. They hold captures, as the core does. */
	void *kept_mem;
	size_t kept_mem_len;
	/* CW_FRAME_HDR + CW_RLINK_BODY_MAX bytes each */
	uint8_t *rx_mem, *tx_mem;
	/* Firmware over the link: NULL, or one that the board has initialised and
	 * shares with its console. restart: soon, after what is queued has been
	 * sent; NULL: it is left to people. */
	struct cw_update *update;
	void (*restart)(void *dev);
	uint32_t link_dead_ms;		/* silence after which a link is given up; 0 = 15 s */
	uint32_t orphan_ms;		/* link gone: running card is deactivated after; 0 = 60 s */
};

#define CW_SLOT_STATE_MAP(X) \
	X(EMPTY, "no card in the contacts") \
	X(READY, "card present, not powered") \
	X(ACTIVATE, "powering up, waiting for the answer to reset") \
	X(PPS, "negotiating speed") \
	X(IDLE, "card active, no step under way") \
	X(COMMAND, "an APDU is on the line") \
	X(ASK, "waiting for the terminal to continue the program") \
	X(DELAY, "a DELAY step runs") \
	X(DEACTIVATE, "powering down")

enum cw_slot_state {
#define X(name, text) CW_SLOT_##name,
	CW_SLOT_STATE_MAP(X)
#undef X
};
/* "READY", ...; "?" for none. Static. */
const char *cw_slot_state_name(enum cw_slot_state s);

/* 0 or CW_EINVAL (config). */
int cw_reader_init(struct cw_reader *r, const struct cw_reader_config *cfg,
    uint64_t now_us);

/* One event in; returns the monotonic time at which TICK is due (UINT64_MAX:
 * none).  Never fails: a bad peer loses its link, a bad card its attempt. */
uint64_t cw_reader_event(struct cw_reader *r, const struct cw_event *ev,
    uint64_t now_us);

/* What a board or a test may ask about a slot. */
struct cw_reader_slot_status {
	enum cw_slot_state state;
	uint8_t present;	/* 0 none, 1 present, 2 unknown */
	uint8_t queued;		/* programs, the running one included */
	uint8_t unacked;	/* results that wait for RESULT_ACK */
	uint32_t card_session;
	uint32_t acked_cnt;	/* results acknowledged since boot */
};
/* slot must be below the config's slot_cnt. */
void cw_reader_slot_status(const struct cw_reader *r, uint8_t slot,
    struct cw_reader_slot_status *out);

/* Is a terminal connected that has said HELLO? */
bool cw_reader_served(const struct cw_reader *r);

/* Asserts the guarantees of every slot's state.  For tests and the simulator. */
void cw_reader_check(const struct cw_reader *r);

/* Bytes to allocate for a struct cw_reader. */
size_t cw_reader_size(void);

#endif
