/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_DISCOVER_H
#define CW_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Finding readers on a network: one datagram asks, by broadcast or to one
 * address, each reader answers with one.  Bytes in docs/spec/discovery.md.
 *
 * Reader:	len = cw_disc_serve(&d, &me, buf, n, now_us, out);
 *		if (len > 0) ... send out[len] back to who asked ...
 * Asker:	cw_disc_put_request(buf, nonce); ... send ...
 *		err = cw_disc_get_answer(&info, &nonce, buf, n);
 *
 * Nothing here is secret and nothing is proved: an answer says where to look;
 * who a reader is shows when the secured link comes up with its key.
 *
 * A question is as long as its answer and answers are limited in number, so a
 * reader cannot be made to send more than somebody sends to it.
 */
#define CW_DISC_PORT 7817	/* UDP */
#define CW_DISC_LEN 192		/* of every datagram */
#define CW_DISC_TEXT 32		/* texts with their NUL */
#define CW_DISC_BURST 16	/* answers at once, */
#define CW_DISC_RATE 16		/* and per second */

/* X(NAME, number, "sentence") */
#define CW_DISC_STATE_MAP(X) \
	X(FREE, 1, "no terminal is connected") \
	X(SERVED, 2, "serves a terminal") \
	X(UPDATE, 3, "takes a new firmware") \
	X(FAULT, 4, "has a fault: see its console")

enum cw_disc_state {
#define X(name, value, text) CW_DISC_##name = (value),
	CW_DISC_STATE_MAP(X)
#undef X
};
/* "free", ... in small letters; "?" for none. Static. */
const char *cw_disc_state_name(uint8_t state);

enum cw_disc_link { CW_DISC_LINK_PLAIN = 1, CW_DISC_LINK_TLS = 2 };

struct cw_disc_info {
	uint8_t serial[16];
	uint64_t boot_id;
	uint32_t addr;		/* IPv4, host order; 0: where the answer comes from */
	uint16_t port;		/* of the reader link */
	uint8_t link;		/* enum cw_disc_link */
	uint8_t state;		/* enum cw_disc_state */
	uint8_t slot_cnt;	/* 1..CW_RLINK_SLOTS_MAX */
	char firmware[CW_DISC_TEXT];
	char identity[CW_DISC_TEXT];	/* of its link key; "" on a plain link */
	char name[CW_DISC_TEXT];	/* for people, may be "" */
};

/* A reader's side; the caller's, zero at first. */
struct cw_disc {
	uint64_t last_us;	/* when tokens were counted */
	uint32_t tokens;	/* answers that may be given now, times 1e6 */
	bool started;
	uint32_t answered_cnt, malformed_cnt, limited_cnt;
};

/* Each writes CW_DISC_LEN bytes. put_answer: 0, or CW_EINVAL for a field out of its range. */
void cw_disc_put_request(uint8_t out[CW_DISC_LEN], uint64_t nonce);
int cw_disc_put_answer(uint8_t out[CW_DISC_LEN], uint64_t nonce, const struct cw_disc_info *info);
/* 0; CW_ESHORT, CW_ETOOBIG (length), CW_EFORMAT, CW_EVERSION, CW_ECRC. */
int cw_disc_get_request(const uint8_t *buf, size_t len, uint64_t *nonce);
int cw_disc_get_answer(struct cw_disc_info *info, uint64_t *nonce, const uint8_t *buf, size_t len);

/*
 * What a reader does with a datagram: CW_DISC_LEN when out is to be sent to its
 * sender; 0 when not: malformed, or too many; counted.  me must be valid.
 */
size_t cw_disc_serve(struct cw_disc *d, const struct cw_disc_info *me,
    const uint8_t *in, size_t len, uint64_t now_us, uint8_t out[CW_DISC_LEN]);

#endif
