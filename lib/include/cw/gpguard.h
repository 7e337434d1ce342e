/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_GPGUARD_H
#define CW_GPGUARD_H

#include "cw/gp.h"

/*
 * The lock-out guard: a security domain counts wrong authentications and locks
 * for good, mostly after ten, so a wrong key file can destroy every card of an
 * order.  The guard decides, before a card is asked anything that counts,
 * whether it may be asked, and after how many failures the line stops.
 *
 *	1. cw_gp_guard_compare	key information of card and key file
 *	2. cw_gp_guard_ask	may this card be tried now?
 *	3. INITIALIZE UPDATE, cw_scp_host_begin, EXTERNAL AUTHENTICATE
 *	4. cw_gp_guard_tell	what became of it
 *
 * Guarantees: a card that failed once is never tried again; as long as no card
 * has opened, or after a failure, no more stations are under way than may still
 * fail, so that a wrong key file costs `limit` cards at most, also when stations
 * work side by side.  One guard belongs to one line and one key set. Pure; the
 * caller keeps it.
 */
#define CW_GP_GUARD_LIMIT 3

/* What may come of a card, with the likely cause for the operator; `burns`:
 * the card has counted a try. */
#define CW_GP_VERDICT_MAP(X) \
	X(GOOD, false, "authenticated") \
	X(NO_VERSION, false, "the card has no key set of this version: the key " \
	    "file is for another batch, or the card was personalized already") \
	X(KIND, false, "the card's keys are of another kind (3DES or AES) than " \
	    "those of the key file") \
	X(LENGTH, false, "the card's keys have another length than those of the " \
	    "key file") \
	X(KCV, false, "a key does not have the check value that was announced for " \
	    "it: wrong component, or ENC, MAC and DEK were mixed up") \
	X(CRYPTOGRAM, false, "the card proves other keys than ours: wrong key file, " \
	    "wrong diversification, or wrong key version; no try was burnt") \
	X(REFUSED, true, "the card refused our cryptogram, one try is burnt") \
	X(LOCKED, false, "the card's key set is locked by wrong tries before") \
	X(BROKEN, true, "the card vanished or erred during the authentication; a " \
	    "try may be burnt")

enum cw_gp_verdict {
#define X(sym, burns, text) CW_GP_VERDICT_##sym,
	CW_GP_VERDICT_MAP(X)
#undef X
	CW_GP_VERDICT_CNT
};

/* The likely cause in words; static. */
const char *cw_gp_verdict_text(enum cw_gp_verdict v);
/* The card may have counted a try. */
bool cw_gp_verdict_burns(enum cw_gp_verdict v);

/* What the key file says of the set that is to be used. */
struct cw_gp_guard_keys {
	uint8_t version;	/* 0: whichever the card puts first */
	uint32_t key[3];	/* ENC, MAC, DEK at the table */
	bool kcv_known;
	uint8_t kcv[3][3];	/* as announced, when known */
};

/* Before anything that counts: GOOD, NO_VERSION, KIND, LENGTH or KCV. list[cnt]
 * is the card's key information, cnt 0 if it gives none. CW_E* of the table. */
int cw_gp_guard_compare(const struct cw_keys *keys, const struct cw_gp_guard_keys *k,
    const struct cw_gp_key_info *list, size_t cnt);

struct cw_gp_guard {
	uint32_t limit;
	uint32_t fail_cnt;	/* in a row */
	uint32_t busy_cnt;	/* asked, not told */
	uint32_t good_cnt;
	bool halted;
	enum cw_gp_verdict cause;	/* of the last failure */
};

/* limit 0: CW_GP_GUARD_LIMIT. */
void cw_gp_guard_init(struct cw_gp_guard *g, uint32_t limit);
/* failed_before: this card has failed once (the caller knows its cards). 0: try
 * it, and tell. CW_EDENIED: never this card. CW_ESTATE: the line is halted.
 * CW_EBUSY: wait until another one has told. */
int cw_gp_guard_ask(struct cw_gp_guard *g, bool failed_before);
/* After each ask that returned 0. True when the line halts now. */
bool cw_gp_guard_tell(struct cw_gp_guard *g, enum cw_gp_verdict v);
/* A person has looked: counting starts over. */
void cw_gp_guard_resume(struct cw_gp_guard *g);

#endif
