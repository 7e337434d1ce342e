/* SPDX-License-Identifier: Apache-2.0 */
/* The least program that uses the whole link: what it costs a board. */
#include "boards/link/heap.h"
#include "boards/link/link.h"
#include "boards/link/rng.h"
#include "cw/err.h"

static uint64_t pool[CW_LINK_HEAP_BYTES(2) / 8];
static struct cw_link_rng rng;

_Noreturn void
cw_assert_failed(const char *file, int line)
{
	(void)file;
	(void)line;
	for (;;)
		;
}

static int
no_send(void *dev, int conn, const uint8_t *buf, size_t len)
{
	(void)dev;
	(void)conn;
	(void)buf;
	return (int)len;
}

static void
no_close(void *dev, int conn)
{
	(void)dev;
	(void)conn;
}

static void
no_random(void *dev, uint8_t *buf, size_t len)
{
	(void)dev;
	cw_link_rng_draw(&rng, buf, len);
}

void link_size(struct cw_link *l, const uint8_t *key, struct cw_event *ev);

void
link_size(struct cw_link *l, const uint8_t *key, struct cw_event *ev)
{
	static const struct cw_net_ops net = { no_send, no_close };
	struct cw_link_rng_seed seed = { .secret = key, .secret_len = 32, .boot_cnt = 1 };
	struct cw_link_config c = { .net = &net, .random = no_random,
		.identity = "reader-1", .key = key, .conn_cnt = 2 };

	cw_link_heap_init(pool, sizeof pool);
	if (cw_link_rng_init(&rng, &seed) < 0 || cw_link_init(l, &c) < 0)
		return;
	cw_link_event(l, ev, 0);
	while (cw_link_next(l, ev))
		if (cw_link_send(l, 0, key, 32) < 0)
			cw_link_close(l, 0);
}
