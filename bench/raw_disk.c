/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: raw_disk DIR APPENDS
 *
 * How often in a second DIR's disk makes an append of 4 KiB durable: what
 * bounds everything that answers only after it is durable and is not grouped.
 */
#include "bench/bench.h"

int
main(int argc, char **argv)
{
	unsigned int cnt = (unsigned int)bench_arg(argc, argv, 2, 1000000);

	printf("fdatasync %.0f\n", bench_fdatasync(argv[1], cnt));
	return 0;
}
