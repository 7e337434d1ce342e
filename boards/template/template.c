/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include "cw/err.h"

/* Contacts: ISO/IEC 7816-3:2006, clause 6 (order of activation), 7 (characters). */

static int
card_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	(void)dev;
	(void)slot;
	(void)vcc_mv;
	return CW_EUNSUPPORTED;
}

static int
card_reset(void *dev, uint8_t slot, bool asserted)
{
	(void)dev;
	(void)slot;
	(void)asserted;
	return CW_EUNSUPPORTED;
}

static int
card_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	(void)dev;
	(void)slot;
	(void)line;
	return CW_EUNSUPPORTED;
}

static int
card_best_line(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *line)
{
	(void)dev;
	(void)slot;
	(void)ta1;
	(void)line;
	return CW_EUNSUPPORTED;
}

static int
card_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	(void)dev;
	(void)slot;
	(void)buf;
	(void)len;
	return CW_EUNSUPPORTED;
}

static int
card_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	(void)dev;
	(void)slot;
	(void)cap;
	(void)wait_etu;
	return CW_EUNSUPPORTED;
}

/* Nothing can be under way: send and recv refuse. */
static void
card_abort(void *dev, uint8_t slot)
{
	(void)dev;
	(void)slot;
}

static int
card_present(void *dev, uint8_t slot)
{
	(void)dev;
	(void)slot;
	return CW_EUNSUPPORTED;
}

const struct cw_card_ops cw_template_card_ops = {
	.power = card_power,
	.reset = card_reset,
	.set_line = card_set_line,
	.best_line = card_best_line,
	.send = card_send,
	.recv = card_recv,
	.abort = card_abort,
	.present = card_present,
};

/* The terminal's link: TCP port CW_RLINK_PORT. */

static int
net_send(void *dev, int conn, const uint8_t *buf, size_t len)
{
	(void)dev;
	(void)conn;
	(void)buf;
	(void)len;
	return CW_EUNSUPPORTED;
}

/* No connection can be open: this board accepts none. */
static void
net_close(void *dev, int conn)
{
	(void)dev;
	(void)conn;
}

const struct cw_net_ops cw_template_net_ops = {
	.send = net_send,
	.close = net_close,
};

/* Bulk memory for the image. */

static int
store_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	(void)dev;
	(void)off;
	(void)buf;
	(void)len;
	return CW_EUNSUPPORTED;
}

static const uint8_t *
store_lend(void *dev, uint32_t off, size_t len)
{
	(void)dev;
	(void)off;
	(void)len;
	return NULL;
}

const struct cw_image_ops cw_template_store_ops = {
	.write = store_write,
	.lend = store_lend,
};

/* Random numbers that are none would be worse than no port at all. */
static void
sys_random(void *dev, uint8_t *buf, size_t len)
{
	(void)dev;
	(void)buf;
	(void)len;
	cw_assert_failed(__FILE__, __LINE__);
}

static void
sys_watchdog(void *dev)
{
	(void)dev;
}

static void
sys_log(void *dev, int level, const char *line)
{
	(void)dev;
	(void)level;
	(void)line;
}

const struct cw_sys_ops cw_template_sys_ops = {
	.random = sys_random,
	.watchdog = sys_watchdog,
	.log = sys_log,
};
