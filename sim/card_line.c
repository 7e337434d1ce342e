/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/card_core.h"

/*
 * The line as the reader has it.  Three faults strike between two characters
 * of a call, so a call is cut there; all the others are the protocol's.
 */
static bool
strikes_between(const struct cw_sim_card *c)
{
	enum cw_sim_fault_kind k = c->cfg.fault.kind;

	return !c->struck && (k == CW_FAULT_CHAR_LOST ||
	    k == CW_FAULT_CHAR_MUTE || k == CW_FAULT_CHAR_PULLED);
}

/* Characters, of len, that pass before the fault. */
static size_t
until_struck(const struct cw_sim_card *c, size_t len)
{
	uint64_t n = c->cfg.fault.n;

	if (!strikes_between(c) || c->char_cnt > n || n - c->char_cnt >= len)
		return len;
	return (size_t)(n - c->char_cnt);
}

/* The fault's character is the next one; true when it vanishes. */
static bool
strike(struct cw_sim_card *c, struct cw_sim_io *io)
{
	c->struck = true;
	c->dead |= c->cfg.fault.kind == CW_FAULT_CHAR_MUTE;
	c->left |= c->cfg.fault.kind == CW_FAULT_CHAR_PULLED;
	io->left |= c->left;
	return c->cfg.fault.kind == CW_FAULT_CHAR_LOST;
}

static size_t
char_etu(const struct cw_sim_card *c)
{
	return c->state == CW_CARD_BLOCK ? CW_CARD_T1_CHAR_ETU :
	    CW_CARD_CHAR_ETU;
}

size_t
cw_sim_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io)
{
	size_t cut = until_struck(c, len), n;

	n = cw_card_chars(c, buf, cut, io);
	if (n < cut || cut == len)
		return n;
	if (strike(c, io)) {
		io->etu += char_etu(c);
		c->char_cnt++;
		n++;
	}
	if (n == len)
		return len;
	n += cw_card_chars(c, buf + n, len - n, io);
	return n;
}

size_t
cw_sim_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io)
{
	size_t cut = until_struck(c, cap), n;
	uint8_t gone;

	if (cut > 0)
		return cw_card_listen(c, buf, cut, wait_etu, io);

	/* It strikes when the card would send the character. */
	if (c->out_off == c->out_len && c->t1.in_len == 0)
		return 0;
	n = cw_card_listen(c, &gone, 1, wait_etu, io);
	if (n == 0)
		return 0;
	if (!strike(c, io))
		return 0;
	return cw_card_listen(c, buf, cap, wait_etu, io);
}
