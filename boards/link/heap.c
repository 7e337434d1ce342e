/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <mbedtls/memory_buffer_alloc.h>

#include "cw/err.h"

void
cw_link_heap_init(void *mem, size_t len)
{
	mbedtls_memory_buffer_alloc_init(mem, len);
}

void
cw_link_heap_broken(int status)
{
	(void)status;
	cw_assert_failed(__FILE__, __LINE__);
}
