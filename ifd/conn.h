/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_IFD_CONN_H
#define CW_IFD_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "cw/frame.h"
#include "ifd/device.h"

/*
 * A blocking connection of the reader link: TCP with TCP_NODELAY, TLS by
 * pre-shared key unless it is plain, whole frames both ways, one write per frame.
 *
 * The caller serialises: no two calls on one connection at a time, but poll() on
 * the descriptor may run beside them.
 */
struct cw_ifd_conn;

/* Connects and shakes hands within ms; key: CW_KEYFILE_KEY_LEN bytes, borrowed for
 * the call, NULL: plain.  NULL with err filled. */
struct cw_ifd_conn *cw_ifd_conn_open(const struct cw_ifd_device *d,
    const uint8_t *key, int ms, char *err, size_t err_cap);
/* Wipes what it held. c may be NULL. */
void cw_ifd_conn_close(struct cw_ifd_conn *c);
/* For poll: POLLIN. */
int cw_ifd_conn_fd(const struct cw_ifd_conn *c);

/* 0, CW_ECLOSED. */
int cw_ifd_conn_send(struct cw_ifd_conn *c, const uint8_t *frame, size_t len);
/* Takes what the socket has, without waiting: 0, CW_ECLOSED, CW_EPROTO. */
int cw_ifd_conn_fill(struct cw_ifd_conn *c);
/* 1: the next whole frame, lent until the next call on c; 0: none; CW_E*. */
int cw_ifd_conn_next(struct cw_ifd_conn *c, struct cw_frame *f);
/* Milliseconds of the monotonic clock. */
uint64_t cw_ifd_now_ms(void);

#endif
