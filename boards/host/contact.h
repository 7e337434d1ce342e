/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CONTACT_H
#define CW_CONTACT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Contact link: the eight contacts of a station, over TCP, between a host
 * reader and the program that simulates the cards (cardwright-card).  Not part
 * of production: it takes the place of the contacts and of the machine's
 * mechanics.  Bytes in docs/spec/contact-link.md.
 *
 * Message: u8 type, u8 slot or 0, u16 length, body (big-endian).
 *
 * Reader side (one connection per station; ATTACH first):
 *   -> ATTACH  u16 station (1..)		<- PRESENT
 *   -> POWER   u32 vcc_mv (0 = off)		<- POWERED i16 err
 *   -> RESET   u8 asserted
 *   -> LINE    u32 clk_hz, u32 etu_clk, u16 guard_etu
 *   -> CHARS   bytes as logical bytes under the DIRECT convention
 *						<- TAKEN u16 count [, then the refused one is
 *						   at index count when count < sent], u32 etu used
 *   -> LISTEN  u16 cap, u32 wait_etu		<- CHARS u32 etu used, u16 bad_cnt, bytes
 *						   or SILENT u32 etu waited
 *						   or PARITY
 *						<- PRESENT u8 0/1 at every change
 * Mechanics side (the simulated device; MACHINE first):
 *   -> MACHINE
 *   -> FEED    u16 station, u32 card_no
 *		<- FED u16 station, u32 card_no, i16 err (ENOENT: hopper empty)
 *   -> BIN     u16 station, u8 bin (1 good, 2 reject)
 *		<- BINNED u16 station, u32 card_no, u8 bin
 *   <- LOST    u16 station			a card left the contacts by itself (pulled)
 */
#define CW_CONTACT_PORT 7830
#define CW_CONTACT_BODY_MAX 4096

enum cw_contact_type {
	CW_CT_ATTACH = 1, CW_CT_POWER, CW_CT_RESET, CW_CT_LINE, CW_CT_CHARS,
	CW_CT_LISTEN, CW_CT_MACHINE, CW_CT_FEED, CW_CT_BIN,
	CW_CT_PRESENT = 0x81, CW_CT_POWERED, CW_CT_TAKEN, CW_CT_RXCHARS,
	CW_CT_SILENT, CW_CT_PARITY, CW_CT_FED, CW_CT_BINNED, CW_CT_LOST,
	CW_CT_REFUSED,		/* i16 err, text: then closed */
};

#define CW_CONTACT_HDR 4

#endif
