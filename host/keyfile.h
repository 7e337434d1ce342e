/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_KEYFILE_H
#define CW_KEYFILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The link keys of readers, on a host: one line per reader,
 *
 *	127.0.1.1:7816 0f1e2d...	identity, blanks, 64 hex digits
 *	# a comment
 *
 * Nobody but the owner may read the file.  The memory is wiped when it is freed.
 *
 *	k = cw_keyfile_load("readers.key", err, sizeof err);
 *	key = cw_keyfile_find(k, "127.0.1.1:7816");
 *	cw_keyfile_free(k);
 */
#define CW_KEYFILE_KEY_LEN 32
#define CW_KEYFILE_ID_MAX 31	/* without NUL */

struct cw_keyfile;

/* NULL with err filled: the place (file:line) and the remedy, never a key. */
struct cw_keyfile *cw_keyfile_load(const char *path, char *err, size_t err_cap);
/* The CW_KEYFILE_KEY_LEN bytes of this identity, lent while k lives; NULL: none. */
const uint8_t *cw_keyfile_find(const struct cw_keyfile *k, const char *identity);
/* k may be NULL. */
void cw_keyfile_free(struct cw_keyfile *k);

/* 0, or CW_EINVAL: 1 to 31 printable ASCII characters without blanks or '#' first. */
int cw_keyfile_check_id(const char *identity);

/*
 * Adds one key at the end of the file, which is made (mode 0600) if it is not
 * there, and is on the disk when this returns.  0, or with err filled CW_EINVAL
 * (identity), CW_EEXIST (it has a key already), CW_EFORMAT, CW_EDENIED, CW_EIO.
 */
int cw_keyfile_add(const char *path, const char *identity,
    const uint8_t key[CW_KEYFILE_KEY_LEN], char *err, size_t err_cap);

#endif
