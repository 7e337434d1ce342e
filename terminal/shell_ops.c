/* SPDX-License-Identifier: Apache-2.0 */
/* The line's op table on sockets, disk, device link and profile compiler. */
#include <stdio.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "host/log.h"
#include "terminal/profile/profile.h"
#include "terminal/shell.h"

static int
op_send_platform(void *ctx, const struct cw_pl_msg *m)
{
	struct shell *sh = ctx;
	int n;

	if (sh->plat.conn == NULL || !sh->plat.open)
		return CW_ECLOSED;
	n = cw_pl_put(sh->frame, CW_FRAME_HDR + CW_PLINK_BODY_MAX, m);
	if (n < 0)
		return n;
	return cw_conn_send(sh->plat.conn, sh->frame, (size_t)n);
}

static int
op_send_reader(void *ctx, unsigned int r, const uint8_t *frame, size_t len)
{
	struct shell *sh = ctx;

	if (sh->reader[r].conn == NULL || !sh->reader[r].open)
		return CW_ECLOSED;
	return cw_conn_send(sh->reader[r].conn, frame, len);
}

static size_t
op_reader_queued(void *ctx, unsigned int r)
{
	struct shell *sh = ctx;

	return sh->reader[r].conn != NULL ?
	    cw_conn_queued(sh->reader[r].conn) : 0;
}

static void
op_reader_close(void *ctx, unsigned int r)
{
	struct shell *sh = ctx;

	if (sh->reader[r].conn != NULL)
		cw_conn_close(sh->reader[r].conn);
}

static int
op_device_cmd(void *ctx, const struct cw_dev_cmd *c)
{
	struct shell *sh = ctx;

	return sh->dev != NULL ? cw_devlink_cmd(sh->dev, c) : CW_ECLOSED;
}

static int
op_device_bits(void *ctx, uint8_t bits)
{
	struct shell *sh = ctx;

	return sh->dev != NULL ? cw_devlink_bits(sh->dev, bits) : CW_ECLOSED;
}

static int64_t
op_journal_append(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	struct shell *sh = ctx;

	return cw_journal_append(&sh->journal, type, payload, len);
}

static int
op_journal_reserve(void *ctx, uint64_t bytes)
{
	struct shell *sh = ctx;

	return cw_journal_reserve(&sh->journal, bytes);
}

static void *
op_profile_open(void *ctx, const char *name, const uint8_t *text, size_t len,
    char why[200])
{
	(void)ctx;
	return cw_profile_load((const char *)text, len, name, why, 200);
}

static void
op_profile_close(void *ctx, void *profile)
{
	(void)ctx;
	cw_profile_free(profile);
}

static int
compile_answer(struct cw_profile *p, const struct cw_profile_record *r,
    const struct cw_rl_ask *ask, uint8_t *out, size_t cap)
{
	struct cw_profile_captures c = { .cnt = ask->capture_cnt };

	for (unsigned int i = 0; i < c.cnt; i++) {
		c.capture[i].id = ask->capture[i].id;
		c.capture[i].len = ask->capture[i].len;
		c.capture[i].buf = ask->capture[i].buf;
	}
	return cw_profile_compile_answer(p, r, &c, out, cap);
}

static int
op_compile(void *ctx, void *profile, const struct cw_line_compile *c,
    uint8_t *out, size_t cap, char why[200])
{
	struct cw_profile_order o = { .order = c->order,
	    .cos_addr = c->cos_addr, .cos_len = c->cos_len };
	struct cw_profile_record r = { .order = c->order, .record = c->record,
	    .epoch = c->epoch, .payload = c->payload,
	    .payload_len = c->payload_len };
	int n;

	(void)ctx;
	memcpy(o.cos_digest, c->cos_digest, CW_SHA256_LEN);
	if (c->burn)
		n = cw_profile_compile_cos(profile, &o, out, cap);
	else if (c->ask != NULL)
		n = compile_answer(profile, &r, c->ask, out, cap);
	else
		n = cw_profile_compile_record(profile, &r, out, cap);
	if (n < 0)
		snprintf(why, 200, "%s", cw_profile_error(profile));
	return n;
}

static void
op_log(void *ctx, enum cw_line_log level, const char *event, const char *text)
{
	static const enum cw_log_level to[] = { CW_LOG_ERROR, CW_LOG_WARN,
	    CW_LOG_INFO, CW_LOG_DEBUG };

	(void)ctx;
	cw_log(to[level], event, "%s", text);
}

const struct cw_line_ops cw_shell_ops = {
	.send_platform = op_send_platform,
	.send_reader = op_send_reader,
	.reader_queued = op_reader_queued,
	.reader_close = op_reader_close,
	.device_cmd = op_device_cmd,
	.device_bits = op_device_bits,
	.journal_append = op_journal_append,
	.journal_reserve = op_journal_reserve,
	.profile_open = op_profile_open,
	.profile_close = op_profile_close,
	.compile = op_compile,
	.log = op_log,
};
