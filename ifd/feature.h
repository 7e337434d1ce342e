/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_IFD_FEATURE_H
#define CW_IFD_FEATURE_H

#include "ifd/reader.h"

/*
 * PC/SC part 10: what SCardControl answers.  GET_FEATURE_REQUEST names two
 * features, FEATURE_GET_TLV_PROPERTIES and FEATURE_CCID_ESC_COMMAND.  The escape
 * commands, one byte each, are read only: 01 the firmware's name, 02 the serial
 * number (16 bytes), 03 the body of CARD_STATE (docs/spec/reader-link.md).
 */
struct cw_ifd_buf {
	uint8_t *buf;
	size_t len;
};

/* Bytes put to rx, CW_EUNSUPPORTED, CW_EFULL (rx is too small), or of the link. */
int cw_ifd_control(struct cw_ifd_reader *r, uint8_t slot, uint32_t code,
    struct cw_ifd_buf tx, struct cw_ifd_buf rx);

#endif
