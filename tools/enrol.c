/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cardwright reader enrol`: draws the link key of a reader and puts it into
 * the key file that terminals and host readers read.
 */
#include "cli.h"

#include <stdio.h>

#include <openssl/rand.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/keycheck.h"
#include "host/keyfile.h"

int
cw_enrol_add(const char *path, const char *identity, char hex[65])
{
	uint8_t key[CW_KEYFILE_KEY_LEN];
	char err[600];
	int res;

	if (RAND_priv_bytes(key, sizeof(key)) != 1)
		return cw_cli_fail(CW_EXIT_DENIED, "no random numbers from the "
		    "system");
	res = cw_keyfile_add(path, identity, key, err, sizeof(err));
	if (hex != NULL)
		cw_hex(hex, key, sizeof(key));
	cw_wipe(key, sizeof(key));
	if (res == 0)
		return CW_EXIT_OK;
	if (hex != NULL)
		cw_wipe(hex, 65);
	return cw_cli_fail(res == CW_EINVAL ? CW_EXIT_USAGE : CW_EXIT_DENIED,
	    "%s", err);
}

/* The check value of a key in hex, as a reader's console shows it. */
static void
check_make(char out[9], const char hex[65])
{
	uint8_t key[CW_KEYFILE_KEY_LEN], check[4];

	cw_unhex(key, sizeof(key), hex, 64);
	cw_key_check(check, key);
	cw_hex(out, check, sizeof(check));
	cw_wipe(key, sizeof(key));
}

int
cw_enrol_run(struct cw_cli *cli)
{
	const struct cw_args *a = &cli->args;
	const char *file = cw_opt_get(a, CW_OPT_KEYS);
	bool show = cw_opt_has(a, CW_OPT_SHOW);
	json_t *made = json_array(), *item;
	char path[1100], hex[65], check[9];
	int code = CW_EXIT_OK;

	snprintf(path, sizeof(path), "%s/readers.key", cli->config_dir);
	if (file == NULL)
		file = path;
	for (unsigned int i = 0; i < a->arg_cnt && code == CW_EXIT_OK; i++) {
		code = cw_enrol_add(file, a->arg[i], hex);
		if (code != CW_EXIT_OK)
			break;
		check_make(check, hex);
		if (cli->json) {
			item = json_pack("{s:s}", "identity", a->arg[i]);
			json_object_set_new(item, "check", json_string(check));
			if (show)
				json_object_set_new(item, "key", json_string(hex));
			json_array_append_new(made, item);
		} else if (show) {
			printf("key enrol %s\n%s\n", a->arg[i], hex);
		} else {
			printf("made a key for %s in %s, check value %s\n",
			    a->arg[i], file, check);
		}
		cw_wipe(hex, sizeof(hex));
	}
	if (code == CW_EXIT_OK && cli->json)
		cw_cli_print_json(json_pack("{s:s, s:O}", "file", file, "made",
		    made));
	json_decref(made);
	return code;
}
