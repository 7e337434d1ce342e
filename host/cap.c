/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "cw/err.h"
#include "host/cap.h"

#define MEMBER_MAX 4096

void
cw_cap_close(struct cw_cap_file *f)
{
	size_t i;

	for (i = 0; i < sizeof f->mem / sizeof f->mem[0]; i++)
		free(f->mem[i]);
	memset(f, 0, sizeof *f);
}

/* Is a component by its name: asked before anything is unpacked. */
static bool
wanted(const char *name)
{
	struct cw_gp_cap probe;

	cw_gp_cap_init(&probe);
	return cw_gp_cap_add(&probe, name, (const uint8_t *)"", 0) == 1;
}

/* One component out of the archive; its memory is f's. */
static int
unpack(struct cw_cap_file *f, zip_t *z, const zip_stat_t *st, size_t *mem_cnt)
{
	zip_file_t *in;
	uint8_t *buf, end;
	zip_int64_t n;
	int err;

	if (st->size > CW_GP_COMPONENT_MAX)
		return CW_ETOOBIG;
	if (*mem_cnt == sizeof f->mem / sizeof f->mem[0])
		return CW_EEXIST;
	if ((buf = malloc(CW_GP_COMPONENT_MAX + 1)) == NULL)
		return CW_ENOMEM;
	f->mem[(*mem_cnt)++] = buf;
	if ((in = zip_fopen_index(z, st->index, 0)) == NULL)
		return CW_EUNSUPPORTED;

	/* A byte more than there may be: a size in the directory may be false. */
	n = zip_fread(in, buf, CW_GP_COMPONENT_MAX + 1);

	/* The archive's check value is looked at where the member ends. */
	err = n >= 0 && zip_fread(in, &end, 1) == 0 ? 0 : CW_ECRC;
	if (zip_fclose(in) != 0 || err != 0)
		return CW_ECRC;
	if ((zip_uint64_t)n != st->size)
		return CW_EFORMAT;
	return cw_gp_cap_add(&f->cap, st->name, buf, (size_t)n);
}

static int
read_zip(struct cw_cap_file *f, zip_t *z, char *err, size_t cap)
{
	zip_int64_t i, cnt = zip_get_num_entries(z, 0);
	size_t mem_cnt = 0;
	zip_stat_t st;
	int e;

	if (cnt > MEMBER_MAX) {
		snprintf(err, cap, "more than %d members: no CAP", MEMBER_MAX);
		return CW_ETOOBIG;
	}
	for (i = 0; i < cnt; i++) {
		zip_stat_init(&st);
		if (zip_stat_index(z, (zip_uint64_t)i, 0, &st) != 0 ||
		    (st.valid & ZIP_STAT_NAME) == 0 || (st.valid & ZIP_STAT_SIZE) == 0 ||
		    !wanted(st.name))
			continue;
		if ((e = unpack(f, z, &st, &mem_cnt)) < 0) {
			snprintf(err, cap, "%s: %s: build the CAP again", st.name,
			    f->cap.fault[0] != '\0' ? f->cap.fault : cw_err_text(e));
			return e;
		}
	}
	return 0;
}

static int
open_zip(struct cw_cap_file *f, const uint8_t *buf, size_t len, char *err, size_t cap)
{
	zip_error_t ze;
	zip_source_t *src;
	zip_t *z;
	int e;

	zip_error_init(&ze);
	src = zip_source_buffer_create(buf, len, 0, &ze);
	z = src != NULL ? zip_open_from_source(src, ZIP_RDONLY, &ze) : NULL;
	if (z == NULL) {
		snprintf(err, cap, "the archive cannot be read: %s", zip_error_strerror(&ze));
		zip_source_free(src);
		zip_error_fini(&ze);
		return CW_EFORMAT;
	}
	e = read_zip(f, z, err, cap);
	zip_discard(z);
	zip_error_fini(&ze);
	return e;
}

static int
open_ijc(struct cw_cap_file *f, const uint8_t *buf, size_t len)
{
	if ((f->mem[0] = malloc(len + 1)) == NULL)
		return CW_ENOMEM;
	memcpy(f->mem[0], buf, len);
	return cw_gp_cap_split(&f->cap, f->mem[0], len);
}

int
cw_cap_open_mem(struct cw_cap_file *f, const uint8_t *buf, size_t len, char *err,
    size_t cap)
{
	int e;

	memset(f, 0, sizeof *f);
	cw_gp_cap_init(&f->cap);
	if (cap > 0)
		err[0] = '\0';
	if (len >= 2 && memcmp(buf, "PK", 2) == 0)
		e = open_zip(f, buf, len, err, cap);
	else
		e = open_ijc(f, buf, len);
	if (e >= 0)
		e = cw_gp_cap_check(&f->cap, &f->info);
	if (e >= 0)
		return 0;
	if (cap > 0 && err[0] == '\0')
		snprintf(err, cap, "%s", f->cap.fault[0] != '\0' ? f->cap.fault :
		    cw_err_text(e));
	cw_cap_close(f);
	return e;
}

int
cw_cap_open(struct cw_cap_file *f, const char *path, char *err, size_t cap)
{
	uint8_t *buf = NULL;
	FILE *fp = fopen(path, "rb");
	size_t n = 0;
	int e = CW_EIO;

	memset(f, 0, sizeof *f);
	if (fp == NULL) {
		snprintf(err, cap, "%s", strerror(errno));
		return CW_EIO;
	}
	if ((buf = malloc(CW_CAP_FILE_MAX + 1)) != NULL)
		n = fread(buf, 1, CW_CAP_FILE_MAX + 1, fp);
	if (buf == NULL || ferror(fp) != 0) {
		snprintf(err, cap, "cannot be read");
	} else if (n > CW_CAP_FILE_MAX) {
		snprintf(err, cap, "larger than 4 MiB: no load file");
		e = CW_ETOOBIG;
	} else {
		e = cw_cap_open_mem(f, buf, n, err, cap);
	}
	fclose(fp);
	free(buf);
	return e;
}
