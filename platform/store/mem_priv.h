/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STORE_MEM_PRIV_H
#define CW_STORE_MEM_PRIV_H

#include "platform/store/store.h"

/*
 * Inside the store in process.  Every row is found by its place in its table;
 * places never change, so a deleted row keeps its place with `dead` set.
 */
enum mem_tab {
	MEM_ORDERS, MEM_BLOBS, MEM_RECORDS, MEM_PRINTS, MEM_RESULTS, MEM_TERMS,
	MEM_SHARES, MEM_EVENTS, MEM_TAB_CNT, MEM_NONE,
};

struct mem_bytes {
	uint8_t *buf;		/* owned; NULL = none */
	size_t len;
};

struct mem_order {
	struct cw_st_order o;	/* with its counts */
	bool dead;
	size_t first, last;	/* places of its records: [first, last) may hold
				 * records of other orders too */
};

struct mem_blob {
	uint64_t order;
	uint8_t kind;
	struct mem_bytes data;
};

struct mem_record {
	struct cw_st_record r;
	bool dead;
	struct mem_bytes payload;
};

struct mem_print {
	uint8_t fp[CW_FP_LEN];
	uint64_t order, record;
	bool dead;
};

struct mem_result {
	struct cw_st_result r;
	struct mem_bytes trace;
};

struct mem_term {
	struct cw_st_term t;
	struct cw_st_counts c;
};

struct mem_table {
	void *rows;
	size_t size, cnt, cap;
};

/* One step back: a row as it was, a row that was not there (row NULL), or bytes
 * to free at commit (tab MEM_NONE). */
struct mem_undo {
	enum mem_tab tab;
	size_t idx;
	void *row;
	uint8_t *drop;
	size_t drop_len;
};

struct mem {
	struct cw_store s;
	struct mem_table tab[MEM_TAB_CNT];
	struct mem_undo *undo;
	size_t undo_cnt, undo_cap;
	bool in_txn;
	uint64_t order_id;	/* last given; never goes back */
	size_t *slot;		/* hash of fingerprints: place + 1, 0 = free */
	size_t slot_cap;	/* a power of two */
};

void *cw_mem_row(struct mem *m, enum mem_tab tab, size_t idx);
/* Remembers a row before it is changed. */
int cw_mem_keep(struct mem *m, enum mem_tab tab, size_t idx);
/* Adds a row (copied). */
int cw_mem_add(struct mem *m, enum mem_tab tab, const void *row);
/* Gives bytes up: freed at commit.  The row was kept before. */
int cw_mem_drop(struct mem *m, struct mem_bytes *b);
int cw_mem_bytes(struct mem_bytes *b, const void *buf, size_t len);
/* The fingerprint index is derived: made anew after a rollback. */
void cw_mem_index_rebuild(struct mem *m);
/* Place of a live order or CW_ENOENT; of a live record or CW_ENOENT. */
int cw_mem_find_order(struct mem *m, uint64_t id);
long cw_mem_find_record(struct mem *m, uint64_t order, uint64_t record);

/* Members of the operation table, by file. */
int cw_mem_order_insert(void *h, const struct cw_st_order *o, uint64_t *id);
int cw_mem_order_get(void *h, uint64_t id, struct cw_st_order *o);
int cw_mem_order_put(void *h, const struct cw_st_order *o);
int cw_mem_order_list(void *h, const struct cw_st_page *p, struct cw_st_order *out, size_t cap);
int cw_mem_order_skip(void *h, uint64_t n);
int cw_mem_order_find_ext(void *h, const char *ext, struct cw_st_order *o);
int cw_mem_order_purge(void *h, uint64_t id, uint32_t max);
int cw_mem_blob_put(void *h, uint64_t order, uint8_t blob, const uint8_t *buf, size_t len);
int cw_mem_blob_get(void *h, uint64_t order, uint8_t blob, size_t off, uint8_t *buf, size_t cap);
int cw_mem_record_add(void *h, uint64_t order, const struct cw_st_new *r, struct cw_st_dup *dup);
int cw_mem_record_add_many(void *h, uint64_t order, const struct cw_st_new *r, size_t cnt,
    struct cw_st_dup *dup);
int cw_mem_record_get(void *h, uint64_t order, uint64_t record, struct cw_st_record *r);
int cw_mem_record_set(void *h, uint8_t was, const struct cw_st_record *r);
int cw_mem_record_move(void *h, struct cw_st_move *m);
int cw_mem_record_waiting(void *h, const struct cw_st_record *after, struct cw_st_record *out, size_t cap);
int cw_mem_waiting_addr(void *h, uint32_t above, uint32_t *addr);
int cw_mem_record_leased(void *h, uint32_t term, const struct cw_st_record *after,
    struct cw_st_record *out, size_t cap);
int cw_mem_record_list(void *h, uint64_t order, const struct cw_st_page *p,
    struct cw_st_record *out, size_t cap);
int cw_mem_record_find_fp(void *h, const uint8_t fp[CW_FP_LEN], struct cw_st_record *r);
int cw_mem_payload_get(void *h, uint64_t order, uint64_t record, uint8_t *buf, size_t cap);
int cw_mem_result_add(void *h, const struct cw_st_result *r);
int cw_mem_result_list(void *h, const struct cw_st_result_page *p, struct cw_st_result *out, size_t cap);
int cw_mem_result_find_serial(void *h, const uint8_t *serial, size_t len,
    struct cw_st_result *out, size_t cap);
int cw_mem_result_find_card(void *h, uint32_t term, uint32_t card_no, struct cw_st_result *out, size_t cap);
int cw_mem_result_trace(void *h, uint64_t id, char *buf, size_t cap);
int cw_mem_result_causes(void *h, uint64_t order, struct cw_st_cause *out, size_t cap);
int cw_mem_sums(void *h, uint64_t order, struct cw_st_counts *c);
int cw_mem_term_sums(void *h, uint32_t term, struct cw_st_counts *c);
int cw_mem_term_get(void *h, const char *name, struct cw_st_term *t);
int cw_mem_term_get_id(void *h, uint32_t id, struct cw_st_term *t);
int cw_mem_term_put(void *h, struct cw_st_term *t);
int cw_mem_term_list(void *h, uint32_t after_id, struct cw_st_term *out, size_t cap);
int cw_mem_share_put(void *h, const struct cw_st_share *sh);
int cw_mem_share_get(void *h, uint64_t order, uint32_t term, struct cw_st_share *sh);
int cw_mem_share_list(void *h, uint64_t order, struct cw_st_share *out, size_t cap);
int cw_mem_event_add(void *h, const struct cw_st_event *e);
int cw_mem_event_list(void *h, uint64_t order, uint64_t before, struct cw_st_event *out, size_t cap);

#endif
