/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PORT_H
#define CW_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/atr.h"

/*
 * The contract between the reader core and a board.
 *
 * Down-calls (the op tables below) start work and return; they are made from
 * the main loop only and never from within each other.  What becomes of the
 * work comes back as an event through cw_reader_event() (the only up-call),
 * also from the main loop: an interrupt handler queues on a ring of the board.
 * A down-call must not call cw_reader_event() itself: the board queues the
 * event and delivers it after the current step has returned.
 *
 * Before cw_reader_init the board has deactivated every slot: a reader never goes
 * on with the card of an earlier life.
 *
 * Deadlines live in the core: cw_reader_step() tells when it wants to be called
 * again; only the board knows the time.
 */

/*
 * How characters go over the line: ISO/IEC 7816-3:2006, clauses 7, 10 and 11.
 *
 * t1 false (ATR, PPS, T=0): the receiver signals a wrong parity and the sender
 * repeats; the board does both sides of it.  t1 true: nobody signals and nobody
 * repeats.  CW_EV_NACK and CW_EV_PARITY do not occur; a character whose parity
 * was wrong (or that was overrun) is delivered as it came and counted in the
 * event's bad_cnt, and the core has the block sent again.
 */
struct cw_card_line {
	uint32_t clk_hz;	/* 1e6..5e6 before PPS, the card's limit after */
	uint32_t etu_clk;	/* clocks per etu: F/D to the nearest whole number */
	uint16_t guard_etu;	/* between leading edges of characters that we
				 * send: 12 + N; 11 in T=1 with N = 255 */
	enum cw_convention convention;
	uint16_t turn_etu;	/* from the last leading edge of the card to our
				 * first, at least: 12, with D = 64 16 (10.2); in
				 * T=1 BGT, 22 (11.2) */
	bool t1;		/* T=1: no error signal, no repetition */
	uint16_t f;		/* F and D themselves, for a board that can do */
	uint8_t d;		/* parts of a clock: 372 and 1 at reset */
};

/*
 * Characters cross send and CW_EV_RECV as they look under the direct convention,
 * whatever line.convention says; that tells the board only which parity is even
 * (inverting all nine bits of a character makes it odd).
 *
 * The bytes of send and of CW_EV_NET_DATA may be a person's record: a board that
 * copies them wipes its copy when it is done with it.
 */
struct cw_card_ops {
	/*
	 * vcc_mv > 0: activates in ISO order (6.2.1: RST low, VCC, I/O reception,
	 * CLK) and holds RST low; 0: deactivates (6.4).  Then CW_EV_POWERED with
	 * err 0, CW_EREMOVED or CW_EIO (over-current: CW_EREMOVED is not used).
	 * Every call that returned 0 is answered by one event, also when the
	 * next call comes before it.
	 */
	int (*power)(void *dev, uint8_t slot, uint32_t vcc_mv);
	/*
	 * asserted true: RST low (for a warm reset); false: RST high, and the
	 * line listens under `direct`, at 372/1.  No event of its own.
	 */
	int (*reset)(void *dev, uint8_t slot, bool asserted);
	/* CW_ERANGE if not reachable within 1 %; else in force at once. */
	int (*set_line)(void *dev, uint8_t slot, const struct cw_card_line *line);
	/*
	 * Can F and D of ta1 be done?  Fills clk_hz (the fastest up to F's fmax)
	 * and etu_clk; CW_ERANGE if not.  Asked before PPS, from
	 * the card's best downward.
	 */
	int (*best_line)(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *line);
	/*
	 * Borrows buf until CW_EV_SENT / CW_EV_NACK.  Characters that the
	 * card sent before and that no recv asked for are dropped.
	 */
	int (*send)(void *dev, uint8_t slot, const uint8_t *buf, size_t len);
	/*
	 * Receives 1..cap characters, each due within wait_etu of the one
	 * before; delivers CW_EV_RECV as soon as it has cap of them or the
	 * line falls silent for a while with some in hand, CW_EV_SILENT
	 * after wait_etu without any.  A block of T=1 and an ATR are read in
	 * parts: characters that come between two recv are kept (as many as
	 * the longest block has, 259), and the wait for the next runs from the
	 * last one that came.
	 */
	int (*recv)(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu);
	/* Ends send or recv (or talk) without event. */
	void (*abort)(void *dev, uint8_t slot);
	/* 0 none, 1 present, 2 unknown (no switch) */
	int (*present)(void *dev, uint8_t slot);
};

/*
 * Beside cw_card_ops, for a board that can do better than to ask the core at each
 * turn of T=0: at the fastest rates an etu is 96 cycles of such a board.  Without
 * it (NULL) the core does the same with send and recv; on the line it is the same.
 */
struct cw_card_talk {
	const uint8_t *tx;
	size_t len;
	size_t cap;		/* then so many characters are awaited, ... */
	uint32_t wait_etu;	/* ... each for so long (ahead: as talk said) */
	uint8_t expect[2];	/* ahead only */
	uint8_t expect_len;
};
/* Talks that may wait behind the one under way. */
#define CW_CARD_AHEAD 2

struct cw_talk_ops {
	/*
	 * As send, and when the last character has gone as recv, without
	 * CW_EV_SENT between: the events are those of recv, or CW_EV_NACK.
	 */
	int (*talk)(void *dev, uint8_t slot, const struct cw_card_talk *t);
	/*
	 * When all of the answer that is awaited before t is t->expect, t begins
	 * at once: CW_EV_RECV then has went_on set, and t is what is under way.
	 * Anything else ends what waits; when the answer is there already,
	 * nothing happens.  t->tx is borrowed as send's buf is.
	 */
	void (*ahead)(void *dev, uint8_t slot, const struct cw_card_talk *t);
};

