/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_GP_H
#define CW_GP_H

#include "cw/bytes.h"
#include "cw/scp.h"

/*
 * GlobalPlatform content management: commands as bytes, answers as fields.
 * GPC Card Specification 2.3.1, clause 11.  Pure: a builder fills in a command,
 * the caller protects it with cw_scp_host_wrap and sends it.
 *
 *	struct cw_gp_cmd c;
 *	cw_gp_get_status(&c, CW_GP_APPS, false, NULL);
 *	n = cw_scp_host_wrap(&session, &c.apdu, out, sizeof out);
 *
 * Builders return 0, CW_EINVAL (an argument out of its range) or CW_ETOOBIG (the
 * data do not fit 255 bytes).  Not here: what is sent when, and the load file
 * (cw/gpload.h).
 */
#define CW_GP_AID_MIN 5
#define CW_GP_AID_MAX 16
#define CW_GP_DATA_MAX 255

struct cw_gp_aid {
	uint8_t len;		/* 5..16; 0: none */
	uint8_t b[CW_GP_AID_MAX];
};

/* Not to be copied: apdu.data points to data. */
struct cw_gp_cmd {
	struct cw_apdu apdu;
	uint8_t data[CW_GP_DATA_MAX];
};

/* 0 or CW_EINVAL when no AID has that length. */
int cw_gp_aid_set(struct cw_gp_aid *a, const uint8_t *b, size_t len);
bool cw_gp_aid_equal(const struct cw_gp_aid *a, const struct cw_gp_aid *b);

/* 11.9; aid NULL or empty: the issuer security domain, whatever its name. */
int cw_gp_select(struct cw_gp_cmd *c, const struct cw_gp_aid *aid, bool next);
/* E.5.1, Amendment D 7.1.1: challenge of 8 or 16 bytes. */
int cw_gp_initialize_update(struct cw_gp_cmd *c, uint8_t version,
    const uint8_t *challenge, size_t len);

/* What GET STATUS and SET STATUS speak of: tables 11-32 and 11-85. */
enum cw_gp_kind { CW_GP_ISD = 0x80, CW_GP_APPS = 0x40, CW_GP_FILES = 0x20,
    CW_GP_FILES_AND_MODULES = 0x10 };

/* 11.4, answer as TLV E3; next: after 6310. filter: begin of an AID, or NULL. */
int cw_gp_get_status(struct cw_gp_cmd *c, enum cw_gp_kind kind, bool next,
    const struct cw_gp_aid *filter);
/* 11.3: tag of one or two bytes. */
int cw_gp_get_data(struct cw_gp_cmd *c, uint16_t tag);
/* 11.10: SET STATUS; aid NULL for the card (CW_GP_ISD). */
int cw_gp_set_status(struct cw_gp_cmd *c, enum cw_gp_kind kind, uint8_t state,
    const struct cw_gp_aid *aid);
/* 11.2: an application or file; related: what depends on it too. */
int cw_gp_delete(struct cw_gp_cmd *c, const struct cw_gp_aid *aid, bool related);
/* 11.2.2.3.2: version 0 or id 0: all of them. */
int cw_gp_delete_key(struct cw_gp_cmd *c, uint8_t id, uint8_t version);

/* INSTALL, 11.5: which fields count depends on the variant. */
enum cw_gp_install_for { CW_GP_FOR_LOAD = 0x02, CW_GP_FOR_INSTALL = 0x04,
    CW_GP_FOR_SELECTABLE = 0x08, CW_GP_FOR_INSTALL_SELECTABLE = 0x0C,
    CW_GP_FOR_EXTRADITION = 0x10, CW_GP_FOR_PERSO = 0x20 };

struct cw_gp_install {
	enum cw_gp_install_for what;
	struct cw_gp_aid file;		/* load; install */
	struct cw_gp_aid module;	/* install */
	struct cw_gp_aid app;		/* all but load */
	struct cw_gp_aid domain;	/* load (empty: the ISD), extradition */
	uint8_t privilege[3];		/* install, selectable; one byte is sent when
					 * the last two are 0 */
	const uint8_t *params;		/* applet's own, goes into C9; load: whole
					 * field as TLVs; borrowed */
	size_t params_len;
	const uint8_t *hash;		/* load: for DAP, or NULL */
	size_t hash_len;
	const uint8_t *token;		/* or NULL */
	size_t token_len;
};

