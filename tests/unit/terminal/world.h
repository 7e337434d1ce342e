/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include "cw/plink.h"
#include "cw/rlink.h"
#include "memdisk.h"
#include "terminal/line.h"

/*
 * A small factory around one line: a platform with its ledger, readers that
 * play scripted results, a device that counts, a disk that loses what was not
 * synced.  It can kill the terminal at the n-th op and start it again.  At the
 * end world_audit proves that everything adds up.
 */
#define WORLD_READERS 8
#define WORLD_RECORDS 64
#define WORLD_CARDS 512
#define WORLD_ORDER 5
#define WORLD_IMAGE_LEN 20000

/* What a reader does with the next personal (or only) program. */
enum play {
	PLAY_GOOD,
	PLAY_BURN_FAIL,		/* burn NO_BOOT, personal SKIPPED */
	PLAY_MUTE,		/* personal MUTE, untouched */
	PLAY_FAULT,		/* the reader's own circuit fails, untouched */
	PLAY_SW,		/* touched, status word */
	PLAY_TIMEOUT,		/* touched, unknown end */
	PLAY_SILENT,		/* writes the card, never answers */
	PLAY_REMOVED_RUN,	/* RUN refused: no card */
	PLAY_BOOT,		/* restarts in the middle */
	PLAY_CUT,		/* link lost in the middle; result kept */
};

struct card {
	uint64_t record;	/* written on it, wholly or in part; 0 = none */
	bool whole;
	uint8_t bin;		/* enum cw_dev_bin; NONE: in a station */
};

struct rec {
	uint32_t epoch;		/* of the last lease */
	bool leased, good;
	uint32_t addr;
	unsigned int attempts;
	uint8_t verdict;	/* of the last result */
	uint16_t outcome;
};

struct frame_queue {
	uint8_t *buf[64];
	size_t len[64];
	unsigned int cnt;
};

struct reader {
	bool up, hello;
	uint64_t boot_id;
	uint32_t session;
	bool present;
	uint32_t card_no;
	bool has_image;
	uint8_t digest[32];
	struct cw_sha256 hash;
	uint32_t got;
	uint64_t last_attempt;
	uint32_t wrong_boot, wrong_session;	/* added in its RESULTs */
	enum play play[16];	/* by card; then PLAY_GOOD */
	unsigned int play_cnt, play_at;
	bool burn_good;
	struct { uint64_t attempt; uint16_t outcome, sw; uint8_t flags; } kept[8];
	unsigned int kept_cnt;
	uint64_t asking;	/* attempt that waits for CONTINUE; 0 = none */
	struct frame_queue out;
	uint64_t down_until;
	unsigned int images;
};

struct world {
	uint64_t now;
	struct cw_line *line;
	struct cw_journal journal;
	struct memdisk disk;
	unsigned int station_cnt;
	uint64_t session;

	/* death: after so many ops the terminal's hands are tied */
	unsigned int ops, die_at;
	bool dead;
	unsigned int crashes;

	/* platform */
	bool plat_up, plat_known, plat_away, deaf;	/* deaf: no ACKs */
	bool pause_leases;
	uint8_t order_state;
	bool order_told, has_cos, has_data, refuse_profile, production, plain;
	struct cw_pl_refused last_refused;
	struct rec rec[WORLD_RECORDS + 1];
	unsigned int record_cnt, attempts_max;
	uint32_t credit;
	uint64_t acked;
	uint32_t results, strays, refused, revoked;
	uint64_t last_revoked;
	struct cw_pl_msg last_status;
	uint32_t count_good, count_reject, count_doubt, count_none;
	uint32_t got_cards;	/* results that name a card */
	bool seen_card[WORLD_CARDS];
	bool stray[WORLD_CARDS];	/* put there by hand */
	uint8_t image[WORLD_IMAGE_LEN];
	uint8_t digest[32];
	uint8_t pkg[WORLD_IMAGE_LEN + 128];
	uint32_t pkg_len;
	char last_trace[2048];

	/* device */
	struct cw_dev_view dev;
	bool view_due;
	struct { uint16_t seq; uint8_t cmd; bool due; } cmd[WORLD_READERS];
	uint8_t bits;
	struct card card[WORLD_CARDS];
	unsigned int jam_at;	/* card number that jams at feeding */
	unsigned int lose_at;	/* card number that is lost on its way to a bin */
	unsigned int missort_at;	/* rejected card that falls into the good bin */

	struct reader reader[WORLD_READERS];
	unsigned int bad_frames;	/* that the line would not take */
	bool asks;		/* personal programs ask once */
	bool answer_fails;	/* and the profile has no answer */
	unsigned int answers;	/* CONTINUEs */
	bool no_prefetch, hold_commits;
	unsigned int quarantine;
};

void world_init(struct world *w, unsigned int stations, unsigned int records);
void world_fini(struct world *w);
/* Makes the terminal from its journal. */
void world_start(struct world *w);
/* Kills it: the disk keeps `keep` bytes of what was not synced. */
void world_kill(struct world *w, size_t keep);
/* One round: everything that waits is delivered, 5 ms pass. */
void world_round(struct world *w);
/* Rounds until every record is good or out of attempts, or `max` rounds. True: done. */
bool world_run(struct world *w, unsigned int max);
bool world_done(const struct world *w);
/* Rounds until nothing is under way and everything is acknowledged. */
void world_settle(struct world *w);
/* Every invariant; asserts. */
void world_audit(struct world *w);
/* A stray platform message to the line. */
void world_say(struct world *w, const struct cw_pl_msg *m);
void world_revoke(struct world *w, uint64_t record, uint32_t epoch);
void world_lease(struct world *w, uint64_t record, uint32_t epoch);

#endif
