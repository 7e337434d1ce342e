/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_HOST_AES_H
#define CW_HOST_AES_H

#include "cw/milenage.h"

/*
 * AES-128, one block at a time, for the cores that take a block cipher: OpenSSL's.
 * Not for bulk data, and nothing to build a mode of operation on.
 */

/* Stateless: good for any number of users and threads. */
struct cw_block_op cw_host_aes(void);

#endif
