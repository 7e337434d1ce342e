/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/simcode.h"

#define DIGITS_ONLY "give digits only"

static int
fault(struct cw_simcode_fault *f, size_t pos, const char *what,
    const char *remedy)
{
	f->pos = (uint16_t)pos;
	f->what = what;
	f->remedy = remedy;
	return CW_EFORMAT;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
all_hex(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && is_hex(text[i]))
		i++;
	return i == len;
}

static int
digits(const char *text, size_t len, struct cw_simcode_fault *f)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return fault(f, i + 1, "is not a digit", DIGITS_ONLY);
	}
	return 0;
}

/* Digits, low nibble first; out is all FF before. */
static void
swap(uint8_t *out, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		uint8_t d = (uint8_t)(text[i] == '*' ? 10 : text[i] == '#' ? 11 :
		    text[i] - '0');

		if (i % 2 == 0)
			out[i / 2] = (uint8_t)((out[i / 2] & 0xF0) | d);
		else
			out[i / 2] = (uint8_t)((out[i / 2] & 0x0F) | d << 4);
	}
}

unsigned int
cw_simcode_luhn(const char *text, size_t n)
{
	unsigned int sum = 0, d;
	size_t i;

	for (i = 0; i < n; i++) {
		d = (unsigned int)(text[n - 1 - i] - '0');
		if (i % 2 == 0)
			d = d * 2 > 9 ? d * 2 - 9 : d * 2;
		sum += d;
	}
	return (10 - sum % 10) % 10;
}

