/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TERMINAL_JOURNAL_H
#define CW_TERMINAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The terminal's durable journal: an append-only file of records, each with a
 * number (LSN), a CRC-32 and a SHA-256 chain.  Bytes in docs/spec/journal.md.
 * It knows nothing of cards: types and payloads are the line core's.
 *
 *	cw_journal_open(&j, &cfg);		replays through cfg.replay
 *	lsn = cw_journal_append(&j, ...);	buffered, not yet durable
 *	if (cw_journal_take(&j, &b)) {		everything appended so far
 *		write b.buf at b.off, sync;	(any thread: the lent buffer
 *						 stays until done)
 *		lsn = cw_journal_done(&j, err);	durable up to lsn
 *	}
 *
 * One batch is under way at a time; what is appended meanwhile makes the next
 * (group commit).  cw_journal_commit does take, write, sync, done in one call.
 *
 * At open a torn tail is cut: bytes after the last whole record that were never
 * acknowledged as durable.  Damage before that (a later record proves that the
 * damaged one was durable once) is CW_EDIGEST with file and offset in the text,
 * and the terminal must not run.
 *
 * A failed write or sync is final (fail-stop): the journal takes no more
 * appends, CW_EIO; what the disk holds is unknown until a restart reads it.
 */
#define CW_JOURNAL_PAYLOAD_MAX (20u * 1024u)
#define CW_JOURNAL_OVERHEAD 48	/* bytes of a record beyond its payload */
#define CW_JOURNAL_FILE_MAX (1024u * 1024u * 1024u)

/*
 * The disk under the journal.  Two files: the live one, and the new one that
 * replaces it when the journal is rewritten.  Offsets and lengths in bytes.
 * 0 or CW_EIO, CW_ENOSPC unless said otherwise.
 */
enum cw_jfile { CW_JFILE_LIVE = 0, CW_JFILE_NEW = 1 };
struct cw_journal_ops {
	/* Size of the file; 0 for one that does not exist (made by the first
	 * write or allocate); CW_EIO. */
	int64_t (*size)(void *ctx, enum cw_jfile file);
	/* Bytes read (fewer only at the end), CW_EIO. */
	int64_t (*read)(void *ctx, enum cw_jfile file, uint64_t off, uint8_t *buf, size_t len);
	int (*write)(void *ctx, enum cw_jfile file, uint64_t off, const uint8_t *buf, size_t len);
	/* What was written is on the disk when this returns 0. */
	int (*sync)(void *ctx, enum cw_jfile file);
	/* Makes the file `size` long and its space sure: later writes inside
	 * cannot fail for want of space.  New bytes read as zero. CW_ENOSPC. */
	int (*allocate)(void *ctx, enum cw_jfile file, uint64_t size);
	/* Cuts the file to `size`; NEW to 0 removes what a crash left. */
	int (*truncate)(void *ctx, enum cw_jfile file, uint64_t size);
	/* NEW (synced before) takes the place of LIVE, durably, in one step. */
	int (*replace)(void *ctx);
};

struct cw_journal_config {
	const struct cw_journal_ops *ops;
	void *ctx;
	const char *name;	/* of the file, for messages; borrowed */
	uint32_t grow;		/* allocate in steps of; 0 = 1 MiB */
	uint64_t incarnation;	/* random, for a journal that is new */
	/* One record of the past, in order; payload borrowed for the call.
	 * < 0 stops the opening with that error. */
	int (*replay)(void *ctx, uint8_t type, const uint8_t *payload, size_t len);
	void *replay_ctx;
};

