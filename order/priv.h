/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_ORDER_PRIV_H
#define CW_ORDER_PRIV_H

#include "cw/bytes.h"
#include "order/order.h"

/* Inside the order reader. */

/* One value of a row; borrows from the line or the unquoting buffer. */
struct value {
	const char *text;
	size_t len;
};

/* Where a column of the file goes. */
enum column_use { COL_IGNORE, COL_FIELD, COL_ADDR };

/* adm1 in ASCII and pin_adm_hex stand in for each other. */
enum column_conv { CONV_NONE, CONV_HEX_TO_ADM, CONV_ADM_TO_HEX };

struct column {
	char name[32];		/* as the profile names it */
	enum column_use use;
	enum column_conv conv;
	enum cw_field_kind kind;	/* of the text in the file */
	const struct cw_field_spec *spec;
	uint8_t coded_name[32];	/* length and name, as in a record payload */
	uint8_t coded_len;
};

/* Set of numbers with the line each came from; exact, not by hash alone. */
struct dup_entry {
	uint64_t hi, lo;	/* the digits packed; 0 0 = free */
	uint32_t line;
};
struct dups {
	struct dup_entry *slot;
	size_t cap, cnt;
};

struct cw_order_reader {
	struct cw_order_config cfg;
	struct cw_order_faults faults;
	struct column column[CW_ORDER_COLUMNS_MAX];
	unsigned int column_cnt;
	uint8_t class_of[256];	/* kinds of characters, row.c */
	char delimiter;
	bool header_done;
	bool dead;		/* the file makes no sense further on */
	bool skip;		/* inside a line that was given up */
	bool plain;		/* every record so far stood on one line */
	bool last_fixed;	/* the last value could not have been longer */
	bool bom_done;
	int err;		/* the sink's, sticky */
	uint64_t record;	/* rows begun */
	uint32_t line;		/* physical line at hand, 1.. */
	uint32_t begin;		/* line where the record at hand began */
	uint32_t header_line;
	uint32_t blank_line;	/* first of the empty lines just seen, 0 = none */
	struct dups iccid_dups, imsi_dups;
	char iccid[CW_ORDER_FIELD_MAX + 1], imsi[32];
	struct value value[CW_ORDER_COLUMNS_MAX + 1];
	size_t carry_len;
	char carry[CW_ORDER_LINE_MAX];	/* a record that is not whole yet */
	char unquoted[CW_ORDER_LINE_MAX];
	struct cw_wr writer;	/* over payload, for the row at hand */
	uint8_t payload[CW_ORDER_COLUMNS_MAX * (CW_ORDER_FIELD_MAX + 36) + 2];
};

/* split.c */
enum split { SPLIT_OK, SPLIT_OPEN, SPLIT_STRAY };
/* Values of a record into r->value; *cnt may exceed the columns by counting on.
 * SPLIT_OPEN: ends inside quotes. SPLIT_STRAY: a quote in the wrong place. */
enum split cw_order_split(struct cw_order_reader *r, const char *text,
    size_t len, char delimiter, unsigned int *cnt);
/* What kinds of bytes a text holds. */
#define SEEN_NUL 1u
#define SEEN_CONTROL 2u		/* below 20h but tab, or 7Fh */
#define SEEN_HIGH 4u
#define SEEN_QUOTE 8u
unsigned int cw_order_seen(const char *text, size_t len);
bool cw_order_utf8(const char *text, size_t len);

/* header.c */
void cw_order_header(struct cw_order_reader *r, const char *text, size_t len);

/* row.c */
void cw_order_row_init(struct cw_order_reader *r);
void cw_order_row_take(struct cw_order_reader *r, const char *text, size_t len);

/* dups.c: line of the first one, 0 if new (and now kept); CW_ENOMEM. */
long cw_order_dup(struct dups *d, const char *digits, uint32_t line);

#endif
