// Calls of the firmware.
#include "arch/sbi.h"

long sbi_call(enum sbi_extension extension, uint64_t argument0, uint64_t argument1, uint64_t argument2)
{
    register uint64_t a0 __asm__("a0") = argument0;
    register uint64_t a1 __asm__("a1") = argument1;
    register uint64_t a2 __asm__("a2") = argument2;
    register uint64_t a6 __asm__("a6") = 0;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (long)a0;
}

void sbi_write(const char *text, size_t n)
{
    for (; n > 0; n--)
        sbi_call(SBI_LEGACY_PUTCHAR, (uint8_t)*text++, 0, 0);
}
