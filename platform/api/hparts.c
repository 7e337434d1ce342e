/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd_priv.h"

#include <stdlib.h>

#define PARTS_BUF (16u * 1024u)

struct cw_hparts {
	struct cw_hreq *r;
	struct MHD_PostProcessor *pp;
	void (*part)(void *user, const struct cw_hpiece *p);
	void *user;
};

static enum MHD_Result
on_piece(void *arg, enum MHD_ValueKind kind, const char *key,
    const char *filename, const char *type, const char *encoding,
    const char *data, uint64_t off, size_t size)
{
	struct cw_hparts *p = arg;
	struct cw_hpiece piece = {
		.name = key != NULL ? key : "", .off = off,
		.buf = (const uint8_t *)data, .len = size,
	};

	(void)kind;
	(void)filename;
	(void)type;
	(void)encoding;
	if (cw_hreq_done(p->r))
		return MHD_NO;
	p->part(p->user, &piece);
	return cw_hreq_done(p->r) ? MHD_NO : MHD_YES;
}

struct cw_hparts *
cw_hparts_open(struct cw_hreq *r,
    void (*part)(void *user, const struct cw_hpiece *p), void *user)
{
	struct cw_hparts *p = calloc(1, sizeof(*p));

	if (p != NULL) {
		p->r = r;
		p->part = part;
		p->user = user;
		p->pp = MHD_create_post_processor(r->conn, PARTS_BUF, on_piece, p);
	}
	if (p == NULL || p->pp == NULL) {
		free(p);
		cw_hreq_problem(r, CW_PB_TYPE, "the content type "
		    "multipart/form-data needs a boundary");
		return NULL;
	}
	return p;
}

static void
malformed(struct cw_hreq *r)
{
	cw_hreq_problem(r, CW_PB_JSON, "the multipart body is malformed: each "
	    "part needs 'Content-Disposition: form-data; name=\"...\"', and the "
	    "last boundary ends with --");
}

bool
cw_hparts_feed(struct cw_hparts *p, const uint8_t *buf, size_t len)
{
	if (MHD_post_process(p->pp, (const char *)buf, len) == MHD_YES)
		return true;
	if (!cw_hreq_done(p->r))
		malformed(p->r);
	return false;
}

bool
cw_hparts_close(struct cw_hparts *p)
{
	bool whole;

	if (p == NULL)
		return true;
	whole = MHD_destroy_post_processor(p->pp) == MHD_YES;
	if (!whole && !cw_hreq_done(p->r))
		malformed(p->r);
	free(p);
	return whole;
}