struct cw_journal {
	struct cw_journal_config cfg;
	uint64_t incarnation;	/* of this journal, for ever */
	uint64_t next_lsn;	/* from 1 */
	uint64_t durable_lsn;	/* all up to it is on the disk */
	uint64_t size;		/* bytes of records on the disk (or in the batch under way) */
	uint64_t allocated;	/* bytes made sure */
	uint64_t promised;	/* last asked for by cw_journal_reserve */
	uint64_t live_size;	/* size right after opening or rewriting */
	uint64_t cut;		/* bytes of torn tail cut at open */
	uint8_t chain[16];	/* of the last record appended */
	uint8_t *pend;		/* appended, not taken */
	size_t pend_len, pend_cap;
	uint8_t *busy;		/* taken, not done */
	size_t busy_len, busy_cap;
	uint64_t busy_lsn;
	bool taken;
	bool rewriting;
	uint64_t new_size;	/* of the new file while rewriting */
	uint64_t new_off;	/* and how much of it is written */
	uint64_t new_lsn;
	uint8_t new_chain[16];
	int failed;		/* sticky CW_E* */
	char text[400];		/* why open failed: file, offset, remedy */
};

/* A batch lent by take: write buf[len] at off of the live file, then sync. */
struct cw_journal_batch {
	const uint8_t *buf;
	size_t len;
	uint64_t off;
};

/*
 * Opens: replays all records, cuts a torn tail, finishes or drops an unfinished
 * rewriting, makes the first record of a new journal durable.  j is the
 * caller's; cfg is copied.  0; CW_EDIGEST or CW_ECRC damage, CW_EVERSION,
 * CW_EIO, CW_ENOSPC, CW_ENOMEM, CW_ETOOBIG, or replay's error; j->text says
 * where.  cw_journal_close in any case.
 */
int cw_journal_open(struct cw_journal *j, const struct cw_journal_config *cfg);
/* Frees buffers; what was not made durable is lost, as in a crash. */
void cw_journal_close(struct cw_journal *j);

/*
 * Buffers one record.  Its LSN, > 0; CW_ENOSPC when it would go beyond the
 * space made sure (nothing was appended; see cw_journal_reserve); CW_EIO after
 * a failure; CW_ETOOBIG, CW_ENOMEM.  type 1..199.
 */
int64_t cw_journal_append(struct cw_journal *j, uint8_t type,
    const uint8_t *payload, size_t len);

/* Bytes that may still be appended without asking the disk for space. */
uint64_t cw_journal_room(const struct cw_journal *j);
/* Makes room for at least `bytes`: 0, CW_ENOSPC (not final: rewrite, or wait
 * for space), CW_EIO. */
int cw_journal_reserve(struct cw_journal *j, uint64_t bytes);

/* True and a batch if something waits and no batch is under way. */
bool cw_journal_take(struct cw_journal *j, struct cw_journal_batch *b);
/* The batch is on the disk (err 0), or not (CW_E*, final).  durable LSN or err. */
int64_t cw_journal_done(struct cw_journal *j, int err);
/* take, write, sync, done through the ops. Durable LSN or CW_E*. */
int64_t cw_journal_commit(struct cw_journal *j);

/*
 * Rewriting: a new file that holds only what still matters replaces the old.
 * Not while a batch is under way (CW_EBUSY).  begin; add for every record of
 * the state as it is now, records not yet durable included; end.  When end
 * returns >= 0 everything appended so far counts as durable (the LSN is
 * returned); on error the old file goes on as if nothing had been begun,
 * unless the error came from replacing (final).
 */
/* True when the file has grown so far beyond its live part that it is worth it. */
bool cw_journal_rewrite_due(const struct cw_journal *j);
int cw_journal_rewrite_begin(struct cw_journal *j);
int cw_journal_rewrite_add(struct cw_journal *j, uint8_t type,
    const uint8_t *payload, size_t len);
int64_t cw_journal_rewrite_end(struct cw_journal *j);
void cw_journal_rewrite_cancel(struct cw_journal *j);

/* The real disk: files "journal" and "journal.new" in a directory that is
 * locked (flock) against a second terminal. */
struct cw_jdisk;
/* NULL with err filled: names the directory and the remedy. */
struct cw_jdisk *cw_jdisk_open(const char *dir, char *err, size_t err_cap);
void cw_jdisk_close(struct cw_jdisk *d);
extern const struct cw_journal_ops cw_jdisk_ops;

#endif
