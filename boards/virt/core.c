/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cw/err.h"
#include "vb_priv.h"

/* ---- the queue of events ------------------------------------------------- */

static void
timer_look(struct cw_vb *vb)
{
	uint64_t next = CW_VB_NEVER;
	int i;

	for (i = 0; i < VB_T_CNT; i++)
		if (vb->timer[i].at < next)
			next = vb->timer[i].at;
	vb->timer_next = next;
	vb->stop_at = next < vb->until ? next : vb->until;
}

void
vb_timer_at(struct cw_vb *vb, enum vb_timer_id id, uint64_t at)
{
	uint64_t was = vb->timer[id].at;

	vb->timer[id].at = at;
	if (was == vb->timer_next) {
		timer_look(vb);
	} else if (at < vb->timer_next) {
		vb->timer_next = at;
		if (at < vb->stop_at)
			vb->stop_at = at;
	}
}

void
vb_timer_off(struct cw_vb *vb, enum vb_timer_id id)
{
	if (vb->timer[id].at != CW_VB_NEVER)
		vb_timer_at(vb, id, CW_VB_NEVER);
}

/* In the order of their times, then of their numbers. */
void
vb_timers_run(struct cw_vb *vb)
{
	int i, best;

	while (vb->timer_next <= vb->now && !vb->cut && !vb->trapped) {
		best = 0;
		for (i = 1; i < VB_T_CNT; i++)
			if (vb->timer[i].at < vb->timer[best].at)
				best = i;
		vb->ev_at = vb->timer[best].at;
		vb->timer[best].at = CW_VB_NEVER;
		timer_look(vb);
		vb->timer[best].fire(vb, vb->timer[best].arg);
	}
}

static void
timers_init(struct cw_vb *vb)
{
	static const struct {
		uint8_t id, cnt;
		void (*fire)(struct cw_vb *vb, unsigned arg);
	} t[] = {
		{ VB_T_SYSTICK, 1, vb_systick_fire },
		{ VB_T_IWDG, 1, vb_iwdg_fire },
		{ VB_T_EEPROM, 1, vb_eeprom_fire },
		{ VB_T_TX0, VB_USARTS, vb_usart_tx_fire },
		{ VB_T_RX0, VB_USARTS, vb_usart_rx_fire },
		{ VB_T_IDLE0, VB_USARTS, vb_usart_idle_fire },
		{ VB_T_TC0, VB_USARTS, vb_usart_tc_fire },
		{ VB_T_EDGE0, CW_VB_SLOTS, vb_usart_edge_fire },
		{ VB_T_CARD0, CW_VB_SLOTS, vb_card_fire },
		{ VB_T_DMA, 1, vb_dma_fire },
		{ VB_T_NET, 1, vb_w5300_fire },
		{ VB_T_TIM1, 8, vb_tim_fire },
	};
	size_t i;
	int k;

	for (k = 0; k < VB_T_CNT; k++)
		vb->timer[k].at = CW_VB_NEVER;
	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		for (k = 0; k < t[i].cnt; k++) {
			vb->timer[t[i].id + k].fire = t[i].fire;
			vb->timer[t[i].id + k].arg = (unsigned)k;
		}
	}
	vb->timer_next = CW_VB_NEVER;
}

/* ---- life ---------------------------------------------------------------- */

