/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "sim/step_disk.h"

/*
 * The disk under a journal.  Writes go to the page cache (`now`) and are noted;
 * a sync makes them part of the platter (`sure`).  A power cut keeps of the
 * unsynced ones what chance decides, sector by sector and in no order: all,
 * none, a prefix, or any subset; a sector may be torn in the middle.  A file's
 * length that was not synced may or may not have got there.
 */
#define SECTOR 512u

struct wrote {
	uint64_t off;
	size_t len;
	uint8_t *buf;
	struct wrote *next;
};

struct file {
	uint8_t *now, *sure;	/* page cache, platter */
	size_t now_len, sure_len, cap;
	size_t low;		/* shortest since the last sync */
	struct wrote *first, **tail;
};

struct step_disk {
	struct cw_step *s;
	struct file file[2];
	bool full, error, crashed;
	uint32_t crash_in;
};

static void
forget(struct file *f)
{
	while (f->first != NULL) {
		struct wrote *w = f->first;

		f->first = w->next;
		free(w->buf);
		free(w);
	}
	f->tail = &f->first;
}

struct step_disk *
cw_step_disk_new(struct cw_step *s)
{
	struct step_disk *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	d->s = s;
	d->file[0].tail = &d->file[0].first;
	d->file[1].tail = &d->file[1].first;
	return d;
}

static void
empty(struct file *f)
{
	forget(f);
	free(f->now);
	free(f->sure);
	memset(f, 0, sizeof *f);
	f->tail = &f->first;
}

void
cw_step_disk_free(struct step_disk *d)
{
	if (d == NULL)
		return;
	empty(&d->file[0]);
	empty(&d->file[1]);
	free(d);
}

/* Both images at least `len` long, zeros behind the old ends. */
static int
stretch(struct file *f, size_t len)
{
	size_t cap = f->cap > 0 ? f->cap : 65536;
	uint8_t *a, *b;

	if (len <= f->cap)
		return 0;
	while (cap < len)
		cap *= 2;
	a = realloc(f->now, cap);
	if (a == NULL)
		return CW_EIO;
	f->now = a;
	b = realloc(f->sure, cap);
	if (b == NULL)
		return CW_EIO;
	f->sure = b;
	memset(a + f->cap, 0, cap - f->cap);
	memset(b + f->cap, 0, cap - f->cap);
	f->cap = cap;
	return 0;
}

/* Every op begins here: broken, or breaking now? */
static int
trouble(struct step_disk *d)
{
	if (d->crash_in > 0 && --d->crash_in == 0) {
		cw_step_count(d->s, CW_SF_DISK_CRASH);
		d->crashed = true;
	}
	return d->crashed ? CW_EIO : 0;
}

static int64_t
disk_size(void *ctx, enum cw_jfile file)
{
	struct step_disk *d = ctx;

	return d->crashed ? CW_EIO : (int64_t)d->file[file].now_len;
}

static int64_t
disk_read(void *ctx, enum cw_jfile file, uint64_t off, uint8_t *buf, size_t len)
{
	struct step_disk *d = ctx;
	struct file *f = &d->file[file];

	if (d->crashed)
		return CW_EIO;
	if (off >= f->now_len)
		return 0;
	if (len > f->now_len - off)
		len = f->now_len - off;
	memcpy(buf, f->now + off, len);
	return (int64_t)len;
}

static int
disk_write(void *ctx, enum cw_jfile file, uint64_t off, const uint8_t *buf,
    size_t len)
{
	struct step_disk *d = ctx;
	struct file *f = &d->file[file];
	struct wrote *w;

	if (trouble(d) < 0)
		return CW_EIO;
	if (d->full && off + len > f->now_len)
		return CW_ENOSPC;
	if (d->error) {
		d->error = false;
		return CW_EIO;
	}
	if (len == 0)
		return 0;
	w = calloc(1, sizeof *w);
	if (w == NULL || stretch(f, off + len) < 0 ||
	    (w->buf = malloc(len)) == NULL) {
		free(w);
		return CW_EIO;
	}
	memcpy(w->buf, buf, len);
	w->off = off;
	w->len = len;
	*f->tail = w;
	f->tail = &w->next;
	memcpy(f->now + off, buf, len);
	if (f->now_len < off + len)
		f->now_len = off + len;
	return 0;
}

/* Truncations reach the platter: what lay behind never comes back. */
static void
cut_sure(struct file *f)
{
	if (f->sure_len > f->low)
		memset(f->sure + f->low, 0, f->sure_len - f->low);
	if (f->sure_len > f->low)
		f->sure_len = f->low;
}

static int
disk_sync(void *ctx, enum cw_jfile file)
{
	struct step_disk *d = ctx;
	struct file *f = &d->file[file];

	if (trouble(d) < 0)
		return CW_EIO;
	if (d->error) {
		d->error = false;
		return CW_EIO;
	}
	cut_sure(f);
	for (const struct wrote *w = f->first; w != NULL; w = w->next)
		memcpy(f->sure + w->off, w->buf, w->len);
	f->sure_len = f->low = f->now_len;
	forget(f);
	return 0;
}

