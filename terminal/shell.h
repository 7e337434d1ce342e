/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TERMINAL_SHELL_H
#define CW_TERMINAL_SHELL_H

/*
 * Shell of cardwright-terminal: sockets, disk, timers and threads around one
 * line.  Private to the program.
 *
 *	main.c			options, start, end
 *	shell_config.c		configuration file
 *	shell_links.c		connections to the platform and the readers
 *	shell_journal.c		journal: group commit in a worker, rewriting
 *	shell_ops.c		the line's op table
 */
#include <uv.h>

#include "host/conn.h"
#include "host/ini.h"
#include "host/keyfile.h"
#include "terminal/devlink/devlink.h"
#include "terminal/journal.h"
#include "terminal/line.h"

#define SHELL_TEXT 256

/* How a reader is reached; same index as in the line's config. */
struct shell_reader {
	bool plain;
	char identity[CW_KEYFILE_ID_MAX + 1];
	const uint8_t *key;	/* lent by the key file; NULL when plain */
};

struct shell_config {
	char path[SHELL_TEXT];
	struct cw_ini *ini;
	const char *name, *journal;	/* values live in ini */
	const char *plat_ip, *ca, *cert, *key;
	const char *keys;	/* file of the readers' link keys; "" = none */
	struct cw_keyfile *keyfile;
	const char *dev_ip, *dev_profile;
	uint16_t plat_port, dev_port;
	uint16_t quarantine, jam_resets;
	uint32_t reader_lost_ms, drain_ms;
	uint16_t reader_cnt, station_cnt;
	struct cw_line_reader_config reader[CW_LINE_STATIONS_MAX];
	struct shell_reader secure[CW_LINE_STATIONS_MAX];
	struct cw_line_station_config station[CW_LINE_STATIONS_MAX];
};

/* A connection that is made again when it breaks. */
struct shell_link {
	struct shell *sh;
	unsigned int idx;	/* reader; unused for the platform */
	bool platform;
	bool open;		/* told the line that it is up */
	bool heard;		/* a frame has come on this connection */
	bool refused;		/* the last of them said why it closes */
	char ip[48];
	uint16_t port;
	struct cw_conn *conn;	/* NULL: none */
	uint64_t retry_us;	/* when to try again */
	uint32_t wait_ms;
	uint32_t fails;		/* in a row */
	uint64_t told_us;	/* last complaint */
};

struct shell {
	struct shell_config cfg;
	uv_loop_t loop;
	uv_prepare_t prepare;
	uv_timer_t timer;
	uv_signal_t sig[3];
	struct cw_line *line;
	struct cw_journal journal;
	bool journal_open;
	struct cw_jdisk *disk;
	struct cw_journal_batch batch;
	uv_work_t work;
	int work_err;
	bool working;
	SSL_CTX *tls;
	SSL_CTX *psk;		/* for readers with a key */
	struct shell_link plat;
	struct shell_link *reader;
	uint64_t retry_us;	/* earliest of all links */
	struct cw_devmap *map;
	struct cw_devlink *dev;
	bool dev_up;
	uint8_t *frame;		/* room for one platform frame */
	uint64_t utc_us;	/* last time told */
	bool draining, ending;
	uint64_t drain_us;
	int exit_code;
};

uint64_t cw_shell_now_us(void);

/* shell_config.c: 0, or CW_E* with err filled (file:line). */
int cw_shell_config_load(struct shell_config *c, const char *path, char *err, size_t err_cap);
void cw_shell_config_free(struct shell_config *c);

/* shell_links.c */
int cw_shell_links_start(struct shell *sh, char *err, size_t err_cap);
void cw_shell_links_retry(struct shell *sh, uint64_t now_us);
void cw_shell_links_close(struct shell *sh);

/* shell_journal.c */
int cw_shell_journal_start(struct shell *sh, char *err, size_t err_cap);
void cw_shell_journal_pump(struct shell *sh);
void cw_shell_journal_stop(struct shell *sh);

/* shell_ops.c */
extern const struct cw_line_ops cw_shell_ops;

/* main.c: ends the program: drain first, or at once when code != 0. */
void cw_shell_end(struct shell *sh, int code);

#endif
