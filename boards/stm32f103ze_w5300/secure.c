/* SPDX-License-Identifier: Apache-2.0 */
#include "secure.h"

#include "boards/link/heap.h"
#include "boards/link/rng.h"
#include "cw/err.h"
#include "reader/reader_private.h"

/*
 * The secured link between the sockets and the core.  Its memory is fixed: a
 * third connection is refused while two are open, which is one more than the
 * core serves.
 */
#define CONNS 2u

static uint64_t pool[CW_LINK_HEAP_BYTES(CONNS) / 8];
static uint64_t mem[8192 / 8];
static struct cw_link *tls;		/* NULL: plain, or none at all */
static struct cw_link_rng rng;
static bool seeded;

int
cw_secure_seed(const struct cw_settings *s, uint64_t boot_cnt)
{
	struct cw_link_rng_seed seed = {
		.secret = s->key, .secret_len = sizeof s->key,
		.boot_cnt = boot_cnt,
		.uid = (const uint8_t *)CW_STM_UID, .uid_len = CW_STM_UID_LEN,
	};
	int err;

	cw_link_heap_init(pool, sizeof pool);
	err = cw_link_rng_init(&rng, &seed);
	seeded = err == 0;
	return err;
}

bool
cw_secure_random(uint8_t *buf, size_t len)
{
	if (seeded)
		cw_link_rng_draw(&rng, buf, len);
	return seeded;
}

static void
draw(void *dev, uint8_t *buf, size_t len)
{
	(void)dev;
	cw_link_rng_draw(&rng, buf, len);
}

static void
ended(void *dev, int conn, enum cw_link_why why)
{
	char line[CW_READER_LOG_MAX];
	struct cw_reader_text t = cw_reader_text_init(line, sizeof line);

	(void)dev;
	cw_reader_text_str(&t, "link.denied conn=");
	cw_reader_text_dec(&t, (uint64_t)conn);
	cw_reader_text_str(&t, " why=");
	cw_reader_text_str(&t, cw_link_why_name(why));
	cw_reader_text_str(&t, " what=\"");
	cw_reader_text_str(&t, cw_link_why_text(why));
	cw_reader_text_str(&t, "\"");
	cw_board_log(1, line);
}

int
cw_secure_start(const struct cw_settings *s)
{
	struct cw_link_config c = {
		.net = &cw_board_net_ops, .random = draw, .ended = ended,
		.identity = s->key_id, .key = s->key, .conn_cnt = CONNS,
	};
	int err;

	CW_ASSERT(seeded && cw_link_size() <= sizeof mem);
	err = cw_link_init((struct cw_link *)(void *)mem, &c);
	if (err == 0)
		tls = (struct cw_link *)(void *)mem;
	return err;
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

static const struct cw_net_ops secure_ops = { secure_send, secure_close };

const struct cw_net_ops *
cw_secure_ops(void)
{
	return tls != NULL ? &secure_ops : &cw_board_net_ops;
}

uint64_t
cw_secure_event(struct cw_reader *core, const struct cw_event *ev,
    uint64_t now_us)
{
	static uint64_t core_due_us;
	uint64_t due_us;
	struct cw_event up;

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
