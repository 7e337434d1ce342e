/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TLS_H
#define CW_TLS_H

#include <stddef.h>

#include <openssl/ssl.h>

/*
 * TLS 1.3 with certificates on both sides.  ca, cert, key: PEM files.  The key
 * file must not be readable by group or others.  Role is bound to the
 * certificate: a platform's carries the DNS name "platform", a terminal's
 * "terminal.NAME" (made by `cardwright setup`), so that a terminal's
 * certificate cannot pose as the platform.
 */
/* NULL with err filled. */
SSL_CTX *cw_tls_server(const char *ca, const char *cert, const char *key, char *err, size_t err_cap);
SSL_CTX *cw_tls_client(const char *ca, const char *cert, const char *key, char *err, size_t err_cap);

/*
 * TLS 1.2 with a pre-shared key, for the readers (docs/spec/link-security.md):
 * struct cw_conn_config names identity and key of each connection.
 * NULL with err filled.
 */
SSL_CTX *cw_tls_psk_client(char *err, size_t err_cap);

#endif
