/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "fwkey.h"

/* cardwright-sign: makes, signs and checks firmware images. */
#define IMAGES_MAX 2
#define BODY_MAX (1024u * 1024u)
#define FILE_MAX (IMAGES_MAX * (CW_FWIMG_HDR + BODY_MAX))

struct at {
	uint32_t addr;
	const char *path;
};

struct options {
	const char *key, *board, *version, *out;
	unsigned long counter;
	bool has_counter, development;
	struct at at[IMAGES_MAX];
	size_t at_cnt;
};

static const char usage_text[] =
"usage: cardwright-sign keygen [--development] FILE\n"
"       cardwright-sign image --key FILE --board NAME --image-version TEXT\n"
"           --counter N --at ADDRESS=BIN [--at ADDRESS=BIN] --out FILE\n"
"       cardwright-sign show --key FILE [FILE]\n"
"\n"
"Makes keys, signs firmware of a reader, shows and verifies what was signed.\n"
"\n"
"  --key FILE         PEM file with a key of P-256; the private one to sign\n"
"  --development      keygen: marks the key; a production build refuses it\n"
"  --board NAME       board that the image is for, such as stm32f103ze\n"
"  --image-version TEXT  version of the image, at most 24 characters\n"
"  --counter N        security counter, 0..1024; a reader that has confirmed\n"
"                     an image takes none with a lower one ever again\n"
"  --at ADDRESS=BIN   program linked for the slot at ADDRESS (hex)\n"
"  --out FILE         where to write\n"
"  --help, --version\n"
"\n"
"Exit: 0 done and good, 1 refused or not good, 2 usage.\n";

static int
bad(const char *what, const char *value, const char *remedy)
{
	fprintf(stderr, "cardwright-sign: %s %s: %s\n", what, value, remedy);
	return -1;
}

static int
take_at(struct options *o, const char *text)
{
	char *end;
	unsigned long addr;

	errno = 0;
	addr = strtoul(text, &end, 16);
	if (end == text || *end != '=' || end[1] == '\0' || errno != 0 ||
	    addr > UINT32_MAX || addr % 512 != 0)
		return bad("--at", text, "give ADDRESS=FILE, the address of a slot "
		    "in hex, such as 08004000=reader.bin");
	if (o->at_cnt == IMAGES_MAX)
		return bad("--at", text, "a reader has two slots");
	o->at[o->at_cnt].addr = (uint32_t)addr;
	o->at[o->at_cnt++].path = end + 1;
	return 0;
}

enum { OPT_KEY = 256, OPT_DEV, OPT_BOARD, OPT_IVERSION, OPT_COUNTER, OPT_AT,
	OPT_OUT, OPT_HELP, OPT_VERSION };

static int
take_option(struct options *o, int c)
{
	char *end;

	switch (c) {
	case OPT_KEY:
		o->key = optarg;
		return 0;
	case OPT_DEV:
		o->development = true;
		return 0;
	case OPT_BOARD:
		o->board = optarg;
		return strlen(optarg) <= CW_FWIMG_BOARD ? 0 :
		    bad("--board", optarg, "16 characters at most");
	case OPT_IVERSION:
		o->version = optarg;
		return strlen(optarg) <= CW_FWIMG_VERSION ? 0 :
		    bad("--image-version", optarg, "24 characters at most");
	case OPT_COUNTER:
		o->counter = strtoul(optarg, &end, 10);
		o->has_counter = *optarg >= '0' && *optarg <= '9' && *end == '\0';
		return o->has_counter && o->counter <= CW_FWIMG_COUNTER_MAX ? 0 :
		    bad("--counter", optarg, "give a number 0..1024");
	case OPT_AT:
		return take_at(o, optarg);
	case OPT_OUT:
		o->out = optarg;
		return 0;
	case OPT_HELP:
		fputs(usage_text, stdout);
		exit(0);
	case OPT_VERSION:
		puts("cardwright-sign " CW_SOFTWARE_VERSION);
		exit(0);
	default:
		fputs("cardwright-sign: --help tells the options\n", stderr);
		return -1;
	}
}

