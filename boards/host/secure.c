/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "host_private.h"

/*
 * The secured link of a host reader.  A host has entropy, so sessions have
 * forward secrecy where the terminal can do it.
 */
static int
secure_send(void *dev, int conn, const uint8_t *buf, size_t len)
{
	return cw_link_send(((struct cw_host *)dev)->link, conn, buf, len);
}

static void
secure_close(void *dev, int conn)
{
	cw_link_close(((struct cw_host *)dev)->link, conn);
}

const struct cw_net_ops cw_host_secure_ops = { secure_send, secure_close };

static void
secure_ended(void *dev, int conn, enum cw_link_why why)
{
	cw_host_log(dev, 1, "link.denied", "conn=%d why=%s: %s", conn,
	    cw_link_why_name(why), cw_link_why_text(why));
}

int
cw_host_secure_open(struct cw_host *h)
{
	const char *id = h->cfg.identity != NULL ? h->cfg.identity :
	    h->address;
	struct cw_link_config c = {
		.net = &cw_host_net_ops, .dev = h, .random = cw_host_random,
		.ended = secure_ended, .key = h->cfg.key, .forward = true,
		.identity = id, .conn_cnt = CW_LINK_CONNS_MAX,
	};
	int err;

	if (strlen(id) > CW_LINK_ID_MAX)
		return CW_EINVAL;
	memcpy(h->identity, id, strlen(id) + 1);
	h->link = malloc(cw_link_size());
	if (h->link == NULL)
		return CW_ENOMEM;
	err = cw_link_init(h->link, &c);
	if (err < 0) {
		free(h->link);
		h->link = NULL;
	}
	h->cfg.key = NULL;
	h->cfg.identity = NULL;
	return err;
}

void
cw_host_secure_close(struct cw_host *h)
{
	if (h->link == NULL)
		return;
	cw_link_fini(h->link);
	free(h->link);
	h->link = NULL;
}

uint64_t
cw_host_secure_event(struct cw_host *h, const struct cw_event *ev)
{
	uint64_t due_us;
	struct cw_event up;

	cw_link_event(h->link, ev, cw_host_now_us());
	while (cw_link_next(h->link, &up))
		h->core_due_us = cw_reader_event(h->core, &up, cw_host_now_us());
	due_us = cw_link_due(h->link);
	return h->core_due_us < due_us ? h->core_due_us : due_us;
}
