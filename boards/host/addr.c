/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_private.h"

/* Decimal number up to max that ends at `end` or at the end of text. */
static int
number(const char *text, char end, unsigned long max, const char **rest)
{
	char *stop;
	unsigned long v;

	if (*text < '0' || *text > '9')
		return CW_EFORMAT;
	v = strtoul(text, &stop, 10);
	if (v > max || (*stop != '\0' && *stop != end))
		return CW_EFORMAT;
	*rest = stop;
	return (int)v;
}

static int
split(struct sockaddr_in *a, const char *text, const char **rest)
{
	const char *colon = strchr(text, ':');
	char ip[16];
	size_t len;
	int port;

	if (colon == NULL)
		return CW_EFORMAT;
	len = (size_t)(colon - text);
	if (len >= sizeof ip)
		return CW_EFORMAT;
	memcpy(ip, text, len);
	ip[len] = '\0';
	port = number(colon + 1, '/', 65535, rest);
	if (port < 0 || uv_ip4_addr(ip, port, a) != 0)
		return CW_EFORMAT;
	return 0;
}

int
cw_host_addr(struct sockaddr_in *a, const char *text)
{
	const char *rest;

	if (split(a, text, &rest) < 0 || *rest != '\0')
		return CW_EFORMAT;
	return 0;
}

int
cw_host_station(struct sockaddr_in *a, uint16_t *station, const char *text)
{
	const char *rest;
	int n;

	if (split(a, text, &rest) < 0 || *rest != '/')
		return CW_EFORMAT;
	n = number(rest + 1, '\0', 65535, &rest);
	if (n < 1)
		return CW_EFORMAT;
	*station = (uint16_t)n;
	return 0;
}

int
cw_host_vpcd_addr(struct sockaddr_in *a, const char *text)
{
	char full[32];

	if (strchr(text, ':') != NULL)
		return cw_host_addr(a, text);
	snprintf(full, sizeof full, "127.0.0.1:%.10s", text);
	return cw_host_addr(a, full);
}

int
cw_host_card_check(const char *card)
{
	struct sockaddr_in a;
	uint16_t station;

	if (strcmp(card, "null") == 0)
		return 0;
	if (strncmp(card, "sim:", 4) == 0)
		return cw_host_station(&a, &station, card + 4);
	if (strncmp(card, "vpcd:", 5) == 0)
		return cw_host_vpcd_addr(&a, card + 5);
	if (strncmp(card, "pcsc:", 5) == 0 && card[5] != '\0' &&
	    strlen(card) < 5 + 128)
		return 0;
	return CW_EFORMAT;
}
