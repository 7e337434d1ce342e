/* SPDX-License-Identifier: Apache-2.0 */
#include "fwkey.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cw/err.h"

static const char dev_line[] =
    "cardwright development key: never sign a release with it\n";

struct cw_fwkey {
	EVP_PKEY *pkey;
	bool private, development;
	uint8_t point[CW_FWIMG_KEY];
};

static bool
point_take(struct cw_fwkey *k)
{
	uint8_t buf[65];
	char group[32];
	size_t len;

	if (EVP_PKEY_get_utf8_string_param(k->pkey, OSSL_PKEY_PARAM_GROUP_NAME,
	    group, sizeof group, &len) != 1 || strcmp(group, SN_X9_62_prime256v1) != 0)
		return false;
	if (EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PUB_KEY,
	    buf, sizeof buf, &len) != 1 || len != sizeof buf || buf[0] != 4)
		return false;
	memcpy(k->point, buf + 1, sizeof k->point);
	return true;
}

struct cw_fwkey *
cw_fwkey_read(const char *path, char *err, size_t err_cap)
{
	struct cw_fwkey *k = NULL;
	char line[sizeof dev_line];
	FILE *f;

	f = fopen(path, "r");
	if (f == NULL) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		return NULL;
	}
	k = calloc(1, sizeof *k);
	if (k == NULL)
		goto out;
	k->development = fgets(line, sizeof line, f) != NULL &&
	    strcmp(line, dev_line) == 0;
	rewind(f);
	k->pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	k->private = k->pkey != NULL;
	if (!k->private) {
		rewind(f);
		k->pkey = PEM_read_PUBKEY(f, NULL, NULL, NULL);
	}
	if (k->pkey == NULL || !point_take(k)) {
		snprintf(err, err_cap, "%s: no key of P-256 in PEM; make one with "
		    "cardwright-sign keygen", path);
		cw_fwkey_free(k);
		k = NULL;
	}
out:
	fclose(f);
	return k;
}

struct cw_fwkey *
cw_fwkey_make(bool development)
{
	struct cw_fwkey *k = calloc(1, sizeof *k);

	if (k == NULL)
		return NULL;
	k->private = true;
	k->development = development;
	k->pkey = EVP_EC_gen("P-256");
	if (k->pkey == NULL || !point_take(k)) {
		cw_fwkey_free(k);
		return NULL;
	}
	return k;
}

void
cw_fwkey_free(struct cw_fwkey *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

int
cw_fwkey_write(const struct cw_fwkey *k, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok;
	FILE *f;

	if (fd < 0)
		return errno == EEXIST ? CW_EEXIST : CW_EIO;
	f = fdopen(fd, "w");
	if (f == NULL) {
		close(fd);
		return CW_EIO;
	}
	ok = !k->development || fputs(dev_line, f) >= 0;
	ok = ok && PEM_write_PKCS8PrivateKey(f, k->pkey, NULL, NULL, 0, NULL,
	    NULL) == 1;
	ok = fclose(f) == 0 && ok;
	if (!ok)
		unlink(path);
	return ok ? 0 : CW_EIO;
}

bool
cw_fwkey_is_private(const struct cw_fwkey *k)
{
	return k->private;
}

bool
cw_fwkey_is_development(const struct cw_fwkey *k)
{
	return k->development;
}

void
cw_fwkey_public(const struct cw_fwkey *k, uint8_t out[CW_FWIMG_KEY])
{
	memcpy(out, k->point, CW_FWIMG_KEY);
}

void
cw_fwkey_id(const struct cw_fwkey *k, uint8_t out[4])
{
	uint8_t digest[CW_SHA256_LEN];

	cw_sha256(digest, k->point, sizeof k->point);
	memcpy(out, digest, 4);
}

/* DER, as OpenSSL has it, to r and s of 32 bytes each. */
static bool
sig_raw(uint8_t *out, const uint8_t *der, size_t len)
{
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)len);
	bool ok;

	if (s == NULL)
		return false;
	ok = BN_bn2binpad(ECDSA_SIG_get0_r(s), out, 32) == 32 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(s), out + 32, 32) == 32;
	ECDSA_SIG_free(s);
	return ok;
}

int
cw_fwkey_sign(const struct cw_fwkey *k, const uint8_t *digest, uint8_t *sig)
{
	EVP_PKEY_CTX *ctx;
	uint8_t der[80];
	size_t len = sizeof der;
	bool ok;

	if (!k->private)
		return CW_EDENIED;
	ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
	ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
	    EVP_PKEY_sign(ctx, der, &len, digest, CW_SHA256_LEN) == 1 &&
	    sig_raw(sig, der, len);
	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : CW_EIO;
}

/* NULL for a point that is not on the curve. */
static EVP_PKEY *
public_pkey(const uint8_t *key)
{
	char group[] = SN_X9_62_prime256v1;
	uint8_t point[1 + CW_FWIMG_KEY];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
		    group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
		    sizeof point),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;

	point[0] = 4;
	memcpy(point + 1, key, CW_FWIMG_KEY);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static int
sig_der(uint8_t **der, const uint8_t *sig)
{
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, 32, NULL), *t = BN_bin2bn(sig + 32, 32, NULL);
	int len = -1;

	if (s != NULL && r != NULL && t != NULL && ECDSA_SIG_set0(s, r, t) == 1) {
		len = i2d_ECDSA_SIG(s, der);
	} else {
		BN_free(r);
		BN_free(t);
	}
	ECDSA_SIG_free(s);
	return len;
}

bool
cw_fwkey_verify(const uint8_t *key, const uint8_t *digest, const uint8_t *sig)
{
	EVP_PKEY *pkey = public_pkey(key);
	EVP_PKEY_CTX *ctx = pkey != NULL ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
	uint8_t *der = NULL;
	int len = sig_der(&der, sig);
	bool ok;

	ok = ctx != NULL && len > 0 && EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_verify(ctx, der, (size_t)len, digest, CW_SHA256_LEN) == 1;
	OPENSSL_free(der);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok;
}