int
cw_simcode_iccid(uint8_t out[CW_SIMCODE_ICCID_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f)
{
	int err = digits(text, len, f);

	if (err < 0)
		return err;
	if (len < 18 || len > 20)
		return fault(f, 0, "does not have 18 to 20 digits",
		    "give the whole ICCID with its check digit");
	if (len > 18 && cw_simcode_luhn(text, len - 1) !=
	    (unsigned int)(text[len - 1] - '0'))
		return fault(f, len, "is not the Luhn check digit of those before it",
		    "look for a digit typed wrong or two changed about");
	memset(out, 0xFF, CW_SIMCODE_ICCID_LEN);
	swap(out, text, len);
	return CW_SIMCODE_ICCID_LEN;
}

static int
imsi_check(const char *text, size_t len, struct cw_simcode_fault *f)
{
	int err = digits(text, len, f);

	if (err < 0)
		return err;
	if (len < 6 || len > 15)
		return fault(f, 0, "does not have 6 to 15 digits",
		    "give country, network and number without blanks");
	return 0;
}

int
cw_simcode_imsi(uint8_t out[CW_SIMCODE_IMSI_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f)
{
	int err = imsi_check(text, len, f);

	if (err < 0)
		return err;
	memset(out, 0xFF, CW_SIMCODE_IMSI_LEN);
	out[0] = (uint8_t)(1 + len / 2);
	out[1] = (uint8_t)((text[0] - '0') << 4 | (len % 2 ? 9 : 1));
	swap(out + 2, text + 1, len - 1);
	return CW_SIMCODE_IMSI_LEN;
}

int
cw_simcode_acc(uint8_t out[2], const char *imsi, size_t len,
    struct cw_simcode_fault *f)
{
	int err = imsi_check(imsi, len, f);
	unsigned int bits;

	if (err < 0)
		return err;
	bits = 1u << (imsi[len - 1] - '0');
	out[0] = (uint8_t)(bits >> 8);
	out[1] = (uint8_t)bits;
	return 2;
}

/* ---- PLMN lists ---- */

struct plmn {
	char d[6];		/* country 3, network 2 or 3 */
	size_t len;
	uint8_t act[2];
};

/* An entry at text[*off]; moves *off behind it. */
static int
plmn_take(const char *text, size_t len, size_t *off, struct plmn *p,
    struct cw_simcode_fault *f)
{
	size_t i = *off;

	p->len = 0;
	p->act[0] = 0xC0;
	p->act[1] = 0x80;
	for (; i < len && (is_digit(text[i]) || text[i] == '-'); i++) {
		if (text[i] == '-')
			continue;
		if (p->len == sizeof p->d)
			return fault(f, i + 1, "is a digit too many",
			    "a network has 5 or 6 digits");
		p->d[p->len++] = text[i];
	}
	if (p->len < 5)
		return fault(f, i + 1, "does not end a network of 5 or 6 digits",
		    "give 26201, 262-01 or 310410, parted by blanks or commas");
	if (i < len && text[i] == ':') {
		if (len - i < 5 || !all_hex(text + i + 1, 4))
			return fault(f, i + 2, "does not begin 4 hex digits",
			    "give access technologies such as :C080");
		(void)cw_unhex(p->act, 2, text + i + 1, 4);
		i += 5;
	}
	*off = i;
	return 0;
}

static void
plmn_put(uint8_t *out, const struct plmn *p)
{
	uint8_t third = p->len == 6 ? (uint8_t)(p->d[5] - '0') : 0xF;

	out[0] = (uint8_t)((p->d[1] - '0') << 4 | (p->d[0] - '0'));
	out[1] = (uint8_t)(third << 4 | (p->d[2] - '0'));
	out[2] = (uint8_t)((p->d[4] - '0') << 4 | (p->d[3] - '0'));
}

int
cw_simcode_plmn_list(uint8_t *out, size_t cap, bool act,
    const struct cw_simcode_text *list, struct cw_simcode_fault *f)
{
	size_t entry = act ? 5 : 3, n = 0, i = 0;
	struct plmn p;
	int err;

	memset(out, 0xFF, cap);
	for (n = 0; act && n + entry <= cap; n += entry)
		out[n + 3] = out[n + 4] = 0;
	for (n = 0; i < list->len;) {
		if (list->text[i] == ' ' || list->text[i] == ',') {
			i++;
			continue;
		}
		if ((err = plmn_take(list->text, list->len, &i, &p, f)) < 0)
			return err;
		if (n + entry > cap)
			return fault(f, i, "ends a network more than the file holds",
			    "shorten the list");
		plmn_put(out + n, &p);
		if (act)
			memcpy(out + n + 3, p.act, 2);
		n += entry;
	}
	return (int)cap;
}

/* ---- text and numbers ---- */

int
cw_simcode_gsm(uint8_t *out, size_t cap, const char *text, size_t len,
    struct cw_simcode_fault *f)
{
	size_t i;

	if (len > cap)
		return fault(f, cap + 1, "does not fit any more", "shorten the text");
	memset(out, 0xFF, cap);
	for (i = 0; i < len; i++) {
		char c = text[i];

		/* The two alphabets agree but for these and the national ones. */
		if (c < 0x20 || c > 0x7A || c == '`' || (c >= '[' && c <= '^'))
			return fault(f, i + 1, "is not in the default alphabet of GSM",
			    "write it with letters, digits and plain signs");
		out[i] = (uint8_t)(c == '@' ? 0x00 : c == '$' ? 0x02 :
		    c == '_' ? 0x11 : c);
	}
	return (int)cap;
}

/* Length, type, BCD into out[12]; TS 24.008, 10.5.4.7. */
static int
address(uint8_t *out, const char *text, size_t len, struct cw_simcode_fault *f)
{
	size_t plus = len > 0 && text[0] == '+', i;

	for (i = plus; i < len; i++) {
		if (!is_digit(text[i]) && text[i] != '*' && text[i] != '#')
			return fault(f, i + 1, "is neither a digit nor * nor #",
			    "give the number without blanks, + first if international");
	}
	if (len - plus < 1 || len - plus > 20)
		return fault(f, 0, "does not have 1 to 20 digits",
		    "give one telephone number");
	memset(out, 0xFF, 12);
	out[0] = (uint8_t)(1 + (len - plus + 1) / 2);
	out[1] = plus ? 0x91 : 0x81;
	swap(out + 2, text + plus, len - plus);
	return 0;
}

int
cw_simcode_number(uint8_t out[CW_SIMCODE_NUMBER_LEN], const char *text,
    size_t len, struct cw_simcode_fault *f)
{
	int err = address(out, text, len, f);

	if (err < 0)
		return err;
	out[12] = out[13] = 0xFF;
	return CW_SIMCODE_NUMBER_LEN;
}

int
cw_simcode_smsp(uint8_t out[CW_SIMCODE_SMSP_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f)
{
	int err;

	memset(out, 0xFF, CW_SIMCODE_SMSP_LEN);
	out[0] = 0xFD;		/* only the service centre is there */
	if ((err = address(out + 13, text, len, f)) < 0)
		return err;
	return CW_SIMCODE_SMSP_LEN;
}

/* ---- PINs and keys ---- */

static int
padded(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len)
{
	memset(out, 0xFF, CW_SIMCODE_PIN_LEN);
	memcpy(out, text, len);
	return CW_SIMCODE_PIN_LEN;
}

/* Digits of ASCII digits, perhaps with FF behind: a PIN in hex. */
static bool
pin_in_hex(const char *text, size_t len)
{
	size_t i, pins = 0;

	if ((len != 8 && len != 16) || !all_hex(text, len))
		return false;
	for (i = 0; i < len; i += 2) {
		bool fill = (text[i] | 0x20) == 'f' && (text[i + 1] | 0x20) == 'f';

		if (text[i] == '3' && is_digit(text[i + 1]) && pins == i / 2)
			pins++;
		else if (!fill)
			return false;
	}
	return pins >= 4;
}

int
cw_simcode_pin(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f)
{
	int err;

	if (pin_in_hex(text, len))
		return fault(f, 0, "is a PIN given as hex",
		    "give its digits as they are typed: 1234, not 31323334");
	if ((err = digits(text, len, f)) < 0)
		return err;
	if (len < 4 || len > 8)
		return fault(f, 0, "does not have 4 to 8 digits",
		    "give the PIN as it is typed");
	return padded(out, text, len);
}

int
cw_simcode_puk(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f)
{
	int err;

	if (len == 16 && pin_in_hex(text, len))
		return fault(f, 0, "is a PUK given as hex",
		    "give its 8 digits as they are typed");
	if ((err = digits(text, len, f)) < 0)
		return err;
	if (len != 8)
		return fault(f, 0, "does not have 8 digits", "give the whole PUK");
	return padded(out, text, len);
}

int
cw_simcode_adm(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f)
{
	size_t i;

	if (len == 16 && all_hex(text, len))
		return fault(f, 0, "is a key given as hex where ASCII is due",
		    "name the column pin_adm_hex, or give its 8 characters");
	if (len < 4 || len > 8)
		return fault(f, 0, "does not have 4 to 8 characters",
		    "give the key as the card's maker printed it");
	for (i = 0; i < len; i++) {
		if (text[i] <= 0x20 || text[i] > 0x7E)
			return fault(f, i + 1, "is not a printable character",
			    "give a key that is not ASCII as 16 hex digits");
	}
	return padded(out, text, len);
}

int
cw_simcode_adm_hex(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!is_hex(text[i]))
			return fault(f, i + 1, "is not a hex digit",
			    "give a key in ASCII in the column adm1");
	}
	if (len != 16)
		return fault(f, 0, "does not have 16 hex digits",
		    "give a key in ASCII in the column adm1");
	return cw_unhex(out, CW_SIMCODE_PIN_LEN, text, len);
}

void
cw_simcode_kcv(struct cw_block_op aes, const uint8_t key[16],
    uint8_t kcv[CW_SIMCODE_KCV_LEN])
{
	uint8_t block[16] = { 0 };

	aes.encrypt(aes.ctx, key, block, block);
	memcpy(kcv, block, CW_SIMCODE_KCV_LEN);
	cw_wipe(block, sizeof block);
}
