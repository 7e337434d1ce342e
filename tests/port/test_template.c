/* SPDX-License-Identifier: Apache-2.0 */
#include "port_check.h"

#include <string.h>

#include "boards/template/template.h"
#include "cw/err.h"
#include "reader/reader_private.h"

/* The template refuses everything aloud, and the core survives it. */
static void
test_refuses(void **state)
{
	const struct cw_card_ops *c = &cw_template_card_ops;
	struct cw_card_line line = { 4000000, 372, 12, CW_DIRECT, 12, false, 372, 1 };
	uint8_t b[4] = { 0 };

	(void)state;
	assert_int_equal(c->power(NULL, 0, 5000), CW_EUNSUPPORTED);
	assert_int_equal(c->reset(NULL, 0, true), CW_EUNSUPPORTED);
	assert_int_equal(c->set_line(NULL, 0, &line), CW_EUNSUPPORTED);
	assert_int_equal(c->best_line(NULL, 0, 0x11, &line), CW_EUNSUPPORTED);
	assert_int_equal(c->send(NULL, 0, b, 1), CW_EUNSUPPORTED);
	assert_int_equal(c->recv(NULL, 0, 1, 1), CW_EUNSUPPORTED);
	assert_int_equal(c->present(NULL, 0), CW_EUNSUPPORTED);
	assert_int_equal(cw_template_net_ops.send(NULL, 0, b, 1),
	    CW_EUNSUPPORTED);
	assert_int_equal(cw_template_store_ops.write(NULL, 0, b, 1),
	    CW_EUNSUPPORTED);
	assert_null(cw_template_store_ops.lend(NULL, 0, 1));
}

static uint8_t queue_mem[CW_RLINK_QUEUE * CW_PROG_MAX];
static uint8_t rx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static uint8_t tx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static struct cw_reader reader;

static void
test_core(void **state)
{
	struct cw_reader_config c = {
		.card = &cw_template_card_ops, .net = &cw_template_net_ops,
		.store = &cw_template_store_ops, .sys = &cw_template_sys_ops,
		.firmware = "template", .slot_cnt = 1, .store_cap = 1000,
		.clk_hz = 4000000, .vcc_mv = 5000,
		.queue_mem = queue_mem, .queue_mem_len = sizeof queue_mem,
		.rx_mem = rx_mem, .tx_mem = tx_mem,
	};
	struct cw_event ev = { .kind = CW_EV_NET_OPEN, .conn = 1 };
	struct cw_rl_hello h = { .terminal = "line-1", .session = 1 };
	uint8_t buf[200];

	(void)state;
	assert_int_equal(cw_reader_init(&reader, &c, 0), 0);
	cw_reader_event(&reader, &ev, 0);
	ev.kind = CW_EV_NET_DATA;
	ev.buf = buf;
	ev.len = (size_t)cw_rl_put_hello(buf, sizeof buf, 1, &h);
	cw_reader_event(&reader, &ev, 0);

	/* It cannot answer, so it has no link. */
	assert_false(reader.linked);
	cw_reader_check(&reader);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_core),
	};

	return cmocka_run_group_tests_name("port/template", tests, NULL, NULL);
}
