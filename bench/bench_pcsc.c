/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <winscard.h>

/*
 * bench_pcsc READER COUNT: microseconds of SCardTransmit for a command without
 * data, COUNT times, as JSON; after a tenth of that to get warm.
 */
static double *us;

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
must(LONG rv, const char *what)
{
	if (rv == SCARD_S_SUCCESS)
		return;
	fprintf(stderr, "bench_pcsc: %s: %s\n", what, pcsc_stringify_error(rv));
	exit(1);
}

static void
run(SCARDHANDLE card, DWORD protocol, size_t cnt)
{
	static const uint8_t cmd[] = { 0x00, 0x20, 0x00, 0x00 };
	const SCARD_IO_REQUEST *pci = protocol == SCARD_PROTOCOL_T1 ?
	    SCARD_PCI_T1 : SCARD_PCI_T0;
	uint8_t rsp[258];
	DWORD len;
	size_t i;

	for (i = 0; i < cnt; i++) {
		double begin = now_us();

		len = sizeof rsp;
		must(SCardTransmit(card, pci, cmd, sizeof cmd, NULL, rsp, &len),
		    "SCardTransmit");
		us[i] = now_us() - begin;
	}
}

int
main(int argc, char **argv)
{
	SCARDCONTEXT ctx;
	SCARDHANDLE card;
	DWORD protocol;
	size_t cnt = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	double sum = 0;
	size_t i;

	if (cnt < 10 || (us = calloc(cnt, sizeof us[0])) == NULL) {
		fprintf(stderr, "usage: bench_pcsc READER COUNT (10 and more)\n");
		return 2;
	}
	must(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &ctx), "pcscd");
	must(SCardConnect(ctx, argv[1], SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T0 |
	    SCARD_PROTOCOL_T1, &card, &protocol), argv[1]);
	run(card, protocol, cnt / 10);
	run(card, protocol, cnt);
	must(SCardDisconnect(card, SCARD_RESET_CARD), "SCardDisconnect");
	SCardReleaseContext(ctx);
	qsort(us, cnt, sizeof us[0], by_value);
	for (i = 0; i < cnt; i++)
		sum += us[i];
	printf("{\"count\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"mean_us\": %.1f}\n",
	    cnt, us[cnt / 2], us[cnt * 99 / 100], sum / (double)cnt);
	free(us);
	return 0;
}
