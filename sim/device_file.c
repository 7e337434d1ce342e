/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "sim/device_file.h"

#define SLOT_LEN 2048
#define HDR_LEN 16		/* magic, length, generation */
#define SLOT_MAGIC 0x4357534C	/* "CWSL" */

_Static_assert(HDR_LEN + CW_DEVICE_SAVE_MAX + 4 <= SLOT_LEN, "slot too small");

/* Generation of a whole slot with its content in out, or 0. */
static uint64_t
slot_read(int fd, int slot, uint8_t out[CW_DEVICE_SAVE_MAX], size_t *len)
{
	uint8_t buf[SLOT_LEN];
	struct cw_rd r;
	uint64_t generation;

	if (pread(fd, buf, sizeof buf, (off_t)slot * SLOT_LEN) != sizeof buf)
		return 0;
	r = cw_rd_init(buf, sizeof buf);
	if (cw_rd_u32(&r) != SLOT_MAGIC)
		return 0;
	*len = cw_rd_u32(&r);
	generation = cw_rd_u64(&r);
	if (*len > CW_DEVICE_SAVE_MAX)
		return 0;
	memcpy(out, buf + HDR_LEN, *len);
	r.off += *len;
	return cw_rd_u32(&r) == cw_crc32(0, buf, HDR_LEN + *len) ?
	    generation : 0;
}

int
cw_device_file_open(struct cw_device_file *f, const char *path, bool sync,
    struct cw_sim_device *d, char *err, size_t err_cap)
{
	uint8_t a[CW_DEVICE_SAVE_MAX], b[CW_DEVICE_SAVE_MAX];
	size_t a_len = 0, b_len = 0;
	uint64_t a_gen, b_gen;
	int rc = 0;

	memset(f, 0, sizeof *f);
	f->sync = sync;
	f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (f->fd < 0) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		return CW_EIO;
	}
	if (flock(f->fd, LOCK_EX | LOCK_NB) < 0) {
		snprintf(err, err_cap, "%s: another device uses this state "
		    "file; give each its own", path);
		cw_device_file_close(f);
		return CW_EBUSY;
	}
	a_gen = slot_read(f->fd, 0, a, &a_len);
	b_gen = slot_read(f->fd, 1, b, &b_len);
	if (a_gen == 0 && b_gen == 0 && lseek(f->fd, 0, SEEK_END) > 0)
		rc = CW_EFORMAT;
	else if (a_gen > b_gen)
		rc = cw_sim_device_load(d, a, a_len);
	else if (b_gen > 0)
		rc = cw_sim_device_load(d, b, b_len);
	f->generation = a_gen > b_gen ? a_gen : b_gen;
	f->safe_slot = a_gen > b_gen ? 0 : 1;
	f->fed_stored = d->fed;
	if (rc == 0)
		return 0;
	snprintf(err, err_cap, "%s: %s; %s", path, cw_err_text(rc),
	    rc == CW_ERANGE ? "give as many --stations as before, until they "
	    "are empty" : "move the file away to start with counters at 0");
	cw_device_file_close(f);
	return rc;
}

int
cw_device_file_store(struct cw_device_file *f, const struct cw_sim_device *d)
{
	uint8_t buf[SLOT_LEN] = { 0 };
	struct cw_wr w = cw_wr_init(buf, sizeof buf);
	int slot = 1 - f->safe_slot, len;

	len = cw_sim_device_save(d, buf + HDR_LEN, CW_DEVICE_SAVE_MAX);

	if ((size_t)len == f->len && memcmp(buf + HDR_LEN, f->last, f->len) == 0)
		return 0;
	cw_wr_u32(&w, SLOT_MAGIC);
	cw_wr_u32(&w, (uint32_t)len);
	cw_wr_u64(&w, f->generation + 1);
	w.len += (size_t)len;
	cw_wr_u32(&w, cw_crc32(0, buf, w.len));
	if (pwrite(f->fd, buf, sizeof buf, (off_t)slot * SLOT_LEN) !=
	    sizeof buf)
		return CW_EIO;

	/* Only a number that is given out must not be forgotten. */
	if (f->sync && d->fed != f->fed_stored) {
		if (fdatasync(f->fd) < 0)
			return CW_EIO;
		f->safe_slot = slot;
	} else if (!f->sync) {
		f->safe_slot = slot;
	}
	f->generation++;
	f->fed_stored = d->fed;
	f->len = (size_t)len;
	memcpy(f->last, buf + HDR_LEN, f->len);
	return 0;
}

void
cw_device_file_close(struct cw_device_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
