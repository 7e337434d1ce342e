/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_API_PRIV_H
#define CW_API_PRIV_H

#include <stdbool.h>

#include <jansson.h>

#include "api.h"
#include "httpd.h"

/* Shared by the files of platform/api only. */

#define CW_API_UPLOADS_MAX 4	/* orders being uploaded at the same time */
#define CW_API_TRACKED_MAX 64	/* active orders with a rate */
#define CW_API_SAMPLES 32	/* of one order, one a second */

/* How many cards and records were done at some instants of the last half minute. */
struct cw_api_rate {
	uint64_t order;		/* 0 = free */
	uint64_t at_ms[CW_API_SAMPLES], cards[CW_API_SAMPLES], ended[CW_API_SAMPLES];
	unsigned int cnt;	/* filled, oldest first */
};

struct cw_api_live;
struct cw_upload;

struct cw_api {
	struct cw_api_config cfg;
	struct cw_httpd *httpd;
	struct cw_upload *upload[CW_API_UPLOADS_MAX];
	struct cw_api_rate rate[CW_API_TRACKED_MAX];
	uint64_t rate_ms;	/* last sample */
	char *live;		/* the present event of the live stream */
	size_t live_len;
	uint64_t live_cnt;
	unsigned int listeners;
	bool sweep;		/* remains of refused orders may be there */
};

static inline uint64_t
cw_api_now(const struct cw_api *a)
{
	return uv_now(a->cfg.loop);
}

/* api_json.c: pieces of documents; NULL when out of memory. */
json_t *cw_api_order_json(const struct cw_api *a, const struct cw_st_order *o);
json_t *cw_api_result_json(const struct cw_st_result *res);
json_t *cw_api_lines_json(const struct cw_api *a);
json_t *cw_api_report_json(const struct cw_api *a, const struct cw_ledger_report *r);
json_t *cw_api_time(uint64_t utc_ms);	/* "2025-01-31T12:00:00.000Z" or null */
json_t *cw_api_ip(uint32_t ip);		/* "127.0.1.1" or null for 0 */
const char *cw_api_verdict_word(unsigned int verdict);

/* api.c */
/* Order that the first * of the path names; else answers NO_ORDER. */
bool cw_api_find_order(struct cw_hreq *r, struct cw_st_order *o);
/* Whole number min..max of a query argument; dflt if absent; false: answered. */
struct cw_api_range {
	uint64_t dflt, min, max;
};
bool cw_api_query_u64(struct cw_hreq *r, const char *name,
    const struct cw_api_range *range, uint64_t *out);
/* Answers with the problem that fits an error of store or ledger. */
void cw_api_store_error(struct cw_hreq *r, int err);

/* api_live.c */
void cw_api_sample(struct cw_api *a);
/* Cards a minute and seconds left; -1 = not known. */
void cw_api_rate_of(const struct cw_api *a, const struct cw_st_order *o,
    double *cards_min, double *left_s);
void cw_api_live_build(struct cw_api *a);
void cw_api_events(struct cw_hreq *r);
void cw_api_live_doc(struct cw_hreq *r);

/* api_order.c */
void cw_api_orders(struct cw_hreq *r);
void cw_api_order(struct cw_hreq *r);
void cw_api_report(struct cw_hreq *r);
void cw_api_pause(struct cw_hreq *r);
void cw_api_resume(struct cw_hreq *r);
void cw_api_cancel(struct cw_hreq *r);
void cw_api_close(struct cw_hreq *r);
void cw_api_remake(struct cw_hreq *r);
void cw_api_writeoff(struct cw_hreq *r);
void cw_api_log(struct cw_hreq *r);

/* api_result.c */
void cw_api_results(struct cw_hreq *r);
void cw_api_faults(struct cw_hreq *r);
void cw_api_card(struct cw_hreq *r);
void cw_api_duplicates(struct cw_hreq *r);

/* api_intake.c */
void cw_api_upload_begin(struct cw_hreq *r);
void cw_api_upload_chunk(struct cw_hreq *r, const uint8_t *buf, size_t len);
void cw_api_upload_run(struct cw_hreq *r);
void cw_api_upload_end(struct cw_hreq *r);
/* Ends those whose clients are gone or too slow. */
void cw_api_uploads_prune(struct cw_api *a);
/* Order ids being taken in; count. */
size_t cw_api_uploads(const struct cw_api *a, uint64_t ids[CW_API_UPLOADS_MAX]);

/* web.c */
void cw_api_page(struct cw_hreq *r);
void cw_api_page_js(struct cw_hreq *r);
void cw_api_page_css(struct cw_hreq *r);
void cw_api_page_icon(struct cw_hreq *r);

#endif
