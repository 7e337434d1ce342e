/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files kept in a folder, and over mutations of them
 * drawn from a fixed seed, so that every build tries them. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536
#ifndef MUTATIONS	/* a slow target has fewer, by its meson.build */
#define MUTATIONS 2000
#endif

static uint64_t lot = 0x9E3779B97F4A7C15u;

static uint32_t
draw(uint32_t below)
{
	lot ^= lot << 13;
	lot ^= lot >> 7;
	lot ^= lot << 17;
	return (uint32_t)(lot >> 32) % below;
}

/* The exact size is allocated, so that a read past the end is seen. */
static void
run(const uint8_t *buf, size_t len)
{
	uint8_t *copy = calloc(len > 0 ? len : 1, 1);

	if (copy == NULL)
		abort();
	memcpy(copy, buf, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void
mutate(const uint8_t *buf, size_t len)
{
	static uint8_t work[INPUT_MAX];

	for (unsigned int i = 0; i < MUTATIONS; i++) {
		size_t n = len;

		memcpy(work, buf, len);
		for (uint32_t k = draw(4) + 1; k > 0 && n > 0; k--) {
			switch (draw(3)) {
			case 0:
				work[draw((uint32_t)n)] = (uint8_t)draw(256);
				break;
			case 1:
				work[draw((uint32_t)n)] ^= (uint8_t)(1u << draw(8));
				break;
			default:
				n = draw((uint32_t)n + 1);
				break;
			}
		}
		run(work, n);
	}
}

int
main(int argc, char **argv)
{
	static uint8_t buf[INPUT_MAX];
	const uint8_t zero[64] = { 0 };
	unsigned int cnt = 0;
	DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
	struct dirent *e;

	run(zero, 0);
	mutate(zero, sizeof(zero));
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char path[4096];
		FILE *f;
		size_t len;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		f = fopen(path, "rb");
		if (f == NULL) {
			perror(path);
			return 1;
		}
		len = fread(buf, 1, sizeof(buf), f);
		fclose(f);
		run(buf, len);
		mutate(buf, len);
		cnt++;
	}
	if (dir != NULL)
		closedir(dir);
	printf("%u inputs and their mutations\n", cnt);
	return 0;
}