static int
disk_allocate(void *ctx, enum cw_jfile file, uint64_t size)
{
	struct step_disk *d = ctx;
	struct file *f = &d->file[file];

	if (trouble(d) < 0)
		return CW_EIO;
	if (size <= f->now_len)
		return 0;
	if (d->full)
		return CW_ENOSPC;
	if (stretch(f, size) < 0)
		return CW_EIO;
	memset(f->now + f->now_len, 0, size - f->now_len);
	f->now_len = size;
	return 0;
}

static int
disk_truncate(void *ctx, enum cw_jfile file, uint64_t size)
{
	struct step_disk *d = ctx;
	struct file *f = &d->file[file];

	if (trouble(d) < 0)
		return CW_EIO;
	if (size == 0)
		forget(f);
	if (size < f->now_len) {
		memset(f->now + size, 0, f->now_len - size);
		f->now_len = size;
	}
	if (size < f->low)
		f->low = size;
	return 0;
}

static int
disk_replace(void *ctx)
{
	struct step_disk *d = ctx;
	struct file *n = &d->file[CW_JFILE_NEW];

	if (trouble(d) < 0)
		return CW_EIO;

	/* Renaming keeps what was not synced unsynced. */
	empty(&d->file[CW_JFILE_LIVE]);
	d->file[CW_JFILE_LIVE] = *n;
	if (n->first == NULL)
		d->file[CW_JFILE_LIVE].tail = &d->file[CW_JFILE_LIVE].first;
	memset(n, 0, sizeof *n);
	n->tail = &n->first;
	return 0;
}

const struct cw_journal_ops cw_step_disk_ops = {
	disk_size, disk_read, disk_write, disk_sync, disk_allocate,
	disk_truncate, disk_replace,
};

/* ---- crashes ------------------------------------------------------------- */

enum fate { ALL, NOTHING, PREFIX, ANY, FATE_CNT };

/* One unsynced write, sector by sector. */
static void
settle(struct step_disk *d, struct file *f, const struct wrote *w,
    enum fate fate)
{
	size_t cut = (size_t)cw_step_below(d->s, w->len + 1);
	size_t off = 0;

	while (off < w->len) {
		size_t at = w->off + off;
		size_t n = SECTOR - at % SECTOR;

		if (n > w->len - off)
			n = w->len - off;
		if (fate == PREFIX && off >= cut)
			return;
		if (fate == PREFIX && off + n > cut)
			n = cut - off;
		if (fate != ANY || cw_step_below(d->s, 2) == 0) {
			memcpy(f->sure + at, w->buf + off, n);
			if (f->sure_len < at + n)
				f->sure_len = at + n;
		}
		off += n;
	}
}

static void
power_cut(struct step_disk *d, struct file *f)
{
	enum fate fate = (enum fate)cw_step_below(d->s, FATE_CNT);
	const struct wrote *w;

	if (f->cap == 0)
		return;

	/* A truncation that did not get there: what was written into the
	 * shorter file did not either. */
	if (f->low < f->sure_len && cw_step_below(d->s, 2) == 0)
		fate = NOTHING;
	else
		cut_sure(f);
	for (w = f->first; w != NULL && fate != NOTHING; w = w->next)
		settle(d, f, w, fate);

	/* A longer file may have become so before its bytes did. */
	if (f->sure_len < f->now_len && cw_step_below(d->s, 2) == 0)
		f->sure_len = f->now_len;
	memcpy(f->now, f->sure, f->cap);
	f->now_len = f->low = f->sure_len;
	forget(f);
}

void
cw_step_disk_crash(struct step_disk *d, bool power)
{
	if (power) {
		power_cut(d, &d->file[0]);
		power_cut(d, &d->file[1]);
	}
	d->crashed = d->error = false;
	d->crash_in = 0;
}

void
cw_step_disk_full(struct step_disk *d, bool full)
{
	d->full = full;
}

void
cw_step_disk_heal(struct step_disk *d)
{
	d->full = d->error = false;
	d->crash_in = 0;
}

void
cw_step_disk_error(struct step_disk *d)
{
	d->error = true;
}

void
cw_step_disk_crash_in(struct step_disk *d, uint32_t ops)
{
	d->crash_in = ops;
}

bool
cw_step_disk_crashed(const struct step_disk *d)
{
	return d->crashed;
}

bool
cw_step_disk_search(const struct step_disk *d, const uint8_t *needle, size_t len)
{
	for (int i = 0; i < 2; i++)
		if (d->file[i].cap > 0 &&
		    memmem(d->file[i].now, d->file[i].cap, needle, len) != NULL)
			return true;
	return false;
}
