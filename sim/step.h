/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STEP_H
#define CW_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The stepper: a whole factory in one process, on a virtual clock.  Platform,
 * terminals, devices, readers and cards are the very cores of the programs;
 * what lies between them (networks, disks, mechanics, people) is simulated here
 * with faults drawn from a seed.  docs/design/stepper.md tells what is
 * simulated and what is not.
 *
 *	struct cw_step_config cfg = { .seed = 7, .cards = 200 };
 *	cw_step_run(&cfg, &res);
 *	if (res.violated) puts(res.text);
 *
 * The same configuration gives the same run, event for event, on every
 * machine: res.hash is a digest of all that happened.
 *
 * Invariants (names as in res.text):
 *	I1	no record on two cards in good bins
 *	I2	at the end every record is issued, failed, in doubt or cancelled
 *	I3	issued means: a card with that very content and image lies in a
 *		good bin; GOOD was durable before the bin command
 *	I4	blanks fed = good + reject + lost + in the machine, counted by
 *		world, device and ledger, and every card has its one result
 *	I5	states never go back; the journal rebuilds the terminal's state
 *	I6	no record bytes in a reader once its card has left, none in
 *		clear in a journal or in what goes up
 *	L1	after the faults stop, all orders finish within a bound
 *	intent	INTENT was durable before the feed command
 */

/* X(NAME, "word", "the rule that it drops") */
#define CW_STEP_MUTANT_MAP(X) \
	X(NONE, "none", "none: the code as it is") \
	X(EARLY_INTENT, "early-intent", "INTENT is durable before a card is fed") \
	X(EARLY_GOOD, "early-good", "GOOD is durable before the good bin") \
	X(TIMER, "timer", "no new lease by timer") \
	X(NO_FENCE, "no-fence", "REVOKED only after the durable fence") \
	X(NO_HOLD, "no-hold", "a restored platform leases nothing before all have told")

enum cw_step_mutant {
#define X(name, word, text) CW_STEP_##name,
	CW_STEP_MUTANT_MAP(X)
#undef X
	CW_STEP_MUTANT_CNT
};
/* Mutant by its word; CW_ENOENT. */
int cw_step_mutant_find(const char *word);
/* Static; "?" outside of the list. */
const char *cw_step_mutant_word(unsigned int mutant);
const char *cw_step_mutant_rule(unsigned int mutant);

/* Kinds of faults; each seed switches some off and draws the rate of others. */
#define CW_STEP_FAULT_MAP(X) \
	X(TERM_KILL, "terminal killed") \
	X(TERM_KILL_AT, "terminal killed at a journal write or command") \
	X(PLAT_KILL, "platform killed") \
	X(PLAT_RESTORE, "platform restored from a backup") \
	X(READER_KILL, "reader restarted") \
	X(DEV_KILL, "device restarted") \
	X(PLINK_CUT, "platform link cut") \
	X(PLINK_PART, "platform link partitioned") \
	X(PLINK_LOSS, "platform message lost") \
	X(PLINK_DUP, "platform message doubled") \
	X(PLINK_REORDER, "platform messages out of order") \
	X(PLINK_LATE, "platform message out of an older connection") \
	X(RLINK_CUT, "reader link cut") \
	X(RLINK_PART, "reader link partitioned") \
	X(MODBUS_CUT, "device link lost") \
	X(DISK_TORN, "power cut with unsynced writes") \
	X(DISK_FULL, "disk full") \
	X(DISK_EIO, "disk error") \
	X(DISK_CRASH, "crash inside a journal rewrite or opening") \
	X(STORE_EIO, "store error at the platform") \
	X(BLANK, "faulty blank") \
	X(JAM, "jam") \
	X(HOPPER, "hopper empty") \
	X(REFUSE, "record refused by a terminal") \
	X(PAUSE, "order paused") \
	X(CANCEL, "order cancelled") \
	X(REMAKE, "remake asked for") \
	X(REWRITE, "journal rewritten") \
	X(INTRUDER, "second terminal at a reader")

enum cw_step_fault {
#define X(name, text) CW_SF_##name,
	CW_STEP_FAULT_MAP(X)
#undef X
	CW_SF_CNT
};
/* Static; "?" outside of the list. */
const char *cw_step_fault_text(unsigned int fault);

struct cw_step_config {
	uint64_t seed;
	uint32_t cards;			/* records in all orders together, 1.. */
	enum cw_step_mutant mutant;
	bool control;			/* the mutant's faults, all rules kept */
	FILE *trace;			/* narrated events; NULL: none */
	bool no_faults;			/* the quiet factory */
	const char *profile;		/* Lua text for a share of the seeds; NULL = none */
	size_t profile_len;
};

struct cw_step_result {
	bool violated;
	char text[1400];	/* "seed=.. cards=.. step=.. time=.. invariant=.. : what" */
	uint64_t hash;		/* of all events */
	uint64_t steps;		/* events carried out */
	uint64_t time_us;	/* virtual, at the end */
	uint32_t fed;		/* blanks drawn */
	uint32_t good, reject, lost;
	uint64_t faults[CW_SF_CNT];
	uint64_t lua;		/* programs compiled by the Lua profile */
};

/* Runs one seed to its end or to the first violation.  0, or CW_ENOMEM,
 * CW_EINVAL (no cards). */
int cw_step_run(const struct cw_step_config *cfg, struct cw_step_result *res);

/* The run under way, "seed=.. cards=.. step=.. time=..", for a failed CW_ASSERT
 * of a core, which ends the process; "" when none is. */
void cw_step_where(char *out, size_t cap);

#endif
