/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PROFILE_PRIV_H
#define CW_PROFILE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "profile.h"

/*
 * Inside of profile.  box.c is the sandbox (memory, instructions, what is left
 * of Lua's library), helpers.c the coding helpers, simlib.c those of SIM cards, card.c the `card` table that
 * builds programs, declare.c the `profile` declaration, fields.c the check of
 * values, profile.c joins them.
 */
#define PROFILE_ERR_MAX 256
#define PROFILE_FIELDS_MAX 64
#define PROFILE_NAME_MAX 63
#define PROFILE_ATR_MAX 33
#define PROFILE_ARENA 262144	/* bytes; a usual run needs a third */

struct profile_atr {
	uint8_t n;
	uint8_t mask[PROFILE_ATR_MAX], value[PROFILE_ATR_MAX];
};

struct cw_profile {
	char *text;
	size_t len;
	char *code;			/* text compiled, by us; NULL before */
	size_t code_len;
	uint8_t *arena;			/* memory of the runs, wiped after each */
	char chunk[128];		/* "@name": Lua puts name:line before messages */
	char name[PROFILE_NAME_MAX + 1];
	struct cw_field_spec field[PROFILE_FIELDS_MAX];
	bool secret[PROFILE_FIELDS_MAX];
	unsigned int field_cnt;
	struct profile_atr atr;
	bool has_cos, has_record, has_answer;
	char err[PROFILE_ERR_MAX];
};

enum box_task { BOX_LOAD, BOX_COS, BOX_RECORD, BOX_ANSWER };

/* One run of one profile in one Lua state. */
struct box {
	struct cw_profile *p;
	enum box_task task;
	const struct cw_profile_order *order;
	const struct cw_profile_record *record;
	const struct cw_profile_captures *captured;
	struct cw_prog_builder prog;
	bool declared;
	int line[CW_PROG_STEPS_MAX];	/* of the profile, by step */
	uint16_t line_cnt;

	size_t used;		/* bytes with Lua */
	size_t top;		/* of the arena */
	bool spilled;		/* some blocks are outside of the arena */
	uint32_t steps_left;	/* instructions, in units of the hook */
	int64_t cpu_end_ns;
	bool out_of_memory;
	int why;		/* CW_E* of a failure that we raised; 0 = Lua's own */
	char err[PROFILE_ERR_MAX];	/* its sentence; trusted: holds no value */
};

/* Runs task in a fresh state. 0, or CW_E* with p->err filled. */
int cw_box_run(struct box *b);
struct box *cw_box_of(lua_State *L);
/* Whether the program is that of one record: record() and answer(). */
bool cw_box_personal(const struct box *b);
/*
 * Raises an error whose text is ours.  It must never be given a record's
 * value.  Does not return.
 */
_Noreturn void cw_box_fail(lua_State *L, int why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Argument idx as text; fails by name. */
const char *cw_box_text(lua_State *L, int idx, const char *what, size_t *len);
/* Argument idx as a whole number in range. */
int64_t cw_box_int(lua_State *L, int idx, const char *what, int64_t min, int64_t max);
/* Argument idx as hex text into out; bytes. */
size_t cw_box_hex(lua_State *L, int idx, const char *what, uint8_t *out, size_t cap);
/* Pushes bytes as upper-case hex. */
void cw_box_push_hex(lua_State *L, const uint8_t *buf, size_t len);
/* Raises "unknown option" when the table at idx has a key that is not in known
 * (NULL-terminated). */
void cw_box_options(lua_State *L, int idx, const char *what, const char *const *known);

/* Give the state its globals. */
void cw_profile_declare_open(lua_State *L);
void cw_profile_helpers_open(lua_State *L);
void cw_profile_simlib_open(lua_State *L);
void cw_profile_card_open(lua_State *L);

/* "3B9FXX": nibbles, X = any. 0, CW_EFORMAT. */
int cw_profile_atr_parse(struct profile_atr *a, const char *text, size_t len);

/* NULL when value fits the field, else what is wrong with it (static). */
const char *cw_profile_value_check(const struct cw_field_spec *f, const uint8_t *value, size_t len);

/* Whether a word cannot be a record's value: it is of Lua or of the profile. */
bool cw_profile_word(const struct cw_profile *p, const char *word, size_t len);
/* Masks everything in a foreign message that could be a value. */
void cw_profile_mask(const struct cw_profile *p, char *text);

#endif
