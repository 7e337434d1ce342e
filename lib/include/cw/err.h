/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_ERR_H
#define CW_ERR_H

/*
 * Error codes of every cardwright function that returns int.
 *
 * 0 or a count >= 0 is success, a negative CW_E* is failure.  An error here
 * means that the world or a peer did something a caller must handle; a bug of
 * ours is a CW_ASSERT, and a card's status word is data, never an error.
 *
 * The list is the only place where a code, its name and its sentence stand;
 * the values are part of the wire and of stored files and are never reused.
 */
#define CW_ERR_MAP(X) \
	X(EINVAL, -1, "argument out of its documented range") \
	X(ESHORT, -2, "input ends before the structure does") \
	X(EFORMAT, -3, "input does not follow its format") \
	X(EPROTO, -4, "peer broke the protocol") \
	X(ECRC, -5, "check value does not match") \
	X(EVERSION, -6, "version not supported") \
	X(ETOOBIG, -7, "larger than the limit") \
	X(ERANGE, -8, "value cannot be reached or represented") \
	X(ETIMEOUT, -9, "no answer within the time allowed") \
	X(EMUTE, -10, "card does not answer to reset") \
	X(EPARITY, -11, "parity error repeated beyond the limit") \
	X(EBUSY, -12, "in use by another") \
	X(EFULL, -13, "no room left in a fixed queue or buffer") \
	X(ENOENT, -14, "no such thing") \
	X(EEXIST, -15, "already there") \
	X(ESTATE, -16, "not allowed in this state") \
	X(EDIGEST, -17, "digest does not match the content") \
	X(EOVERLAP, -18, "address ranges overlap") \
	X(EIO, -19, "input or output failed") \
	X(ENOSPC, -20, "no space left on the disk") \
	X(EDENIED, -21, "not allowed") \
	X(EUNSUPPORTED, -22, "not supported here") \
	X(ELIMIT, -23, "a resource limit was hit") \
	X(EREMOVED, -24, "card was removed") \
	X(ENOMEM, -25, "out of memory (hosts only)") \
	X(ECLOSED, -26, "connection closed") \
	X(EFENCED, -27, "epoch is fenced")

enum cw_err {
	CW_OK = 0,
#define X(name, value, text) CW_##name = (value),
	CW_ERR_MAP(X)
#undef X
};

/* Name of a code, "EPROTO"; "OK" for >= 0, "E?" for an unknown one. Static. */
const char *cw_err_name(int err);

/* Sentence for a code, without full stop. Static, never NULL. */
const char *cw_err_text(int err);

/*
 * CW_ASSERT(x): our bug if it fails.  Kept on in every build.  What happens is
 * the board's or program's choice: it defines cw_assert_failed(), which must
 * not return.
 */
_Noreturn void cw_assert_failed(const char *file, int line);
#define CW_ASSERT(x) \
	((x) ? (void)0 : cw_assert_failed(__FILE__, __LINE__))

#endif
