/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PROBLEMS_H
#define CW_PROBLEMS_H

/*
 * Every error that the API can answer: the one list, from which the table in
 * docs/spec/api.md is tested.  Answered as application/problem+json (RFC 9457)
 * with type "urn:cardwright:error:CW-<number>".  Numbers are never reused.
 *
 *	10xx who may ask	11xx form of the request	12xx orders
 *	13xx cards and lines	19xx the platform itself
 *
 * X(ID, number, HTTP status, "title")
 */
#define CW_PROBLEM_MAP(X) \
	X(TOKEN_MISSING, 1001, 401, "The request carries no token") \
	X(TOKEN_WRONG, 1002, 401, "The token is not this platform's") \
	X(HOST, 1003, 421, "The Host header names another server") \
	X(NO_ROUTE, 1101, 404, "No such resource") \
	X(METHOD, 1102, 405, "The resource does not take this method") \
	X(TYPE, 1103, 415, "The content type is not taken here") \
	X(QUERY, 1104, 400, "A query argument is unknown or out of range") \
	X(JSON, 1105, 400, "The body is not the JSON that is asked for") \
	X(BODY_MISSING, 1106, 400, "The body is missing") \
	X(TOO_LARGE, 1107, 413, "The body is larger than allowed") \
	X(KEY, 1108, 400, "The idempotency key is malformed") \
	X(SLOW, 1109, 408, "The body comes too slowly") \
	X(NO_ORDER, 1201, 404, "No such order") \
	X(KEY_REUSED, 1202, 409, "The idempotency key was used for another order") \
	X(BAD_ORDER, 1203, 422, "The order has faults") \
	X(BAD_COS, 1204, 422, "The COS image has a fault") \
	X(NO_PROFILE, 1205, 422, "No such card profile") \
	X(STATE, 1206, 409, "The order is not in a state that allows this") \
	X(DIGEST, 1208, 422, "What arrived is not what was announced") \
	X(NO_CARD, 1301, 404, "No card or record answers to this") \
	X(STORE, 1901, 500, "The database failed") \
	X(FULL, 1902, 507, "The disk is full") \
	X(NOT_READY, 1903, 503, "The platform is not ready") \
	X(MEMORY, 1904, 503, "Out of memory")

enum cw_problem {
#define X(id, number, status, title) CW_PB_##id = (number),
	CW_PROBLEM_MAP(X)
#undef X
};

/* HTTP status and title of a problem. */
unsigned int cw_problem_status(enum cw_problem p);
const char *cw_problem_title(enum cw_problem p);

#endif
