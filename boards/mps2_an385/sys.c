/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "cw/err.h"

#define US(ticks) ((ticks) / (CW_BOARD_CLK_HZ / 1000000u))
#define REST_MAX_US 500000u
/* An emulator gets no processor time for seconds when its host is busy. */
#define WATCHDOG_S 30u

/* ---- time ------------------------------------------------------------------- */

static volatile bool awake;
static uint32_t last_ticks;
static uint64_t ticks;

void
cw_sys_irq_on(enum cw_irq irq)
{
	CW_NVIC_ISER = 1u << irq;
}

void
cw_sys_start(void)
{
	CW_TIMER0->ctrl = 0;
	CW_TIMER0->reload = UINT32_MAX;
	CW_TIMER0->value = UINT32_MAX;
	CW_TIMER0->ctrl = CW_TIMER_CTRL_EN;
	CW_TIMER1->ctrl = 0;
	cw_sys_irq_on(CW_IRQ_TIMER1);
}

/* The counter comes round in 171 s; the loop asks twice a second. */
uint64_t
cw_sys_now_us(void)
{
	uint32_t now = UINT32_MAX - CW_TIMER0->value;

	ticks += now - last_ticks;
	last_ticks = now;
	return US(ticks);
}

void
cw_sys_awake_clear(void)
{
	awake = false;
}

void
cw_sys_wake(void)
{
	awake = true;
}

void
cw_sys_rest(uint64_t due_us, uint64_t now_us)
{
	uint64_t us = due_us > now_us ? due_us - now_us : 0;

	if (us > REST_MAX_US)
		us = REST_MAX_US;
	if (us == 0)
		return;
	CW_TIMER1->ctrl = 0;
	CW_TIMER1->reload = 0;
	CW_TIMER1->value = (uint32_t)us * (CW_BOARD_CLK_HZ / 1000000u);
	CW_TIMER1->ctrl = CW_TIMER_CTRL_EN | CW_TIMER_CTRL_INT;
	/* An interrupt that comes between the look and WFI ends WFI at once. */
	__asm volatile ("cpsid i" ::: "memory");
	if (!awake)
		__asm volatile ("dsb\n\twfi" ::: "memory");
	__asm volatile ("cpsie i\n\tisb" ::: "memory");
}

void
cw_sys_watchdog_start(void)
{
	CW_WATCHDOG->lock = CW_WATCHDOG_KEY;
	CW_WATCHDOG->load = WATCHDOG_S * CW_BOARD_CLK_HZ;
	CW_WATCHDOG->ctrl = CW_WATCHDOG_CTRL_INT | CW_WATCHDOG_CTRL_RESET;
}

static void
sys_watchdog(void *dev)
{
	(void)dev;
	CW_WATCHDOG->intclr = 1;
}

/* ---- log --------------------------------------------------------------------- */

#define LOG_CAP 8192u

/* Lines behind one another, each ending in a NUL; the oldest make room. */
static char log_mem[LOG_CAP];
static uint32_t log_head, log_tail;
static int log_level = 2;

static char *
log_at(uint32_t i)
{
	return &log_mem[i % LOG_CAP];
}

void
cw_board_log_level(int level)
{
	log_level = level;
}

static void
say(const char *text, size_t len)
{
	size_t n;

	while (len > 0) {
		n = cw_uart_put(0, (const uint8_t *)text, len);
		text += n;
		len -= n;
	}
}

void
cw_board_log(int level, const char *line)
{
	size_t i, len = strlen(line) + 1;

	if (level > log_level)
		return;
	while (LOG_CAP - (log_head - log_tail) < len) {
		while (*log_at(log_tail) != '\0')
			log_tail++;
		log_tail++;
	}
	for (i = 0; i < len; i++)
		*log_at(log_head++) = line[i];
	say(line, len - 1);
	say("\r\n", 2);
}

size_t
cw_board_log_line(uint32_t idx, char *buf, size_t cap)
{
	uint32_t i = log_tail;
	size_t n = 0;

	for (; i != log_head && idx > 0; i++)
		if (*log_at(i) == '\0')
			idx--;
	for (; i != log_head && *log_at(i) != '\0'; i++)
		if (n + 1 < cap)
			buf[n++] = *log_at(i);
	buf[n] = '\0';
	return n;
}

static void
sys_log(void *dev, int level, const char *line)
{
	(void)dev;
	cw_board_log(level, line);
}

const struct cw_sys_ops cw_board_sys_ops = { cw_secure_random, sys_watchdog, sys_log };

/* ---- image store ---------------------------------------------------------------- */

static uint8_t store[CW_BOARD_STORE_LEN] __attribute__((section(".psram")));

static int
store_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	(void)dev;
	CW_ASSERT(off <= sizeof store && len <= sizeof store - off);
	memcpy(store + off, buf, len);
	return 0;
}

static const uint8_t *
store_lend(void *dev, uint32_t off, size_t len)
{
	(void)dev;
	CW_ASSERT(off <= sizeof store && len <= sizeof store - off);
	return store + off;
}

const struct cw_image_ops cw_board_store_ops = { store_write, store_lend };
