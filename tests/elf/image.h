/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TESTS_ELF_IMAGE_H
#define CW_TESTS_ELF_IMAGE_H

#include <stdint.h>

/*
 * A test image for the virtual board: vectors, start-up, a few registers.  It
 * fills `result`, which the test reads by its symbol, and ends with DONE.
 */
#define R32(a) (*(volatile uint32_t *)(a))
#define R16(a) (*(volatile uint16_t *)(a))

#define RCC_APB2ENR R32(0x40021018)
#define RCC_APB1ENR R32(0x4002101C)
#define RCC_AHBENR R32(0x40021014)
#define SYST_CSR R32(0xE000E010)
#define SYST_RVR R32(0xE000E014)
#define SYST_CVR R32(0xE000E018)
#define NVIC_ISER(n) R32(0xE000E100 + 4 * (n))
#define NVIC_ISPR(n) R32(0xE000E200 + 4 * (n))
#define NVIC_IPR(n) (*(volatile uint8_t *)(0xE000E400 + (n)))
#define SCB_ICSR R32(0xE000ED04)
#define SCB_AIRCR R32(0xE000ED0C)
#define SCB_SHPR(n) (*(volatile uint8_t *)(0xE000ED14 + (n)))
#define SCB_CFSR R32(0xE000ED28)
#define SCB_HFSR R32(0xE000ED2C)
#define DONE() __asm__ volatile("bkpt 0xab")

extern volatile uint32_t result[64];
extern uint32_t image_bss, image_bss_end, image_stack;

void image_start(void);
void image_main(void);
void on_hard(void);
void on_svc(void);
void on_pendsv(void);
void on_systick(void);
void on_irq(uint32_t n);

#endif
