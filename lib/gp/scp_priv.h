/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_GP_SCP_PRIV_H
#define CW_GP_SCP_PRIV_H

#include "cw/scp.h"

/*
 * What both ends of a secure channel share: lib/gp/scp.c, for scp_host.c and
 * scp_card.c only.
 */

/* The challenges of a session: host, then card. */
struct cw_scp_ctx {
	const uint8_t *host, *card;	/* SCP02: card is counter and challenge */
};

/* Session keys. What was derived before an error is dropped. */
int cw_scp_keys(struct cw_scp *s, const struct cw_scp_static *st,
    const struct cw_scp_ctx *c, uint16_t seq);
/* SCP02: the C-MAC key of that counter alone. */
int cw_scp_key02(struct cw_scp *s, uint32_t from, uint16_t constant, uint16_t seq,
    uint32_t *out);
/* Cryptograms of card and host, s->size bytes each. */
int cw_scp_cryptogram(struct cw_scp *s, const struct cw_scp_ctx *c, bool host,
    uint8_t out[16]);
/* SCP03: context[len] under key and constant, cryptogram size. */
int cw_scp_kdf03(struct cw_scp *s, uint32_t key, uint8_t constant,
    const struct cw_key_part *context, uint8_t out[16]);
/* C-MAC over header (with the wrapped Lc) and data; s->chain becomes it. */
int cw_scp_cmac(struct cw_scp *s, const struct cw_apdu *a, size_t lc, bool extended);
/* SCP03: R-MAC over data and status word. */
int cw_scp_rmac(struct cw_scp *s, const uint8_t *buf, size_t len, uint16_t sw,
    uint8_t out[16]);
/* CBC with S-ENC, ICV as the protocol has it. */
int cw_scp_cipher(struct cw_scp *s, bool decrypt, bool response,
    const struct cw_key_part *in, uint8_t *out);
/* Length without 80 00 .. of whole blocks; CW_EFORMAT. */
int cw_scp_unpad(const uint8_t *buf, size_t len, size_t block);
size_t cw_scp_block(const struct cw_scp *s);
/* The level is one that protocol and i have. */
bool cw_scp_level_ok(const struct cw_scp *s, uint8_t level);
/* A status word whose response carries an R-MAC. */
bool cw_scp_sw_maced(uint16_t sw);
/* CLA with secure messaging on the same logical channel. */
uint8_t cw_scp_cla(uint8_t cla);
/* CLA says secure messaging. */
bool cw_scp_cla_secure(uint8_t cla);

#endif
