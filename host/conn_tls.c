/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "conn_priv.h"
#include "cw/err.h"
#include "keyfile.h"

/*
 * The TLS engine sees the connection through a BIO of our own: reads take from
 * the receive buffer that was lent for this turn, writes append to the
 * connection's wire buffer.  A memory BIO would keep two buffers per idle
 * connection.
 */
static int
bio_read(BIO *bio, char *buf, int len)
{
	struct cw_conn *c = BIO_get_data(bio);
	size_t n = c->cipher_len;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (n > (size_t)len)
		n = (size_t)len;
	memcpy(buf, c->cipher, n);
	c->cipher += n;
	c->cipher_len -= n;
	return (int)n;
}

static int
bio_write(BIO *bio, const char *buf, int len)
{
	struct cw_conn *c = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (len < 0 || cw_conn_bytes_add(c->hub, &c->wire, (const uint8_t *)buf,
	    (size_t)len) < 0)
		return -1;
	return len;
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *tls_bio_method;

static void
tls_bio_make(void)
{
	tls_bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	    "cardwright connection");
	if (tls_bio_method == NULL)
		return;
	BIO_meth_set_read(tls_bio_method, bio_read);
	BIO_meth_set_write(tls_bio_method, bio_write);
	BIO_meth_set_ctrl(tls_bio_method, bio_ctrl);
}

static unsigned int
psk_client(SSL *ssl, const char *hint, char *identity, unsigned int id_cap,
    unsigned char *psk, unsigned int psk_cap)
{
	const struct cw_conn *c = SSL_get_app_data(ssl);
	size_t len = strlen(c->cfg.psk_identity);

	(void)hint;
	if (len >= id_cap || psk_cap < CW_KEYFILE_KEY_LEN)
		return 0;
	memcpy(identity, c->cfg.psk_identity, len + 1);
	memcpy(psk, c->cfg.psk_key, CW_KEYFILE_KEY_LEN);
	return CW_KEYFILE_KEY_LEN;
}

