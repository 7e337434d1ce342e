/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "cw/bytes.h"
#include "cw/discover.h"
#include "cw/err.h"
#include "cw/program.h"
#include "cw/sha256.h"
#include "reader/reader_private.h"
#include "reader/settings.h"
#include "secure.h"
#include "shell.h"
#include "upgrade.h"

#define WATCHDOG_MS 2000u
/* The loop gives the core a TICK at least this often: it feeds the watchdog. */
#define TICK_US 500000u
/* Nearer than a millisecond the loop waits awake. */
#define AWAKE_US 1000u

volatile bool cw_board_awake;

/*
 * The slots stand behind the rest, and those that this board lacks are not there.
 * Each event of a card reads and writes them, so they are in internal SRAM; what
 * is touched once a program is not.
 */
static uint64_t core_mem[(offsetof(struct cw_reader, slot) +
    CW_BOARD_SLOTS * sizeof(struct cw_reader_slot) + 7) / 8];
static CW_XRAM uint64_t kept_mem[CW_BOARD_SLOTS * CW_READER_KEPT_BYTES / 8];
static struct cw_reader *const core = (struct cw_reader *)(void *)core_mem;
static CW_XRAM uint8_t queue[CW_BOARD_SLOTS * CW_RLINK_QUEUE * CW_PROG_MAX];
static CW_XRAM uint8_t rx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static CW_XRAM uint8_t tx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];

static const char firmware[] = "cardwright " CW_SOFTWARE_VERSION " stm32f103ze";
static struct cw_settings_store settings_store;
static struct cw_settings settings;
static struct cw_update *update;
static uint64_t boot_cnt;
static uint8_t serial[16];

/* Prints a line at once, for what happens before the loop runs. */
static void
say(const char *line)
{
	size_t len = strlen(line), n;

	while (len > 0) {
		n = cw_uart_put((const uint8_t *)line, len);
		line += n;
		len -= n;
	}
}

/* No way on: the lamp blinks fast, and the watchdog tries again. */
static _Noreturn void
halt(const char *why)
{
	bool lit = false;

	say(why);
	cw_stm_watchdog_start(WATCHDOG_MS);
	for (;;) {
		lit = !lit;
		cw_stm_pin_set(CW_BOARD_LED, lit);
		cw_stm_spin_us(100000);
	}
}

/* 0; CW_EIO: the settings memory does not answer, the defaults stand. */
static int
settings_start(void)
{
	static const uint8_t none[sizeof serial];
	int err, boot_err;

	cw_settings_init(&settings_store, &cw_board_nvm_ops, NULL);
	err = cw_settings_load(&settings_store, &settings);
	boot_err = cw_settings_boot(&settings_store, &settings, &boot_cnt);
	cw_board_log_level(settings.log_level);
	/* A reader that was given no serial number goes by its chip's. */
	memcpy(serial, settings.serial, sizeof serial);
	if (memcmp(serial, none, sizeof none) == 0)
		memcpy(serial, (const void *)CW_STM_UID, CW_STM_UID_LEN);
	cw_board_random_start(boot_cnt);
	if (boot_err == 0)
		boot_err = cw_secure_seed(&settings, boot_cnt);
	if (err < 0)
		cw_board_log(err == CW_ENOENT ? 2 : 0, err == CW_ENOENT ?
		    "settings.none what=\"never written, defaults in use\"" :
		    "settings.lost what=\"neither copy can be used, defaults in use\"");
	if (boot_err < 0)
		cw_board_log(0, "settings.boot-count what=\"cannot be raised\"");
	return err == CW_EIO ? err : 0;
}

/* Locally administered, of the chip's number: for a board that was given none. */
static void
mac_make(uint8_t mac[6])
{
	static const uint8_t none[6];
	uint8_t d[CW_SHA256_LEN];

	memcpy(mac, settings.mac, 6);
	if (memcmp(mac, none, 6) != 0)
		return;
	cw_sha256(d, (const void *)CW_STM_UID, CW_STM_UID_LEN);
	memcpy(mac, d, 6);
	mac[0] = (uint8_t)((mac[0] & 0xfcu) | 2u);
}

static void
net_start(void)
{
	struct cw_net_addr a;
	uint8_t mac[6];
	uint32_t seed;

	mac_make(mac);
	if (cw_net_start(mac) < 0) {
		cw_board_log(0, "net.absent what=\"no W5300 answers: check NE2, D0 to D15\"");
		return;
	}
	if (settings.ip_mode == CW_IP_DHCP) {
		cw_board_sys_ops.random(NULL, (uint8_t *)&seed, sizeof seed);
		cw_net_addr_dhcp(mac, settings.name, seed);
		return;
	}
	memcpy(a.ip, settings.ip, 4);
	memcpy(a.mask, settings.mask, 4);
	memcpy(a.gateway, settings.gateway, 4);
	cw_net_addr_fixed(&a);
}

/* True when the reader may be reached: secured, or plain if so settled.  No
 * counter, no nonces: then a secured link is not offered either. */
