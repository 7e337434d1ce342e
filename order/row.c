/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/package.h"
#include "order/priv.h"

#define IS_DIGIT 1u
#define IS_HEX 2u
#define IS_PRINT 4u	/* 20..7E */

static uint8_t
char_class(unsigned int c)
{
	uint8_t k = c - 0x20 < 0x5f ? IS_PRINT : 0;

	if (c - '0' < 10)
		k |= IS_DIGIT | IS_HEX;
	else if ((c | 0x20) - 'a' < 6)
		k |= IS_HEX;
	return k;
}

void
cw_order_row_init(struct cw_order_reader *r)
{
	unsigned int c;

	for (c = 0; c < 256; c++)
		r->class_of[c] = char_class(c);
}

/* Classes that every character of the value belongs to. */
static unsigned int
value_class(const struct cw_order_reader *r, const struct value *v)
{
	unsigned int all = IS_DIGIT | IS_HEX | IS_PRINT;
	size_t i;

	for (i = 0; i < v->len; i++)
		all &= r->class_of[(uint8_t)v->text[i]];
	return all;
}

/* ISO/IEC 7812-1, annex B: the digit that makes the sum a multiple of ten. */
static char
luhn_digit(const char *digits, size_t len)
{
	static const uint8_t twice[10] = { 0, 2, 4, 6, 8, 1, 3, 5, 7, 9 };
	unsigned int sum = 0, d;
	size_t i;

	for (i = 0; i < len; i++) {
		d = (unsigned int)(digits[len - 1 - i] - '0');
		sum += (i & 1) == 0 ? twice[d] : d;
	}
	return (char)('0' + (10 - sum % 10) % 10);
}

static void
value_fault(struct cw_order_reader *r, const struct column *c, const char *text)
{
	cw_order_fault(r, r->begin, CW_OF_VALUE_FORM, c->name, "%s", text);
}

static bool
check_iccid(struct cw_order_reader *r, const struct column *c, struct value *v)
{
	char want;

	if (v->len > 0 && (v->text[v->len - 1] | 0x20) == 'f')
		v->len--;
	if ((value_class(r, v) & IS_DIGIT) == 0 || v->len < 18 || v->len > 20) {
		value_fault(r, c, "an ICCID has 18 to 20 digits");
		return false;
	}
	if (v->len == 18)
		return true;
	want = luhn_digit(v->text, v->len - 1);
	if (v->text[v->len - 1] == want)
		return true;
	cw_order_fault(r, r->begin, CW_OF_LUHN, c->name,
	    "the check digit is %c but the digits before it ask for %c: "
	    "a digit is mistyped", v->text[v->len - 1], want);
	return false;
}

/* Form of a value by its kind; a fault is reported. */
static bool
check_kind(struct cw_order_reader *r, const struct column *c, struct value *v)
{
	const char *why = NULL;
	unsigned int class;

	if (c->kind == CW_FIELD_ICCID)
		return check_iccid(r, c, v);
	class = value_class(r, v);
	switch (c->kind) {
	case CW_FIELD_DIGITS:
		why = (class & IS_DIGIT) != 0 ? NULL : "only digits are allowed";
		break;
	case CW_FIELD_IMSI:
		if ((class & IS_DIGIT) == 0 || v->len < 6 || v->len > 15)
			why = "an IMSI has 6 to 15 digits";
		break;
	case CW_FIELD_HEX:
		if ((class & IS_HEX) == 0)
			why = "only hex digits are allowed";
		else if (v->len % 2 != 0)
			why = "the number of hex digits is odd: one is missing";
		break;
	case CW_FIELD_PIN:
		if ((class & IS_DIGIT) == 0 || v->len < 4 || v->len > 8)
			why = "a PIN or PUK has 4 to 8 digits";
		break;
	case CW_FIELD_ADM:
		if ((class & IS_PRINT) == 0 || v->len < 4 || v->len > 8)
			why = "an ADM key has 4 to 8 printable characters; "
			    "16 hex digits go into a column pin_adm_hex";
		break;
	case CW_FIELD_TEXT:
	case CW_FIELD_ICCID:
	case CW_FIELD_IPV4:
	case CW_FIELD_KIND_CNT:
	default:
		break;
	}
	if (why != NULL)
		value_fault(r, c, why);
	return why == NULL;
}

