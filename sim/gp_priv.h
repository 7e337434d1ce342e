/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_GP_PRIV_H
#define CW_SIM_GP_PRIV_H

#include "cw/tlv.h"
#include "sim/gp.h"

/*
 * Inside of the simulated GlobalPlatform card, shared by its files only:
 *	gp.c		selection, secure channel, which command may come now
 *	gp_reg.c	registry: INSTALL, DELETE, GET STATUS, SET STATUS
 *	gp_load.c	LOAD: the load file as a stream
 *	gp_key.c	PUT KEY, GET DATA, STORE DATA
 */
#define CW_GPS_SETS 4
#define CW_GPS_FILES 8
#define CW_GPS_APPS 12
#define CW_GPS_MODULES 8
#define CW_GPS_PERSO 4096	/* bytes of DGIs of all applications */

struct cw_gps_set {
	bool used, own;		/* own: made here, dropped with the set */
	uint8_t version;
	enum cw_key_alg alg;
	struct cw_scp_static key;
	uint32_t seq;
};

struct cw_gps_file {
	struct cw_gp_aid aid;	/* len 0: free */
	struct cw_gp_aid module[CW_GPS_MODULES];
	uint8_t module_cnt;
	uint32_t len;
};

struct cw_gps_app {
	struct cw_gp_aid aid;	/* len 0: free */
	struct cw_gp_aid module;
	uint8_t file;		/* index */
	uint8_t state;
	uint8_t privilege[3];
};

/* A load under way. */
struct cw_gps_load {
	bool on;
	uint8_t block;		/* expected next */
	struct cw_gp_aid aid;
	uint8_t mode;		/* what the next byte is */
	uint8_t head[5];
	uint8_t head_len;
	uint32_t left;		/* of the object at hand */
	uint32_t body_left;	/* of C4 */
	uint32_t total;		/* code bytes */
	int8_t comp;		/* last component, in load order */
	uint16_t seen;		/* a bit for each */
	uint8_t applet[256];	/* content of Applet.cap */
	uint16_t applet_len;
	uint8_t package[32];	/* begin of Header.cap's content */
	uint8_t package_len;
};

struct cw_sim_gp {
	struct cw_sim_gp_config cfg;
	uint64_t rand;
	uint8_t life, tries;
	struct cw_gps_set set[CW_GPS_SETS];
	struct cw_gps_file file[CW_GPS_FILES];
	struct cw_gps_app app[CW_GPS_APPS];
	uint32_t used_bytes;
	uint8_t iin[17], cin[17];	/* length, content */

	/* volatile */
	int selected;			/* index of app, -1: the domain */
	struct cw_scp scp;
	int scp_set;			/* set of the session */
	struct cw_gps_load load;
	int perso;			/* application that STORE DATA is for; -1: domain */
	uint8_t store_block;
	bool more;			/* GET STATUS: entries left */
	uint8_t more_kind;
	uint16_t more_idx;

	/* DGIs: app, id, len, data; the one under way is the last */
	uint8_t dgi[CW_GPS_PERSO];
	uint16_t dgi_len;
	uint16_t dgi_at;		/* where the one under way begins */
	uint16_t dgi_left;		/* its bytes to come */
	bool dgi_secret;
};

/* One command in the clear, its answer. */
struct cw_gps_cmd {
	const struct cw_apdu *a;
	struct cw_wr out;
};

/* The domain's name. */
extern const struct cw_gp_aid cw_gps_isd;

/* The commands: a status word each. */
uint16_t cw_gps_install(struct cw_sim_gp *g, struct cw_gps_cmd *c);
uint16_t cw_gps_delete(struct cw_sim_gp *g, struct cw_gps_cmd *c);
uint16_t cw_gps_get_status(struct cw_sim_gp *g, struct cw_gps_cmd *c);
uint16_t cw_gps_set_status(struct cw_sim_gp *g, struct cw_gps_cmd *c);
uint16_t cw_gps_load(struct cw_sim_gp *g, struct cw_gps_cmd *c);
uint16_t cw_gps_put_key(struct cw_sim_gp *g, struct cw_gps_cmd *c);
uint16_t cw_gps_get_data(struct cw_sim_gp *g, struct cw_gps_cmd *c);
uint16_t cw_gps_store_data(struct cw_sim_gp *g, struct cw_gps_cmd *c);

/* Begins a load; the file's name was checked. */
void cw_gps_load_begin(struct cw_sim_gp *g, const struct cw_gp_aid *aid);
uint16_t cw_gps_delete_key(struct cw_sim_gp *g, int id, int version);
/* Index, or -1. */
int cw_gps_app(const struct cw_sim_gp *g, const struct cw_gp_aid *aid);
int cw_gps_file(const struct cw_sim_gp *g, const struct cw_gp_aid *aid);
/* Forgets the DGIs of an application. */
void cw_gps_dgi_drop(struct cw_sim_gp *g, int app);

#endif
