/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TEST_CERTS_H
#define CW_TEST_CERTS_H

#include <stdbool.h>

#include <openssl/x509.h>

/* Authorities and certificates for tests, written as PEM files. */
struct test_ca {
	EVP_PKEY *key;
	X509 *cert;
};

void test_ca_make(struct test_ca *ca, const char *pem_path);
void test_ca_fini(struct test_ca *ca);
/* dns NULL: no DNS name. from_s, to_s: validity relative to now. Key file: 0600. */
void test_cert_make(const struct test_ca *ca, const char *dns, long from_s,
    long to_s, const char *path_base);

#endif
