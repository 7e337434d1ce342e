/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "reader/reader_private.h"

/*
 * The last 256 bytes of internal SRAM are neither cleared nor used for anything
 * else.  After power-up they hold rubbish, which the CRC tells.
 */
struct crash {
	uint32_t kind;		/* enum cw_crash_kind */
	uint32_t line;		/* ASSERT: line; FAULT: exception number */
	uint32_t pc;		/* FAULT: where */
	uint32_t cfsr;
	char file[64];
	uint32_t crc;
};
static struct crash last __attribute__((section(".noinit")));
static struct crash seen;	/* taken at start, so that it is told once */
static uint32_t reset_flags;

static void
leave(enum cw_crash_kind kind, uint32_t line, uint32_t pc, const char *file)
{
	size_t len = strlen(file), keep = sizeof last.file - 1;

	memset(&last, 0, sizeof last);
	last.kind = (uint32_t)kind;
	last.line = line;
	last.pc = pc;
	last.cfsr = CW_SCB->cfsr;
	/* the end of a path says more than its start */
	memcpy(last.file, len > keep ? file + len - keep : file,
	    len > keep ? keep : len);
	last.crc = cw_crc32(0, &last, offsetof(struct crash, crc));
	cw_stm_reset();
}

void
cw_assert_failed(const char *file, int line)
{
	leave(CW_CRASH_ASSERT, (uint32_t)line, 0, file);
	cw_stm_reset();
}

static void fault_frame(const uint32_t *frame, uint32_t ipsr)
    __attribute__((noreturn, used));

/* frame: r0 to r3, r12, lr, pc, xpsr as the core pushed them. */
static void
fault_frame(const uint32_t *frame, uint32_t ipsr)
{
	bool ours = (uintptr_t)frame >= CW_BOARD_RAM_BASE &&
	    (uintptr_t)frame + 32 <= CW_BOARD_RAM_BASE + CW_BOARD_RAM_LEN;

	leave(CW_CRASH_FAULT, ipsr & 0x1ff, ours ? frame[6] : 0, "");
	cw_stm_reset();
}

__attribute__((naked)) void
cw_board_fault(void)
{
	__asm volatile ("mrs r0, msp\n\tmrs r1, ipsr\n\tb fault_frame");
}

static void
text_word(struct cw_reader_text *t, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
	    (uint8_t)(v >> 8), (uint8_t)v };

	cw_reader_text_hex(t, b, sizeof b);
}

bool
cw_board_crash_text(char *buf, size_t cap)
{
	struct cw_reader_text t = cw_reader_text_init(buf, cap);

	if (seen.kind == CW_CRASH_ASSERT) {
		cw_reader_text_str(&t, "assertion failed at ");
		cw_reader_text_str(&t, seen.file);
		cw_reader_text_str(&t, ":");
		cw_reader_text_dec(&t, seen.line);
	} else if (seen.kind == CW_CRASH_FAULT) {
		cw_reader_text_str(&t, "fault exception=");
		cw_reader_text_dec(&t, seen.line);
		cw_reader_text_str(&t, " pc=");
		text_word(&t, seen.pc);
		cw_reader_text_str(&t, " cfsr=");
		text_word(&t, seen.cfsr);
	}
	return seen.kind != CW_CRASH_NONE;
}

void
cw_board_crash_take(void)
{
	reset_flags = CW_RCC->csr;
	CW_RCC->csr |= CW_RCC_CSR_RMVF;
	memset(&seen, 0, sizeof seen);
	if ((reset_flags & CW_RCC_CSR_PORRSTF) == 0 &&
	    last.crc == cw_crc32(0, &last, offsetof(struct crash, crc)) &&
	    last.file[sizeof last.file - 1] == '\0')
		seen = last;
	memset(&last, 0, sizeof last);
}

const char *
cw_board_reset_cause(void)
{
	if ((reset_flags & CW_RCC_CSR_PORRSTF) != 0)
		return "power";
	if ((reset_flags & CW_RCC_CSR_IWDGRSTF) != 0)
		return "watchdog";
	if ((reset_flags & CW_RCC_CSR_SFTRSTF) != 0)
		return "software";
	return "pin";
}
