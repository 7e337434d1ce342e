/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_VB_H
#define CW_VB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Virtual board: runs the ELF of boards/stm32f103ze_w5300 instruction by
 * instruction on libunicorn and models what the image touches, down to the
 * registers (docs/design/virtual-board.md).  A test program and the tool
 * cardwright-board are made of it; it is for hosts only.
 *
 *	vb = cw_vb_new(&config);
 *	cw_vb_load(vb, "cardwright.elf");
 *	cw_vb_power_on(vb);
 *	stop = cw_vb_run(vb, CW_VB_US(1000));
 *
 * Time is virtual: it is counted from instructions and bus accesses, an
 * estimate of what the chip takes, and never read from a clock.  The same
 * inputs at the same times give the same run.
 */

/* A tick: whole multiples of every clock that a multiple of 4 MHz makes. */
#define CW_VB_HZ UINT64_C(20160000000)
#define CW_VB_US(n) ((uint64_t)(n) * UINT64_C(20160))
#define CW_VB_MS(n) ((uint64_t)(n) * UINT64_C(20160000))
#define CW_VB_NEVER UINT64_MAX

#define CW_VB_FLASH_LEN 0x80000u
#define CW_VB_RAM_LEN 0x10000u
#define CW_VB_XRAM_LEN 0x100000u
#define CW_VB_EEPROM_LEN 32768u
#define CW_VB_SLOTS 3

enum cw_vb_stop {
	CW_VB_UNTIL,	/* the time that was given is reached */
	CW_VB_TRAP,	/* something the model does not know; cw_vb_message tells */
	CW_VB_CUT,	/* the power was cut (cw_vb_cut_at) */
	CW_VB_EXIT,	/* BKPT 0xAB: a test image ended itself */
	CW_VB_BREAK,	/* BKPT 0 or a breakpoint: for a debugger */
};

/* What a card did with a character. */
enum cw_vb_heard {
	CW_VB_SILENT,	/* nothing is due */
	CW_VB_CHAR,	/* .ch stands on the line, sound */
	CW_VB_WRONG,	/* .ch is there with a wrong parity; once more after it */
	CW_VB_GARBLED,	/* stays wrong whatever is asked */
};

struct cw_vb_said {
	enum cw_vb_heard heard;
	uint8_t ch;		/* as seen under the direct convention */
	uint64_t busy_etu;	/* time that the chip worked before it */
};

/*
 * The contacts of one slot.  take: true when the card took the character, false
 * when it signalled an error; `signals` false (T=1): nobody does, and it may be
 * kept until listen.  listen: what the card says when the line pauses; called
 * again after each character of its.
 */
struct cw_vb_contact_ops {
	void (*power)(void *ctx, uint32_t vcc_mv);
	void (*reset)(void *ctx, bool asserted);
	void (*line)(void *ctx, uint32_t clk_hz, uint32_t etu_clk);
	bool (*take)(void *ctx, uint8_t ch, bool signals);
	void (*listen)(void *ctx, uint32_t wait_etu, struct cw_vb_said *said);
	bool (*present)(void *ctx);
};

/*
 * The other side of the W5300's sockets.  n is 0 to 7, ip the chip's own
 * address.  All calls return at once; cw_vb_net_kick tells the model to ask
 * again.
 *	recv: bytes, 0 when there is nothing, CW_ECLOSED when the peer ended.
 *	send: bytes taken, CW_ECLOSED.
 */
struct cw_vb_peer {
	uint32_t ip;		/* first byte highest */
	uint16_t port;
};

struct cw_vb_net_ops {
	int (*listen)(void *ctx, int n, uint32_t ip, uint16_t port);
	/* true: somebody connected */
	bool (*accept)(void *ctx, int n, struct cw_vb_peer *peer);
	/* 0 under way, 1 connected, negative refused */
	int (*connect)(void *ctx, int n, const struct cw_vb_peer *peer);
	int (*udp)(void *ctx, int n, uint32_t ip, uint16_t port);
	int (*recv)(void *ctx, int n, uint8_t *buf, size_t cap, struct cw_vb_peer *from);
	int (*send)(void *ctx, int n, const uint8_t *buf, size_t len,
	    const struct cw_vb_peer *to);
	/* gentle: what was sent is delivered before the end */
	void (*close)(void *ctx, int n, bool gentle);
};

struct cw_vb_config {
	uint8_t *flash;		/* CW_VB_FLASH_LEN, the caller's, page aligned */
	uint8_t *eeprom;	/* CW_VB_EEPROM_LEN, the caller's */
	uint8_t uid[12];
	/* Console output of UART4. */
	void (*console)(void *ctx, const uint8_t *buf, size_t len);
	/* One line of the trace; NULL: none is made. */
	void (*trace)(void *ctx, const char *line);
	void *ctx;
	const struct cw_vb_contact_ops *contact[CW_VB_SLOTS];
	void *contact_ctx[CW_VB_SLOTS];
	const struct cw_vb_net_ops *net;
	void *net_ctx;
	bool gt_chars;		/* GTPR's guard time also stands between characters
				 * (RM0008 leaves that open) */
};

struct cw_vb;

/* NULL when out of memory or when Unicorn cannot be opened.  The memories that
 * the configuration names stay the caller's and hold what a power cut leaves. */