/*
 * In place of cw_card_ops, for a station that works by whole APDUs: a reader of
 * somebody else's, or a virtual card.  Whatever the card's protocol, an APDU goes
 * in and its response comes out, data and SW; what T=0 needs between (61xx, 6Cxx)
 * is done below this line.
 */
enum cw_apdu_power { CW_APDU_OFF, CW_APDU_COLD, CW_APDU_WARM };

struct cw_apdu_ops {
	/*
	 * Then CW_EV_POWERED with err: 0, and unless OFF the Answer-to-Reset in
	 * buf[len]; CW_EMUTE, CW_EREMOVED, CW_EIO.  Every call that returned 0 is
	 * answered by one event.
	 */
	int (*power)(void *dev, uint8_t slot, enum cw_apdu_power how);
	/*
	 * Borrows buf until CW_EV_APDU, which has the response (2 bytes and
	 * more) in buf[len], or err: CW_EREMOVED, CW_ETIMEOUT, CW_EPROTO, CW_EIO,
	 * CW_EUNSUPPORTED.
	 */
	int (*transmit)(void *dev, uint8_t slot, const uint8_t *buf, size_t len);
	/* Ends transmit without event. */
	void (*abort)(void *dev, uint8_t slot);
	/* 0 none, 1 present */
	int (*present)(void *dev, uint8_t slot);
};

struct cw_net_ops {
	/*
	 * Queues bytes to the peer of connection conn.  Takes all or nothing:
	 * len, or 0 when there is no room now (CW_EV_NET_ROOM follows, and the
	 * core sends the same bytes again before any other), or CW_ECLOSED.
	 */
	int (*send)(void *dev, int conn, const uint8_t *buf, size_t len);
	/* Sends what is queued, then closes; no event follows for conn. */
	void (*close)(void *dev, int conn);
};

struct cw_image_ops {
	/* Bulk memory for the image.  off + len <= the cap of the config. */
	int (*write)(void *dev, uint32_t off, const uint8_t *buf, size_t len);
	/* Lends len bytes at off until the next store call. NULL on failure. */
	const uint8_t *(*lend)(void *dev, uint32_t off, size_t len);
};

struct cw_sys_ops {
	void (*random)(void *dev, uint8_t *buf, size_t len);
	void (*watchdog)(void *dev);	/* called when the loop made progress */
	/* One line for the board's log: no newline, no secret. level 0 error .. 4 trace */
	void (*log)(void *dev, int level, const char *line);
};

/*
 * Settings memory: an I2C EEPROM on a board, a file on a host.  Both calls
 * block, at most 10 ms a page; no settings call is made while a card is active.
 */
struct cw_nvm_ops {
	/* 0, CW_EIO, or CW_ERANGE when off + len is past the end */
	int (*read)(void *dev, uint32_t off, uint8_t *buf, size_t len);
	/*
	 * Returns when the bytes are in the cells.  When power is lost meanwhile
	 * each byte is the old one, the new one, or anything, up to the page
	 * that was being written.
	 */
	int (*write)(void *dev, uint32_t off, const uint8_t *buf, size_t len);
};

/*
 * Program memory that the running image may change: the other slot and the
 * state pages.  Blocking; the core stands still during an erase (STM32F103
 * data sheet: 20 to 40 ms a page, 40 to 70 us a half-word).
 */
struct cw_flash_ops {
	/* The whole page that holds off becomes 0xFF.  0, CW_EIO, CW_ERANGE. */
	int (*erase)(void *dev, uint32_t off);
	/* off and len even; every half-word must be erased (or become 0).
	 * Reads back; CW_EIO when a cell did not take it. */
	int (*program)(void *dev, uint32_t off, const uint8_t *buf, size_t len);
	/* Lends the bytes in place, valid for ever; NULL when out of range. */
	const uint8_t *(*lend)(void *dev, uint32_t off, size_t len);
};

enum cw_event_kind {
	CW_EV_TICK,		/* nothing but time; also the first event */
	CW_EV_NET_OPEN,		/* .conn: somebody connected; .peer */
	CW_EV_NET_DATA,		/* .conn, .buf[.len], borrowed for the call */
	CW_EV_NET_ROOM,		/* .conn: send may be tried again */
	CW_EV_NET_CLOSED,	/* .conn is gone */
	CW_EV_POWERED,		/* .slot, .err; cw_apdu_ops: .buf[.len], ATR */
	CW_EV_APDU,		/* .slot, .err, .buf[.len], borrowed for the call */
	CW_EV_SENT,		/* .slot */
	CW_EV_NACK,		/* .slot, .idx: the card refused this character */
	CW_EV_RECV,		/* .slot, .buf[.len], .bad_cnt */
	CW_EV_PARITY,		/* .slot: a character stayed wrong */
	CW_EV_SILENT,		/* .slot: wait_etu passed */
	CW_EV_CARD,		/* .slot, .len: 1 inserted, 0 removed */
	CW_EV_OVERCURRENT,	/* .slot: the board has deactivated it */
};

struct cw_event {
	enum cw_event_kind kind;
	uint8_t slot;
	int conn;
	uint32_t peer;		/* a number for each address, such as the IPv4 one;
				 * 0: the board does not know */
	int err;
	const uint8_t *buf;
	size_t len;
	size_t idx;
	bool went_on;		/* RECV: what waited (ahead) has begun */
	uint32_t bad_cnt;	/* T=0: repetitions; T=1: characters in buf that
				 * came with a wrong parity */
	uint64_t line_etu;	/* RECV, SENT: etu the line was in use since the last event
				 * of the slot, if the board knows; else 0 */
};

#endif
