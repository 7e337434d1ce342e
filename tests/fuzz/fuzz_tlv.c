/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/err.h"
#include "cw/gp.h"
#include "cw/tlv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * What a card answers to a host of GlobalPlatform: BER-TLV, and the parsers on
 * top of it.  What the walk reports lies within the input, in bounded depth.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_gp_key_info keys[8];
	struct cw_gp_entry e;
	struct cw_gp_aid aid;
	struct cw_tlv_walk w;
	struct cw_scp_hello h;
	struct cw_tlv t;
	struct cw_rd r = cw_rd_init(data, size);
	uint16_t list[4], max;
	uint8_t depth;
	int n;

	cw_tlv_walk_init(&w, data, size);
	while (cw_tlv_walk_next(&w, &t, &depth) > 0) {
		CW_ASSERT(depth < CW_TLV_DEPTH_MAX && t.tag != 0);
		CW_ASSERT(t.len == 0 || (t.val > data && t.val + t.len <= data + size));
	}
	while (cw_gp_entry_next(&r, &e) > 0)
		CW_ASSERT(e.aid.len >= CW_GP_AID_MIN && e.module_cnt <= 8);
	n = cw_gp_key_info_parse(data, size, keys, 8);
	CW_ASSERT(n <= 8);
	n = cw_gp_card_data_parse(data, size, list, 4);
	CW_ASSERT(n <= 4);
	cw_gp_fci_parse(data, size, &aid, &max);
	cw_scp_hello_parse(&h, data, size, 8);
	cw_scp_hello_parse(&h, data, size, 16);
	return 0;
}
