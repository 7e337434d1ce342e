/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PORT_RECORD_H
#define CW_PORT_RECORD_H

#include "reader/reader.h"

/*
 * In the reader core's place: takes a board's events down for the test to look
 * at.  Linked instead of reader/; one reader at a time.
 */
struct record {
	struct cw_reader_config cfg;	/* given by the board */
	struct cw_event event[256];
	uint8_t byte[256][1024];
	unsigned int cnt, off;
};
extern struct record record;

#endif
