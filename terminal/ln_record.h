/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TERMINAL_LN_RECORD_H
#define CW_TERMINAL_LN_RECORD_H

#include "terminal/ln.h"

/* ln_record.c: journal payloads.  put: length or CW_EFULL; get: 0 or CW_E*. */
enum cw_ln_type {
	CW_LN_STATE = 1,	/* numbers of the line */
	CW_LN_INTENT_REC = 2,
	CW_LN_RESULT = 3,
	CW_LN_BINNED_REC = 4,
	CW_LN_ACKED = 5,
	CW_LN_FENCE = 6,
	CW_LN_EPOCHS = 7,	/* a run of records with the same last epoch */
	CW_LN_CLOSED = 8,
	CW_LN_KNOWN = 9,	/* last card number of a station */
	CW_LN_KEPT = 10,	/* a result that is acknowledged */
	CW_LN_WRITTEN_OFF = 11,	/* the platform has written this journal off */
};
struct cw_ln_state_rec {
	uint32_t start_cnt;
	uint64_t next_seq, attempt, acked_seq;
};
struct cw_ln_binned {
	uint16_t station;
	uint64_t attempt, seq;
	uint8_t bin, verdict;
	uint16_t outcome;
	uint32_t card_no;
};
struct cw_ln_epochs {
	uint64_t order, first;
	uint32_t cnt, epoch;
	uint8_t fate;
};
struct cw_ln_known {
	uint16_t station;
	uint32_t card_no;
	uint64_t order;
};
int cw_ln_put_state(uint8_t *out, size_t cap, const struct cw_ln_state_rec *m);
int cw_ln_get_state(struct cw_ln_state_rec *m, const uint8_t *buf, size_t len);
/* INTENT reads and writes the card's members that it keeps. */
int cw_ln_put_intent(uint8_t *out, size_t cap, const struct cw_ln_card *c);
int cw_ln_get_intent(struct cw_ln_card *c, const uint8_t *buf, size_t len);
int cw_ln_put_result(uint8_t *out, size_t cap, const struct cw_ln_end *e);
/* e->trace borrows from buf. */
int cw_ln_get_result(struct cw_ln_end *e, const uint8_t *buf, size_t len);
/* A result with its number before it, without a trace. */
int cw_ln_put_kept(uint8_t *out, size_t cap, uint64_t seq, const struct cw_ln_end *e);
int cw_ln_get_kept(uint64_t *seq, struct cw_ln_end *e, const uint8_t *buf, size_t len);
int cw_ln_put_binned(uint8_t *out, size_t cap, const struct cw_ln_binned *m);
int cw_ln_get_binned(struct cw_ln_binned *m, const uint8_t *buf, size_t len);
int cw_ln_put_epochs(uint8_t *out, size_t cap, const struct cw_ln_epochs *m);
int cw_ln_get_epochs(struct cw_ln_epochs *m, const uint8_t *buf, size_t len);
int cw_ln_put_known(uint8_t *out, size_t cap, const struct cw_ln_known *m);
int cw_ln_get_known(struct cw_ln_known *m, const uint8_t *buf, size_t len);
int cw_ln_put_fence(uint8_t *out, size_t cap, const struct cw_pl_revoke *m);
int cw_ln_get_fence(struct cw_pl_revoke *m, const uint8_t *buf, size_t len);
int cw_ln_put_u64(uint8_t *out, size_t cap, uint64_t v);	/* ACKED, CLOSED */
int cw_ln_get_u64(uint64_t *v, const uint8_t *buf, size_t len);

#endif