static int
options_take(struct options *o, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "key", required_argument, NULL, OPT_KEY },
		{ "development", no_argument, NULL, OPT_DEV },
		{ "board", required_argument, NULL, OPT_BOARD },
		{ "image-version", required_argument, NULL, OPT_IVERSION },
		{ "counter", required_argument, NULL, OPT_COUNTER },
		{ "at", required_argument, NULL, OPT_AT },
		{ "out", required_argument, NULL, OPT_OUT },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1)
		if (take_option(o, c) < 0)
			return -1;
	return 0;
}

static struct cw_fwkey *
key_open(const char *path)
{
	char err[256];
	struct cw_fwkey *k;

	if (path == NULL) {
		bad("--key", "missing", "give the key's PEM file");
		return NULL;
	}
	k = cw_fwkey_read(path, err, sizeof err);
	if (k == NULL)
		fprintf(stderr, "cardwright-sign: %s\n", err);
	return k;
}

/* A whole file; NULL told. The caller frees. */
static uint8_t *
file_read(const char *path, size_t max, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *buf = NULL;

	if (f == NULL) {
		bad("file", path, strerror(errno));
		return NULL;
	}
	buf = malloc(max + 1);
	*len = buf != NULL ? fread(buf, 1, max + 1, f) : 0;
	if (buf == NULL || ferror(f) != 0 || *len > max) {
		bad("file", path, *len > max ? "too long" : "cannot be read");
		free(buf);
		buf = NULL;
	}
	fclose(f);
	return buf;
}

static uint32_t
le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

/* The image of one program to out; 0 or -1, told. */
static int
image_write(FILE *out, const struct options *o, const struct cw_fwkey *k,
    const struct at *at)
{
	uint8_t hdr[CW_FWIMG_HDR], digest[CW_SHA256_LEN], *body;
	struct cw_fwimg h;
	size_t len;
	int ret = -1;

	body = file_read(at->path, BODY_MAX - 4, &len);
	if (body == NULL)
		return -1;
	for (; len % 4 != 0; len++)
		body[len] = 0xFF;
	/* Its reset vector shows where it was linked for; bit 0 is Thumb's. */
	if (len < 8 || le32(body + 4) % 2 == 0 ||
	    le32(body + 4) < at->addr + CW_FWIMG_HDR ||
	    le32(body + 4) >= at->addr + CW_FWIMG_HDR + len) {
		bad("program", at->path, "it is not linked for that address "
		    "(objcopy -O binary of the ELF for that slot)");
		goto out;
	}
	memset(&h, 0, sizeof h);
	snprintf(h.board, sizeof h.board, "%s", o->board);
	snprintf(h.version, sizeof h.version, "%s", o->version);
	h.flags = cw_fwkey_is_development(k) ? CW_FWIMG_DEV : 0;
	h.counter = (uint16_t)o->counter;
	h.addr = at->addr;
	h.body_len = (uint32_t)len;
	cw_fwkey_id(k, h.key_id);
	cw_sha256(h.body_digest, body, len);
	if (cw_fwimg_build(hdr, digest, &h) < 0 ||
	    cw_fwkey_sign(k, digest, hdr + CW_FWIMG_SIGNED) < 0) {
		bad("program", at->path, "cannot be signed (ASCII only in board and "
		    "version; a private key)");
		goto out;
	}
	if (fwrite(hdr, 1, sizeof hdr, out) == sizeof hdr &&
	    fwrite(body, 1, len, out) == len)
		ret = 0;
	else
		bad("file", o->out, strerror(errno));
out:
	free(body);
	return ret;
}

static int
run_image(const struct options *o)
{
	struct cw_fwkey *k;
	FILE *out;
	size_t i;
	int ret = 0;

	if (o->board == NULL || o->version == NULL || !o->has_counter ||
	    o->at_cnt == 0 || o->out == NULL) {
		fputs("cardwright-sign: image wants --board, --image-version, "
		    "--counter, --at and --out (--help)\n", stderr);
		return 2;
	}
	k = key_open(o->key);
	if (k == NULL)
		return 1;
	if (!cw_fwkey_is_private(k)) {
		bad("--key", o->key, "it holds the public key only; signing takes "
		    "the private one");
		cw_fwkey_free(k);
		return 1;
	}
	out = fopen(o->out, "wb");
	if (out == NULL) {
		bad("file", o->out, strerror(errno));
		ret = 1;
	}
	for (i = 0; ret == 0 && i < o->at_cnt; i++)
		ret = image_write(out, o, k, &o->at[i]) < 0;
	if (out != NULL && fclose(out) != 0 && ret == 0) {
		bad("file", o->out, strerror(errno));
		ret = 1;
	}
	/* Half a file must not look like one. */
	if (ret != 0 && out != NULL)
		remove(o->out);
	cw_fwkey_free(k);
	return ret;
}

