/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_WEB_H
#define CW_WEB_H

#include <stddef.h>
#include <stdint.h>

/* The live page: files of this folder, embedded at build time by embed.py. */
struct cw_web_file {
	const char *etag;	/* strong, with its quotes: digest of the bytes */
	const uint8_t *buf;
	size_t len;
};

extern const struct cw_web_file cw_web_index_html;
extern const struct cw_web_file cw_web_app_js;
extern const struct cw_web_file cw_web_app_css;
extern const struct cw_web_file cw_web_icon_svg;

#endif
