/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <lauxlib.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/milenage.h"
#include "cw/simcode.h"
#include "host/aes.h"
#include "profile_priv.h"

/*
 * What a profile for (U)SIM cards needs: lib/sim, by name.  An error names the
 * field of the record that holds the value, the position in it and the remedy.
 */
#define LIST_MAX 255		/* bytes of a list in one file */

/* The one field that has this value; else the helper's own name. */
static const char *
whose(lua_State *L, const char *what, const char *text, size_t len)
{
	struct box *b = cw_box_of(L);
	const char *name = NULL;
	struct cw_field f;
	unsigned int i;

	for (i = 0; b->record != NULL && i < b->p->field_cnt; i++) {
		if (cw_record_find(&f, b->record->payload, b->record->payload_len,
		    b->p->field[i].name) == 0 && f.value_len == len && len > 0 &&
		    memcmp(f.value, text, len) == 0) {
			if (name != NULL)
				return what;
			name = b->p->field[i].name;
		}
	}
	return name != NULL ? name : what;
}

static _Noreturn void
refuse(lua_State *L, const char *what, const struct cw_simcode_text *t,
    const struct cw_simcode_fault *f)
{
	const char *name = whose(L, what, t->text, t->len);

	if (f->pos > 0)
		cw_box_fail(L, CW_EFORMAT, "%s: character %u %s; %s", name, f->pos,
		    f->what, f->remedy);
	cw_box_fail(L, CW_EFORMAT, "%s %s; %s", name, f->what, f->remedy);
}

static struct cw_simcode_text
text_arg(lua_State *L, int idx, const char *what)
{
	struct cw_simcode_text t;

	t.text = cw_box_text(L, idx, what, &t.len);
	return t;
}

typedef int coding(uint8_t *out, const char *text, size_t len,
    struct cw_simcode_fault *f);

/* Argument 1 through a coding of a fixed length. */
static int
simple(lua_State *L, const char *what, coding *fn)
{
	struct cw_simcode_text t = text_arg(L, 1, what);
	struct cw_simcode_fault f = { 0 };
	uint8_t out[32];
	int n = fn(out, t.text, t.len, &f);

	if (n < 0)
		refuse(L, what, &t, &f);
	cw_box_push_hex(L, out, (size_t)n);
	explicit_bzero(out, sizeof(out));
	return 1;
}

static int
fn_iccid(lua_State *L)
{
	return simple(L, "iccid", cw_simcode_iccid);
}

static int
fn_imsi(lua_State *L)
{
	return simple(L, "imsi", cw_simcode_imsi);
}

static int
fn_acc(lua_State *L)
{
	return simple(L, "acc", cw_simcode_acc);
}

static int
fn_pin(lua_State *L)
{
	return simple(L, "pin", cw_simcode_pin);
}

static int
fn_puk(lua_State *L)
{
	return simple(L, "puk", cw_simcode_puk);
}

static int
fn_adm(lua_State *L)
{
	return simple(L, "adm", cw_simcode_adm);
}

static int
fn_adm_hex(lua_State *L)
{
	return simple(L, "adm_hex", cw_simcode_adm_hex);
}

/* Argument 2: bytes of the file. */
static int
list(lua_State *L, const char *what, bool act)
{
	struct cw_simcode_text t = text_arg(L, 1, what);
	size_t entry = act ? 5 : 3;
	size_t cap = (size_t)cw_box_int(L, 2, what, (int64_t)entry, LIST_MAX);
	struct cw_simcode_fault f = { 0 };
	uint8_t out[LIST_MAX];

	if (cap % entry != 0)
		cw_box_fail(L, CW_EFORMAT, "%s: the file's bytes must be a multiple "
		    "of %zu", what, entry);
	if (cw_simcode_plmn_list(out, cap, act, &t, &f) < 0)
		refuse(L, what, &t, &f);
	cw_box_push_hex(L, out, cap);
	return 1;
}

static int
fn_plmn_list(lua_State *L)
{
	return list(L, "plmn_list", false);
}

static int
fn_plmn_act_list(lua_State *L)
{
	return list(L, "plmn_act_list", true);
}

/* spn(name, display): EF_SPN (TS 31.102, 4.2.12); display condition 01. */
static int
fn_spn(lua_State *L)
{
	struct cw_simcode_text t = text_arg(L, 1, "spn");
	struct cw_simcode_fault f = { 0 };
	uint8_t out[CW_SIMCODE_SPN_LEN] = { 0x01 };

	if (!lua_isnoneornil(L, 2))
		out[0] = (uint8_t)cw_box_int(L, 2, "spn display", 0, 3);
	if (cw_simcode_gsm(out + 1, sizeof(out) - 1, t.text, t.len, &f) < 0)
		refuse(L, "spn", &t, &f);
	cw_box_push_hex(L, out, sizeof(out));
	return 1;
}

