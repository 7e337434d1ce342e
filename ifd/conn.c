/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/rlink.h"
#include "host/tls.h"
#include "ifd/conn.h"

#define RX_CAP (2 * (CW_FRAME_HDR + CW_RLINK_BODY_MAX))
#define SEND_MS 5000

struct cw_ifd_conn {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;		/* NULL: plain */
	BIO *in, *out;		/* of ssl: a frame leaves in one write */
	char identity[CW_KEYFILE_ID_MAX + 1];
	const uint8_t *key;	/* during the handshake */
	size_t rx_off, rx_len;	/* what stands in rx */
	uint8_t rx[RX_CAP];
};

uint64_t
cw_ifd_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int
wait_for(int fd, short what, uint64_t until_ms)
{
	struct pollfd p = { fd, what, 0 };
	uint64_t now_ms = cw_ifd_now_ms();

	if (now_ms >= until_ms)
		return CW_ETIMEOUT;
	if (poll(&p, 1, (int)(until_ms - now_ms)) > 0)
		return 0;
	return errno == EINTR ? 0 : CW_ETIMEOUT;
}

static int
write_all(struct cw_ifd_conn *c, const uint8_t *buf, size_t len)
{
	uint64_t until_ms = cw_ifd_now_ms() + SEND_MS;
	size_t off = 0;
	ssize_t n;

	while (off < len) {
		n = send(c->fd, buf + off, len - off, MSG_NOSIGNAL);
		if (n > 0)
			off += (size_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return CW_ECLOSED;
		else if (wait_for(c->fd, POLLOUT, until_ms) < 0)
			return CW_ECLOSED;
	}
	return 0;
}

/* What the engine has made. */
static int
tls_flush(struct cw_ifd_conn *c)
{
	char *p;
	long len = BIO_get_mem_data(c->out, &p);
	int err = len > 0 ? write_all(c, (const uint8_t *)p, (size_t)len) : 0;

	(void)BIO_reset(c->out);
	return err;
}

/* Bytes of the socket for the engine: 0, CW_ECLOSED. */
static int
tls_feed(struct cw_ifd_conn *c)
{
	uint8_t buf[8192];
	ssize_t n;

	for (;;) {
		n = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : CW_ECLOSED;
		if (n == 0)
			return CW_ECLOSED;
		if (BIO_write(c->in, buf, (int)n) != n)
			return CW_ECLOSED;
		if ((size_t)n < sizeof buf)
			return 0;
	}
}

int
cw_ifd_conn_send(struct cw_ifd_conn *c, const uint8_t *frame, size_t len)
{
	size_t off = 0;
	int n;

	if (c->ssl == NULL)
		return write_all(c, frame, len);
	while (off < len) {
		n = SSL_write(c->ssl, frame + off, (int)(len - off));
		if (n <= 0)
			return CW_ECLOSED;
		off += (size_t)n;
	}
	return tls_flush(c);
}

static void
rx_compact(struct cw_ifd_conn *c)
{
	memmove(c->rx, c->rx + c->rx_off, c->rx_len);
	c->rx_off = 0;
}

int
cw_ifd_conn_fill(struct cw_ifd_conn *c)
{
	ssize_t n = 0;
	int err = 0;

	rx_compact(c);
	if (c->ssl == NULL) {
		n = recv(c->fd, c->rx + c->rx_len, RX_CAP - c->rx_len,
		    MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : CW_ECLOSED;
		c->rx_len += (size_t)n;
		return n == 0 ? CW_ECLOSED : 0;
	}
	if (BIO_pending(c->in) == 0)
		err = tls_feed(c);
	while (c->rx_len < RX_CAP) {
		n = SSL_read(c->ssl, c->rx + c->rx_len, (int)(RX_CAP - c->rx_len));
		if (n <= 0)
			break;
		c->rx_len += (size_t)n;
	}
	if (c->rx_len < RX_CAP && SSL_get_error(c->ssl, (int)n) !=
	    SSL_ERROR_WANT_READ)
		return CW_ECLOSED;
	return c->rx_len > 0 ? 0 : err;
}

int
cw_ifd_conn_next(struct cw_ifd_conn *c, struct cw_frame *f)
{
	int n = cw_frame_peek(f, c->rx + c->rx_off, c->rx_len, CW_RLINK_VERSION,
	    CW_RLINK_BODY_MAX);

	if (n <= 0)
		return n;
	c->rx_off += (size_t)n;
	c->rx_len -= (size_t)n;
	return 1;
}

int
cw_ifd_conn_fd(const struct cw_ifd_conn *c)
{
	return c->fd;
}

/* ---- opening ------------------------------------------------------------- */

static int
tcp_try(const struct addrinfo *a, uint64_t until_ms)
{
	int one = 1, e = 0, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	socklen_t len = sizeof e;

	if (fd < 0)
		return -errno;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		e = errno;
	if (e == EINPROGRESS) {
		e = ETIMEDOUT;
		if (wait_for(fd, POLLOUT, until_ms) == 0)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len);
	}
	if (e != 0) {
		close(fd);
		return -e;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static int
tcp_open(const struct cw_ifd_device *d, uint64_t until_ms, char *err, size_t cap)
{
	struct addrinfo hint = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *a;
	int e = getaddrinfo(d->host, d->port, &hint, &list), fd = -EHOSTUNREACH;

	if (e != 0) {
		snprintf(err, cap, "reader %s:%s: %s", d->host, d->port,
		    gai_strerror(e));
		return -1;
	}
	for (a = list; a != NULL && fd < 0; a = a->ai_next)
		fd = tcp_try(a, until_ms);
	freeaddrinfo(list);
	if (fd < 0)
		snprintf(err, cap, "reader %s:%s: %s; is it on, and is the address "
		    "right?", d->host, d->port, strerror(-fd));
	return fd;
}

static unsigned int
psk_give(SSL *ssl, const char *hint, char *identity, unsigned int id_cap,
    unsigned char *psk, unsigned int psk_cap)
{
	const struct cw_ifd_conn *c = SSL_get_app_data(ssl);
	size_t len = strlen(c->identity);

	(void)hint;
	if (len >= id_cap || psk_cap < CW_KEYFILE_KEY_LEN || c->key == NULL)
		return 0;
	memcpy(identity, c->identity, len + 1);
	memcpy(psk, c->key, CW_KEYFILE_KEY_LEN);
	return CW_KEYFILE_KEY_LEN;
}

static void
tls_words(const struct cw_ifd_device *d, char *err, size_t cap)
{
	int reason = ERR_GET_REASON(ERR_peek_error());
	const char *why = "the handshake was cut; was the reader started with "
	    "--plain? Then say :plain";

	if (reason == SSL_R_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY)
		why = "it has no key of that identity; is it the right reader? "
		    "Say :id=IDENTITY, or enrol it";
	else if (reason == SSL_R_SSLV3_ALERT_BAD_RECORD_MAC ||
	    reason == SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)
		why = "it has another key than the key file here; enrol it anew";
	snprintf(err, cap, "reader %s:%s, identity %s: %s", d->host, d->port,
	    d->identity, why);
	ERR_clear_error();
}

static int
tls_open(struct cw_ifd_conn *c, const struct cw_ifd_device *d, uint64_t until_ms,
    char *err, size_t cap)
{
	int n;

	c->ctx = cw_tls_psk_client(err, cap);
	if (c->ctx == NULL)
		return CW_EIO;
	c->ssl = SSL_new(c->ctx);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	if (c->ssl == NULL || c->in == NULL || c->out == NULL) {
		snprintf(err, cap, "out of memory");
		return CW_ENOMEM;
	}
	BIO_set_mem_eof_return(c->in, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_app_data(c->ssl, c);
	SSL_set_psk_client_callback(c->ssl, psk_give);
	SSL_set_connect_state(c->ssl);
	ERR_clear_error();
	for (;;) {
		n = SSL_do_handshake(c->ssl);
		if (tls_flush(c) == 0 && n == 1)
			return 0;
		if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ ||
		    wait_for(c->fd, POLLIN, until_ms) < 0 || tls_feed(c) < 0)
			break;
	}
	/* What came with the end may tell why. */
	(void)SSL_do_handshake(c->ssl);
	tls_words(d, err, cap);
	return CW_EDENIED;
}

struct cw_ifd_conn *
cw_ifd_conn_open(const struct cw_ifd_device *d, const uint8_t *key, int ms,
    char *err, size_t err_cap)
{
	uint64_t until_ms = cw_ifd_now_ms() + (uint64_t)ms;
	struct cw_ifd_conn *c = calloc(1, sizeof *c);

	if (c == NULL) {
		snprintf(err, err_cap, "out of memory");
		return NULL;
	}
	strcpy(c->identity, d->identity);
	c->key = key;
	c->fd = tcp_open(d, until_ms, err, err_cap);
	if (c->fd >= 0 && (key == NULL ||
	    tls_open(c, d, until_ms, err, err_cap) == 0)) {
		c->key = NULL;
		return c;
	}
	cw_ifd_conn_close(c);
	return NULL;
}

void
cw_ifd_conn_close(struct cw_ifd_conn *c)
{
	if (c == NULL)
		return;
	if (c->ssl != NULL) {
		if (SSL_is_init_finished(c->ssl)) {
			SSL_shutdown(c->ssl);
			(void)tls_flush(c);
		}
		SSL_free(c->ssl);
	}
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	cw_wipe(c, sizeof *c);
	free(c);
}
