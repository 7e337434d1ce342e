/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CRC_H
#define CW_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 (IEEE 802.3, reflected, init and final 0xFFFFFFFF): "123456789" -> CBF43926.
 * Start with crc 0; feed the result back in to go on. */
uint32_t cw_crc32(uint32_t crc, const void *buf, size_t len);

/* CRC-16/CCITT-FALSE (poly 1021, init FFFF, not reflected): "123456789" -> 29B1.
 * Start with crc 0xFFFF; feed the result back in to go on. */
uint16_t cw_crc16(uint16_t crc, const void *buf, size_t len);

#endif
