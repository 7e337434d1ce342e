/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

/*
 * The C library's are four times as long, for a speed that nothing here needs:
 * 16 KiB are all there is.  Byte by byte, and the compiler must not make calls
 * of these loops again.
 */
void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int value, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);

void *
memmove(void *to, const void *from, size_t len)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if ((uintptr_t)t <= (uintptr_t)f) {
		while (len-- > 0)
			*t++ = *f++;
	} else {
		while (len-- > 0)
			t[len] = f[len];
	}
	return to;
}

void *
memcpy(void *restrict to, const void *restrict from, size_t len)
{
	return memmove(to, from, len);
}

void *
memset(void *to, int value, size_t len)
{
	uint8_t *t = to;

	while (len-- > 0)
		*t++ = (uint8_t)value;
	return to;
}

int
memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;

	for (; len > 0; len--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t
strlen(const char *s)
{
	const char *e = s;

	while (*e != '\0')
		e++;
	return (size_t)(e - s);
}
