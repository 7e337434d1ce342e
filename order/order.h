/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_ORDER_H
#define CW_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Order files: card data as CSV with a header line (pySim form), read in a
 * stream, every line checked, every fault with its line number.  No I/O here:
 * bytes in, rows out by a callback.  The platform's intake and `cardwright
 * order check` are the two users.
 *
 *	struct cw_order_reader *r = cw_order_new(&cfg);
 *	while ((n = read(...)) > 0)
 *		if ((err = cw_order_feed(r, buf, n)) < 0) ...the sink's error
 *	err = cw_order_end(r);		CW_EFORMAT: see cw_order_faults(r)
 *	cw_order_free(r);
 *
 * Form: header line; delimiter comma, semicolon or tab (found in the header);
 * RFC 4180 quotes (a quoted field may hold line ends); LF or CRLF; UTF-8 with
 * or without BOM; empty lines at the end are ignored.  A last line without line
 * end is taken only if its last value could not have been longer (fixed length,
 * check digit).  Memory is constant but for the duplicate set (own_dups).
 *
 * Column names: case does not matter.  "pin_adm" means adm1; "pin_adm_hex" (16
 * hex digits) stands in for adm1 and adm1 (ASCII) for pin_adm_hex: the value
 * is converted (hex side padded with FF to 8 bytes).  "card_address" means
 * reader: the IPv4 address of the reader a card must be made by; it is always
 * allowed and never part of the payload.
 */
#define CW_ORDER_COLUMNS_MAX 64
#define CW_ORDER_LINE_MAX (64u * 1024u)	/* one record, with its quotes */
#define CW_ORDER_FIELD_MAX 1024u
#define CW_ORDER_FAULTS_MAX 1000u	/* listed; all are counted */
#define CW_ORDER_RECORDS_MAX 0xFFFFFFFEu

/* What a column must hold.  X(NAME, "word") */
#define CW_FIELD_KIND_MAP(X) \
	X(TEXT, "text")		/* any UTF-8 without control characters */ \
	X(DIGITS, "digits") \
	X(ICCID, "iccid")	/* 18..20 digits; 19 and 20 with a Luhn check digit; \
				 * one F at the end is dropped */ \
	X(IMSI, "imsi")		/* 6..15 digits */ \
	X(HEX, "hex")		/* even number of hex digits; min/max count digits */ \
	X(PIN, "pin")		/* 4..8 digits */ \
	X(ADM, "adm")		/* 4..8 printable ASCII characters */ \
	X(IPV4, "ipv4")

enum cw_field_kind {
#define X(name, word) CW_FIELD_##name,
	CW_FIELD_KIND_MAP(X)
#undef X
	CW_FIELD_KIND_CNT
};
/* Kind by its word; CW_ENOENT. */
int cw_field_kind_find(const char *word);
const char *cw_field_kind_word(enum cw_field_kind kind);

/* A field that the card profile names. */
struct cw_field_spec {
	char name[32];		/* lower case */
	enum cw_field_kind kind;
	bool required;		/* the column must be there and never empty */
	bool unique;		/* within the file and against earlier orders:
				 * ICCID and IMSI only */
	uint16_t min_len, max_len;	/* characters; 0 = by kind only */
};

/* Columns of pySim and vendor files, for a check without a card profile: iccid
 * is required, the rest optional.  Static. */
const struct cw_field_spec *cw_order_default_fields(unsigned int *cnt);

/* X(NAME, "word") */
#define CW_ORDER_FAULT_MAP(X) \
	X(EMPTY_FILE, "empty-file") \
	X(BINARY, "binary")			/* NUL byte */ \
	X(UTF8, "utf-8") \
	X(QUOTE, "quote") \
	X(LINE_LONG, "line-too-long") \
	X(FIELD_LONG, "field-too-long") \
	X(TRUNCATED, "truncated")		/* the last line lacks its end and may be cut */ \
	X(COLUMN_COUNT, "column-count") \
	X(DELIMITER, "mixed-delimiters") \
	X(NO_HEADER, "no-header")		/* no cell of the first line is a column */ \
	X(COLUMN_UNKNOWN, "unknown-column") \
	X(COLUMN_MISSING, "missing-column") \
	X(COLUMN_TWICE, "duplicate-column") \
	X(COLUMN_NAME, "column-name")		/* empty or too long, or too many */ \
	X(VALUE_EMPTY, "empty-value") \
	X(VALUE_FORM, "value-form")		/* characters or length */ \
	X(LUHN, "luhn") \
	X(ADDRESS, "reader-address") \
	X(DUPLICATE, "duplicate")		/* in this file */ \
	X(DUPLICATE_ORDER, "duplicate-order")	/* with an earlier order */ \
	X(COUNT, "count")			/* records against the count given */ \
	X(NO_RECORDS, "no-records")

enum cw_order_fault_code {
#define X(name, word) CW_OF_##name,
	CW_ORDER_FAULT_MAP(X)
#undef X
	CW_OF_CNT
};
/* Static; "?" outside of the list. */
const char *cw_order_fault_word(enum cw_order_fault_code code);

struct cw_order_fault {
	uint32_t line;		/* 1-based line where the record begins; 0 = the file */
	enum cw_order_fault_code code;
	char column[32];	/* "" = the line, or a cell that may be a value */
	char text[160];		/* sentence with the remedy; never holds a secret value */
};

struct cw_order_faults {
	uint64_t total;		/* all */
	unsigned int cnt;	/* listed, at most CW_ORDER_FAULTS_MAX */
	struct cw_order_fault *list;
};

/* One good row; borrowed for the call. */
struct cw_order_row {
	uint64_t record;	/* 1.. in file order, faulty rows counted too */
	uint32_t line;
	uint32_t addr;		/* 0 = any reader */
	const char *iccid;	/* NUL-terminated digits, "" = none */
	const char *imsi;
	bool iccid_unique, imsi_unique;	/* the profile wants them unique */
	const uint8_t *payload;	/* record payload, cw/package.h; secret */
	size_t payload_len;
};

struct cw_order_config {
	const struct cw_field_spec *fields;	/* borrowed while the reader lives */
	unsigned int field_cnt;
	uint64_t want_count;	/* records the customer announced; 0 = not */
	bool own_dups;		/* find duplicates in the file here, in memory
				 * (32 bytes per number); else the sink does */
	/* Takes a row; 0, or CW_E* which ends the reading.  NULL = check only.
	 * May call cw_order_fault for the row's line. */
	int (*row)(void *ctx, const struct cw_order_row *row);
	void *ctx;
};

struct cw_order_reader;

/* NULL: out of memory. */
struct cw_order_reader *cw_order_new(const struct cw_order_config *cfg);
/* Any chunk sizes give the same result.  0; the sink's error (sticky). */
int cw_order_feed(struct cw_order_reader *r, const uint8_t *buf, size_t len);
/* 0; CW_EFORMAT when there is any fault; the sink's error. */
int cw_order_end(struct cw_order_reader *r);
uint64_t cw_order_record_cnt(const struct cw_order_reader *r);
/* Line at which a record began; 0 when it cannot be told any more (a quoted
 * value above it held a line end). */
uint32_t cw_order_line_of(const struct cw_order_reader *r, uint64_t record);
const struct cw_order_faults *cw_order_faults(const struct cw_order_reader *r);
/* Puts the listed faults in order of lines (cw_order_end does so too). */
void cw_order_faults_sort(struct cw_order_reader *r);
/* Adds a fault found by the caller. */
void cw_order_fault(struct cw_order_reader *r, uint32_t line,
    enum cw_order_fault_code code, const char *column, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Wipes and frees; NULL is harmless. */
void cw_order_free(struct cw_order_reader *r);

/*
 * COS file of an order: raw, Intel HEX or S-record, fed in a stream; checked
 * record by record, held against CW_COS_MAX.
 *
 *	c = cw_order_cos_new();  feed...;  err = cw_order_cos_end(c);
 */
struct cw_order_cos;
struct cw_order_cos *cw_order_cos_new(void);
/* 0; CW_EFORMAT, CW_ECRC, CW_EOVERLAP, CW_ETOOBIG, ... (sticky). */
int cw_order_cos_feed(struct cw_order_cos *c, const uint8_t *buf, size_t len);
int cw_order_cos_end(struct cw_order_cos *c);
/* Sentence of the fault with its remedy; "" while there is none.  Static. */
const char *cw_order_cos_why(const struct cw_order_cos *c);
/* Line of the fault, from 1; 0: none, or the image is raw. */
uint32_t cw_order_cos_line(const struct cw_order_cos *c);
/* After a good end: image bytes, load address, format word ("raw"...). */
const uint8_t *cw_order_cos_image(const struct cw_order_cos *c, uint32_t *len);
uint32_t cw_order_cos_base(const struct cw_order_cos *c);
void cw_order_cos_set_base(struct cw_order_cos *c, uint32_t base);
const char *cw_order_cos_format(const struct cw_order_cos *c);
/* Whole COS package of an order into buf: its length, CW_EFULL.
 * CW_PKG_HDR + 4 + image length bytes always suffice. */
int cw_order_cos_package(const struct cw_order_cos *c, uint64_t order,
    uint8_t *buf, size_t cap);
void cw_order_cos_free(struct cw_order_cos *c);

#endif