static bool
check_length(struct cw_order_reader *r, const struct column *c, const struct value *v)
{
	unsigned int min = c->spec->min_len, max = c->spec->max_len;

	if (c->conv == CONV_HEX_TO_ADM)
		min = max = 16;
	else if (c->conv == CONV_ADM_TO_HEX)
		min = max = 0;
	if (v->len >= min && (max == 0 || v->len <= max))
		return true;
	if (min == max)
		cw_order_fault(r, r->begin, CW_OF_VALUE_FORM, c->name,
		    "%zu characters instead of %u", v->len, min);
	else
		cw_order_fault(r, r->begin, CW_OF_VALUE_FORM, c->name,
		    "%zu characters: %u to %u are needed", v->len, min,
		    max == 0 ? CW_ORDER_FIELD_MAX : max);
	return false;
}

static bool
check_addr(struct cw_order_reader *r, const struct column *c,
    const struct value *v, uint32_t *addr)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr in;

	*addr = 0;
	if (v->len == 0)
		return true;
	if (v->len < sizeof text) {
		memcpy(text, v->text, v->len);
		text[v->len] = '\0';
		if (inet_pton(AF_INET, text, &in) == 1 && ntohl(in.s_addr) != 0) {
			*addr = ntohl(in.s_addr);
			return true;
		}
	}
	cw_order_fault(r, r->begin, CW_OF_ADDRESS, c->name,
	    "not an IPv4 address such as 10.0.0.17; leave it empty for any reader");
	return false;
}

/*
 * Appends a field in the record coding of cw/package.h.  Not by cw_record_add,
 * which looks for a twin each time: here the header has shown that there is
 * none, and the buffer holds any row.
 */
static void
put_field(struct cw_order_reader *r, const struct column *c, const void *text,
    size_t len)
{
	struct cw_wr *w = &r->writer;

	if (w->len == 0)
		cw_wr_u16(w, 0);
	cw_wr_bytes(w, c->coded_name, c->coded_len);
	cw_wr_u16(w, (uint16_t)len);
	cw_wr_bytes(w, text, len);
	r->payload[1]++;
}

/* The value in the form that the profile names. */
static void
add_field(struct cw_order_reader *r, const struct column *c, const struct value *v)
{
	uint8_t bytes[8];
	char hex[17];

	if (c->conv == CONV_NONE) {
		put_field(r, c, v->text, v->len);
		return;
	}
	memset(bytes, 0xff, sizeof bytes);
	if (c->conv == CONV_HEX_TO_ADM) {
		(void)cw_unhex(bytes, sizeof bytes, v->text, v->len);
		put_field(r, c, bytes, sizeof bytes);
	} else {
		memcpy(bytes, v->text, v->len);
		cw_hex(hex, bytes, sizeof bytes);
		put_field(r, c, hex, 16);
	}
	cw_wipe(bytes, sizeof bytes);
	cw_wipe(hex, sizeof hex);
}

static bool
check_dup(struct cw_order_reader *r, const struct column *c, struct dups *d,
    const char *digits)
{
	long line;

	if (!r->cfg.own_dups || !c->spec->unique)
		return true;
	line = cw_order_dup(d, digits, r->begin);
	if (line < 0)
		r->err = (int)line;
	else if (line > 0)
		cw_order_fault(r, r->begin, CW_OF_DUPLICATE, c->name,
		    "the same number stands in line %ld", line);
	return line == 0;
}

/* Keeps ICCID and IMSI for the row; false on a duplicate. */
static bool
keep_number(struct cw_order_reader *r, const struct column *c,
    const struct value *v, struct cw_order_row *row)
{
	if (c->kind == CW_FIELD_ICCID) {
		memcpy(r->iccid, v->text, v->len);
		r->iccid[v->len] = '\0';
		row->iccid_unique = c->spec->unique;
		return check_dup(r, c, &r->iccid_dups, r->iccid);
	}
	if (c->kind == CW_FIELD_IMSI) {
		memcpy(r->imsi, v->text, v->len);
		r->imsi[v->len] = '\0';
		row->imsi_unique = c->spec->unique;
		return check_dup(r, c, &r->imsi_dups, r->imsi);
	}
	return true;
}

