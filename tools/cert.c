/* SPDX-License-Identifier: Apache-2.0 */
#include "cert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "cli.h"
#include "cw/err.h"

static int
add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL)
		return CW_EIO;
	ok = X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	return ok == 1 ? 0 : CW_EIO;
}

/* A random positive serial number of 127 bits: never the same twice, and no
 * counter that a restored backup could turn back. */
static int
set_serial(X509 *x)
{
	uint8_t raw[16];
	BIGNUM *bn;
	int ok;

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return CW_EIO;
	raw[0] &= 0x7F;
	bn = BN_bin2bn(raw, sizeof(raw), NULL);
	ok = bn != NULL &&
	    BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) != NULL;
	BN_free(bn);
	return ok ? 0 : CW_EIO;
}

static int
add_exts(X509 *x, X509 *issuer, enum cw_cert_use use, const char *name)
{
	char san[160];
	int err;

	err = add_ext(x, issuer, NID_basic_constraints, use == CW_CERT_CA ?
	    "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
	if (err == 0)
		err = add_ext(x, issuer, NID_key_usage, use == CW_CERT_CA ?
		    "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	if (err == 0)
		err = add_ext(x, issuer, NID_subject_key_identifier, "hash");
	if (err < 0 || use == CW_CERT_CA)
		return err;

	snprintf(san, sizeof(san), "DNS:%s", name);
	err = add_ext(x, issuer, NID_subject_alt_name, san);
	if (err == 0)
		err = add_ext(x, issuer, NID_authority_key_identifier, "keyid");
	/* The role is bound: a terminal's certificate cannot serve. */
	if (err == 0)
		err = add_ext(x, issuer, NID_ext_key_usage,
		    use == CW_CERT_SERVER ? "serverAuth" : "clientAuth");
	return err;
}

int
cw_cert_make(struct cw_cert *c, const struct cw_cert *issuer,
    enum cw_cert_use use, const char *name, unsigned int days)
{
	X509 *signer;
	X509_NAME *subject;
	long from_s = -300, until_s = (long)days * 86400;

	memset(c, 0, sizeof(*c));
	c->key = EVP_EC_gen("P-256");
	c->x509 = X509_new();
	if (c->key == NULL || c->x509 == NULL || set_serial(c->x509) < 0)
		return CW_EIO;
	signer = use == CW_CERT_CA ? c->x509 : issuer->x509;

	/* Valid from a little before now: clocks of a plant differ. */
	subject = X509_get_subject_name(c->x509);
	if (X509_set_version(c->x509, X509_VERSION_3) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(c->x509), from_s) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(c->x509), until_s) == NULL ||
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
	    (const unsigned char *)name, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(c->x509, X509_get_subject_name(signer)) != 1 ||
	    X509_set_pubkey(c->x509, c->key) != 1)
		return CW_EIO;
	if (add_exts(c->x509, signer, use, name) < 0)
		return CW_EIO;
	if (X509_sign(c->x509, use == CW_CERT_CA ? c->key : issuer->key,
	    EVP_sha256()) == 0)
		return CW_EIO;
	return 0;
}

int
cw_cert_load(struct cw_cert *c, const char *crt_path, const char *key_path)
{
	FILE *f;

	memset(c, 0, sizeof(*c));
	f = fopen(crt_path, "re");
	if (f == NULL)
		return CW_EIO;
	c->x509 = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	f = fopen(key_path, "re");
	if (f == NULL)
		return CW_EIO;
	c->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	if (c->x509 == NULL || c->key == NULL ||
	    X509_check_private_key(c->x509, c->key) != 1)
		return CW_EFORMAT;
	return 0;
}

static FILE *
create(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	return fd < 0 ? NULL : fdopen(fd, "w");
}

int
cw_cert_save(const struct cw_cert *c, const char *crt_path, const char *key_path)
{
	FILE *f;
	int ok;

	f = create(key_path, 0600);
	if (f == NULL)
		return errno == EEXIST ? CW_EEXIST : CW_EIO;
	ok = PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL);
	if (cw_cli_close(f) < 0 || ok != 1)
		return CW_EIO;
	f = create(crt_path, 0644);
	if (f == NULL)
		return errno == EEXIST ? CW_EEXIST : CW_EIO;
	ok = PEM_write_X509(f, c->x509);
	if (cw_cli_close(f) < 0 || ok != 1)
		return CW_EIO;
	return 0;
}

void
cw_cert_fini(struct cw_cert *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->x509);
	memset(c, 0, sizeof(*c));
}
