/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/frame.h"
#include "cw/program.h"
#include "cw/rlink.h"
#include "cw/sha256.h"
#include "reader/reader_private.h"

/* The loop gives the core a TICK at least this often: it feeds the watchdog. */
#define TICK_US 500000u

static struct cw_reader core;
static uint8_t queue[CW_RLINK_QUEUE * CW_PROG_MAX];
static uint8_t rx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static uint8_t tx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];

static struct cw_args args = { .station = 1 };
static struct cw_settings_store settings_store;
static struct cw_settings settings;
static uint64_t boot_cnt;
static int nvm_fd = CW_ENOENT;

/* ---- settings memory: a file of the host --------------------------------------- */

static int
nvm_read(void *dev, uint32_t off, uint8_t *buf, size_t len)
{
	(void)dev;
	if (off > CW_SETTINGS_NVM_BYTES || len > CW_SETTINGS_NVM_BYTES - off)
		return CW_ERANGE;
	return nvm_fd < 0 ? CW_EIO : cw_semi_read(nvm_fd, off, buf, len);
}

static int
nvm_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	(void)dev;
	if (off > CW_SETTINGS_NVM_BYTES || len > CW_SETTINGS_NVM_BYTES - off)
		return CW_ERANGE;
	return nvm_fd < 0 ? CW_EIO : cw_semi_write(nvm_fd, off, buf, len);
}

static const struct cw_nvm_ops nvm_ops = { nvm_read, nvm_write };

/* The command line says which file; a new one is an EEPROM that was never written. */
static void
nvm_open(void)
{
	static struct cw_settings unused;
	uint8_t blank[64];
	char bad[64];
	uint32_t off;

	(void)cw_args_take(&args, &unused, bad, sizeof bad);
	if (args.settings[0] == '\0')
		return;
	nvm_fd = cw_semi_open(args.settings, true);
	if (nvm_fd < 0 || cw_semi_len(nvm_fd) >= CW_SETTINGS_NVM_BYTES)
		return;
	memset(blank, 0xff, sizeof blank);
	for (off = 0; off < CW_SETTINGS_NVM_BYTES; off += sizeof blank)
		(void)cw_semi_write(nvm_fd, off, blank, sizeof blank);
}

/* ---- start ------------------------------------------------------------------------ */

static void
log_word(int level, const char *text, const char *word)
{
	char line[CW_READER_LOG_MAX];
	struct cw_reader_text t = cw_reader_text_init(line, sizeof line);

	cw_reader_text_str(&t, text);
	cw_reader_text_str(&t, word);
	cw_board_log(level, line);
}

/* What the command line names is put into the settings, for the next start too.
 * True: a key came that was not there. */
static bool
args_apply(void)
{
	uint8_t old[CW_SETTINGS_KEY_LEN];
	bool had = settings.has_key, fresh;
	char bad[64] = "";

	memcpy(old, settings.key, sizeof old);

	if (cw_args_take(&args, &settings, bad, sizeof bad) < 0)
		log_word(0, "args.bad what=\"not understood, see the board's README\" word=", bad);
	if (args.keys[0] != '\0' && cw_args_key(&args, &settings) < 0)
		log_word(0, "args.key what=\"the file of keys has none of this identity\" "
		    "identity=", args.identity);
	fresh = settings.has_key && !(had && cw_equal_ct(old, settings.key, sizeof old));
	cw_wipe(old, sizeof old);
	return fresh;
}

static void
serial_make(void)
{
	static const uint8_t none[16];
	uint8_t d[CW_SHA256_LEN];

	if (memcmp(settings.serial, none, sizeof none) != 0)
		return;
	cw_sha256(d, args.settings, strlen(args.settings));
	memcpy(settings.serial, d, sizeof settings.serial);
}

