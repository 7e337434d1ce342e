/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_GP_H
#define CW_SIM_GP_H

#include "cw/gp.h"

/*
 * The GlobalPlatform side of the simulated card: an issuer security domain with
 * a registry, at APDU level (docs/spec/simgp.md).  Strict: what GPC 2.3.1 forbids
 * is answered with its status word.  Pure: no I/O, no clock, no heap after _new.
 *
 *	cw_sim_gp_reset(g);
 *	sw = cw_sim_gp_apdu(g, &apdu, rsp, &rsp_len);
 *
 * Loaded code is checked, counted and forgotten, not run: an applet of this card
 * takes its personalization and nothing else.
 */
#define CW_SIM_GP_TRIES 10
#define CW_SIM_GP_RSP_MAX 256
#define CW_SIM_GP_APDU_MAX 261

/* enum values are those of the standard: 5.1, table 11-3 to 11-5. */
enum cw_sim_gp_life { CW_GP_OP_READY = 0x01, CW_GP_INITIALIZED = 0x07,
    CW_GP_SECURED = 0x0F, CW_GP_CARD_LOCKED = 0x7F, CW_GP_TERMINATED = 0xFF };

struct cw_sim_gp_config {
	struct cw_keys keys;		/* table; borrowed while the card lives */
	struct cw_scp_static initial;	/* handles of the first key set; 3DES for
					 * SCP02, AES for SCP03; borrowed */
	uint8_t version;		/* of that set; 0: FF */
	uint8_t proto, i;		/* 0: SCP03, i = 70 */
	uint8_t tries;			/* 0: CW_SIM_GP_TRIES */
	uint32_t memory_bytes;		/* for load files; 0: 65536 */
	uint8_t kdd[CW_SCP_KDD_LEN];	/* also CPLC and CIN come from it */
	uint64_t seed;			/* of random challenges */
};

struct cw_sim_gp;
/* NULL when out of memory. _free drops the keys that the card made. */
struct cw_sim_gp *cw_sim_gp_new(const struct cw_sim_gp_config *cfg);
void cw_sim_gp_free(struct cw_sim_gp *g);
/* The session ends, the security domain is selected. */
void cw_sim_gp_reset(struct cw_sim_gp *g);
/* rsp[CW_SIM_GP_RSP_MAX] gets the data; returns the status word. */
uint16_t cw_sim_gp_apdu(struct cw_sim_gp *g, const struct cw_apdu *a, uint8_t *rsp,
    size_t *rsp_len);

/* What a person would find, for checks. */
uint8_t cw_sim_gp_life(const struct cw_sim_gp *g);
uint8_t cw_sim_gp_tries(const struct cw_sim_gp *g);
/* State of an application or load file, CW_ENOENT. */
int cw_sim_gp_state(const struct cw_sim_gp *g, const struct cw_gp_aid *aid);
/* Code bytes of a load file, CW_ENOENT. */
int cw_sim_gp_code_len(const struct cw_sim_gp *g, const struct cw_gp_aid *aid);
/* A DGI that an application was personalized with, in the clear: bytes,
 * CW_ENOENT, CW_EFULL. */
int cw_sim_gp_dgi(const struct cw_sim_gp *g, const struct cw_gp_aid *aid, uint16_t id,
    uint8_t *out, size_t cap);

#endif
