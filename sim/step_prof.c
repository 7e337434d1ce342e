/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/boot.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/package.h"
#include "sim/step_priv.h"
#include "terminal/profile/profile.h"

/*
 * Card programs: by the Lua profile in some seeds, else by the same steps built
 * natively, which is many times faster.  Every field is read back.
 */
struct step_prof {
	struct cw_step *s;
	struct cw_profile *lua;		/* NULL: native */
};

struct step_prof *
cw_step_prof_open(struct cw_step *s, const uint8_t *text, size_t len, char why[200])
{
	struct step_prof *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->s = s;
	if (!s->plan.lua)
		return p;
	p->lua = cw_profile_load((const char *)text, len, "stepper", why, 200);
	if (p->lua == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

void
cw_step_prof_close(struct step_prof *p)
{
	if (p == NULL)
		return;
	cw_profile_free(p->lua);
	free(p);
}

/* SELECT by path; the FCP is not asked for. */
static void
select_file(struct cw_prog_builder *b, const uint8_t *path, uint8_t len)
{
	uint8_t apdu[5 + 8] = { 0x00, 0xA4, 0x08, 0x0C, len };

	memcpy(apdu + 5, path, len);
	cw_prog_apdu(b, CW_STEP_NEEDS_COS, NULL, 0, apdu, 5u + len);
}

/* UPDATE BINARY, then read back and compare. */
static void
put_file(struct cw_prog_builder *b, const uint8_t *val, uint8_t len, bool secret)
{
	uint8_t apdu[5 + 32] = { 0x00, 0xD6, 0x00, 0x00, len };
	const uint8_t read[5] = { 0x00, 0xB0, 0x00, 0x00, len };
	uint8_t flags = CW_STEP_PERSONAL;

	if (secret)
		flags |= CW_STEP_SECRET;
	memcpy(apdu + 5, val, len);
	cw_prog_apdu(b, flags, NULL, 0, apdu, 5u + len);
	cw_prog_apdu(b, flags, NULL, 0, read, sizeof read);
	cw_prog_compare(b, flags, 0, val, NULL, len);
	cw_wipe(apdu, sizeof apdu);
}

static int
digits_of(const struct step_compile *c, const char *name, char *out, size_t cap)
{
	struct cw_field f;
	int err = cw_record_find(&f, c->payload, c->payload_len, name);

	if (err < 0)
		return err;
	if (f.value_len >= cap)
		return CW_ETOOBIG;
	memcpy(out, f.value, f.value_len);
	out[f.value_len] = '\0';
	return 0;
}

static int
native_record(const struct step_compile *c, uint8_t *out, size_t cap)
{
	static const uint8_t verify[] = { 0x00, 0x20, 0x00, 0x0A, 0x08, '8',
	    '8', '8', '8', '8', '8', '8', '8' };
	static const uint8_t ef_iccid[] = { 0x2F, 0xE2 };
	static const uint8_t ef_imsi[] = { 0x7F, 0x20, 0x6F, 0x07 };
	static const uint8_t ef_ki[] = { 0x7F, 0x99, 0x6F, 0x01 };
	static const uint8_t ef_mark[] = { 0x7F, 0x99, 0x6F, 0xFE };
	char iccid[24], imsi[24], hex[40];
	uint8_t buf[STEP_MARK_LEN];
	struct cw_prog_builder b;
	int err = digits_of(c, "iccid", iccid, sizeof iccid);

	if (err == 0)
		err = digits_of(c, "imsi", imsi, sizeof imsi);
	if (err == 0)
		err = digits_of(c, "ki", hex, sizeof hex);
	if (err < 0)
		return err;
	cw_prog_start(&b, out, cap);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_pps(&b, 0);
	select_file(&b, ef_iccid, sizeof ef_iccid);
	cw_prog_apdu(&b, CW_STEP_SECRET, NULL, 0, verify, sizeof verify);
	cw_step_bcd(buf, 10, iccid);
	put_file(&b, buf, 10, false);
	select_file(&b, ef_imsi, sizeof ef_imsi);
	cw_step_bcd(buf, 9, imsi);
	put_file(&b, buf, 9, false);
	select_file(&b, ef_ki, sizeof ef_ki);
	err = cw_unhex(buf, sizeof buf, hex, strlen(hex));
	put_file(&b, buf, 16, true);
	select_file(&b, ef_mark, sizeof ef_mark);
	cw_step_mark(buf, c->order, c->record, c->epoch);
	put_file(&b, buf, STEP_MARK_LEN, false);
	cw_prog_simple(&b, CW_OP_POWER_OFF);
	cw_wipe(hex, sizeof hex);
	cw_wipe(buf, sizeof buf);
	return err < 0 ? err : cw_prog_end(&b);
}

/* A card that gets no record shows in another way that its image lives. */
static bool
is_last(const struct cw_step *s, uint64_t order)
{
	for (unsigned int o = 0; o < s->plan.order_cnt; o++)
		if (s->order[o].id == order)
			return !s->order[o].has_data;
	return false;
}

static int
native_burn(struct cw_step *s, const struct step_compile *c, uint8_t *out,
    size_t cap)
{
	static const uint8_t mf[] = { 0x00, 0xA4, 0x00, 0x0C, 2, 0x3F, 0x00 };
	struct cw_boot_job j = { .addr = c->addr, .len = c->len,
	    .block_len = CW_BOOT_BLOCK_MAX };
	struct cw_prog_builder b;

	memcpy(j.digest, c->digest, sizeof j.digest);
	cw_prog_start(&b, out, cap);
	cw_boot_program(&b, &j);
	if (is_last(s, c->order)) {
		cw_prog_reset(&b, false, NULL, NULL, 0);
		cw_prog_apdu(&b, CW_STEP_NEEDS_COS, NULL, 0, mf, sizeof mf);
		cw_prog_simple(&b, CW_OP_POWER_OFF);
	}
	return cw_prog_end(&b);
}

static int
lua_compile(struct step_prof *p, const struct step_compile *c, uint8_t *out,
    size_t cap, char why[200])
{
	struct cw_profile_order o = { .order = c->order, .cos_addr = c->addr,
	    .cos_len = c->len };
	struct cw_profile_record r = { .order = c->order, .record = c->record,
	    .epoch = c->epoch, .payload = c->payload,
	    .payload_len = c->payload_len };
	int n;

	memcpy(o.cos_digest, c->digest, sizeof o.cos_digest);
	n = c->burn ? cw_profile_compile_cos(p->lua, &o, out, cap) :
	    cw_profile_compile_record(p->lua, &r, out, cap);
	if (n < 0)
		snprintf(why, 200, "%s", cw_profile_error(p->lua));
	p->s->res->lua++;
	return n;
}

int
cw_step_prof_compile(struct step_prof *p, const struct step_compile *c,
    uint8_t *out, size_t cap, char why[200])
{
	int n;

	if (!c->burn && cw_step_fault(p->s, CW_SF_REFUSE)) {
		snprintf(why, 200, "%s", STEP_REFUSAL);
		return CW_ELIMIT;
	}
	if (p->lua != NULL)
		return lua_compile(p, c, out, cap, why);
	n = c->burn ? native_burn(p->s, c, out, cap) : native_record(c, out, cap);
	if (n < 0)
		snprintf(why, 200, "the record cannot be coded");
	return n;
}
