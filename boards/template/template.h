/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TEMPLATE_H
#define CW_TEMPLATE_H

#include "reader/reader.h"

/*
 * Start of a port: copy this folder, fill the functions one by one, and run
 * tests/port against them until they hold (README.md of this folder).  Every
 * op says CW_EUNSUPPORTED until it is filled; none pretends.
 */
extern const struct cw_card_ops cw_template_card_ops;
extern const struct cw_net_ops cw_template_net_ops;
extern const struct cw_image_ops cw_template_store_ops;
extern const struct cw_sys_ops cw_template_sys_ops;

#endif
