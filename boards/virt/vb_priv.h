/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_VB_PRIV_H
#define CW_VB_PRIV_H

#include <unicorn/unicorn.h>

#include "boards/stm32f103ze_w5300/board.h"
#include "boards/virt/vb.h"

/*
 * Between the files of the virtual board only.  One file per peripheral: a
 * struct with its registers, reset, read, write, and timers that the board's
 * queue calls at their time.
 */

/* ---- time ---------------------------------------------------------------- */

enum vb_timer_id {
	VB_T_SYSTICK, VB_T_FLASH, VB_T_IWDG, VB_T_WWDG, VB_T_EEPROM,
	VB_T_TX0, VB_T_TX1, VB_T_TX2, VB_T_TX3, VB_T_TX4,
	VB_T_RX0, VB_T_RX1, VB_T_RX2, VB_T_RX3, VB_T_RX4,
	VB_T_IDLE0, VB_T_IDLE1, VB_T_IDLE2, VB_T_IDLE3, VB_T_IDLE4,
	VB_T_TC0, VB_T_TC1, VB_T_TC2, VB_T_TC3, VB_T_TC4,
	VB_T_EDGE0, VB_T_EDGE1, VB_T_EDGE2,
	VB_T_CARD0, VB_T_CARD1, VB_T_CARD2,
	VB_T_DMA, VB_T_NET, VB_T_NET_CMD,
	VB_T_TIM1, VB_T_TIM2, VB_T_TIM3, VB_T_TIM4, VB_T_TIM5, VB_T_TIM6,
	VB_T_TIM7, VB_T_TIM8,
	VB_T_CNT
};

struct vb_timer {
	uint64_t at;	/* CW_VB_NEVER: off */
	void (*fire)(struct cw_vb *vb, unsigned arg);
	unsigned arg;
};

/* ---- peripherals --------------------------------------------------------- */

#define VB_IRQ_CNT 60
#define VB_EXC_CNT (16 + VB_IRQ_CNT)

struct vb_nvic {
	bool pending[VB_EXC_CNT], active[VB_EXC_CNT], enabled[VB_EXC_CNT];
	bool level[VB_IRQ_CNT];
	uint8_t prio[VB_EXC_CNT];
	uint32_t vtor, aircr, scr, ccr, shcsr, cfsr, hfsr, bfar, mmfar, demcr;
	uint32_t mpu_rnr;
	bool any;	/* something enabled is pending */
};

struct vb_systick {
	uint32_t ctrl, load;
	uint64_t zero_at;	/* when the counter is next 0 */
	bool count_flag;
};

struct vb_dwt {
	uint32_t ctrl;
	uint32_t offset;	/* CYCCNT = cycles - offset */
};

struct vb_rcc {
	uint32_t cr, cfgr, cir, ahbenr, apb2enr, apb1enr, bdcr, csr;
	uint64_t hse_at, pll_at, lsi_at;
	uint32_t hclk_hz, pclk1_hz, pclk2_hz, sysclk_hz;
};

struct vb_flash {
	uint32_t acr, sr, cr, ar, obr, wrpr;
	uint8_t key, optkey;
	bool locked_out;	/* wrong key: until reset */
	uint64_t busy_until;
};

struct vb_gpio {
	uint32_t cr[2], odr, lckr;
	uint16_t ext_drive;	/* pins that something outside drives */
	uint16_t ext_level;
	uint16_t pull_up;	/* pins with a resistor on the board */
	uint16_t level;		/* what stands at the pins */
	uint16_t out;		/* what we drive; undriven pins are 1 */
};

struct vb_exti {
	uint32_t imr, emr, rtsr, ftsr, pr;
	uint32_t cr[4], mapr, evcr, mapr2;
};

#define VB_USARTS 5	/* USART1 to 3, UART4, UART5 */
struct vb_usart {
	uint32_t sr, brr, cr1, cr2, cr3, gtpr;
	uint16_t dr_rx, dr_tx, shift;
	bool sending, sr_read;
	uint64_t tx_start;	/* leading edge of the character on the line */
	uint64_t phase;		/* an edge of the bit clock */
	bool nacked;		/* the card refused it */
	/* console input waits here */
	uint8_t in[4096];
	uint16_t in_len, in_off;
};

struct vb_dma_ch {
	uint32_t ccr, cndtr, cpar, cmar;
	uint32_t reload, at;	/* elements at the start, done */
};
struct vb_dma {
	struct vb_dma_ch ch[7];
	uint32_t isr;
};