struct cw_vb *cw_vb_new(const struct cw_vb_config *cfg);
void cw_vb_free(struct cw_vb *vb);

/*
 * Writes the loadable parts of an ELF file to the flash and keeps its symbols
 * for messages.  0, CW_ENOENT, CW_EFORMAT (not a 32-bit ARM executable),
 * CW_ERANGE (a part outside the flash).
 */
int cw_vb_load(struct cw_vb *vb, const char *path);
/* Address of a symbol, or 0. */
uint32_t cw_vb_symbol(const struct cw_vb *vb, const char *name);
/* "name+0x12" of an address, "?" when there is no symbol; static, overwritten. */
const char *cw_vb_where(const struct cw_vb *vb, uint32_t addr);

/* All supplies on: memories hold rubbish, registers their reset values. */
void cw_vb_power_on(struct cw_vb *vb);
/* The NRST pin: memories keep what they hold. */
void cw_vb_reset(struct cw_vb *vb);

/* Runs until the virtual time `until` (ticks since power on) or a stop. */
enum cw_vb_stop cw_vb_run(struct cw_vb *vb, uint64_t until);
uint64_t cw_vb_now(const struct cw_vb *vb);
/* True while the core sleeps (WFI) and nothing is pending. */
bool cw_vb_asleep(const struct cw_vb *vb);
/* True while the core is awake, characters are on a card's line or a memory
 * writes: time need not be waited for. */
bool cw_vb_busy(const struct cw_vb *vb);
/* Time of the next thing that happens by itself. */
uint64_t cw_vb_next(const struct cw_vb *vb);
/* Why it stopped: address, size, direction, instruction, symbol.  Static. */
const char *cw_vb_message(const struct cw_vb *vb);

/*
 * Power cut at the n-th write (from 1) to flash (half-word or page erase) or
 * EEPROM (byte): before it, or torn in the middle of it.  0: none.
 */
void cw_vb_cut_at(struct cw_vb *vb, uint64_t n, bool torn);
/* Writes since power on. */
uint64_t cw_vb_write_cnt(const struct cw_vb *vb);

/* Characters for the console's receiver, at its rate. Bytes taken. */
size_t cw_vb_console_put(struct cw_vb *vb, const uint8_t *buf, size_t len);

/* Card inserted or pulled; the interface chip's switch and alarm follow. */
void cw_vb_card_changed(struct cw_vb *vb, int slot);
/* The interface chip sees too much current, until it is switched off. */
void cw_vb_overcurrent(struct cw_vb *vb, int slot);
/* The network cable. */
void cw_vb_cable(struct cw_vb *vb, bool in);
/* Something has come at the other side of a socket. */
void cw_vb_net_kick(struct cw_vb *vb);
/* The button, held or let go. */
void cw_vb_button(struct cw_vb *vb, bool held);
bool cw_vb_lamp(const struct cw_vb *vb);

/* Figures since power on. */
struct cw_vb_stat {
	uint64_t insns;		/* instructions */
	uint64_t cycles;	/* HCLK cycles that the core was awake */
	uint64_t sleep_ticks;	/* time asleep */
	uint64_t exceptions;
	uint32_t hclk_hz;
	uint32_t resets;
	uint32_t reset_csr;	/* RCC_CSR of the last reset */
};
void cw_vb_stat(const struct cw_vb *vb, struct cw_vb_stat *st);

/*
 * What the monitor of a card line measured since the last activation or
 * cw_vb_line_clear, in 1/1000 etu where not said otherwise.
 */
struct cw_vb_line_stat {
	uint64_t sent, received;	/* characters */
	uint64_t nacks_out, nacks_in;	/* signalled by us, by the card */
	uint64_t used;			/* time between the first and the last edge */
	uint64_t least;			/* the least that ISO/IEC 7816-3 asks for it */
	uint64_t busy;			/* the card's own time in it */
	uint64_t gap_max, gap_sum;	/* response's last edge to our next, above the
					 * least; how much and in all */
	uint64_t gaps;
	uint64_t guard_min;		/* least between two of our edges */
	uint64_t turn_min;		/* least from the card's edge to ours */
	uint32_t violations;		/* guard or turn below the least, collisions,
					 * wrong rate */
	uint32_t clk_hz;
	uint32_t etu_milliclk;		/* clocks per etu, in 1/1000 */
};
void cw_vb_line_stat(const struct cw_vb *vb, int slot, struct cw_vb_line_stat *st);
void cw_vb_line_clear(struct cw_vb *vb, int slot);

/* For a debugger and for tests: core registers 0 to 15, 16 xPSR; memory. */
uint32_t cw_vb_reg(const struct cw_vb *vb, int n);
void cw_vb_reg_set(struct cw_vb *vb, int n, uint32_t value);
/* 0 or CW_ERANGE where no memory is; registers of devices are not touched. */
int cw_vb_mem(const struct cw_vb *vb, uint32_t addr, uint8_t *buf, size_t len);
int cw_vb_mem_set(struct cw_vb *vb, uint32_t addr, const uint8_t *buf, size_t len);
/* One instruction (or one exception entry), and breakpoints by address. */
enum cw_vb_stop cw_vb_step(struct cw_vb *vb);
int cw_vb_break_set(struct cw_vb *vb, uint32_t addr, bool on);
void cw_vb_break_clear(struct cw_vb *vb);

#endif