int
cw_conn_tls_start(struct cw_conn *c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, tls_bio_make);
	if (tls_bio_method == NULL || (c->ssl = SSL_new(c->cfg.tls)) == NULL)
		return CW_ENOMEM;
	if ((bio = BIO_new(tls_bio_method)) == NULL)
		return CW_ENOMEM;
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);

	if (c->cfg.psk_key != NULL) {
		SSL_set_app_data(c->ssl, c);
		SSL_set_psk_client_callback(c->ssl, psk_client);
		SSL_set_connect_state(c->ssl);
		return CW_OK;
	}

	/*
	 * Whatever the caller's context says: nobody without a certificate
	 * gets in, on either side.
	 */
	SSL_set_verify(c->ssl,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (c->server) {
		SSL_set_accept_state(c->ssl);
		return CW_OK;
	}
	SSL_set_connect_state(c->ssl);
	if (c->cfg.want_peer != NULL) {
		SSL_set_hostflags(c->ssl, X509_CHECK_FLAG_NO_WILDCARDS |
		    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
		if (SSL_set1_host(c->ssl, c->cfg.want_peer) != 1)
			return CW_ENOMEM;
	}
	return CW_OK;
}

/* First DNS name of the peer's certificate: letters, digits, '.', '-', '_'. */
static bool
tls_peer_name(const struct cw_conn *c, char *out, size_t cap)
{
	X509 *cert = SSL_get0_peer_certificate(c->ssl);
	GENERAL_NAMES *names;
	const GENERAL_NAME *gn;
	const char *text;
	bool ok = false;
	size_t len, i;
	int k;

	names = cert == NULL ? NULL :
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (k = 0; k < sk_GENERAL_NAME_num(names); k++) {
		gn = sk_GENERAL_NAME_value(names, k);
		if (gn->type != GEN_DNS)
			continue;
		text = (const char *)ASN1_STRING_get0_data(gn->d.dNSName);
		len = (size_t)ASN1_STRING_length(gn->d.dNSName);
		ok = len > 0 && len < cap;
		for (i = 0; ok && i < len; i++)
			ok = strchr("-._", text[i]) != NULL ||
			    (text[i] >= '0' && text[i] <= '9') ||
			    (text[i] >= 'a' && text[i] <= 'z') ||
			    (text[i] >= 'A' && text[i] <= 'Z');
		if (ok) {
			memcpy(out, text, len);
			out[len] = '\0';
		}
		break;
	}
	GENERAL_NAMES_free(names);
	return ok;
}

/* The peer's alerts about our own certificate. */
static bool
tls_refused(int reason)
{
	switch (reason) {
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR: /* authority of the same name */
		return true;
	default:
		return false;
	}
}

/* The same for a link with a pre-shared key; text is OpenSSL's. */
static void
psk_fail(struct cw_conn *c, int reason, const char *text)
{
	const char *id = c->cfg.psk_identity;

	if (c->state != CONN_HANDSHAKE)
		cw_conn_finish(c, CW_EPROTO, "%s: the secured link broke (%s): a "
		    "record was changed on the way", c->peer, text);
	else if (reason == SSL_R_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY)
		cw_conn_finish(c, CW_EDENIED, "%s has no key of the identity "
		    "\"%s\"; is it the right reader? If so, give it that "
		    "identity and its key", c->peer, id);
	else if (reason == SSL_R_SSLV3_ALERT_BAD_RECORD_MAC ||
	    reason == SSL_R_TLSV1_ALERT_DECRYPT_ERROR ||
	    reason == SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC ||
	    reason == SSL_R_DIGEST_CHECK_FAILED)
		cw_conn_finish(c, CW_EDENIED, "%s has another key for the "
		    "identity \"%s\" than the key file here; enrol it anew",
		    c->peer, id);
	else if (reason == SSL_R_WRONG_VERSION_NUMBER)
		cw_conn_finish(c, CW_EDENIED, "%s does not speak TLS; was it "
		    "started with --plain? Give it its key, or set link = "
		    "plain for its station (test orders only)", c->peer);
	else
		cw_conn_finish(c, CW_EPROTO, "%s does not take TLS 1.2 with a "
		    "pre-shared key (%s)", c->peer, text);
}

/* Finds out what went wrong in the engine and ends the connection. */
static void
tls_fail(struct cw_conn *c)
{
	unsigned long code = ERR_peek_error();
	const char *text = ERR_reason_error_string(code);
	long verify = SSL_get_verify_result(c->ssl);
	int reason = ERR_GET_REASON(code);

	ERR_clear_error();
	if (text == NULL)
		text = "unknown cause";
	if (c->cfg.psk_key != NULL)
		psk_fail(c, reason, text);
	else if (tls_refused(reason))
		cw_conn_finish(c, CW_EDENIED, "%s refuses our certificate (%s); "
		    "is it of the same authority and in its time?", c->peer,
		    text);
	else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		cw_conn_finish(c, CW_EDENIED, "%s shows no certificate", c->peer);
	else if (verify == X509_V_ERR_HOSTNAME_MISMATCH)
		cw_conn_finish(c, CW_EDENIED, "%s: its certificate is not for the "
		    "name \"%s\"", c->peer, c->cfg.want_peer);
	else if (verify != X509_V_OK)
		cw_conn_finish(c, CW_EDENIED, "%s: its certificate: %s", c->peer,
		    X509_verify_cert_error_string(verify));
	else
		cw_conn_finish(c, CW_EPROTO, "%s does not speak TLS 1.3 as agreed "
		    "(%s)", c->peer, text);
}

/* Goes on with the handshake; opens c once it is complete. */
static void
tls_handshake(struct cw_conn *c)
{
	char name[256];
	int n;

	ERR_clear_error();
	n = SSL_do_handshake(c->ssl);
	if (n != 1) {
		if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
			tls_fail(c);
		else
			cw_conn_wire(c);
		return;
	}
	cw_conn_wire(c);
	if (c->cfg.psk_key != NULL) {
		if (c->state == CONN_HANDSHAKE)
			cw_conn_opened(c, c->cfg.psk_identity);
		return;
	}
	if (!tls_peer_name(c, name, sizeof(name))) {
		cw_conn_finish(c, CW_EDENIED, "%s: its certificate has no DNS "
		    "name", c->peer);
		return;
	}
	if (c->state == CONN_HANDSHAKE)
		cw_conn_opened(c, name);
}

void
cw_conn_tls_input(struct cw_conn *c, const uint8_t *buf, size_t len)
{
	uint8_t *plain = c->hub->plain;
	int n, why;

	c->cipher = buf;
	c->cipher_len = len;
	if (c->state == CONN_HANDSHAKE)
		tls_handshake(c);
	while (c->state == CONN_OPEN) {
		ERR_clear_error();
		n = SSL_read(c->ssl, plain, CONN_PLAIN_CAP);
		if (n > 0) {
			cw_conn_input(c, plain, (size_t)n);
			explicit_bzero(plain, (size_t)n);
			continue;
		}
		why = SSL_get_error(c->ssl, n);
		if (why == SSL_ERROR_ZERO_RETURN)
			cw_conn_finish(c, CW_ECLOSED, "%s closed the connection",
			    c->peer);
		else if (why != SSL_ERROR_WANT_READ)
			tls_fail(c);
		break;
	}
	c->cipher = NULL;
	c->cipher_len = 0;
	if (c->state == CONN_OPEN)
		cw_conn_wire(c);
}

bool
cw_conn_tls_output(struct cw_conn *c)
{
	size_t len = c->out.len - c->out.off;
	int n;

	if (len == 0 || c->ssl == NULL || !SSL_is_init_finished(c->ssl))
		return false;
	if (len > INT_MAX)
		len = INT_MAX;
	ERR_clear_error();
	n = SSL_write(c->ssl, c->out.p + c->out.off, (int)len);
	if (n <= 0) {
		tls_fail(c);
		return false;
	}
	c->out.off += (size_t)n;
	if (c->out.off == c->out.len)
		cw_conn_bytes_drop(c->hub, &c->out);
	return true;
}

void
cw_conn_tls_goodbye(struct cw_conn *c)
{
	if (c->ssl == NULL || !SSL_is_init_finished(c->ssl))
		return;
	ERR_clear_error();
	SSL_shutdown(c->ssl);
	ERR_clear_error();
}
