/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_ORDER_VIEW_H
#define CW_ORDER_VIEW_H

#include "cli.h"

/* Prints an order's reconciliation for people. */
void cw_view_report(const json_t *report);
/* Exit code that an ended order deserves: 0, or 1 when records failed. */
int cw_view_verdict(const json_t *report);
/* Prints the rejects of an order, at most max; 0 or an exit code. */
int cw_view_rejects(struct cw_cli *cli, const char *id, unsigned int max);
/* Records of an order that are open no more. */
json_int_t cw_view_ended(const json_t *order);
/* The order id in the command's first argument; NULL: said to be wrong. */
const char *cw_view_order_id(struct cw_cli *cli);

#endif
