/* SPDX-License-Identifier: Apache-2.0 */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cw/bytes.h"
#include "cw/err.h"

#define FILE_MAX (1024 * 1024)
#define KEYS_MAX 4096

struct entry {
	char identity[CW_KEYFILE_ID_MAX + 1];
	uint8_t key[CW_KEYFILE_KEY_LEN];
};

struct cw_keyfile {
	size_t cnt;
	struct entry entry[];
};

int
cw_keyfile_check_id(const char *identity)
{
	size_t len = strlen(identity), i;

	if (len < 1 || len > CW_KEYFILE_ID_MAX || identity[0] == '#')
		return CW_EINVAL;
	for (i = 0; i < len; i++)
		if (identity[i] <= ' ' || identity[i] > '~')
			return CW_EINVAL;
	return 0;
}

const uint8_t *
cw_keyfile_find(const struct cw_keyfile *k, const char *identity)
{
	size_t i;

	for (i = 0; i < k->cnt; i++)
		if (strcmp(k->entry[i].identity, identity) == 0)
			return k->entry[i].key;
	return NULL;
}

void
cw_keyfile_free(struct cw_keyfile *k)
{
	if (k == NULL)
		return;
	cw_wipe(k, sizeof *k + k->cnt * sizeof k->entry[0]);
	free(k);
}

/* One line without its end; NULL, or what is wrong with it. */
static const char *
parse_line(struct cw_keyfile *k, char *line)
{
	struct entry *e = &k->entry[k->cnt];
	char *id, *hex, *end;

	id = line + strspn(line, " \t");
	if (*id == '\0' || *id == '#')
		return NULL;
	hex = id + strcspn(id, " \t");
	if (*hex != '\0')
		*hex++ = '\0';
	hex += strspn(hex, " \t");
	end = hex + strcspn(hex, " \t\r");
	if (end[strspn(end, " \t\r")] != '\0')
		return "more than an identity and a key";
	if (cw_keyfile_check_id(id) < 0)
		return "an identity has 1 to 31 printable characters";
	if (cw_unhex(e->key, sizeof e->key, hex, (size_t)(end - hex)) !=
	    (int)sizeof e->key)
		return "a key has 64 hex digits";
	if (cw_keyfile_find(k, id) != NULL)
		return "this identity stands in the file twice; keep one line";
	snprintf(e->identity, sizeof e->identity, "%s", id);
	k->cnt++;
	return NULL;
}

static struct cw_keyfile *
parse(char *text, const char *path, char *err, size_t err_cap)
{
	struct cw_keyfile *k, *fit;
	const char *fault = NULL;
	unsigned int no = 0;
	char *next;

	k = calloc(1, sizeof *k + KEYS_MAX * sizeof k->entry[0]);
	if (k == NULL) {
		snprintf(err, err_cap, "%s: out of memory", path);
		return NULL;
	}
	for (; text != NULL && fault == NULL; text = next) {
		next = strchr(text, '\n');
		if (next != NULL)
			*next++ = '\0';
		no++;
		fault = k->cnt == KEYS_MAX ? "more than 4096 keys" :
		    parse_line(k, text);
	}
	if (fault == NULL && (fit = realloc(k, sizeof *k + k->cnt *
	    sizeof k->entry[0])) != NULL)
		return fit;
	snprintf(err, err_cap, "%s:%u: %s; make lines with `cardwright reader "
	    "enrol`", path, no, fault != NULL ? fault : "out of memory");
	cw_wipe(k, sizeof *k + KEYS_MAX * sizeof k->entry[0]);
	free(k);
	return NULL;
}

/* An open file of ours alone; -1 with err filled. */
static int
open_private(const char *path, int flags, char *err, size_t err_cap)
{
	struct stat st;
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0) {
		snprintf(err, err_cap, "%s: %s%s", path, strerror(errno),
		    errno == ENOENT ? "; `cardwright reader enrol` makes it" : "");
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(err, err_cap, "%s: not a file", path);
	} else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		snprintf(err, err_cap, "%s: mode %04o lets group or others in; "
		    "run chmod 600 %s", path,
		    (unsigned int)(st.st_mode & 07777), path);
	} else if (st.st_size > FILE_MAX) {
		snprintf(err, err_cap, "%s: larger than 1 MiB", path);
	} else {
		return fd;
	}
	close(fd);
	return -1;
}

/* The whole file as text; the caller wipes and frees it. */
static char *
read_all(int fd, size_t *len)
{
	char *text = malloc(FILE_MAX + 1);
	ssize_t n = 0;

	*len = 0;
	if (text == NULL)
		return NULL;
	while (*len < FILE_MAX &&
	    (n = read(fd, text + *len, FILE_MAX - *len)) > 0)
		*len += (size_t)n;
	text[*len] = '\0';
	if (n >= 0 && strlen(text) == *len)
		return text;
	cw_wipe(text, *len);
	free(text);
	return NULL;
}

struct cw_keyfile *
cw_keyfile_load(const char *path, char *err, size_t err_cap)
{
	int fd = open_private(path, O_RDONLY, err, err_cap);
	struct cw_keyfile *k = NULL;
	char *text;
	size_t len;

	if (fd < 0)
		return NULL;
	text = read_all(fd, &len);
	close(fd);
	if (text == NULL) {
		snprintf(err, err_cap, "%s: cannot be read as text", path);
		return NULL;
	}
	k = parse(text, path, err, err_cap);
	cw_wipe(text, len);
	free(text);
	return k;
}

static int
append(const char *path, const char *line, char *err, size_t err_cap)
{
	int fd = open_private(path, O_WRONLY | O_APPEND | O_CREAT, err, err_cap);
	size_t len = strlen(line);
	bool ok;

	if (fd < 0)
		return CW_EDENIED;
	ok = write(fd, line, len) == (ssize_t)len && fsync(fd) == 0;
	if (!ok)
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
	close(fd);
	return ok ? 0 : CW_EIO;
}

int
cw_keyfile_add(const char *path, const char *identity,
    const uint8_t key[CW_KEYFILE_KEY_LEN], char *err, size_t err_cap)
{
	char line[CW_KEYFILE_ID_MAX + 2 * CW_KEYFILE_KEY_LEN + 4];
	struct cw_keyfile *k;
	size_t len;
	int ret;

	if (cw_keyfile_check_id(identity) < 0) {
		snprintf(err, err_cap, "\"%s\" is no identity: 1 to 31 printable "
		    "characters without blanks", identity);
		return CW_EINVAL;
	}
	if (access(path, F_OK) == 0) {
		k = cw_keyfile_load(path, err, err_cap);
		if (k == NULL)
			return CW_EFORMAT;
		ret = cw_keyfile_find(k, identity) != NULL ? CW_EEXIST : 0;
		cw_keyfile_free(k);
		if (ret < 0) {
			snprintf(err, err_cap, "%s: %s has a key already; remove "
			    "its line first to give it a new one", path, identity);
			return ret;
		}
	}
	len = (size_t)snprintf(line, sizeof line, "%s ", identity);
	cw_hex(line + len, key, CW_KEYFILE_KEY_LEN);
	len += 2 * CW_KEYFILE_KEY_LEN;
	line[len++] = '\n';
	line[len] = '\0';
	ret = append(path, line, err, err_cap);
	cw_wipe(line, sizeof line);
	return ret;
}
