/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "boards/chip/lan9118/lan9118.h"
#include "board_private.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/sha256.h"
#include "reader/reader_private.h"

/* lwIP on the Ethernet chip.  All calls from the loop. */
#define LINK_US 500000u		/* how often the cable is looked at */

static struct netif netif;
static char hostname[CW_SETTINGS_NAME_MAX + 12];
static uint64_t link_us;
static uint32_t drop_cnt;	/* frames that found no memory */

uint32_t
cw_lan9118_bus_get(uint32_t reg)
{
	return *(volatile uint32_t *)(CW_LAN9118_BASE + reg);
}

void
cw_lan9118_bus_put(uint32_t reg, uint32_t val)
{
	*(volatile uint32_t *)(CW_LAN9118_BASE + reg) = val;
}

void
cw_netif_irq(void)
{
	cw_lan9118_irq_ack();
	cw_sys_wake();
}

u32_t
sys_now(void)
{
	return (u32_t)(cw_sys_now_us() / 1000);
}

static err_t
frame_out(struct netif *n, struct pbuf *p)
{
	static uint8_t frame[CW_LAN9118_FRAME_MAX];
	u16_t len;

	(void)n;
	if (p->tot_len > sizeof frame)
		return ERR_BUF;
	len = pbuf_copy_partial(p, frame, p->tot_len, 0);
	return cw_lan9118_send(frame, len) < 0 ? ERR_MEM : ERR_OK;
}

static err_t
netif_up(struct netif *n)
{
	n->name[0] = 'e';
	n->name[1] = 'n';
	n->mtu = 1500;
	n->hwaddr_len = 6;
	n->output = etharp_output;
	n->linkoutput = frame_out;
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	return ERR_OK;
}

/* Locally administered, of the serial number: for a board that was given none. */
static void
mac_make(uint8_t mac[6], const struct cw_settings *s)
{
	static const uint8_t none[6];
	uint8_t d[CW_SHA256_LEN];

	memcpy(mac, s->mac, 6);
	if (memcmp(mac, none, 6) != 0)
		return;
	cw_sha256(d, s->serial, sizeof s->serial);
	memcpy(mac, d, 6);
	mac[0] = (uint8_t)((mac[0] & 0xfcu) | 2u);
}

static void
address_said(struct netif *n)
{
	char text[CW_READER_LOG_MAX];
	struct cw_reader_text t = cw_reader_text_init(text, sizeof text);
	uint8_t a[4];
	int i;

	if (ip4_addr_isany(netif_ip4_addr(n)))
		return;
	memcpy(a, netif_ip4_addr(n), 4);
	cw_reader_text_str(&t, "net.address ip=");
	for (i = 0; i < 4; i++) {
		cw_reader_text_dec(&t, a[i]);
		cw_reader_text_str(&t, i < 3 ? "." : "");
	}
	cw_board_log(2, text);
}

static void
hostname_make(const struct cw_settings *s)
{
	struct cw_reader_text t = cw_reader_text_init(hostname, sizeof hostname);

	if (s->name[0] != '\0') {
		cw_reader_text_str(&t, s->name);
		return;
	}
	cw_reader_text_str(&t, "reader-");
	cw_reader_text_hex(&t, s->serial, 4);
}

int
cw_netif_start(const struct cw_settings *s)
{
	ip4_addr_t ip, mask, gw;

	mac_make(netif.hwaddr, s);
	if (cw_lan9118_start(netif.hwaddr) < 0)
		return CW_EIO;
	memcpy(&ip, s->ip, 4);
	memcpy(&mask, s->mask, 4);
	memcpy(&gw, s->gateway, 4);
	if (s->ip_mode == CW_IP_DHCP)
		memset(&ip, 0, sizeof ip);
	lwip_init();
	netif_add(&netif, &ip, &mask, &gw, NULL, netif_up, ethernet_input);
	mac_make(netif.hwaddr, s);
	hostname_make(s);
	netif_set_hostname(&netif, hostname);
	netif_set_status_callback(&netif, address_said);
	netif_set_default(&netif);
	netif_set_up(&netif);
	netif_set_link_up(&netif);
	if (s->ip_mode == CW_IP_DHCP)
		dhcp_start(&netif);
	cw_lan9118_irq_start();
	cw_sys_irq_on(CW_IRQ_ETHERNET);
	return 0;
}

static void
frames_in(void)
{
	static uint8_t frame[CW_LAN9118_FRAME_MAX];
	struct pbuf *p;
	size_t len;

	while ((len = cw_lan9118_recv(frame, sizeof frame)) > 0) {
		p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_POOL);
		if (p == NULL) {
			drop_cnt++;
			continue;
		}
		pbuf_take(p, frame, (u16_t)len);
		if (netif.input(p, &netif) != ERR_OK)
			pbuf_free(p);
	}
	cw_wipe(frame, sizeof frame);
}

void
cw_netif_poll(void)
{
	uint64_t now_us = cw_sys_now_us();

	frames_in();
	sys_check_timeouts();
	if (now_us - link_us < LINK_US)
		return;
	link_us = now_us;
	if (cw_lan9118_link())
		netif_set_link_up(&netif);
	else
		netif_set_link_down(&netif);
}

/* All zero while there is none. */
void
cw_netif_address(uint8_t ip[4], uint8_t mask[4], uint8_t gateway[4])
{
	memcpy(ip, netif_ip4_addr(&netif), 4);
	memcpy(mask, netif_ip4_netmask(&netif), 4);
	memcpy(gateway, netif_ip4_gw(&netif), 4);
}