struct cw_vb *
cw_vb_new(const struct cw_vb_config *cfg)
{
	struct cw_vb *vb = calloc(1, sizeof *vb);
	int i;

	if (vb == NULL)
		return NULL;
	vb->cfg = *cfg;
	vb->ram = mmap(NULL, CW_VB_RAM_LEN, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	vb->xram = malloc(CW_VB_XRAM_LEN);
	for (i = 0; i < VB_SOCKS; i++) {
		vb->net.s[i].rx = malloc(VB_SOCK_MEM);
		vb->net.s[i].tx = malloc(VB_SOCK_MEM);
	}
	timers_init(vb);
	vb->net.cable = true;
	if (vb->ram == MAP_FAILED || vb->xram == NULL || vb_cpu_open(vb) < 0) {
		cw_vb_free(vb);
		return NULL;
	}
	return vb;
}

void
cw_vb_free(struct cw_vb *vb)
{
	size_t i;

	if (vb == NULL)
		return;
	vb_cpu_close(vb);
	for (i = 0; i < vb->sym_cnt; i++)
		free(vb->sym[i].name);
	free(vb->sym);
	for (i = 0; i < VB_SOCKS; i++) {
		vb_w5300_close(vb, (unsigned)i, false);
		free(vb->net.s[i].rx);
		free(vb->net.s[i].tx);
	}
	if (vb->ram != MAP_FAILED)
		munmap(vb->ram, CW_VB_RAM_LEN);
	free(vb->xram);
	free(vb);
}

uint32_t
vb_rnd(struct cw_vb *vb)
{
	vb->rnd = vb->rnd * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (uint32_t)(vb->rnd >> 32);
}

static void
fill_rubbish(struct cw_vb *vb, uint8_t *mem, size_t len)
{
	size_t i;

	for (i = 0; i + 4 <= len; i += 4) {
		uint32_t r = vb_rnd(vb);

		memcpy(mem + i, &r, 4);
	}
}

static void
units_reset(struct cw_vb *vb)
{
	int i;

	for (i = 0; i < VB_T_CNT; i++)
		vb->timer[i].at = CW_VB_NEVER;
	vb->timer_next = CW_VB_NEVER;
	vb_rcc_reset(vb);
	vb_flash_reset(vb);
	vb_gpio_reset(vb);
	vb_exti_reset(vb);
	vb_usart_reset(vb);
	vb_dma_reset(vb);
	vb_tim_reset(vb);
	vb_iwdg_reset(vb);
	vb_fsmc_reset(vb);
	vb_misc_reset(vb);
	vb_eeprom_reset(vb);
	vb_card_reset(vb);
	vb_w5300_reset(vb);
	vb_cpu_reset(vb);
	timer_look(vb);
}

void
cw_vb_power_on(struct cw_vb *vb)
{
	vb->cut = vb->trapped = vb->exited = vb->broke = false;
	vb->message[0] = '\0';
	vb->now = 0;
	vb->insns = vb->exceptions = vb->cycles = 0;
	vb->sleep_ticks = 0;
	vb->write_cnt = 0;
	vb->resets = 0;
	vb->rnd = 1;
	vb->rcc.csr = 1u << 27 | 1u << 26;	/* PORRSTF, PINRSTF */
	fill_rubbish(vb, vb->ram, CW_VB_RAM_LEN);
	fill_rubbish(vb, vb->xram, CW_VB_XRAM_LEN);
	memset(vb->bkp, 0, sizeof vb->bkp);
	vb_w5300_power(vb);
	units_reset(vb);
}

static void
reset_now(struct cw_vb *vb, uint32_t why)
{
	vb->rcc.csr |= why;
	vb->resets++;
	vb->reset_asked = false;
	vb_tracef(vb, "reset csr=%08x", vb->rcc.csr);
	units_reset(vb);
}

void
cw_vb_reset(struct cw_vb *vb)
{
	reset_now(vb, 1u << 26);
}

void
vb_ask_reset(struct cw_vb *vb, uint32_t csr_bit)
{
	vb->reset_asked = true;
	vb->reset_why = csr_bit | 1u << 26;
	vb_kick(vb);
}

/* ---- running ------------------------------------------------------------- */

/* Nothing to do: to the next event at once. */
static void
sleep_on(struct cw_vb *vb)
{
	uint64_t to = vb->stop_at;

	if (to > vb->now) {
		vb->sleep_ticks += to - vb->now;
		vb->now = to;
	}
}

static bool
over(struct cw_vb *vb)
{
	return vb->cut || vb->trapped || vb->exited || vb->broke;
}

static enum cw_vb_stop
why(const struct cw_vb *vb)
{
	if (vb->cut)
		return CW_VB_CUT;
	if (vb->trapped)
		return CW_VB_TRAP;
	if (vb->exited)
		return CW_VB_EXIT;
	return vb->broke ? CW_VB_BREAK : CW_VB_UNTIL;
}

enum cw_vb_stop
cw_vb_run(struct cw_vb *vb, uint64_t until)
{
	vb->until = until;
	if (vb->broke)
		vb->resume_at = vb_reg(vb, UC_ARM_REG_PC);
	vb->broke = false;
	timer_look(vb);
	while (!over(vb)) {
		vb_timers_run(vb);
		if (over(vb))
			break;
		if (vb->reset_asked)
			reset_now(vb, vb->reset_why);
		if (vb->now >= until)
			break;
		if (vb->sleeping && vb_exc_wakes(vb))
			vb->sleeping = false;
		if (vb_exc_take(vb) && vb->stepping)
			break;
		if (vb->sleeping)
			sleep_on(vb);
		else
			vb_cpu_run(vb);
		if (vb->stepping)
			break;
	}
	return why(vb);
}

uint64_t
cw_vb_now(const struct cw_vb *vb)
{
	return vb->now;
}

bool
cw_vb_asleep(const struct cw_vb *vb)
{
	return vb->sleeping;
}

bool
cw_vb_busy(const struct cw_vb *vb)
{
	int i;

	for (i = 0; i < CW_VB_SLOTS; i++)
		if (vb->timer[VB_T_CARD0 + i].at != CW_VB_NEVER ||
		    vb->timer[VB_T_TX0 + i].at != CW_VB_NEVER)
			return true;
	return !vb->sleeping || vb->timer[VB_T_EEPROM].at != CW_VB_NEVER;
}

uint64_t
cw_vb_next(const struct cw_vb *vb)
{
	return vb->timer_next;
}

const char *
cw_vb_message(const struct cw_vb *vb)
{
	return vb->message;
}

void
cw_vb_stat(const struct cw_vb *vb, struct cw_vb_stat *st)
{
	st->insns = vb->insns;
	st->cycles = vb->cycles;
	st->sleep_ticks = vb->sleep_ticks;
	st->exceptions = vb->exceptions;
	st->hclk_hz = vb->rcc.hclk_hz;
	st->resets = vb->resets;
	st->reset_csr = vb->rcc.csr;
}

/* ---- power cut ----------------------------------------------------------- */

void
cw_vb_cut_at(struct cw_vb *vb, uint64_t n, bool torn)
{
	vb->cut_at = n;
	vb->cut_torn = torn;
}

uint64_t
cw_vb_write_cnt(const struct cw_vb *vb)
{
	return vb->write_cnt;
}

int
vb_write_comes(struct cw_vb *vb)
{
	if (vb->cut)
		return 1;
	vb->write_cnt++;
	if (vb->cut_at == 0 || vb->write_cnt != vb->cut_at)
		return 0;
	vb->cut = true;
	snprintf(vb->message, sizeof vb->message, "power cut at write %llu%s",
	    (unsigned long long)vb->write_cnt, vb->cut_torn ? ", torn" : "");
	vb_kick(vb);
	return vb->cut_torn ? 2 : 1;
}
