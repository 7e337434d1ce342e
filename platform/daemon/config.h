/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PLATFORM_CONFIG_H
#define CW_PLATFORM_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "host/ini.h"

/*
 * Configuration of cardwright-platform; `cardwright setup` writes a sample.
 * Relative file names are meant from the directory of the configuration file.
 */
#define CW_PF_PATH_CAP 1024

struct cw_pf_config {
	struct cw_ini *ini;	/* owns the texts below */
	const char *name;
	char database[CW_PF_PATH_CAP], keyfile[CW_PF_PATH_CAP];
	char profiles[CW_PF_PATH_CAP];
	const char *link_listen;
	uint16_t link_port;
	char ca[CW_PF_PATH_CAP], cert[CW_PF_PATH_CAP], key[CW_PF_PATH_CAP];
	const char *http_listen, *http_hosts;
	uint16_t http_port;
	char token_file[CW_PF_PATH_CAP];
};

/* 0, or CW_EFORMAT with err filled. Free with cw_pf_config_fini either way. */
int cw_pf_config_load(struct cw_pf_config *c, const char *path, char *err, size_t err_cap);
void cw_pf_config_fini(struct cw_pf_config *c);

/*
 * Token of the API from its file: one line, mode 0600 or stricter.
 * 0, or CW_EDENIED / CW_EIO / CW_EFORMAT with err filled.
 */
int cw_pf_token_load(const char *path, char token[200], char *err, size_t err_cap);

#endif
