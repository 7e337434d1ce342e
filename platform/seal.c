/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "cw/bytes.h"
#include "cw/err.h"

#define NONCE_LEN 12
#define TAG_LEN 16
#define AAD_LEN 20
#define TAIL_DIGITS 4	/* digits of a number that stay in order */
#define DIGITS_MIN 5
#define DIGITS_MAX 32
#define POOL_LEN (NONCE_LEN * 256)

/* The HMAC of the digits before the last four, kept for the next number. */
struct head {
	char digits[DIGITS_MAX];
	size_t len;
	uint8_t mac[32];
};

struct cw_seal {
	uint8_t payload_key[32];
	uint8_t print_key[32];
	uint32_t key_id;
	EVP_CIPHER_CTX *enc, *dec;
	int (*random)(void *ctx, void *buf, size_t len);
	void *random_ctx;
	uint8_t pool[POOL_LEN];	/* random bytes for nonces, each used once */
	size_t pool_off;
	struct head head[3];	/* by enum cw_fp_kind */
};

static int
random_os(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	return RAND_bytes(buf, (int)len) == 1 ? 0 : CW_EIO;
}

static bool
hmac(uint8_t mac[32], const uint8_t key[32], const void *buf, size_t len)
{
	unsigned int mac_len = 32;

	return HMAC(EVP_sha256(), key, 32, buf, len, mac, &mac_len) != NULL;
}

static bool
derive(uint8_t out[32], const uint8_t key[32], const char *label)
{
	return hmac(out, key, label, strlen(label));
}

struct cw_seal *
cw_seal_new(const uint8_t key[CW_SEAL_KEY_LEN])
{
	struct cw_seal *s = calloc(1, sizeof *s);
	uint8_t id[32];

	if (s == NULL)
		return NULL;

	/* Keys out of swap if the limit allows it: better than nothing if not. */
	(void)mlock(s, sizeof *s);
	s->random = random_os;
	s->pool_off = POOL_LEN;
	s->enc = EVP_CIPHER_CTX_new();
	s->dec = EVP_CIPHER_CTX_new();
	if (s->enc == NULL || s->dec == NULL)
		goto err;
	if (!derive(s->payload_key, key, "cardwright payload 1") ||
	    !derive(s->print_key, key, "cardwright fingerprint 1") ||
	    !derive(id, key, "cardwright key id 1"))
		goto err;
	s->key_id = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 |
	    (uint32_t)id[2] << 8 | id[3];

	/* The key schedule is made once; each record only sets its nonce. */
	if (EVP_EncryptInit_ex(s->enc, EVP_aes_256_gcm(), NULL, s->payload_key, NULL) != 1 ||
	    EVP_DecryptInit_ex(s->dec, EVP_aes_256_gcm(), NULL, s->payload_key, NULL) != 1)
		goto err;
	return s;

err:
	cw_seal_free(s);
	return NULL;
}

void
cw_seal_free(struct cw_seal *s)
{
	if (s == NULL)
		return;
	EVP_CIPHER_CTX_free(s->enc);
	EVP_CIPHER_CTX_free(s->dec);
	cw_wipe(s, sizeof *s);
	(void)munlock(s, sizeof *s);
	free(s);
}

void
cw_seal_set_random(struct cw_seal *s,
    int (*fn)(void *ctx, void *buf, size_t len), void *ctx)
{
	s->random = fn;
	s->random_ctx = ctx;
	s->pool_off = POOL_LEN;
}

uint32_t
cw_seal_key_id(const struct cw_seal *s)
{
	return s->key_id;
}

/* Checks an open key file's mode and reads its text. */
static int
read_key_text(int fd, const char *path, char text[80], char *err, size_t err_cap)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		return CW_EIO;
	}
	if ((st.st_mode & 077) != 0) {
		snprintf(err, err_cap,
		    "%s: the key file is open to group or others (mode %03o); "
		    "run: chmod 600 %s", path, (unsigned int)(st.st_mode & 0777), path);
		return CW_EDENIED;
	}
	n = read(fd, text, 79);
	if (n < 0) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		return CW_EIO;
	}
	text[n] = '\0';
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	return (int)n;
}

struct cw_seal *
cw_seal_load(const char *path, char *err, size_t err_cap)
{
	struct cw_seal *s = NULL;
	uint8_t key[CW_SEAL_KEY_LEN];
	char text[80];
	int fd, n;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(err, err_cap, "%s: %s; run: cardwright setup", path,
		    strerror(errno));
		return NULL;
	}
	n = read_key_text(fd, path, text, err, err_cap);
	close(fd);
	if (n < 0)
		return NULL;
	if (n != 2 * CW_SEAL_KEY_LEN ||
	    cw_unhex(key, sizeof key, text, (size_t)n) != CW_SEAL_KEY_LEN) {
		snprintf(err, err_cap,
		    "%s: not a key file: one line of 64 hex digits is expected; "
		    "restore it from your backup (a new key cannot open old records)",
		    path);
	} else {
		s = cw_seal_new(key);
		if (s == NULL)
			snprintf(err, err_cap, "%s: out of memory", path);
	}
	cw_wipe(text, sizeof text);
	cw_wipe(key, sizeof key);
	return s;
}

