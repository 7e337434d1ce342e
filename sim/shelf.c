/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/log.h"
#include "sim/args.h"
#include "sim/shelf.h"

#define CARDS_MAX 100000u

static struct cw_uicc_desc *
load(const char *path)
{
	char err[256];
	struct cw_uicc_desc *d = cw_uicc_load_file(path, err, sizeof err);

	if (d == NULL)
		cw_args_fail("--uicc", "%s", err);
	return d;
}

static void
load_folder(struct cw_shelf *s, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char name[4096], *end;
	unsigned long no;

	s->list = calloc(CARDS_MAX + 1, sizeof s->list[0]);
	if (dir == NULL || s->list == NULL)
		cw_args_fail("--uicc", "%s: %s", path, strerror(errno));
	while ((e = readdir(dir)) != NULL) {
		no = strtoul(e->d_name, &end, 10);
		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    strcmp(end, ".txt") != 0 || no > CARDS_MAX ||
		    s->list[no] != NULL)
			continue;
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		s->list[no] = load(name);
		s->cnt++;
	}
	closedir(dir);
	if (s->cnt == 0)
		cw_args_fail("--uicc", "%s has no 1.txt, 2.txt, ...; give a folder "
		    "that --save wrote, or one file", path);
}

void
cw_shelf_load(struct cw_shelf *s, const char *path)
{
	struct stat st;

	if (s->from != NULL)
		cw_args_fail("--uicc", "stands twice");
	s->from = path;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		load_folder(s, path);
	else
		s->one = load(path);
}

static const struct cw_uicc_desc *
uicc_of(void *ctx, uint32_t card_no)
{
	struct cw_shelf *s = ctx;

	if (s->list == NULL)
		return s->one;
	return card_no <= CARDS_MAX ? s->list[card_no] : NULL;
}

/* It holds keys, even if they are those of a simulation: 0600. */
static void
keep(void *ctx, uint32_t card_no, enum cw_world_bin bin,
    const struct cw_sim_card *card)
{
	struct cw_shelf *s = ctx;
	char path[4096];
	FILE *fp = NULL;
	int fd, bad;

	(void)bin;
	if (s->save == NULL)
		return;
	snprintf(path, sizeof path, "%s/%u.txt", s->save, card_no);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || (fp = fdopen(fd, "w")) == NULL) {
		cw_log(CW_LOG_ERROR, "card.save", "file=%s err=\"%s\"", path,
		    strerror(errno));
		return;
	}
	bad = cw_sim_card_save(card, fp);
	bad |= fclose(fp) != 0;
	if (bad != 0)
		unlink(path);	/* no UICC yet, or the disk is full */
}

void
cw_shelf_serve(struct cw_shelf *s, struct cw_world_config *cfg)
{
	cfg->ctx = s;
	if (s->from != NULL)
		cfg->uicc_of = uicc_of;
	cfg->left = keep;
}

void
cw_shelf_free(struct cw_shelf *s)
{
	uint32_t i;

	cw_uicc_desc_free(s->one);
	for (i = 0; s->list != NULL && i <= CARDS_MAX; i++)
		cw_uicc_desc_free(s->list[i]);
	free(s->list);
}