static bool
link_start(void)
{
	if (settings.has_key && boot_cnt > 0) {
		if (cw_secure_start(&settings) == 0)
			return true;
		cw_board_log(0, "link.none what=\"the key cannot be used: enrol it anew (key)\"");
	} else if (settings.has_key) {
		cw_board_log(0, "link.none what=\"no boot counter: see settings.boot-count\"");
	} else if (settings.plain_allowed) {
		cw_board_log(1, "link.plain what=\"not secured, no production orders\"");
		return true;
	} else {
		cw_board_log(1, "link.none what=\"no key: enrol one (key), or allow the plain link\"");
	}
	return false;
}

void
cw_board_describe(struct cw_disc_info *me)
{
	const uint8_t *ip = cw_net_addr()->ip;

	memset(me, 0, sizeof *me);
	memcpy(me->serial, serial, sizeof me->serial);
	me->boot_id = boot_cnt;
	me->addr = (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 |
	    (uint32_t)ip[2] << 8 | ip[3];
	me->port = CW_RLINK_PORT;
	me->link = settings.has_key ? CW_DISC_LINK_TLS : CW_DISC_LINK_PLAIN;
	me->state = cw_reader_served(core) ? CW_DISC_SERVED : CW_DISC_FREE;
	me->slot_cnt = CW_BOARD_SLOTS;
	memcpy(me->firmware, firmware, sizeof firmware);
	if (settings.has_key)
		memcpy(me->identity, settings.key_id, sizeof settings.key_id);
	memcpy(me->name, settings.name, sizeof settings.name);
}

static void
core_start(void)
{
	struct cw_reader_config c;
	int err;

	memset(&c, 0, sizeof c);
	c.card = &cw_board_card_ops;
	c.talk = &cw_board_talk_ops;
	c.net = cw_secure_ops();
	c.store = &cw_board_store_ops;
	c.sys = &cw_board_sys_ops;
	memcpy(c.serial, serial, sizeof c.serial);
	memcpy(c.firmware, firmware, sizeof firmware);
	c.boot_id = boot_cnt;
	c.slot_cnt = CW_BOARD_SLOTS;
	c.store_cap = cw_board_store_cap();
	c.clk_hz = 5000000;
	c.vcc_mv = 5000;
	c.queue_mem = queue;
	c.queue_mem_len = sizeof queue;
	c.kept_mem = kept_mem;
	c.kept_mem_len = sizeof kept_mem;
	c.update = update;
	c.restart = cw_upgrade_restart;
	c.rx_mem = rx_mem;
	c.tx_mem = tx_mem;
	err = cw_reader_init(core, &c, cw_stm_now_us());
	CW_ASSERT(err == 0);
}

/* ---- the loop ---------------------------------------------------------------- */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Sleeps until something has happened, or until less than AWAKE_US before due:
 * then the loop waits awake. */
static void
rest(uint64_t due_us, uint64_t now_us)
{
	uint32_t ms = cw_stm_ms;

	due_us = earlier(due_us, earlier(cw_card_due(now_us), cw_net_due()));
	if (due_us < now_us + AWAKE_US)
		return;
	do {
		cw_stm_sleep_unless(&cw_board_awake);
	} while (!cw_board_awake && cw_stm_ms == ms);
}

static _Noreturn void
loop(void)
{
	uint64_t due_us = 0, shell_us, now_us;
	struct cw_event ev;

	memset(&ev, 0, sizeof ev);
	for (;;) {
		cw_board_awake = false;
		now_us = cw_stm_now_us();
		if (!cw_card_poll(&ev, now_us)) {
			/* A card that has answered waits for nothing else. */
			if (cw_board_awake)
				continue;
			if (!cw_net_poll(&ev, now_us)) {
				if (now_us < due_us) {
					cw_upgrade_step(core, now_us);
					shell_us = cw_shell_step(now_us);
					rest(earlier(due_us, shell_us), now_us);
					continue;
				}
				ev.kind = CW_EV_TICK;
			}
		}
		due_us = cw_secure_event(core, &ev, now_us);
		due_us = earlier(due_us, now_us + TICK_US);
	}
}

void
cw_board_main(void)
{
	char text[128];
	int err;

	cw_board_crash_take();
	err = cw_board_bringup();
	if (err == CW_EIO)
		halt("");
	say("\r\ncardwright " CW_SOFTWARE_VERSION " stm32f103ze_w5300 reset=");
	say(cw_board_reset_cause());
	say("\r\n");
	if (err < 0)
		halt("external SRAM does not hold what is written: check D0 to D15, A0 to A18\r\n");
	if (cw_board_crash_text(text, sizeof text))
		cw_board_log(0, text);
	cw_card_start();
	cw_board_nvm_start();
	if (settings_start() < 0)
		cw_board_log(0, "settings.memory what=\"the EEPROM does not answer: check PB8, PB9\"");
	if (link_start())
		net_start();
	update = cw_upgrade_start();
	core_start();
	cw_shell_start(core, &(struct cw_console_config){
		.store = &settings_store, .settings = &settings,
		.boot_count = boot_cnt, .update = update,
		.cmd = cw_upgrade_cmds, .cmd_cnt = CW_UPGRADE_CMD_CNT,
	});
	cw_stm_watchdog_start(WATCHDOG_MS);
	loop();
}