struct vb_tim {
	uint32_t cr1, cr2, smcr, dier, sr, ccmr[2], ccer, psc, arr, rcr, ccr[4], bdtr, dcr;
	uint32_t psc_now, arr_now;
	uint64_t base;		/* time at which the counter was 0 */
	uint32_t held;		/* counter while it stands */
};

struct vb_iwdg {
	uint32_t pr, rlr;
	bool unlocked, started;
	uint64_t due;
};

struct vb_fsmc {
	uint32_t bcr[4], btr[4], bwtr[4];
};

struct vb_eeprom {
	bool scl, sda;		/* as they stood last */
	bool drive_low;		/* we pull SDA */
	uint8_t state, bits, byte;
	bool read, ack;
	uint16_t addr;
	uint8_t page[CW_BOARD_EEPROM_PAGE];
	uint64_t dirty;		/* bytes of the page that were sent */
	uint16_t page_base;
	uint64_t busy_until;
};

/* What the card's timer waits for. */
enum vb_card_wait { VB_CW_NONE, VB_CW_ASK, VB_CW_TALK, VB_CW_SAMPLE, VB_CW_NEXT };

struct vb_card {	/* one slot: interface chip, line, monitor */
	bool active;		/* CMDVCC is low */
	bool powered, rst_high, alarm, present;
	bool inverse, ts_seen;	/* convention, from the card's first character */
	uint32_t clk_hz, etu_clk;
	uint64_t etu, clk;	/* ticks of an etu, of a clock; 0: stands */
	enum vb_card_wait wait;
	uint64_t last_edge;	/* last leading edge of anybody; 0: none */
	bool last_ours, nacked;
	uint64_t rx_edge;	/* leading edge of the card's present character */
	struct cw_vb_said said;
	unsigned repeats;
	uint64_t first_edge;
	struct cw_vb_line_stat st;
};

#define VB_SOCKS 8
#define VB_SOCK_MEM 65536u
struct vb_sock {
	uint16_t reg[32];	/* as written, by offset / 2 */
	uint8_t ssr, ir;
	uint8_t *rx, *tx;	/* VB_SOCK_MEM each */
	uint32_t rx_len, rx_off;	/* stand there; read since the last RECV */
	uint32_t tx_len;	/* written since the last SEND */
	uint32_t tx_out, tx_done;	/* of a SEND: bytes, taken by the peer */
	bool open;		/* the other side knows of it */
	bool peer_ended;
	uint64_t sendok_at, closed_at;
	struct cw_vb_peer to;
};
struct vb_w5300 {
	uint16_t reg[0x200 / 2];	/* common, as written */
	bool in_reset, cable;
	uint64_t ready_at;	/* its PLL */
	struct vb_sock s[VB_SOCKS];
};

struct vb_cost {
	uint32_t addr;
	uint16_t size, cycles;
	uint16_t insns;
};
#define VB_COST_CNT 65536u

struct vb_sym {
	uint32_t addr, size;
	char *name;
};

/* The access under way, for messages. */
struct vb_access {
	uint32_t addr, val;
	unsigned size;
	bool write;
	const char *unit;
};

struct vb_win {
	struct cw_vb *vb;
	uint32_t base;
};
#define VB_WINS 8

struct cw_vb {
	struct cw_vb_config cfg;
	uc_engine *uc;
	struct vb_win win[VB_WINS];
	uint64_t ev_at;		/* when the event that is being handled was due */
	uint8_t *ram, *xram;
	uint64_t now, stop_at, until;
	uint64_t sleep_ticks, awake_base, insns, exceptions, cycles;
	uint32_t tpc;		/* ticks per HCLK cycle */
	uint32_t refill;	/* cycles that a jump costs */
	bool stop_asked, irq_check, sleeping, reset_asked;
	bool trapped, cut, exited, broke;
	uint32_t exc_return;	/* value fetched, or 0 */
	uint32_t reset_why;
	uint32_t blk_addr, blk_end;
	int intno;
	uint32_t fetch_fault;
	struct vb_timer timer[VB_T_CNT];
	uint64_t timer_next;
	struct vb_cost cost[VB_COST_CNT];
	struct vb_access acc;
	char message[512];
	struct vb_sym *sym;
	size_t sym_cnt;
	uint64_t write_cnt, cut_at;
	bool cut_torn;
	uint64_t rnd;
	uint32_t resets;
	uint32_t bkp[43], pwr_cr, pwr_csr;
	uint32_t brk[32];
	int brk_cnt;
	bool stepping, bus_is_ours;
	unsigned stepped;
	uc_hook hook_code;
	bool hook_code_on;
	uint32_t resume_at;	/* a breakpoint there does not count once */
	uint32_t boot_base;	/* vectors when the flash's start is empty */
	uint32_t crc_dr;

