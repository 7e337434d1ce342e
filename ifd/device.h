/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_IFD_DEVICE_H
#define CW_IFD_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/keyfile.h"

/*
 * DEVICENAME of reader.conf(5), taken apart:
 *
 *	tcp:HOST:PORT[:slots=N][:plain][:keys=FILE][:id=IDENTITY]
 *
 * id comes last and takes the rest, for an identity has colons by custom.
 */
#define CW_IFD_KEYS "/etc/cardwright/ifd.keys"

struct cw_ifd_device {
	char host[128];
	char port[8];
	uint8_t slots;		/* at most; 0: as many as there are */
	bool plain;
	char keys[256];		/* CARDWRIGHT_IFD_KEYS, or CW_IFD_KEYS */
	char identity[CW_KEYFILE_ID_MAX + 1];
};

/* 0, or CW_EINVAL with the place and the remedy in err. */
int cw_ifd_device_parse(struct cw_ifd_device *d, const char *name, char *err,
    size_t err_cap);

#endif
