/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/err.h"

const char *
cw_err_name(int err)
{
	if (err >= 0)
		return "OK";
	switch (err) {
#define X(name, value, text) case CW_##name: return #name;
	CW_ERR_MAP(X)
#undef X
	default:
		return "E?";
	}
}

const char *
cw_err_text(int err)
{
	if (err >= 0)
		return "success";
	switch (err) {
#define X(name, value, text) case CW_##name: return text;
	CW_ERR_MAP(X)
#undef X
	default:
		return "unknown error code";
	}
}
