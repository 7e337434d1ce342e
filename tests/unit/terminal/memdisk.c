/* SPDX-License-Identifier: Apache-2.0 */
#include "memdisk.h"

#include <stdlib.h>
#include <string.h>

#include "cw/err.h"

void
memdisk_init(struct memdisk *d)
{
	memset(d, 0, sizeof *d);
	d->space = SIZE_MAX;
}

void
memdisk_fini(struct memdisk *d)
{
	for (int i = 0; i < 2; i++) {
		free(d->f[i].now);
		free(d->f[i].sure);
	}
	memset(d, 0, sizeof *d);
}

static void
set_len(uint8_t **buf, size_t *len, size_t to)
{
	*buf = realloc(*buf, to > 0 ? to : 1);
	if (*buf == NULL)
		abort();
	if (to > *len)
		memset(*buf + *len, 0, to - *len);
	*len = to;
}

static void
settle(struct memfile *f)
{
	set_len(&f->sure, &f->sure_len, f->now_len);
	if (f->now_len > 0)
		memcpy(f->sure, f->now, f->now_len);
}

static int
fault(struct memdisk *d)
{
	d->calls++;
	return d->fail_at != 0 && d->calls >= d->fail_at ? d->fail_err : 0;
}

static int64_t
m_size(void *ctx, enum cw_jfile file)
{
	struct memdisk *d = ctx;

	return (int64_t)d->f[file].now_len;
}

static int64_t
m_read(void *ctx, enum cw_jfile file, uint64_t off, uint8_t *buf, size_t len)
{
	struct memfile *f = &((struct memdisk *)ctx)->f[file];

	if (off >= f->now_len)
		return 0;
	if (len > f->now_len - off)
		len = f->now_len - off;
	memcpy(buf, f->now + off, len);
	return (int64_t)len;
}

static int
m_write(void *ctx, enum cw_jfile file, uint64_t off, const uint8_t *buf, size_t len)
{
	struct memdisk *d = ctx;
	struct memfile *f = &d->f[file];
	int err = fault(d);

	if (err < 0)
		return err;
	if (off + len > f->now_len)
		set_len(&f->now, &f->now_len, off + len);
	memcpy(f->now + off, buf, len);
	return 0;
}

static int
m_sync(void *ctx, enum cw_jfile file)
{
	struct memdisk *d = ctx;
	int err = fault(d);

	if (err < 0)
		return err;
	d->syncs++;
	settle(&d->f[file]);
	return 0;
}

static int
m_allocate(void *ctx, enum cw_jfile file, uint64_t size)
{
	struct memdisk *d = ctx;
	struct memfile *f = &d->f[file];
	int err = fault(d);

	if (err < 0)
		return err;
	if (size > d->space)
		return CW_ENOSPC;
	if (size > f->now_len)
		set_len(&f->now, &f->now_len, size);
	if (size > f->sure_len)
		set_len(&f->sure, &f->sure_len, size);
	return 0;
}

static int
m_truncate(void *ctx, enum cw_jfile file, uint64_t size)
{
	struct memfile *f = &((struct memdisk *)ctx)->f[file];

	set_len(&f->now, &f->now_len, size);
	set_len(&f->sure, &f->sure_len, size);
	return 0;
}

static int
m_replace(void *ctx)
{
	struct memdisk *d = ctx;
	struct memfile old = d->f[CW_JFILE_LIVE];
	int err = fault(d);

	if (err < 0)
		return err;
	d->f[CW_JFILE_LIVE] = d->f[CW_JFILE_NEW];
	free(old.now);
	free(old.sure);
	memset(&d->f[CW_JFILE_NEW], 0, sizeof d->f[CW_JFILE_NEW]);
	return 0;
}

void
memdisk_crash(struct memdisk *d, size_t keep)
{
	for (int i = 0; i < 2; i++) {
		struct memfile *f = &d->f[i];
		size_t off = 0, n = i == CW_JFILE_LIVE ? keep : 0;

		/* The first byte that differs begins what was not synced. */
		while (off < f->now_len && off < f->sure_len &&
		    f->now[off] == f->sure[off])
			off++;
		if (n > f->now_len - off)
			n = f->now_len - off;
		if (off + n > f->sure_len)
			set_len(&f->sure, &f->sure_len, off + n);
		if (n > 0)
			memcpy(f->sure + off, f->now + off, n);
		set_len(&f->now, &f->now_len, f->sure_len);
		if (f->sure_len > 0)
			memcpy(f->now, f->sure, f->sure_len);
	}
	d->fail_at = 0;
	d->calls = 0;
}

const struct cw_journal_ops memdisk_ops = {
	.size = m_size,
	.read = m_read,
	.write = m_write,
	.sync = m_sync,
	.allocate = m_allocate,
	.truncate = m_truncate,
	.replace = m_replace,
};
