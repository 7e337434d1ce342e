/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LWIP_CC_H
#define CW_LWIP_CC_H

#include "cw/err.h"

/* What lwIP asks of its port: GCC and newlib have the rest. */
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_CTYPE_H 1
#define U8_F "u"
#define S16_F "d"
#define U16_F "u"
#define X16_F "x"
#define S32_F "ld"
#define U32_F "lu"
#define X32_F "lx"
#define SZT_F "u"
#define LWIP_PLATFORM_DIAG(x) ((void)0)
#define LWIP_PLATFORM_ASSERT(x) cw_assert_failed("lwip: " x, __LINE__)

#endif