static bool
take_value(struct cw_order_reader *r, const struct column *c, struct value *v,
    struct cw_order_row *row)
{
	if (c->use == COL_IGNORE)
		return true;
	if (v->len > CW_ORDER_FIELD_MAX) {
		cw_order_fault(r, r->begin, CW_OF_FIELD_LONG, c->name,
		    "%zu characters: at most %u are taken", v->len,
		    CW_ORDER_FIELD_MAX);
		return false;
	}
	if (c->use == COL_ADDR)
		return check_addr(r, c, v, &row->addr);
	if (v->len == 0) {
		if (c->spec->required)
			cw_order_fault(r, r->begin, CW_OF_VALUE_EMPTY, c->name,
			    "the card profile needs a value here");
		return !c->spec->required;
	}
	if (!check_kind(r, c, v) || !check_length(r, c, v) ||
	    !keep_number(r, c, v, row))
		return false;
	if (r->cfg.row != NULL)
		add_field(r, c, v);
	return true;
}

/* A wrong number of values: say the delimiter if that is the cause. */
static void
count_fault(struct cw_order_reader *r, const char *text, size_t len,
    unsigned int cnt)
{
	static const struct { char c; const char *word; } other[] = {
		{ ',', "comma" }, { ';', "semicolon" }, { '\t', "tab" },
	};
	unsigned int i, n;

	for (i = 0; i < 3; i++) {
		if (other[i].c == r->delimiter || cnt > r->column_cnt ||
		    r->column_cnt == 1)
			continue;
		if (cw_order_split(r, text, len, other[i].c, &n) == SPLIT_OK &&
		    n == r->column_cnt) {
			cw_order_fault(r, r->begin, CW_OF_DELIMITER, "",
			    "this line is delimited by %s, the header is not: "
			    "use one delimiter throughout", other[i].word);
			return;
		}
	}
	cw_order_fault(r, r->begin, CW_OF_COLUMN_COUNT, "",
	    "%u values, but the header has %u columns: %s", cnt, r->column_cnt,
	    cnt < r->column_cnt ? "a value or its delimiter is missing" :
	    "quote a value that holds a delimiter");
}

void
cw_order_row_take(struct cw_order_reader *r, const char *text, size_t len)
{
	struct cw_order_row row = { .record = r->record, .line = r->begin,
	    .iccid = r->iccid, .imsi = r->imsi, .payload = r->payload };
	const struct column *c;
	unsigned int cnt, i;
	bool good = true;

	if (cw_order_split(r, text, len, r->delimiter, &cnt) != SPLIT_OK) {
		cw_order_fault(r, r->begin, CW_OF_QUOTE, "",
		    "a quote stands in the wrong place: quote the whole value "
		    "and double the quotes inside");
		return;
	}
	if (cnt != r->column_cnt) {
		count_fault(r, text, len, cnt);
		return;
	}
	r->iccid[0] = r->imsi[0] = '\0';
	r->writer = cw_wr_init(r->payload, sizeof r->payload);
	for (i = 0; i < cnt; i++)
		good &= take_value(r, &r->column[i], &r->value[i], &row);

	/* Could the last value of a line without end have been longer? */
	c = &r->column[cnt - 1];
	r->last_fixed = good && c->use == COL_FIELD && r->value[cnt - 1].len > 0 &&
	    ((c->kind == CW_FIELD_ICCID && r->value[cnt - 1].len > 18) ||
	    (c->spec->max_len != 0 && r->value[cnt - 1].len == c->spec->max_len) ||
	    c->conv == CONV_HEX_TO_ADM);

	/* A record of which every optional value is empty has no field. */
	if (r->writer.len == 0)
		cw_wr_u16(&r->writer, 0);
	row.payload_len = r->writer.len;
	if (good && r->err == 0 && r->cfg.row != NULL)
		r->err = r->cfg.row(r->cfg.ctx, &row);
	cw_wipe(r->payload, row.payload_len);
}
