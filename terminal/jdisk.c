/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's real disk: two files in a locked directory. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cw/err.h"
#include "terminal/journal.h"

struct cw_jdisk {
	int dir;
	int fd[2];		/* -1: not open */
};

static const char *const file_name[2] = { "journal", "journal.new" };

static int
disk_err(int e)
{
	return e == ENOSPC || e == EDQUOT || e == EFBIG ? CW_ENOSPC : CW_EIO;
}

/* The file's descriptor, made if need be; CW_E*. */
static int
need_fd(struct cw_jdisk *d, enum cw_jfile file)
{
	if (d->fd[file] < 0)
		d->fd[file] = openat(d->dir, file_name[file],
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return d->fd[file] < 0 ? disk_err(errno) : d->fd[file];
}

struct cw_jdisk *
cw_jdisk_open(const char *dir, char *err, size_t err_cap)
{
	struct cw_jdisk *d = malloc(sizeof *d);

	if (d == NULL) {
		snprintf(err, err_cap, "out of memory");
		return NULL;
	}
	d->fd[0] = d->fd[1] = -1;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		snprintf(err, err_cap, "%s: cannot make the journal directory: %s",
		    dir, strerror(errno));
		goto err0;
	}
	d->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir < 0) {
		snprintf(err, err_cap, "%s: cannot open the journal directory: %s",
		    dir, strerror(errno));
		goto err0;
	}

	/* Two terminals on one journal would each take it for the truth. */
	if (flock(d->dir, LOCK_EX | LOCK_NB) < 0) {
		snprintf(err, err_cap, "%s: %s", dir, errno == EWOULDBLOCK ?
		    "another terminal runs on this journal; stop it, or name "
		    "another directory in [terminal] journal" :
		    strerror(errno));
		goto err1;
	}
	return d;
err1:
	close(d->dir);
err0:
	free(d);
	return NULL;
}

void
cw_jdisk_close(struct cw_jdisk *d)
{
	if (d == NULL)
		return;
	for (int i = 0; i < 2; i++)
		if (d->fd[i] >= 0)
			close(d->fd[i]);
	close(d->dir);
	free(d);
}

static int64_t
disk_size(void *ctx, enum cw_jfile file)
{
	struct cw_jdisk *d = ctx;
	struct stat st;

	if (fstatat(d->dir, file_name[file], &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : CW_EIO;
	return S_ISREG(st.st_mode) ? (int64_t)st.st_size : CW_EIO;
}

static int64_t
disk_read(void *ctx, enum cw_jfile file, uint64_t off, uint8_t *buf, size_t len)
{
	int fd = need_fd(ctx, file);
	size_t n = 0;

	while (fd >= 0 && n < len) {
		ssize_t k = pread(fd, buf + n, len - n, (off_t)(off + n));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return CW_EIO;
		if (k == 0)
			break;
		n += (size_t)k;
	}
	return fd < 0 ? fd : (int64_t)n;
}

static int
disk_write(void *ctx, enum cw_jfile file, uint64_t off, const uint8_t *buf,
    size_t len)
{
	int fd = need_fd(ctx, file);

	while (fd >= 0 && len > 0) {
		ssize_t k = pwrite(fd, buf, len, (off_t)off);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return disk_err(errno);
		buf += k;
		off += (uint64_t)k;
		len -= (size_t)k;
	}
	return fd < 0 ? fd : 0;
}

static int
disk_sync(void *ctx, enum cw_jfile file)
{
	int fd = need_fd(ctx, file);

	if (fd < 0)
		return fd;
	return fdatasync(fd) < 0 ? CW_EIO : 0;
}

static int
disk_allocate(void *ctx, enum cw_jfile file, uint64_t size)
{
	int fd = need_fd(ctx, file);
	int e;

	if (fd < 0)
		return fd;
	do
		e = posix_fallocate(fd, 0, (off_t)size);
	while (e == EINTR);
	if (e != 0)
		return disk_err(e);

	/* fdatasync writes a changed size too, but not for a mere extension
	 * of space on every file system: make it sure here, once per step. */
	return fsync(fd) < 0 ? CW_EIO : 0;
}

static int
disk_truncate(void *ctx, enum cw_jfile file, uint64_t size)
{
	struct cw_jdisk *d = ctx;
	int fd;

	if (file == CW_JFILE_NEW && size == 0) {
		if (d->fd[file] >= 0)
			close(d->fd[file]);
		d->fd[file] = -1;
		return unlinkat(d->dir, file_name[file], 0) < 0 &&
		    errno != ENOENT ? CW_EIO : 0;
	}
	fd = need_fd(d, file);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) < 0)
		return CW_EIO;
	return fsync(fd) < 0 ? CW_EIO : 0;
}

static int
disk_replace(void *ctx)
{
	struct cw_jdisk *d = ctx;

	if (renameat(d->dir, file_name[CW_JFILE_NEW], d->dir,
	    file_name[CW_JFILE_LIVE]) < 0 || fsync(d->dir) < 0)
		return CW_EIO;
	if (d->fd[CW_JFILE_LIVE] >= 0)
		close(d->fd[CW_JFILE_LIVE]);
	d->fd[CW_JFILE_LIVE] = d->fd[CW_JFILE_NEW];
	d->fd[CW_JFILE_NEW] = -1;
	return 0;
}

const struct cw_journal_ops cw_jdisk_ops = {
	.size = disk_size,
	.read = disk_read,
	.write = disk_write,
	.sync = disk_sync,
	.allocate = disk_allocate,
	.truncate = disk_truncate,
	.replace = disk_replace,
};
