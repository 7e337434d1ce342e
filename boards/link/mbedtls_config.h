/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_MBEDTLS_CONFIG_H
#define CW_MBEDTLS_CONFIG_H

/*
 * mbedTLS 2.28 for firmware: a TLS 1.2 server with TLS_PSK_WITH_AES_128_CCM and
 * nothing else.  No certificates, no RSA, no elliptic curves, no CBC, no
 * renegotiation, no tickets, no resumption.  Given to every file of mbedTLS and
 * of boards/link by -DMBEDTLS_CONFIG_FILE='"boards/link/mbedtls_config.h"'.
 * Host programs use Debian's library with Debian's own configuration.
 */

/* cryptography */
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES		/* flash, not RAM */
#define MBEDTLS_AES_FEWER_TABLES	/* 6 KiB less, 1 % slower */
#define MBEDTLS_CCM_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_HMAC_DRBG_C

/* protocol */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_MAX_FRAGMENT_LENGTH
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_PSK_MAX_LEN 32
#define MBEDTLS_SSL_IN_CONTENT_LEN 4096
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096
#define MBEDTLS_SSL_CIPHERSUITES MBEDTLS_TLS_PSK_WITH_AES_128_CCM

/* the board */
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
#define MBEDTLS_MEMORY_ALIGN_MULTIPLE 8
/* A pool that was written over by somebody: an assertion of the board. */
#define MBEDTLS_PLATFORM_EXIT_MACRO cw_link_heap_broken
_Noreturn void cw_link_heap_broken(int status);

#include "mbedtls/check_config.h"

#endif
