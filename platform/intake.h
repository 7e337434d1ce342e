/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_INTAKE_H
#define CW_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "order/order.h"
#include "platform/seal.h"
#include "platform/store/store.h"

/*
 * Taking an order in, as a stream, all or nothing.
 *
 *	in = cw_intake_new(&cfg, &err);
 *	cw_intake_feed(in, chunk, n) ...	CSV bytes; none for an order without data
 *	err = cw_intake_end(in, &res);
 *	  0            accepted (res.order), or the same order again (res.again)
 *	  CW_EFORMAT   bad order: cw_intake_faults(in)
 *	  CW_EEXIST    the same customer's id with other content
 *	  CW_E...      the world: cfg.store->why
 *	cw_intake_free(in);	an order not accepted is rolled away
 *
 * Rows go into the store in batches, each in a transaction of its own inside
 * one call (no transaction is left open between calls), under an order in state
 * INTAKE that nobody sees; one last transaction makes it READY.  Memory is
 * constant.  cw_intake_free of a large refused order leaves the deleting of its
 * rows to cw_intake_sweep in steps.
 */
struct cw_intake_config {
	struct cw_store *store;
	struct cw_seal *seal;
	/* ext, profile, line, terminal_ip, production, remake_max (0 = 3),
	 * blank_max (0 = 10), doubt, created_ms; the rest is filled here. */
	struct cw_st_order order;
	const struct cw_field_spec *fields;	/* borrowed until free */
	unsigned int field_cnt;
	uint64_t want_count;		/* --count: with data it is checked, without
					 * data it is the number of cards; 0 = none */
	bool has_data;			/* a data file follows by feed */
	const struct cw_order_cos *cos;	/* borrowed for new; NULL = none */
	const uint8_t *profile_text;	/* borrowed for new; sent to terminals */
	size_t profile_len;
	/* Whether an order in INTAKE is being taken in now.  The remains of one
	 * that is not make way for this one's numbers.  NULL = none is. */
	bool (*live)(void *ctx, uint64_t order);
	void *live_ctx;
};

struct cw_intake_result {
	uint64_t order;
	uint64_t records;
	bool again;			/* this very order was accepted before */
};

struct cw_intake;
/* NULL with *err: CW_ENOMEM, CW_EINVAL (neither COS nor data; no count), store's. */
struct cw_intake *cw_intake_new(const struct cw_intake_config *cfg, int *err);
/* 0, or an error of the store (sticky).  Faults of the file do not stop it. */
int cw_intake_feed(struct cw_intake *in, const uint8_t *buf, size_t len);
int cw_intake_end(struct cw_intake *in, struct cw_intake_result *res);
const struct cw_order_faults *cw_intake_faults(const struct cw_intake *in);
uint64_t cw_intake_record_cnt(const struct cw_intake *in);
void cw_intake_free(struct cw_intake *in);

/*
 * Deletes rows of abandoned intakes, at most max of them.  1 = more to do, 0 =
 * none left.  At start (nothing is being taken in): all, with busy = NULL.
 * Later: busy names the order ids under way.
 */
int cw_intake_sweep(struct cw_store *s, const uint64_t *busy, size_t busy_cnt,
    uint32_t max);
/* The INTAKE order of this intake, 0 = none. */
uint64_t cw_intake_order(const struct cw_intake *in);

#endif
