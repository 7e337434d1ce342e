/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SETTINGS_H
#define CW_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port.h"

/*
 * What a reader remembers without power: address, name, serial number, link
 * key, and how often it was started.  Bytes in docs/spec/settings.md.
 *
 *	cw_settings_init(&st, &board_nvm_ops, dev);
 *	err = cw_settings_load(&st, &s);	always fills s
 *	cw_settings_save(&st, &s);		mends a copy that was found bad
 *	err = cw_settings_boot(&st, &s, &boot_id);
 *	if (err < 0) ... no nonce may be drawn: no secured link, see below ...
 *
 * Two copies under a sequence number and a CRC, written one after the other and
 * read back: power lost at any byte leaves one whole copy, the old or the new
 * one.  Not for anything that changes with cards: a cell of an EEPROM lasts
 * about a million writes.
 *
 * The boot counter has a place of its own, two rings of cells, because it is
 * written at each start.
 */
#define CW_SETTINGS_NVM_BYTES 2048	/* what the memory must hold */
#define CW_SETTINGS_KEY_LEN 32
#define CW_SETTINGS_ID_MAX 32		/* with its NUL */
#define CW_SETTINGS_NAME_MAX 32		/* with its NUL */

enum cw_ip_mode { CW_IP_STATIC = 0, CW_IP_DHCP = 1 };

struct cw_settings {
	enum cw_ip_mode ip_mode;
	uint8_t ip[4], mask[4], gateway[4];	/* STATIC; gateway 0.0.0.0: none */
	uint8_t mac[6];		/* zero: the board makes one of the serial number */
	uint8_t serial[16];	/* zero: not given yet */
	char name[CW_SETTINGS_NAME_MAX];	/* for people; may be empty */
	/* Link key (TLS-PSK).  The identity is public, the key is never shown:
	 * wipe the struct when done (cw_settings_wipe). */
	bool has_key;
	char key_id[CW_SETTINGS_ID_MAX];	/* 1..31 printable characters, no blank */
	uint8_t key[CW_SETTINGS_KEY_LEN];
	bool plain_allowed;	/* an unsecured link may be served; it is refused
				 * production orders */
	uint8_t log_level;	/* 0 error .. 4 trace */
};

#define CW_SETTINGS_COPY_MAP(X) \
	X(NEVER, "not looked at") \
	X(GOOD, "good") \
	X(BLANK, "never written") \
	X(TORN, "check value does not match, power was lost in a write or a cell failed") \
	X(VERSION, "written by a newer firmware") \
	X(RANGE, "a field is out of its range") \
	X(UNREAD, "the memory did not answer")

enum cw_settings_copy {
#define X(name, text) CW_COPY_##name,
	CW_SETTINGS_COPY_MAP(X)
#undef X
};
/* The sentence of a copy's state; static. */
const char *cw_settings_copy_text(enum cw_settings_copy c);

/* The caller's; written by the calls below, readable by anyone. */
struct cw_settings_store {
	const struct cw_nvm_ops *ops;
	void *dev;
	enum cw_settings_copy copy[2];
	uint32_t seq[2];	/* of a GOOD copy */
	int used;		/* 0 or 1, -1: defaults */
	uint32_t write_cnt;	/* copies and counter cells written since init */
	uint32_t retry_cnt;	/* calls of the memory that were repeated */
	uint8_t boot_bad_cnt;	/* counter cells that did not take a value */
};

/* No access yet. */
void cw_settings_init(struct cw_settings_store *st,
    const struct cw_nvm_ops *ops, void *dev);

/* DHCP, no name, no key, no plain link, log level 2. */
void cw_settings_defaults(struct cw_settings *s);

/*
 * The newer good copy, else the defaults; s is always filled.  0; CW_ENOENT:
 * both copies were never written; CW_ECRC: neither can be used (st->copy tells
 * why); CW_EIO: the memory does not answer, and nothing may be saved.
 */
int cw_settings_load(struct cw_settings_store *st, struct cw_settings *s);

/*
 * Makes both copies hold s; what holds it already is not written.  Never
 * touches the last good copy before the other one was read back.
 * Copies written (0: nothing changed; 1 with st->copy[] other than GOOD: the
 * other copy has failed cells), CW_EINVAL (cw_settings_check), or CW_EIO: the
 * memory does not answer or does not take it, and the old settings still stand.
 */
int cw_settings_save(struct cw_settings_store *st, const struct cw_settings *s);

/*
 * Counts this start.  *count is above every count that an earlier start was
 * given, and is in the memory, twice and read back, when this returns: draw
 * nonces from it.  s as loaded.
 * 0; CW_EIO: the memory does not answer or takes no value; CW_ESTATE: a key is
 * there and every counter cell is lost, so that an old nonce could come again:
 * enrol a new key (cw_settings_boot_restart), then start anew.  *count is 0 then.
 */
int cw_settings_boot(struct cw_settings_store *st, const struct cw_settings *s,
    uint64_t *count);

/* After CW_ESTATE and with a NEW key in place: the count begins at 1 again. */
int cw_settings_boot_restart(struct cw_settings_store *st);

/* 0, or CW_EINVAL with *what naming the field and the remedy (static). */
int cw_settings_check(const struct cw_settings *s, const char **what);

/* Zeroes it, the key too. */
void cw_settings_wipe(struct cw_settings *s);

#endif