static int
take_nonce(struct cw_seal *s, uint8_t nonce[NONCE_LEN])
{
	int err;

	if (s->pool_off + NONCE_LEN > POOL_LEN) {
		err = s->random(s->random_ctx, s->pool, POOL_LEN);
		if (err < 0)
			return err;
		s->pool_off = 0;
	}
	memcpy(nonce, s->pool + s->pool_off, NONCE_LEN);
	s->pool_off += NONCE_LEN;
	return 0;
}

static void
make_aad(const struct cw_seal *s, const struct cw_seal_id *id, uint8_t aad[AAD_LEN])
{
	struct cw_wr w = cw_wr_init(aad, AAD_LEN);

	cw_wr_u64(&w, id->order);
	cw_wr_u64(&w, id->record);
	cw_wr_u32(&w, s->key_id);
}

int
cw_seal_put(struct cw_seal *s, const struct cw_seal_id *id,
    const uint8_t *buf, size_t len, uint8_t *out)
{
	uint8_t aad[AAD_LEN];
	int n = 0, err;

	err = take_nonce(s, out);
	if (err < 0)
		return err;
	make_aad(s, id, aad);
	if (EVP_EncryptInit_ex(s->enc, NULL, NULL, NULL, out) != 1 ||
	    EVP_EncryptUpdate(s->enc, NULL, &n, aad, AAD_LEN) != 1 ||
	    EVP_EncryptUpdate(s->enc, out + NONCE_LEN, &n, buf, (int)len) != 1 ||
	    EVP_EncryptFinal_ex(s->enc, out + NONCE_LEN + len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(s->enc, EVP_CTRL_GCM_GET_TAG, TAG_LEN,
	    out + NONCE_LEN + len) != 1)
		return CW_EIO;
	return (int)(len + CW_SEAL_OVERHEAD);
}

int
cw_seal_get(struct cw_seal *s, const struct cw_seal_id *id,
    const uint8_t *buf, size_t len, uint8_t *out)
{
	uint8_t aad[AAD_LEN], tag[TAG_LEN];
	size_t text_len;
	int n = 0;

	if (len < CW_SEAL_OVERHEAD)
		return CW_ESHORT;
	text_len = len - CW_SEAL_OVERHEAD;
	memcpy(tag, buf + NONCE_LEN + text_len, TAG_LEN);
	make_aad(s, id, aad);
	if (EVP_DecryptInit_ex(s->dec, NULL, NULL, NULL, buf) != 1 ||
	    EVP_DecryptUpdate(s->dec, NULL, &n, aad, AAD_LEN) != 1 ||
	    EVP_DecryptUpdate(s->dec, out, &n, buf + NONCE_LEN, (int)text_len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(s->dec, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) != 1 ||
	    EVP_DecryptFinal_ex(s->dec, out + text_len, &n) != 1) {
		cw_wipe(out, text_len);
		return CW_EDIGEST;
	}
	return (int)text_len;
}

/* HMAC over kind and head; consecutive numbers share it, so it is kept. */
static int
head_mac(struct cw_seal *s, enum cw_fp_kind kind, const char *digits, size_t len)
{
	struct head *h = &s->head[kind];
	uint8_t text[1 + DIGITS_MAX];

	if (h->len == len && memcmp(h->digits, digits, len) == 0)
		return 0;
	text[0] = (uint8_t)kind;
	memcpy(text + 1, digits, len);
	h->len = 0;
	if (!hmac(h->mac, s->print_key, text, 1 + len))
		return CW_EIO;
	memcpy(h->digits, digits, len);
	h->len = len;
	return 0;
}

int
cw_seal_fingerprint(struct cw_seal *s, enum cw_fp_kind kind,
    const char *digits, size_t len, uint8_t fp[CW_FP_LEN])
{
	const uint8_t *mac = s->head[kind].mac;
	unsigned int tail = 0;
	size_t i;
	int err;

	if (len < DIGITS_MIN || len > DIGITS_MAX)
		return CW_EINVAL;
	for (i = 0; i < len; i++)
		if (digits[i] < '0' || digits[i] > '9')
			return CW_EINVAL;
	err = head_mac(s, kind, digits, len - TAIL_DIGITS);
	if (err < 0)
		return err;

	/* Tail in the clear but for a mask: neighbours stay near each other. */
	for (i = len - TAIL_DIGITS; i < len; i++)
		tail = tail * 10 + (unsigned int)(digits[i] - '0');
	memcpy(fp, mac, CW_FP_LEN);
	fp[6] = (uint8_t)((fp[6] & 0xc0) | ((tail >> 8) ^ (fp[6] & 0x3f)));
	fp[7] ^= (uint8_t)tail;
	return 0;
}
