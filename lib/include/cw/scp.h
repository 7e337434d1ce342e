/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SCP_H
#define CW_SCP_H

#include "cw/apdu.h"
#include "cw/keyops.h"

/*
 * GlobalPlatform secure channels, both ends, without I/O:
 *	SCP02	GPC Card Specification 2.3.1, annex E: explicit initiation, i = 15
 *		and 55; C-MAC on the modified APDU, ICV encrypted; C-ENC.
 *	SCP03	Amendment D 1.1.1 and 1.2: i = 00, 10, 20, 60, 70, and with bit 1
 *		S16; AES-128, 192, 256; C-MAC, C-ENC, R-MAC, R-ENC.
 * Host:
 *	send cw_gp_initialize_update(challenge); its answer to cw_scp_hello_parse
 *	cw_scp_host_begin		proves that the card knows the keys
 *	send cw_scp_host_auth; after 9000
 *	send cw_scp_host_wrap(command); its answer to cw_scp_host_unwrap; ...
 *	cw_scp_end
 * Card: cw_scp_card_begin, _auth, then _unwrap and _wrap for each command.
 *
 * A check value that is wrong ends the session (CW_ECRC): nothing but _end is
 * of use then.  Not here: SCP01, R-MAC of SCP02, SCP10 and SCP11, and the
 * question whether a key may be tried at all (cw/gpguard.h).
 */
#define CW_SCP_CMAC 0x01
#define CW_SCP_CENC 0x02
#define CW_SCP_RMAC 0x10
#define CW_SCP_RENC 0x20

#define CW_SCP_I_S16 0x01	/* SCP03: challenges and MACs of 16 bytes */
#define CW_SCP_I_PSEUDO 0x10	/* SCP03: card challenge from a counter */
#define CW_SCP_I_RMAC 0x20	/* SCP03 */
#define CW_SCP_I_RENC 0x40	/* SCP03 */
#define CW_SCP_I_PSEUDO_02 0x40	/* the same for SCP02: 55 */

#define CW_SCP_KDD_LEN 10
#define CW_SCP_CHALLENGE_MAX 16
#define CW_SCP_HELLO_MAX (CW_SCP_KDD_LEN + 3 + 16 + 16 + 3)
#define CW_SCP_OVERHEAD_MAX 32	/* padding and MAC of a command or response */

/* Static keys of a set. */
struct cw_scp_static {
	uint32_t enc, mac, dek;
};

/* The answer to INITIALIZE UPDATE: E.5.1.5, Amendment D 7.1.1.6. */
struct cw_scp_hello {
	uint8_t kdd[CW_SCP_KDD_LEN];	/* key diversification data */
	uint8_t version;		/* of the key set */
	uint8_t proto;			/* 2, 3 */
	uint8_t i;			/* SCP03; 0 for SCP02, which does not say */
	uint8_t size;			/* of challenges and MACs: 8, 16 */
	uint8_t challenge[CW_SCP_CHALLENGE_MAX];	/* SCP02: counter, then 6 bytes */
	uint8_t cryptogram[CW_SCP_CHALLENGE_MAX];
	uint32_t seq;			/* sequence counter, if it says one */
};

struct cw_scp {
	struct cw_keys keys;
	uint8_t proto, i, size;
	uint8_t level;		/* CW_SCP_*, of the commands after the authentication */
	bool open;		/* authenticated, and no check value was wrong */
	bool begun;		/* session keys are held */
	uint32_t enc, mac, rmac;	/* of the session */
	uint32_t dek;		/* SCP02: of the session; SCP03: the static one */
	uint8_t chain[16];	/* last C-MAC */
	bool chained;		/* SCP02: there was one */
	uint32_t counter;	/* SCP03: commands since the authentication */
	uint8_t host_cryptogram[16];
};

/*
 * buf[len]: the response without its status word.  0; CW_ESHORT or CW_EFORMAT
 * when the length fits no protocol or not the host challenge (8 or 16 bytes);
 * CW_EUNSUPPORTED when it is neither SCP02 nor SCP03.
 */
int cw_scp_hello_parse(struct cw_scp_hello *h, const uint8_t *buf, size_t len,
    size_t host_challenge_len);

/*
 * Session keys from st (borrowed until _end for SCP03's DEK), and the card's
 * cryptogram checked: CW_EDENIED when card and host do not know the same keys;
 * nothing has been tried at the card then.  host_challenge: h->size bytes.
 */
int cw_scp_host_begin(struct cw_scp *s, const struct cw_keys *keys,
    const struct cw_scp_static *st, const struct cw_scp_hello *h,
    const uint8_t *host_challenge);
/* EXTERNAL AUTHENTICATE into out, its length; the session counts as open, for
 * the caller goes on only after 9000. CW_EUNSUPPORTED: a level that protocol
 * and i do not have. */
