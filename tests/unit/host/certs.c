/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void
must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "test certificates: %s failed\n", what);
		abort();
	}
}

static void
add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext != NULL && X509_add_ext(cert, ext, -1) == 1, value);
	X509_EXTENSION_free(ext);
}

static X509 *
new_cert(EVP_PKEY *key, const char *cn, long from_s, long to_s)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), to_s);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)cn, -1, -1, 0);
	return x;
}

static void
save_cert(X509 *x, const char *path)
{
	FILE *f = fopen(path, "w");

	must(f != NULL && PEM_write_X509(f, x) == 1, path);
	fclose(f);
}

void
test_ca_make(struct test_ca *ca, const char *pem_path)
{
	ca->key = EVP_EC_gen("P-256");
	ca->cert = new_cert(ca->key, "test authority", -3600, 86400);
	X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert));
	add_ext(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
	add_ext(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign");
	must(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0, "sign");
	save_cert(ca->cert, pem_path);
}

void
test_ca_fini(struct test_ca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
}

void
test_cert_make(const struct test_ca *ca, const char *dns, long from_s,
    long to_s, const char *path_base)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = new_cert(key, "leaf", from_s, to_s);
	char text[300];
	FILE *f;
	int fd;

	X509_set_issuer_name(x, X509_get_subject_name(ca->cert));
	if (dns != NULL) {
		snprintf(text, sizeof(text), "DNS:%s", dns);
		add_ext(x, ca->cert, NID_subject_alt_name, text);
	}
	must(X509_sign(x, ca->key, EVP_sha256()) > 0, "sign");
	snprintf(text, sizeof(text), "%s.pem", path_base);
	save_cert(x, text);

	snprintf(text, sizeof(text), "%s.key", path_base);
	fd = open(text, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	f = fdopen(fd, "w");
	must(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL,
	    NULL) == 1, text);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}
