/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STEP_TERM_H
#define CW_STEP_TERM_H

/*
 * The stepper's terminal.
 *
 *	step_term.c	process: journal, ops, start and kill
 *	step_termio.c	what comes in; people; the end
 */
#include "cw/frame.h"
#include "cw/plink.h"
#include "cw/rlink.h"
#include "sim/step_disk.h"
#include "terminal/line.h"
#include "terminal/ln.h"

#define STEP_OPEN_MAX 6		/* INTENTs of a station without BINNED */
#define STEP_RX_CAP (2 * (CW_FRAME_HDR + CW_RLINK_BODY_MAX))

/* An INTENT on its way through the journal. */
struct step_open {
	uint64_t attempt;	/* 0: free */
	uint64_t intent_lsn, good_lsn;
	bool good;
};

struct step_term {
	struct cw_step *s;
	unsigned int idx;
	bool up;
	uint32_t gen;		/* rises with each start and end */
	struct cw_line *line;
	struct cw_journal journal;
	struct step_disk *disk;
	bool busy;		/* a batch is being synced */
	int write_err;
	uint64_t tick_us;
	bool close_plat;
	struct step_open open[STEP_STATIONS_MAX][STEP_OPEN_MAX];
	uint64_t early_lsn;	/* mutants */
	bool early_stop;
	uint16_t beat;
	bool seen;		/* the device has been read in this life */
	int boot;		/* its boot count then; -1: none */
	uint64_t seen_us;
	struct cw_dev_view view;
	uint32_t orphans;	/* of earlier lives */
	size_t rx_len[STEP_READERS_MAX];
	uint8_t rx[STEP_READERS_MAX][STEP_RX_CAP];
	uint8_t frame[CW_FRAME_HDR + CW_PLINK_BODY_MAX];
};

struct step_term *cw_step_term_of(const struct cw_step *s, unsigned int line);
/* After every call into the line: time, journal, checks. */
void cw_step_term_settle(struct cw_step *s, struct step_term *t);
/* A new line with this terminal's configuration. */
struct cw_line *cw_step_term_line(struct cw_step *s, struct step_term *t);
/* Opens the journal into t->line. */
int cw_step_term_open(struct cw_step *s, struct step_term *t);
/* The terminal gives a reader's connection up. */
void cw_step_term_reader_closed(struct cw_step *s, struct step_conn *c);
uint32_t cw_step_term_line_orphans(const struct step_term *t);

#endif