static int
run_keygen(const struct options *o, const char *path)
{
	struct cw_fwkey *k = cw_fwkey_make(o->development);
	uint8_t id[4];
	int err;

	if (k == NULL) {
		fputs("cardwright-sign: the system gives no random numbers\n", stderr);
		return 1;
	}
	err = cw_fwkey_write(k, path);
	if (err < 0)
		bad("file", path, err == CW_EEXIST ? "is there already; a key is "
		    "never written over" : "cannot be written");
	cw_fwkey_id(k, id);
	if (err == 0)
		printf("%s: %skey %02x%02x%02x%02x\n", path,
		    o->development ? "development " : "", id[0], id[1], id[2], id[3]);
	cw_fwkey_free(k);
	return err < 0;
}

/* One image at p; its length, or 0 when there is none. */
static size_t
show_one(const uint8_t *p, size_t len, const uint8_t *key, bool *good)
{
	struct cw_fwimg_check check = { cw_fwkey_verify, key };
	struct cw_fwimg h;
	int err = cw_fwimg_parse(&h, p, len);

	if (err < 0) {
		printf("no image: %s\n", cw_err_text(err));
		*good = false;
		return 0;
	}
	err = cw_fwimg_verify(p, &check);
	if (err == 0)
		err = cw_fwimg_verify_body(&h, p + CW_FWIMG_HDR, len - CW_FWIMG_HDR);
	printf("%s %s at %08x, %u bytes, counter %u, key %02x%02x%02x%02x%s: %s\n",
	    h.board, h.version, h.addr, h.body_len, h.counter, h.key_id[0],
	    h.key_id[1], h.key_id[2], h.key_id[3],
	    (h.flags & CW_FWIMG_DEV) != 0 ? " (development)" : "",
	    err == 0 ? "good" : err == CW_EDENIED ? "SIGNATURE WRONG" :
	    err == CW_EDIGEST ? "PROGRAM CHANGED" : "CUT OFF");
	*good = *good && err == 0;
	len -= CW_FWIMG_HDR;
	return CW_FWIMG_HDR + (h.body_len < len ? h.body_len : len);
}

static int
run_show(const struct options *o, const char *path)
{
	struct cw_fwkey *k = key_open(o->key);
	uint8_t point[CW_FWIMG_KEY], id[4], *buf = NULL;
	char hex[2 * CW_FWIMG_KEY + 1];
	size_t len, off = 0, n = 1;
	bool good = true;

	if (k == NULL)
		return 1;
	cw_fwkey_public(k, point);
	cw_fwkey_id(k, id);
	if (path == NULL) {
		cw_hex(hex, point, sizeof point);
		printf("%skey %02x%02x%02x%02x %s\n", cw_fwkey_is_development(k) ?
		    "development " : "", id[0], id[1], id[2], id[3], hex);
	} else {
		buf = file_read(path, FILE_MAX, &len);
		good = buf != NULL;
		while (buf != NULL && n > 0 && (off < len || off == 0)) {
			n = show_one(buf + off, len - off, point, &good);
			off += n;
		}
	}
	free(buf);
	cw_fwkey_free(k);
	return good ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct options o;
	const char *cmd, *file;

	memset(&o, 0, sizeof o);
	if (options_take(&o, argc, argv) < 0)
		return 2;
	cmd = optind < argc ? argv[optind] : "";
	file = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (strcmp(cmd, "keygen") == 0 && file != NULL && optind + 2 == argc)
		return run_keygen(&o, file);
	if (strcmp(cmd, "image") == 0 && optind + 1 == argc)
		return run_image(&o);
	if (strcmp(cmd, "show") == 0 && optind + 2 >= argc)
		return run_show(&o, file);
	fputs("cardwright-sign: give keygen FILE, image or show (--help)\n", stderr);
	return 2;
}
