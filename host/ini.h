/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_INI_H
#define CW_INI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Configuration files: INI.  "[section]" or "[section name]", "key = value",
 * comments with # or ; at the start of a line.  No line limit.  A key that
 * nobody asked for is an error with file and line, so that a typing error
 * cannot be silent.
 *
 *	struct cw_ini *ini = cw_ini_load(path, err, sizeof err);
 *	const char *host = cw_ini_str(ini, "platform", "address", "127.0.0.1");
 *	if (cw_ini_finish(ini, err, sizeof err) < 0) ...  unknown keys, bad numbers
 */
struct cw_ini;

/* NULL with err filled ("file:line: what is wrong; what to do"). */
struct cw_ini *cw_ini_load(const char *path, char *err, size_t err_cap);
/* From memory; name stands for the file in messages. */
struct cw_ini *cw_ini_parse(const char *name, const char *text, size_t len, char *err, size_t err_cap);
void cw_ini_free(struct cw_ini *ini);

/* Values live as long as ini.  dflt is returned when the key is absent. */
const char *cw_ini_str(struct cw_ini *ini, const char *section, const char *key, const char *dflt);
/* The name of a file: one that does not begin with / is meant from the folder of
 * the ini file. */
const char *cw_ini_path(struct cw_ini *ini, const char *section, const char *key, const char *dflt);
/* Out of range or not a number: dflt, and cw_ini_finish reports it. */
int64_t cw_ini_int(struct cw_ini *ini, const char *section, const char *key,
    int64_t dflt, int64_t min, int64_t max);
bool cw_ini_bool(struct cw_ini *ini, const char *section, const char *key, bool dflt);
/* idx-th section whose first word is `kind` ("station 3"): its full name, or NULL. */
const char *cw_ini_section(struct cw_ini *ini, const char *kind, unsigned int idx);
/* A fault of meaning found by the caller, reported at the key's line by finish. */
void cw_ini_fault(struct cw_ini *ini, const char *section, const char *key, const char *why);
/* 0, or CW_EFORMAT with the first fault (unknown key, bad value) in err. */
int cw_ini_finish(struct cw_ini *ini, char *err, size_t err_cap);
/* Prints the effective configuration (every key asked for, with its value and
 * origin: file:line or "default") to standard output: the daemons' -nv. */
void cw_ini_dump(const struct cw_ini *ini);

#endif
