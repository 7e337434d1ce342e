/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CERT_H
#define CW_CERT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

/*
 * A small certificate authority for one plant: EC P-256 keys, X.509 version 3
 * (RFC 5280).  The name that host/tls.h checks stands in the subject's CN and,
 * decisively, in the DNS subject alternative name.
 */
struct cw_cert {
	EVP_PKEY *key;
	X509 *x509;
};

enum cw_cert_use {
	CW_CERT_CA,
	CW_CERT_SERVER,		/* the platform */
	CW_CERT_CLIENT,		/* a terminal */
};

/* Makes a key and a certificate, signed by issuer (CW_CERT_CA: by itself).
 * 0, or CW_EIO when OpenSSL refuses. Free with cw_cert_fini either way. */
int cw_cert_make(struct cw_cert *c, const struct cw_cert *issuer,
    enum cw_cert_use use, const char *name, unsigned int days);
/* Reads both PEM files. 0, CW_EIO, CW_EFORMAT. */
int cw_cert_load(struct cw_cert *c, const char *crt_path, const char *key_path);
/* PEM files, new ones only; the key's with mode 0600.
 * 0, CW_EEXIST, CW_EIO with errno. */
int cw_cert_save(const struct cw_cert *c, const char *crt_path, const char *key_path);
void cw_cert_fini(struct cw_cert *c);

#endif
