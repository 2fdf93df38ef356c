// The names of traps.
#include "debug/trap_name.h"
#include "cpu/csr_numbers.h"

#include <stdbool.h>
#include <stddef.h>

static const char *exception_name(uint64_t cause) {
    static const char *const names[] = {
        [FETCH_MISALIGNED] = "misaligned fetch",
        [FETCH_FAULT] = "fetch access fault",
        [ILLEGAL_INSTRUCTION] = "illegal instruction",
        [BREAKPOINT] = "breakpoint",
        [LOAD_MISALIGNED] = "misaligned load",
        [LOAD_FAULT] = "load access fault",
        [STORE_MISALIGNED] = "misaligned store",
        [STORE_FAULT] = "store access fault",
        [CALL_FROM_USER] = "call from user mode",
        [CALL_FROM_SUPERVISOR] = "call from supervisor mode",
        [CALL_FROM_MACHINE] = "call from machine mode",
        [FETCH_PAGE_FAULT] = "fetch page fault",
        [LOAD_PAGE_FAULT] = "load page fault",
        [STORE_PAGE_FAULT] = "store page fault",
    };
    bool is_known = cause < sizeof names / sizeof names[0] && names[cause] != NULL;
    return is_known ? names[cause] : "exception";
}

static const char *interrupt_name(uint64_t cause) {
    static const char *const names[] = {
        [SOFTWARE_S] = "supervisor software interrupt", [SOFTWARE_M] = "machine software interrupt",
        [TIMER_S] = "supervisor timer interrupt",       [TIMER_M] = "machine timer interrupt",
        [EXTERNAL_S] = "supervisor external interrupt", [EXTERNAL_M] = "machine external interrupt",
    };
    bool is_known = cause < sizeof names / sizeof names[0] && names[cause] != NULL;
    return is_known ? names[cause] : "interrupt";
}

const char *trap_name(uint64_t cause) {
    return cause & CAUSE_INTERRUPT ? interrupt_name(cause & ~CAUSE_INTERRUPT)
                                   : exception_name(cause);
}
