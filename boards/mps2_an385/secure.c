/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "boards/link/heap.h"
#include "boards/link/link.h"
#include "boards/link/rng.h"
#include "board_private.h"
#include "lwipopts.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "reader/reader_private.h"

/* The secured link, and the board's random numbers, which come of its key. */
#define LINK_MEM 65536u

static uint64_t heap[CW_LINK_HEAP_BYTES(CW_NET_CONNS) / 8];
static uint64_t link_mem[LINK_MEM / 8];
static struct cw_link *tls;
static struct cw_link_rng rng;
static uint64_t core_due_us;

void
cw_secure_random(void *dev, uint8_t *buf, size_t len)
{
	(void)dev;
	cw_link_rng_draw(&rng, buf, len);
}

uint32_t
cw_net_random(void)
{
	uint32_t v;

	cw_link_rng_draw(&rng, (uint8_t *)&v, sizeof v);
	return v;
}

/*
 * Without a key the serial number takes its place: such numbers name things and
 * protect nothing, and there is no secured link either.
 */
void
cw_secure_random_start(const struct cw_settings *s, uint64_t count)
{
	uint32_t noise = cw_semi_time();
	struct cw_link_rng_seed seed = {
		.secret = s->has_key ? s->key : s->serial,
		.secret_len = s->has_key ? sizeof s->key : sizeof s->serial,
		.boot_cnt = count > 0 ? count : 1,
		.uid = s->serial, .uid_len = sizeof s->serial,
		.noise = (const uint8_t *)&noise, .noise_len = sizeof noise,
	};
	int err;

	cw_link_heap_init(heap, sizeof heap);
	err = cw_link_rng_init(&rng, &seed);
	CW_ASSERT(err == 0);
}

static void
ended(void *dev, int conn, enum cw_link_why why)
{
	char text[CW_READER_LOG_MAX];
	struct cw_reader_text t = cw_reader_text_init(text, sizeof text);

	(void)dev;
	cw_reader_text_str(&t, "link.denied conn=");
	cw_reader_text_dec(&t, (uint64_t)conn);
	cw_reader_text_str(&t, " why=");
	cw_reader_text_str(&t, cw_link_why_name(why));
	cw_reader_text_str(&t, ": ");
	cw_reader_text_str(&t, cw_link_why_text(why));
	cw_board_log(1, text);
}

bool
cw_secure_start(const struct cw_settings *s, uint64_t count)
{
	struct cw_link_config c = {
		.net = &cw_board_net_ops, .random = cw_secure_random,
		.ended = ended, .identity = s->key_id, .key = s->key,
		.conn_cnt = CW_NET_CONNS,
	};

	if (!s->has_key)
		return s->plain_allowed;
	CW_ASSERT(cw_link_size() <= sizeof link_mem);
	if (count == 0 || cw_link_init((struct cw_link *)link_mem, &c) < 0)
		return false;
	tls = (struct cw_link *)link_mem;
	return true;
}

bool
cw_secure_is_on(void)
{
	return tls != NULL;
}

uint64_t
cw_secure_event(struct cw_reader *core, const struct cw_event *ev, uint64_t now_us)
{
	struct cw_event up;
	uint64_t due_us;

	/* A card's event has nothing to do with the link: no detour for it. */
	if (tls == NULL || ev->kind > CW_EV_NET_CLOSED) {
		core_due_us = cw_reader_event(core, ev, now_us);
	} else {
		cw_link_event(tls, ev, now_us);
		while (cw_link_next(tls, &up))
			core_due_us = cw_reader_event(core, &up, now_us);
	}
	due_us = tls != NULL ? cw_link_due(tls) : UINT64_MAX;
	return core_due_us < due_us ? core_due_us : due_us;
}

static int
secure_send(void *dev, int conn, const uint8_t *buf, size_t len)
{
	(void)dev;
	return cw_link_send(tls, conn, buf, len);
}

static void
secure_close(void *dev, int conn)
{
	(void)dev;
	cw_link_close(tls, conn);
}

const struct cw_net_ops cw_secure_ops = { secure_send, secure_close };
