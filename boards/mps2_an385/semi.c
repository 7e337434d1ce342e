/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "cw/err.h"

/* Arm semihosting, version 2: operations and their argument blocks. */
enum op {
	OP_OPEN = 0x01, OP_CLOSE = 0x02, OP_WRITE = 0x05, OP_READ = 0x06,
	OP_SEEK = 0x0a, OP_FLEN = 0x0c, OP_TIME = 0x11, OP_CMDLINE = 0x15,
	OP_EXIT_EXTENDED = 0x20,
};
enum mode { MODE_RB = 1, MODE_RWB = 3, MODE_NEW_RWB = 7 };
#define EXIT_APPLICATION 0x20026u
#define BKPT 0xbeabu

static int32_t
call(enum op op, const void *arg)
{
	register uint32_t r0 __asm("r0") = (uint32_t)op;
	register const void *r1 __asm("r1") = arg;

	__asm volatile ("bkpt 0xab" : "+r" (r0) : "r" (r1) : "memory");
	return (int32_t)r0;
}

bool
cw_semi_is_call(uint32_t pc)
{
	return pc < 0x400000u && *(const uint16_t *)(uintptr_t)pc == BKPT;
}

static int
open_as(const char *path, enum mode mode)
{
	uint32_t arg[3] = { (uint32_t)(uintptr_t)path, (uint32_t)mode, strlen(path) };

	return call(OP_OPEN, arg);
}

int
cw_semi_open(const char *path, bool write)
{
	int fd = open_as(path, write ? MODE_RWB : MODE_RB);

	if (fd < 0 && write)
		fd = open_as(path, MODE_NEW_RWB);
	return fd < 0 ? CW_ENOENT : fd;
}

static int
seek(int fd, uint32_t off)
{
	uint32_t arg[2] = { (uint32_t)fd, off };

	return call(OP_SEEK, arg) < 0 ? CW_EIO : 0;
}

int
cw_semi_read(int fd, uint32_t off, uint8_t *buf, size_t len)
{
	uint32_t arg[3] = { (uint32_t)fd, (uint32_t)(uintptr_t)buf, len };

	if (seek(fd, off) < 0)
		return CW_EIO;
	return call(OP_READ, arg) == 0 ? 0 : CW_EIO;
}

int
cw_semi_write(int fd, uint32_t off, const uint8_t *buf, size_t len)
{
	uint32_t arg[3] = { (uint32_t)fd, (uint32_t)(uintptr_t)buf, len };

	if (seek(fd, off) < 0)
		return CW_EIO;
	return call(OP_WRITE, arg) == 0 ? 0 : CW_EIO;
}

int
cw_semi_len(int fd)
{
	uint32_t arg[1] = { (uint32_t)fd };
	int32_t len = call(OP_FLEN, arg);

	return len < 0 ? CW_EIO : len;
}

void
cw_semi_close(int fd)
{
	uint32_t arg[1] = { (uint32_t)fd };

	(void)call(OP_CLOSE, arg);
}

void
cw_semi_cmdline(char *buf, size_t cap)
{
	uint32_t arg[2] = { (uint32_t)(uintptr_t)buf, cap };

	memset(buf, 0, cap);
	if (call(OP_CMDLINE, arg) != 0)
		buf[0] = '\0';
	buf[cap - 1] = '\0';
}

uint32_t
cw_semi_time(void)
{
	return (uint32_t)call(OP_TIME, NULL);
}

void
cw_semi_exit(int code)
{
	uint32_t arg[2] = { EXIT_APPLICATION, (uint32_t)code };

	(void)call(OP_EXIT_EXTENDED, arg);
	for (;;)
		__asm volatile ("wfi");
}