	struct vb_nvic nvic;
	struct vb_systick systick;
	struct vb_dwt dwt;
	struct vb_rcc rcc;
	struct vb_flash flash;
	struct vb_gpio gpio[7];
	struct vb_exti exti;
	struct vb_usart usart[VB_USARTS];
	struct vb_dma dma[2];
	struct vb_tim tim[9];		/* 1 to 8 */
	struct vb_iwdg iwdg;
	struct vb_fsmc fsmc;
	struct vb_eeprom ee;
	struct vb_card card[CW_VB_SLOTS];
	struct vb_w5300 net;
};

/* ---- bus ----------------------------------------------------------------- */

struct vb_range {
	uint32_t base, len;
	const char *name;
	uint32_t (*read)(struct cw_vb *vb, unsigned idx, uint32_t off);
	void (*write)(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val);
	uint8_t idx;
	uint8_t bus;		/* VB_BUS_* */
	uint8_t bit;		/* of the bus's clock enable register */
};
enum { VB_BUS_NONE, VB_BUS_AHB, VB_BUS_APB1, VB_BUS_APB2, VB_BUS_CORE };

/* bus.c */
int vb_bus_map(struct cw_vb *vb);
/* Stops the board: the access under way is to something that is not modelled. */
void vb_unmodelled(struct cw_vb *vb, const char *what);
__attribute__((format(printf, 2, 3)))
void vb_trap(struct cw_vb *vb, const char *fmt, ...);
/* Memory behind an address for a bus master that is not the core, or NULL. */
uint8_t *vb_memory(struct cw_vb *vb, uint32_t addr, uint32_t len, bool write);
/* One access of the DMA. */
uint32_t vb_bus_read(struct cw_vb *vb, uint32_t addr, unsigned size);
void vb_bus_write(struct cw_vb *vb, uint32_t addr, unsigned size, uint32_t val);
__attribute__((format(printf, 2, 3)))
void vb_tracef(struct cw_vb *vb, const char *fmt, ...);

/* core.c, cpu.c */
void vb_timer_at(struct cw_vb *vb, enum vb_timer_id id, uint64_t at);
void vb_timer_off(struct cw_vb *vb, enum vb_timer_id id);
void vb_timers_run(struct cw_vb *vb);
/* Ends the present run of instructions as soon as can be. */
void vb_kick(struct cw_vb *vb);
void vb_clock_changed(struct cw_vb *vb);
void vb_ask_reset(struct cw_vb *vb, uint32_t csr_bit);
uint64_t vb_cycles(const struct cw_vb *vb);
int vb_cpu_open(struct cw_vb *vb);
void vb_cpu_close(struct cw_vb *vb);
void vb_cpu_reset(struct cw_vb *vb);
void vb_cpu_run(struct cw_vb *vb);
uint32_t vb_reg(const struct cw_vb *vb, int uc_reg);
void vb_reg_set(struct cw_vb *vb, int uc_reg, uint32_t val);
/* A write to flash or EEPROM comes: 0 do it, 1 cut before, 2 tear it. */
int vb_write_comes(struct cw_vb *vb);
uint32_t vb_rnd(struct cw_vb *vb);

/* cost.c */
void vb_cost_fill(struct cw_vb *vb, struct vb_cost *c, uint32_t addr, uint32_t size);
/* The instruction of the block that makes this access, or the block's first. */
uint32_t vb_cost_blame(struct cw_vb *vb, uint32_t addr, bool write);

/* exc.c */
void vb_exc_reset(struct cw_vb *vb);
/* Takes the most urgent exception if one is to be taken now. */
bool vb_exc_take(struct cw_vb *vb);
bool vb_exc_due(struct cw_vb *vb);
/* Would something wake the core from WFI? */
bool vb_exc_wakes(struct cw_vb *vb);
void vb_exc_return(struct cw_vb *vb, uint32_t value);
/* A synchronous one: SVC, UsageFault and their like. */
void vb_exc_raise(struct cw_vb *vb, int num);
void vb_exc_pend(struct cw_vb *vb, int num);
/* The level of an interrupt line. */
void vb_irq(struct cw_vb *vb, int irq, bool level);

