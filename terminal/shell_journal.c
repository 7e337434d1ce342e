/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal on the real disk.  What was appended while a batch is being
 * synced makes the next batch: one sync serves all stations.
 */
#include <stdio.h>

#include "cw/err.h"
#include "host/log.h"
#include "terminal/shell.h"

static int
on_replay(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	struct shell *sh = ctx;

	return cw_line_replay(sh->line, type, payload, len);
}

static uint64_t
random_u64(void)
{
	uint64_t v = 0;

	if (uv_random(NULL, NULL, &v, sizeof v, 0, NULL) < 0)
		v = uv_hrtime();
	return v;
}

int
cw_shell_journal_start(struct shell *sh, char *err, size_t err_cap)
{
	struct cw_journal_config c = {
		.ops = &cw_jdisk_ops,
		.name = sh->cfg.journal,
		.replay = on_replay,
		.replay_ctx = sh,
	};
	int e;

	sh->disk = cw_jdisk_open(sh->cfg.journal, err, err_cap);
	if (sh->disk == NULL)
		return CW_EBUSY;
	c.ctx = sh->disk;
	c.incarnation = random_u64();
	sh->journal_open = true;
	e = cw_journal_open(&sh->journal, &c);
	if (e < 0) {
		snprintf(err, err_cap, "%s", sh->journal.text);
		return e;
	}
	if (sh->journal.cut > 0)
		cw_log(CW_LOG_WARN, "journal.torn", "%llu bytes at the end were "
		    "never acknowledged and are cut",
		    (unsigned long long)sh->journal.cut);
	e = cw_line_start(sh->line, sh->journal.incarnation, cw_shell_now_us());
	if (e < 0)
		snprintf(err, err_cap, "%s: the journal takes no record: %s",
		    sh->cfg.journal, cw_err_text(e));
	return e;
}

static void
journal_failed(struct shell *sh, int err)
{
	cw_log(CW_LOG_ERROR, "journal.failed", "dir=%s err=%s: what the disk "
	    "holds is unknown, so the terminal stops; see to the disk and start "
	    "it again", sh->cfg.journal, cw_err_name(err));
	cw_line_disk(sh->line, CW_EIO, cw_shell_now_us());
	cw_shell_end(sh, 1);
}

/* In the worker. */
static void
work_write(uv_work_t *w)
{
	struct shell *sh = w->data;
	int err = cw_jdisk_ops.write(sh->disk, CW_JFILE_LIVE, sh->batch.off,
	    sh->batch.buf, sh->batch.len);

	if (err == 0)
		err = cw_jdisk_ops.sync(sh->disk, CW_JFILE_LIVE);
	sh->work_err = err;
}

static void
work_done(uv_work_t *w, int status)
{
	struct shell *sh = w->data;
	int64_t lsn = cw_journal_done(&sh->journal,
	    status < 0 ? CW_EIO : sh->work_err);

	sh->working = false;
	if (lsn < 0)
		journal_failed(sh, (int)lsn);
	else
		cw_line_durable(sh->line, (uint64_t)lsn, cw_shell_now_us());
}

static int
rewrite_add(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	return cw_journal_rewrite_add(ctx, type, payload, len);
}

static void
rewrite(struct shell *sh)
{
	struct cw_journal *j = &sh->journal;
	uint64_t before = j->size;
	int64_t lsn;
	int err = cw_journal_rewrite_begin(j);

	if (err < 0)
		return;
	err = cw_line_snapshot(sh->line, rewrite_add, j);
	if (err < 0) {
		cw_journal_rewrite_cancel(j);
		cw_log(CW_LOG_WARN, "journal.rewrite", "err=%s: the old one goes on",
		    cw_err_name(err));
		j->live_size = j->size;	/* not again before it has grown */
		return;
	}
	lsn = cw_journal_rewrite_end(j);
	if (j->failed < 0) {
		journal_failed(sh, (int)lsn);
	} else if (lsn < 0) {
		j->live_size = j->size;
	} else {
		cw_log(CW_LOG_DEBUG, "journal.rewritten", "from=%llu to=%llu",
		    (unsigned long long)before, (unsigned long long)j->size);
		cw_line_durable(sh->line, (uint64_t)lsn, cw_shell_now_us());
	}
}

void
cw_shell_journal_pump(struct shell *sh)
{
	if (sh->working || !sh->journal_open || sh->journal.failed < 0)
		return;
	if (cw_journal_rewrite_due(&sh->journal))
		rewrite(sh);
	if (!cw_journal_take(&sh->journal, &sh->batch))
		return;
	sh->work.data = sh;
	sh->working = true;
	if (uv_queue_work(&sh->loop, &sh->work, work_write, work_done) < 0) {
		work_write(&sh->work);
		work_done(&sh->work, 0);
	}
}

void
cw_shell_journal_stop(struct shell *sh)
{
	if (sh->journal_open && sh->journal.failed == 0)
		cw_journal_commit(&sh->journal);
	if (sh->journal_open)
		cw_journal_close(&sh->journal);
	sh->journal_open = false;
	cw_jdisk_close(sh->disk);
	sh->disk = NULL;
}
