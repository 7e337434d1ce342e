/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CLI_JSON_H
#define CW_CLI_JSON_H

#include <string.h>

#include <jansson.h>

/* Reading the platform's documents; a missing member is 0, "" or NULL. */
static inline json_int_t
cw_cli_int(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

/* NULL for null or missing: cw_cli_put_text prints "-". */
static inline const char *
cw_cli_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

/* The member "inner" of the member "outer". */
static inline json_int_t
cw_cli_int2(const json_t *obj, const char *outer, const char *inner)
{
	return cw_cli_int(json_object_get(obj, outer), inner);
}

/* A result's status word as it explains a fault: none when it was a success. */
static inline const char *
cw_cli_sw(const json_t *obj)
{
	const char *sw = cw_cli_str(obj, "sw");

	return sw != NULL && strcmp(sw, "9000") == 0 ? NULL : sw;
}

#endif