/* CW_EINVAL when a name that the variant needs is empty. */
int cw_gp_install(struct cw_gp_cmd *c, const struct cw_gp_install *in);

/* 11.6: block 0.. of a load file. */
int cw_gp_load(struct cw_gp_cmd *c, uint8_t block, bool last, const uint8_t *buf,
    size_t len);

/*
 * PUT KEY, 11.8, table 11-68.  The field codes AES keys in two ways: LENGTH has
 * the key's length before its bytes (88 L+1 len ..), PLAIN has not.
 */
enum cw_gp_key_coding { CW_GP_KEY_LENGTH, CW_GP_KEY_PLAIN };

struct cw_gp_put_key {
	uint8_t old_version;	/* 0: a new set */
	uint8_t new_version;	/* 01..7F */
	uint8_t id;		/* of the first: 1 */
	enum cw_gp_key_coding coding;
	uint32_t key[3];	/* handles at the session's table */
	uint8_t key_cnt;	/* 1..3 */
};

/* Keys under the session's DEK, with their check values; what the card must
 * answer goes to expect[1 + 3 * key_cnt], its length to *expect_len. */
int cw_gp_put_key(struct cw_gp_cmd *c, const struct cw_scp *s,
    const struct cw_gp_put_key *in, uint8_t expect[10], size_t *expect_len);

/*
 * STORE DATA, 11.11, from a list of DGIs (11.1.12; EMV CPS 1.1): each DGI starts
 * a command, one that is larger than `room` goes on in the next.
 */
struct cw_gp_dgi {
	uint16_t id;
	bool secret;		/* goes under the DEK: whole blocks of it */
	const uint8_t *data;	/* borrowed */
	size_t len;		/* 0..65535 */
};

struct cw_gp_store {
	const struct cw_gp_dgi *list;	/* borrowed */
	size_t cnt, idx, off;	/* off: bytes of the coded DGI that are out */
	uint8_t block;
	uint8_t iv[CW_KEY_BLOCK_MAX];	/* of the DEK's CBC, across blocks */
};

/* At the first of list[cnt]. */
void cw_gp_store_init(struct cw_gp_store *st, const struct cw_gp_dgi *list, size_t cnt);
/* The next command with at most room bytes: 1, 0 when all is out; CW_EINVAL for a
 * secret DGI that is no whole blocks; CW_ETOOBIG after 256 blocks or when room is
 * less than 24; errors of the key table. */
int cw_gp_store_next(struct cw_gp_store *st, const struct cw_scp *s, size_t room,
    struct cw_gp_cmd *c);

/* SELECT's answer: name of the domain, and the longest command data it takes
 * (9F65; 255 when it does not say). 0 or an error of cw/tlv.h. */
int cw_gp_fci_parse(const uint8_t *buf, size_t len, struct cw_gp_aid *aid,
    uint16_t *data_max);

/* One entry of GET STATUS: table 11-36. */
struct cw_gp_entry {
	struct cw_gp_aid aid;
	uint8_t state;
	uint8_t privilege[3];
	struct cw_gp_aid domain, file;	/* empty when not told */
	struct cw_gp_aid module[8];	/* further ones are left out */
	uint8_t module_cnt;
};

/* The next E3 at the cursor: 1, 0 at the end, CW_EFORMAT, CW_ESHORT. */
int cw_gp_entry_next(struct cw_rd *r, struct cw_gp_entry *e);

/* One key of the template E0 (11.3.3.1). */
struct cw_gp_key_info {
	uint8_t id, version;
	uint8_t type;		/* 80 DES, 88 AES, .. */
	uint8_t len;		/* bytes */
};

/* GET DATA 00E0 into list[cap]: how many; CW_EFULL, CW_EFORMAT, CW_ESHORT. */
int cw_gp_key_info_parse(const uint8_t *buf, size_t len, struct cw_gp_key_info *list,
    size_t cap);

/* GET DATA 0066: secure channel protocols of the card, as proto << 8 | i, into
 * list[cap]: how many, 0 if none is told. */
int cw_gp_card_data_parse(const uint8_t *buf, size_t len, uint16_t *list, size_t cap);

#endif
