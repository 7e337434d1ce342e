/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_GPLOAD_H
#define CW_GPLOAD_H

#include "cw/gp.h"

/*
 * Load files of Java Card applets: the components of a CAP file (Java Card
 * Virtual Machine specification, chapter 6) in the order in which a card takes
 * them, from a CAP (an archive; its members come in one by one) or an IJC (the
 * members already one after the other), and cut into LOAD blocks.
 *
 *	cw_gp_cap_init(&cap);
 *	for each member: cw_gp_cap_add(&cap, name, buf, len);
 *	if (cw_gp_cap_check(&cap, &info) < 0) puts(cap.fault) ...
 *	cw_gp_loader_init(&l, &cap, NULL);
 *	while ((n = cw_gp_loader_next(&l, room, block)) > 0) ...
 *
 * Not here: the archive (host/cap.h), and whether the code is right: cards
 * verify what they load, or trust a DAP.
 */

/* In load order: name, tag, whether a file must have it. */
#define CW_GP_CAP_MAP(X) \
	X(HEADER, "Header", 1, true) X(DIRECTORY, "Directory", 2, true) \
	X(IMPORT, "Import", 4, true) X(APPLET, "Applet", 3, false) \
	X(CLASS, "Class", 6, true) X(METHOD, "Method", 7, true) \
	X(STATIC_FIELD, "StaticField", 8, true) X(EXPORT, "Export", 10, false) \
	X(CONSTANT_POOL, "ConstantPool", 5, true) \
	X(REF_LOCATION, "RefLocation", 9, true) \
	X(DESCRIPTOR, "Descriptor", 11, false)

enum cw_gp_component {
#define X(sym, name, tag, must) CW_GP_CAP_##sym,
	CW_GP_CAP_MAP(X)
#undef X
	CW_GP_CAP_CNT
};

#define CW_GP_COMPONENT_MAX (3 + 65535)
#define CW_GP_APPLET_MAX 8

struct cw_gp_cap {
	struct cw_key_part part[CW_GP_CAP_CNT];	/* borrowed; buf NULL: absent */
	bool with_descriptor;	/* it goes to the card; off after _init */
	char fault[96];		/* after an error: which component, what, remedy */
};

struct cw_gp_cap_info {
	struct cw_gp_aid package;
	uint8_t major, minor;	/* of the package */
	struct cw_gp_aid applet[CW_GP_APPLET_MAX];	/* modules */
	uint8_t applet_cnt;
	uint32_t code_len;	/* bytes that go to the card, without C4 */
};

/* No component yet. */
void cw_gp_cap_init(struct cw_gp_cap *c);
/* A member by its path in the archive ("pkg/javacard/Method.cap"). 1 taken, 0 no
 * component of ours; CW_EEXIST when it is there already (two packages). */
int cw_gp_cap_add(struct cw_gp_cap *c, const char *path, const uint8_t *buf, size_t len);
/* An IJC: splits buf[len]. 0; CW_ESHORT, CW_EFORMAT, CW_EEXIST. */
int cw_gp_cap_split(struct cw_gp_cap *c, const uint8_t *buf, size_t len);
/* Every component there and as long as it says, header and applets readable: 0,
 * CW_ENOENT, CW_EFORMAT, CW_ESHORT. */
int cw_gp_cap_check(struct cw_gp_cap *c, struct cw_gp_cap_info *info);

/* What is loaded, piece by piece. */
struct cw_gp_loader {
	struct cw_key_part piece[CW_GP_CAP_CNT + 2];
	size_t piece_cnt, idx, off;
	uint8_t head[5];	/* C4 and its length */
	uint32_t left;
};

/* dap: E2 objects that go before C4, borrowed, or NULL. The cap must have been
 * checked; what it borrows must live on, and l must not move. */
void cw_gp_loader_init(struct cw_gp_loader *l, const struct cw_gp_cap *c,
    const struct cw_key_part *dap);
/* Blocks of room bytes that the rest takes. */
uint32_t cw_gp_loader_blocks(const struct cw_gp_loader *l, size_t room);
/* The next bytes, at most room: how many, 0 when all is out. */
size_t cw_gp_loader_next(struct cw_gp_loader *l, size_t room, uint8_t *out);

#endif