static void
settings_start(void)
{
	int load_err, save_err, boot_err;
	const char *what = NULL;
	bool fresh_key;

	nvm_open();
	cw_settings_init(&settings_store, &nvm_ops, NULL);
	load_err = cw_settings_load(&settings_store, &settings);
	fresh_key = args_apply();
	serial_make();
	cw_board_log_level(settings.log_level);
	if (load_err == CW_EIO) {
		cw_board_log(0, "settings.memory what=\"no file: give arg=settings=PATH\"");
		cw_secure_random_start(&settings, 0);
		return;
	}
	if (load_err == CW_ECRC)
		cw_board_log(0, "settings.lost what=\"neither copy can be used, defaults in use\"");
	if (cw_settings_check(&settings, &what) < 0)
		log_word(0, "settings.bad what=", what);
	save_err = cw_settings_save(&settings_store, &settings);
	if (save_err < 0)
		log_word(0, "settings.not-saved err=", cw_err_name(save_err));
	boot_err = cw_settings_boot(&settings_store, &settings, &boot_cnt);
	if (boot_err == CW_ESTATE && fresh_key && save_err >= 0 &&
	    cw_settings_boot_restart(&settings_store) == 0)
		boot_err = cw_settings_boot(&settings_store, &settings, &boot_cnt);
	if (boot_err < 0)
		log_word(0, "settings.boot-count err=", cw_err_name(boot_err));
	cw_secure_random_start(&settings, boot_cnt);
}

static void
core_start(void)
{
	static const char name[] = "cardwright " CW_SOFTWARE_VERSION " mps2-an385";
	struct cw_reader_config c;
	int err;

	memset(&c, 0, sizeof c);
	c.card = &cw_board_card_ops;
	c.net = cw_secure_is_on() ? &cw_secure_ops : &cw_board_net_ops;
	c.store = &cw_board_store_ops;
	c.sys = &cw_board_sys_ops;
	memcpy(c.serial, settings.serial, sizeof c.serial);
	memcpy(c.firmware, name, sizeof name);
	c.boot_id = boot_cnt > 0 ? boot_cnt : cw_semi_time();
	c.slot_cnt = 1;
	c.store_cap = CW_BOARD_STORE_LEN;
	c.clk_hz = 5000000;
	c.vcc_mv = 5000;
	c.queue_mem = queue;
	c.queue_mem_len = sizeof queue;
	c.rx_mem = rx_mem;
	c.tx_mem = tx_mem;
	err = cw_reader_init(&core, &c, cw_sys_now_us());
	CW_ASSERT(err == 0);
	cw_shell_start(&core, &settings_store, &settings, boot_cnt);
	if (cw_net_is_alive())
		cw_scan_start(&core, &c, &settings);
}

static void
link_start(void)
{
	if (!cw_secure_start(&settings, boot_cnt)) {
		cw_board_log(0, "link.none what=\"no key is enrolled: give arg=keys=FILE and "
		    "arg=identity=ID, or arg=plain\"");
		return;
	}
	if (cw_net_start(&settings) < 0) {
		cw_board_log(0, "net.absent what=\"no LAN9118 answers: give -nic user,model=lan9118\"");
		return;
	}
	cw_board_log(2, cw_secure_is_on() ? "reader.up link=tls" : "reader.up link=plain");
}

/* ---- the loop ------------------------------------------------------------------------ */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static _Noreturn void
loop(void)
{
	uint64_t due_us = 0, shell_us, now_us;
	struct cw_event ev;

	for (;;) {
		cw_sys_awake_clear();
		now_us = cw_sys_now_us();
		shell_us = cw_shell_step(now_us);
		memset(&ev, 0, sizeof ev);
		if (!cw_card_poll(&ev, now_us) && !cw_net_poll(&ev, now_us)) {
			if (now_us < due_us) {
				shell_us = earlier(shell_us, earlier(due_us, cw_card_due()));
				cw_sys_rest(earlier(shell_us, cw_net_due(now_us)), now_us);
				continue;
			}
			ev.kind = CW_EV_TICK;
		}
		due_us = cw_secure_event(&core, &ev, now_us);
		due_us = earlier(due_us, now_us + TICK_US);
	}
}

void
cw_board_main(void)
{
	char text[128];

	cw_sys_start();
	cw_uart_start(0);
	cw_board_log(2, "board.start version=" CW_SOFTWARE_VERSION " board=mps2_an385");
	if (cw_board_crash_text(text, sizeof text))
		cw_board_log(0, text);
	settings_start();
	cw_card_start(args.station);
	link_start();
	core_start();
	cw_sys_watchdog_start();
	loop();
}