int cw_scp_host_auth(struct cw_scp *s, uint8_t level, uint8_t *out, size_t cap);
/* The command as it goes to the card; out and a->data must not overlap. Length;
 * CW_ETOOBIG when it fits no APDU (see _room); CW_ESTATE. */
int cw_scp_host_wrap(struct cw_scp *s, const struct cw_apdu *a, uint8_t *out, size_t cap);
/* A response with its status word, in place: new length. CW_ECRC, CW_ESHORT,
 * CW_EFORMAT (padding): the session is over. */
int cw_scp_host_unwrap(struct cw_scp *s, uint8_t *rsp, size_t len);
/* Bytes of plain data that fit a command whose wrapped Lc may be lc_max
 * (255; more for cards with extended length). */
size_t cw_scp_room(const struct cw_scp *s, size_t lc_max);

/* What the card brings to INITIALIZE UPDATE; all borrowed. */
struct cw_scp_card {
	uint8_t proto, i, version;
	uint32_t seq;			/* SCP02: as is; SCP03: after its increment */
	const uint8_t *kdd;		/* CW_SCP_KDD_LEN */
	const uint8_t *random;		/* 16; used unless i says pseudo-random */
	const uint8_t *aid;		/* of the selected application */
	size_t aid_len;
	const uint8_t *host_challenge;
	size_t host_challenge_len;
};

/* The response data into out[CW_SCP_HELLO_MAX], its length. CW_EINVAL for a host
 * challenge of a wrong length (6700). */
int cw_scp_card_begin(struct cw_scp *s, const struct cw_keys *keys,
    const struct cw_scp_static *st, const struct cw_scp_card *p, uint8_t *out);
/* EXTERNAL AUTHENTICATE: 0; CW_EDENIED a wrong cryptogram (6300), CW_ECRC a wrong
 * C-MAC, CW_EUNSUPPORTED the level (6A86), CW_EFORMAT, CW_ESTATE. */
int cw_scp_card_auth(struct cw_scp *s, const struct cw_apdu *a);
/* a as it came; becomes the plain command with its data in out. 0, CW_ECRC
 * (also when the command is not protected though the level asks for it),
 * CW_EFORMAT (padding), CW_EFULL. */
int cw_scp_card_unwrap(struct cw_scp *s, struct cw_apdu *a, uint8_t *out, size_t cap);
/* buf[len] is the plain response data: protects it as sw asks, in place; cap as
 * large as len + CW_SCP_OVERHEAD_MAX. New length. */
int cw_scp_card_wrap(struct cw_scp *s, uint8_t *buf, size_t len, size_t cap,
    uint16_t sw);

/* Drops the session keys; harmless twice and on a zeroed struct. */
void cw_scp_end(struct cw_scp *s);

/*
 * Data under the DEK, as STORE DATA and PUT KEY want it: E.4.7 ECB, Amendment D
 * 6.2.8 CBC with IV zero.  Whole blocks (cw_scp_dek_block); in place allowed.
 */
int cw_scp_dek(const struct cw_scp *s, bool decrypt, const uint8_t *in, size_t len,
    uint8_t *out);
size_t cw_scp_dek_block(const struct cw_scp *s);

/*
 * Card keys from a master key: methods as the field names them.
 *	NONE	the master key itself
 *	VISA2	kdd 0 1 4 5 6 7 F0 k and again with 0F, in 3DES ECB
 *	EMV	kdd 4 5 6 7 8 9 F0 k and again with 0F (EMV CPS 1.1), in 3DES ECB
 *	KDF3	SP 800-108: counter, 00 00 00 k, 00, kdd, with AES-CMAC
 * k is 1 for ENC, 2 for MAC, 3 for DEK.
 */
#define CW_SCP_DIV_MAP(X) \
	X(NONE, "none") X(VISA2, "visa2") X(EMV, "emv") X(KDF3, "kdf3")

enum cw_scp_div {
#define X(sym, text) CW_SCP_DIV_##sym,
	CW_SCP_DIV_MAP(X)
#undef X
};

/* By its name; CW_ENOENT. */
int cw_scp_div_parse(const char *name);
/* master: three handles, which may be one. out: new handles, which _div_drop
 * drops (NONE: the same handles, which it leaves). CW_EUNSUPPORTED: VISA2 and EMV
 * of an AES key, KDF3 of a 3DES key. */
int cw_scp_diversify(const struct cw_keys *keys, enum cw_scp_div method,
    const struct cw_scp_static *master, const uint8_t kdd[CW_SCP_KDD_LEN],
    struct cw_scp_static *out);
void cw_scp_div_drop(const struct cw_keys *keys, enum cw_scp_div method,
    struct cw_scp_static *out);

#endif
