/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/* First error of OpenSSL's queue as text; empties the queue. */
static const char *
tls_reason(void)
{
	unsigned long code = ERR_get_error();
	const char *text = ERR_reason_error_string(code);

	ERR_clear_error();
	return text != NULL ? text : "unreadable or not PEM";
}

/* An encrypted key cannot be used by a daemon: nobody is there to ask. */
static int
tls_no_password(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	*(bool *)ctx = true;
	return -1;
}

/*
 * The key is read from the same descriptor that was checked, so that the file
 * cannot be exchanged in between.
 */
static EVP_PKEY *
tls_read_key(const char *path, char *err, size_t err_cap)
{
	bool encrypted = false;
	EVP_PKEY *key = NULL;
	struct stat st = { .st_mode = 07777 };
	BIO *bio;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) < 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		snprintf(err, err_cap, "%s: mode %04o lets group or others in; "
		    "run chmod 600 %s", path,
		    (unsigned int)(st.st_mode & 07777), path);
		goto out;
	}
	if ((bio = BIO_new_fd(fd, BIO_NOCLOSE)) == NULL) {
		snprintf(err, err_cap, "%s: out of memory", path);
		goto out;
	}
	key = PEM_read_bio_PrivateKey(bio, NULL, tls_no_password, &encrypted);
	BIO_free(bio);
	if (key == NULL && encrypted)
		snprintf(err, err_cap, "%s: the key is encrypted; store it "
		    "without a password, mode 0600", path);
	else if (key == NULL)
		snprintf(err, err_cap, "%s: not a private key in PEM form (%s)",
		    path, tls_reason());
	ERR_clear_error();
out:
	close(fd);
	return key;
}

static void
tls_policy(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);

	/* Every connection proves both identities afresh: no resumption. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);

	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

struct tls_files {
	const char *ca, *cert, *key;
};

static SSL_CTX *
tls_make(const SSL_METHOD *method, const struct tls_files *f, char *err,
    size_t err_cap)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	EVP_PKEY *pkey;

	if (ctx == NULL) {
		snprintf(err, err_cap, "TLS: %s", tls_reason());
		return NULL;
	}
	tls_policy(ctx);

	if (SSL_CTX_load_verify_file(ctx, f->ca) != 1) {
		snprintf(err, err_cap, "%s: not a readable authority "
		    "certificate (%s)", f->ca, tls_reason());
		goto bad;
	}
	if (SSL_CTX_use_certificate_chain_file(ctx, f->cert) != 1) {
		snprintf(err, err_cap, "%s: not a readable certificate (%s)",
		    f->cert, tls_reason());
		goto bad;
	}
	if ((pkey = tls_read_key(f->key, err, err_cap)) == NULL)
		goto bad;
	if (SSL_CTX_use_PrivateKey(ctx, pkey) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1) {
		snprintf(err, err_cap, "%s: does not belong to the certificate "
		    "%s (%s)", f->key, f->cert, tls_reason());
		EVP_PKEY_free(pkey);
		goto bad;
	}
	EVP_PKEY_free(pkey);
	return ctx;
bad:
	SSL_CTX_free(ctx);
	return NULL;
}

SSL_CTX *
cw_tls_server(const char *ca, const char *cert, const char *key, char *err,
    size_t err_cap)
{
	const struct tls_files f = { ca, cert, key };

	return tls_make(TLS_server_method(), &f, err, err_cap);
}

SSL_CTX *
cw_tls_client(const char *ca, const char *cert, const char *key, char *err,
    size_t err_cap)
{
	const struct tls_files f = { ca, cert, key };

	return tls_make(TLS_client_method(), &f, err, err_cap);
}

/*
 * A reader has room for records of 4096 bytes.  Of the curves it would take the
 * largest that it is offered, at more than twice the cost.
 */
#define PSK_RECORD_MAX 4096

SSL_CTX *
cw_tls_psk_client(char *err, size_t err_cap)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx,
	    "ECDHE-PSK-CHACHA20-POLY1305:PSK-AES128-CCM") != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1 ||
	    SSL_CTX_set_tlsext_max_fragment_length(ctx,
	    TLSEXT_max_fragment_length_4096) != 1 ||
	    SSL_CTX_set_max_send_fragment(ctx, PSK_RECORD_MAX) != 1) {
		snprintf(err, err_cap, "TLS with pre-shared keys: %s",
		    tls_reason());
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}
