/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LINK_HEAP_H
#define CW_LINK_HEAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Memory of mbedTLS on a board without a heap: one fixed pool, whose size
 * tests/unit/link/firmware.sh proves.  Only in firmware builds,
 * whose mbedTLS has MBEDTLS_MEMORY_BUFFER_ALLOC_C (boards/link/mbedtls_config.h).
 *
 *	static uint64_t pool[CW_LINK_HEAP_BYTES(2) / 8];
 *	cw_link_heap_init(pool, sizeof pool);	before cw_link_init, once
 *
 * A pool that is full costs the new connection, never an open one.
 */
#define CW_LINK_HEAP_BYTES(conns) (1024u + (conns) * 10240u)

/* mem is used for ever; aligned to 8. */
void cw_link_heap_init(void *mem, size_t len);

#endif
