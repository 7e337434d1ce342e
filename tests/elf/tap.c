/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include <stdbool.h>

#include "sim/card.h"

struct tap *tap_to;

size_t __real_cw_sim_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io);
size_t __real_cw_sim_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io);
void __real_cw_sim_card_reset(struct cw_sim_card *c, bool asserted);
void __real_cw_sim_card_power(struct cw_sim_card *c, bool on);
size_t __wrap_cw_sim_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io);
size_t __wrap_cw_sim_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io);
void __wrap_cw_sim_card_reset(struct cw_sim_card *c, bool asserted);
void __wrap_cw_sim_card_power(struct cw_sim_card *c, bool on);

static void
note(enum tap_what what, uint8_t ch)
{
	if (tap_to != NULL && tap_to->cnt < TAP_MAX)
		tap_to->ev[tap_to->cnt++] = (uint16_t)(what << 8 | ch);
}

size_t
__wrap_cw_sim_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io)
{
	size_t n = __real_cw_sim_card_chars(c, buf, len, io), i;

	for (i = 0; i < n; i++)
		note(TAP_TAKEN, buf[i]);
	if (n < len)
		note(TAP_REFUSED, buf[n]);
	return n;
}

size_t
__wrap_cw_sim_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io)
{
	bool was = io->parity;
	size_t n = __real_cw_sim_card_listen(c, buf, cap, wait_etu, io), i;

	for (i = 0; i < n; i++)
		note(TAP_SAID, buf[i]);
	if (io->parity && !was)
		note(TAP_GARBLED, 0);
	return n;
}

void
__wrap_cw_sim_card_reset(struct cw_sim_card *c, bool asserted)
{
	note(TAP_RST, asserted);
	__real_cw_sim_card_reset(c, asserted);
}

void
__wrap_cw_sim_card_power(struct cw_sim_card *c, bool on)
{
	note(TAP_POWER, on);
	__real_cw_sim_card_power(c, on);
}