/* fn(number, record length, name): the name fills what the number leaves. */
static int
named(lua_State *L, const char *what, coding *fn, size_t tail)
{
	struct cw_simcode_text t = text_arg(L, 1, what), name = { "", 0 };
	size_t len = (size_t)cw_box_int(L, 2, what, (int64_t)tail, 255);
	struct cw_simcode_fault f = { 0 };
	uint8_t out[255];

	if (!lua_isnoneornil(L, 3))
		name = text_arg(L, 3, what);
	if (cw_simcode_gsm(out, len - tail, name.text, name.len, &f) < 0)
		refuse(L, what, &name, &f);
	if (fn(out + len - tail, t.text, t.len, &f) < 0)
		refuse(L, what, &t, &f);
	cw_box_push_hex(L, out, len);
	explicit_bzero(out, sizeof(out));
	return 1;
}

static int
fn_msisdn(lua_State *L)
{
	return named(L, "msisdn", cw_simcode_number, CW_SIMCODE_NUMBER_LEN);
}

static int
fn_smsp(lua_State *L)
{
	return named(L, "smsp", cw_simcode_smsp, CW_SIMCODE_SMSP_LEN);
}

/* ---- keys ---- */

static void
key_arg(lua_State *L, int idx, const char *what, uint8_t *out, size_t len)
{
	if (cw_box_hex(L, idx, what, out, len) != len)
		cw_box_fail(L, CW_EFORMAT, "%s must be %zu bytes", what, len);
}

static int
fn_kcv(lua_State *L)
{
	uint8_t key[16], kcv[CW_SIMCODE_KCV_LEN];

	key_arg(L, 1, "kcv: the key", key, sizeof(key));
	cw_simcode_kcv(cw_host_aes(), key, kcv);
	cw_box_push_hex(L, kcv, sizeof(kcv));
	explicit_bzero(key, sizeof(key));
	return 1;
}

static int
fn_milenage_opc(lua_State *L)
{
	uint8_t ki[16], op[16];

	key_arg(L, 1, "milenage_opc: ki", ki, sizeof(ki));
	key_arg(L, 2, "milenage_opc: op", op, sizeof(op));
	cw_milenage_opc(cw_host_aes(), ki, op, op);
	cw_box_push_hex(L, op, sizeof(op));
	explicit_bzero(ki, sizeof(ki));
	explicit_bzero(op, sizeof(op));
	return 1;
}

static void
set_hex(lua_State *L, const char *key, const uint8_t *buf, size_t len)
{
	cw_box_push_hex(L, buf, len);
	lua_setfield(L, -2, key);
}

/* milenage(ki, opc, rand[, sqn, amf]): a table of what the card will answer, and
 * with sqn the AUTN to send. */
static int
fn_milenage(lua_State *L)
{
	uint8_t ki[16], opc[16], rnd[16], sqn[6], amf[2] = { 0x80, 0x00 };
	uint8_t autn[16], sres[4], kc[8];
	struct cw_milenage_out out;
	struct cw_milenage m;
	size_t i;

	lua_settop(L, 5);
	key_arg(L, 1, "milenage: ki", ki, sizeof(ki));
	key_arg(L, 2, "milenage: opc", opc, sizeof(opc));
	key_arg(L, 3, "milenage: rand", rnd, sizeof(rnd));
	cw_milenage_init(&m, cw_host_aes(), ki, opc);
	cw_milenage_f2345(&m, rnd, &out);
	cw_milenage_gsm(&out, sres, kc);
	lua_createtable(L, 0, 6);
	set_hex(L, "res", out.res, sizeof(out.res));
	set_hex(L, "ck", out.ck, sizeof(out.ck));
	set_hex(L, "ik", out.ik, sizeof(out.ik));
	set_hex(L, "sres", sres, sizeof(sres));
	set_hex(L, "kc", kc, sizeof(kc));
	if (!lua_isnoneornil(L, 4)) {
		key_arg(L, 4, "milenage: sqn", sqn, sizeof(sqn));
		if (!lua_isnoneornil(L, 5))
			key_arg(L, 5, "milenage: amf", amf, sizeof(amf));
		cw_milenage_f1(&m, rnd, sqn, amf, &out);
		for (i = 0; i < sizeof(sqn); i++)
			autn[i] = sqn[i] ^ out.ak[i];
		memcpy(autn + 6, amf, sizeof(amf));
		memcpy(autn + 8, out.mac_a, sizeof(out.mac_a));
		set_hex(L, "autn", autn, sizeof(autn));
	}
	cw_milenage_fini(&m);
	explicit_bzero(ki, sizeof(ki));
	explicit_bzero(opc, sizeof(opc));
	explicit_bzero(&out, sizeof(out));
	return 1;
}

void
cw_profile_simlib_open(lua_State *L)
{
	static const luaL_Reg fn[] = {
		{ "acc", fn_acc }, { "adm", fn_adm }, { "adm_hex", fn_adm_hex },
		{ "iccid", fn_iccid }, { "imsi", fn_imsi }, { "kcv", fn_kcv },
		{ "milenage", fn_milenage }, { "milenage_opc", fn_milenage_opc },
		{ "msisdn", fn_msisdn }, { "pin", fn_pin },
		{ "plmn_act_list", fn_plmn_act_list },
		{ "plmn_list", fn_plmn_list }, { "puk", fn_puk },
		{ "smsp", fn_smsp }, { "spn", fn_spn }, { NULL, NULL },
	};
	const luaL_Reg *f;

	for (f = fn; f->name != NULL; f++)
		lua_register(L, f->name, f->func);
}
