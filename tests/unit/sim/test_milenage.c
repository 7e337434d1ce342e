/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/milenage.h"
#include "host/aes.h"
#include "milenage_sets.h"

#define SET_CNT (sizeof(milenage_sets) / sizeof(milenage_sets[0]))
#define ORACLE_RUNS 25

static void
unhex(uint8_t *out, size_t len, const char *text)
{
	assert_int_equal(cw_unhex(out, len, text, strlen(text)), (int)len);
}

static void
same(const char *what, size_t set, const uint8_t *got, const char *want)
{
	char text[2 * 16 + 1];

	cw_hex(text, got, strlen(want) / 2);
	if (strcmp(text, want) != 0)
		fail_msg("TS 35.208 row %zu, %s: %s, expected %s", set, what, text,
		    want);
}

static void
test_sets(void **state)
{
	struct cw_milenage_out out;
	struct cw_milenage m;
	uint8_t ki[16], rnd[16], sqn[6], amf[2], opc[16];
	size_t i;

	(void)state;
	assert_int_equal(SET_CNT, 19);
	for (i = 0; i < SET_CNT; i++) {
		const struct milenage_set *s = &milenage_sets[i];

		unhex(ki, 16, s->ki);
		unhex(rnd, 16, s->rand);
		unhex(sqn, 6, s->sqn);
		unhex(amf, 2, s->amf);
		unhex(opc, 16, s->op);
		cw_milenage_opc(cw_host_aes(), ki, opc, opc);
		same("OPc", i + 1, opc, s->opc);
		cw_milenage_init(&m, cw_host_aes(), ki, opc);
		cw_milenage_f1(&m, rnd, sqn, amf, &out);
		cw_milenage_f2345(&m, rnd, &out);
		same("f1", i + 1, out.mac_a, s->f1);
		same("f1*", i + 1, out.mac_s, s->f1_star);
		same("f2", i + 1, out.res, s->f2);
		same("f3", i + 1, out.ck, s->f3);
		same("f4", i + 1, out.ik, s->f4);
		same("f5", i + 1, out.ak, s->f5);
		same("f5*", i + 1, out.ak_star, s->f5_star);
		cw_milenage_fini(&m);
	}
}

/* TS 33.102, 6.8.1.2, worked out by hand from set 1's RES, CK and IK. */
static void
test_gsm(void **state)
{
	struct cw_milenage_out out;
	uint8_t sres[4], kc[8];

	(void)state;
	unhex(out.res, 8, milenage_sets[0].f2);
	unhex(out.ck, 16, milenage_sets[0].f3);
	unhex(out.ik, 16, milenage_sets[0].f4);
	cw_milenage_gsm(&out, sres, kc);
	same("SRES", 1, sres, "46f8416a");
	same("Kc", 1, kc, "eae4be823af9a08b");
}

static void
test_fini_wipes(void **state)
{
	static const struct cw_milenage zero;
	struct cw_milenage m;
	uint8_t key[16];

	(void)state;
	memset(&m, 0, sizeof m);
	memset(key, 0x5A, sizeof key);
	cw_milenage_init(&m, cw_host_aes(), key, key);
	cw_milenage_fini(&m);
	assert_memory_equal(&m, &zero, sizeof m);
}

/* Lines of osmo-auc-gen look like "RES:\t0123": counts those that agree. */
static unsigned int
oracle_line(const char *line, const char *key, const uint8_t *got, size_t len)
{
	char text[2 * 16 + 1];
	size_t n = strlen(key);

	if (strncmp(line, key, n) != 0 || line[n] != ':')
		return 0;
	cw_hex(text, got, len);
	line += n + 1;
	line += strspn(line, " \t");
	if (strncmp(line, text, 2 * len) != 0)
		fail_msg("osmo-auc-gen says %s: %s, we say %s", key, line, text);
	return 1;
}

static void
oracle_run(uint8_t seed)
{
	uint8_t ki[16], opc[16], rnd[16], sqn[6] = { 0, 0, 0, 0, 0, seed };
	uint8_t amf[2] = { 0x80, 0 }, autn[16], sres[4], kc[8];
	char cmd[400], h1[33], h2[33], h3[33], line[200];
	struct cw_milenage_out out;
	struct cw_milenage m;
	unsigned int seen = 0, i;
	FILE *fp;

	for (i = 0; i < 16; i++) {
		ki[i] = (uint8_t)(seed * 7 + i * 31);
		opc[i] = (uint8_t)(seed * 13 + i * 101 + 5);
		rnd[i] = (uint8_t)(seed * 29 ^ i * 17);
	}
	cw_milenage_init(&m, cw_host_aes(), ki, opc);
	cw_milenage_f1(&m, rnd, sqn, amf, &out);
	cw_milenage_f2345(&m, rnd, &out);
	cw_milenage_gsm(&out, sres, kc);
	for (i = 0; i < 6; i++)
		autn[i] = sqn[i] ^ out.ak[i];
	memcpy(autn + 6, amf, 2);
	memcpy(autn + 8, out.mac_a, 8);

	cw_hex(h1, ki, 16);
	cw_hex(h2, opc, 16);
	cw_hex(h3, rnd, 16);
	snprintf(cmd, sizeof cmd, "osmo-auc-gen -3 -a MILENAGE -k %s -o %s -r %s "
	    "-f 8000 -s %u", h1, h2, h3, seed);
	fp = popen(cmd, "r");
	assert_non_null(fp);
	while (fgets(line, sizeof line, fp) != NULL) {
		seen += oracle_line(line, "RES", out.res, 8);
		seen += oracle_line(line, "CK", out.ck, 16);
		seen += oracle_line(line, "IK", out.ik, 16);
		seen += oracle_line(line, "AUTN", autn, 16);
		seen += oracle_line(line, "SRES", sres, 4);
		seen += oracle_line(line, "Kc", kc, 8);
	}
	pclose(fp);
	assert_int_equal(seen, 6);
}

static void
test_oracle(void **state)
{
	uint8_t i;

	(void)state;
	if (system("osmo-auc-gen -h >/dev/null 2>&1; [ $? -ne 127 ]") != 0) {
		print_message("osmo-auc-gen is not here (libosmocore-utils)\n");
		skip();
	}
	for (i = 1; i <= ORACLE_RUNS; i++)
		oracle_run(i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_gsm),
		cmocka_unit_test(test_fini_wipes),
		cmocka_unit_test(test_oracle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