/* nvic.c */
uint32_t vb_ppb_read(struct cw_vb *vb, unsigned idx, uint32_t off);
void vb_ppb_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val);
void vb_nvic_reset(struct cw_vb *vb);
void vb_systick_fire(struct cw_vb *vb, unsigned arg);
uint32_t vb_dwt_read(struct cw_vb *vb, unsigned idx, uint32_t off);
void vb_dwt_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val);

#define VB_UNIT(x) \
	void vb_##x##_reset(struct cw_vb *vb); \
	uint32_t vb_##x##_read(struct cw_vb *vb, unsigned idx, uint32_t off); \
	void vb_##x##_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val);
VB_UNIT(rcc)
VB_UNIT(flash)
VB_UNIT(gpio)
VB_UNIT(exti)
VB_UNIT(afio)
VB_UNIT(usart)
VB_UNIT(dma)
VB_UNIT(tim)
VB_UNIT(iwdg)
VB_UNIT(fsmc)
VB_UNIT(misc)
VB_UNIT(w5300)
#undef VB_UNIT

/* flash.c */
bool vb_flash_store(struct cw_vb *vb, uint32_t addr, unsigned size, uint32_t val);
/* gpio.c */
void vb_pin_drive(struct cw_vb *vb, unsigned pin, int level);	/* -1: let go */
bool vb_pin(const struct cw_vb *vb, unsigned pin);
/* usart.c: the line delivers a character; flags PE, FE, NE of SR */
void vb_usart_rx(struct cw_vb *vb, unsigned n, uint16_t ch, uint32_t flags);
void vb_usart_tx_fire(struct cw_vb *vb, unsigned n);
void vb_usart_rx_fire(struct cw_vb *vb, unsigned n);
void vb_usart_idle_fire(struct cw_vb *vb, unsigned n);
void vb_usart_tc_fire(struct cw_vb *vb, unsigned n);
void vb_usart_edge_fire(struct cw_vb *vb, unsigned n);
/* A DMA channel was switched on: requests that stand are served. */
void vb_usart_requests(struct cw_vb *vb);
unsigned vb_usart_sample(const struct cw_vb *vb, unsigned n);
uint32_t vb_usart_pclk(const struct cw_vb *vb, unsigned n);
/* dma.c: a peripheral asks for a transfer */
void vb_dma_request(struct cw_vb *vb, unsigned dma, unsigned ch);
void vb_dma_fire(struct cw_vb *vb, unsigned arg);
void vb_tim_fire(struct cw_vb *vb, unsigned n);
void vb_iwdg_fire(struct cw_vb *vb, unsigned arg);
/* eeprom.c */
void vb_eeprom_reset(struct cw_vb *vb);
void vb_eeprom_pins(struct cw_vb *vb, bool scl, bool sda);
void vb_eeprom_fire(struct cw_vb *vb, unsigned arg);
void vb_eeprom_lose(struct cw_vb *vb);
/* card.c: pins or clock changed; our character starts, has been sent (true:
 * the card took it) */
void vb_card_reset(struct cw_vb *vb);
void vb_card_pins(struct cw_vb *vb, unsigned slot);
void vb_card_clock(struct cw_vb *vb, unsigned slot);
void vb_card_edge(struct cw_vb *vb, unsigned slot);
bool vb_card_sent(struct cw_vb *vb, unsigned slot, uint16_t ch);
void vb_card_fire(struct cw_vb *vb, unsigned slot);
/* contacts of a slot: command VCC and RSTIN as they stand, VSEL */
struct vb_slot_pins {
	unsigned io, clk, cmdvcc, rstin, off, vsel;
};
extern const struct vb_slot_pins vb_slot_pins[CW_VB_SLOTS];
/* misc.c: cycles of one access to a window */
unsigned vb_fsmc_cycles(struct cw_vb *vb, unsigned bank, bool write);
/* w5300.c, w5300_sock.c */
void vb_w5300_power(struct cw_vb *vb);
void vb_w5300_pins(struct cw_vb *vb);
void vb_w5300_fire(struct cw_vb *vb, unsigned arg);
void vb_w5300_command(struct cw_vb *vb, unsigned n, uint8_t cmd);
void vb_w5300_irq(struct cw_vb *vb);
void vb_w5300_close(struct cw_vb *vb, unsigned n, bool gentle);
uint32_t vb_w5300_cap(const struct cw_vb *vb, unsigned n, bool tx);
uint32_t vb_w5300_free(const struct cw_vb *vb, unsigned n);

#endif
