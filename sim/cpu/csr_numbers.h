// Numbers of control and status registers, and their bits (RISC-V Privileged Architecture).
#pragma once
#include <stdint.h>

enum csr_number {
    CSR_SSTATUS = 0x100,
    CSR_SIE = 0x104,
    CSR_STVEC = 0x105,
    CSR_SCOUNTEREN = 0x106,
    CSR_SENVCFG = 0x10a,
    CSR_SSCRATCH = 0x140,
    CSR_SEPC = 0x141,
    CSR_SCAUSE = 0x142,
    CSR_STVAL = 0x143,
    CSR_SIP = 0x144,
    CSR_STIMECMP = 0x14d,
    CSR_SATP = 0x180,
    CSR_MSTATUS = 0x300,
    CSR_MISA = 0x301,
    CSR_MEDELEG = 0x302,
    CSR_MIDELEG = 0x303,
    CSR_MIE = 0x304,
    CSR_MTVEC = 0x305,
    CSR_MCOUNTEREN = 0x306,
    CSR_MENVCFG = 0x30a,
    CSR_MCOUNTINHIBIT = 0x320,
    CSR_MHPMEVENT3 = 0x323,
    CSR_MHPMEVENT31 = 0x33f,
    CSR_MSCRATCH = 0x340,
    CSR_MEPC = 0x341,
    CSR_MCAUSE = 0x342,
    CSR_MTVAL = 0x343,
    CSR_MIP = 0x344,
    CSR_PMPCFG0 = 0x3a0,
    CSR_PMPCFG15 = 0x3af,
    CSR_PMPADDR0 = 0x3b0,
    CSR_PMPADDR63 = 0x3ef,
    CSR_MCYCLE = 0xb00,
    CSR_MINSTRET = 0xb02,
    CSR_MHPMCOUNTER3 = 0xb03,
    CSR_MHPMCOUNTER31 = 0xb1f,
    CSR_CYCLE = 0xc00,
    CSR_TIME = 0xc01,
    CSR_INSTRET = 0xc02,
    CSR_HPMCOUNTER31 = 0xc1f,
    CSR_MVENDORID = 0xf11,
    CSR_MARCHID = 0xf12,
    CSR_MIMPID = 0xf13,
    CSR_MHARTID = 0xf14,
    CSR_MCONFIGPTR = 0xf15,
};

enum privilege { USER = 0, SUPERVISOR = 1, MACHINE = 3 };

// mstatus and, for those that it has, sstatus.
#define STATUS_SIE (UINT64_C(1) << 1)
#define STATUS_MIE (UINT64_C(1) << 3)
#define STATUS_SPIE (UINT64_C(1) << 5)
#define STATUS_MPIE (UINT64_C(1) << 7)
#define STATUS_SPP (UINT64_C(1) << 8)
#define STATUS_MPP (UINT64_C(3) << 11)
#define STATUS_MPRV (UINT64_C(1) << 17)
#define STATUS_SUM (UINT64_C(1) << 18)
#define STATUS_MXR (UINT64_C(1) << 19)
#define STATUS_TVM (UINT64_C(1) << 20)
#define STATUS_TW (UINT64_C(1) << 21)
#define STATUS_TSR (UINT64_C(1) << 22)
#define STATUS_WIDTHS (UINT64_C(2) << 32 | UINT64_C(2) << 34) // user and supervisor mode: 64 bits

enum { STATUS_MPP_SHIFT = 11 };

// mip and mie: bit numbers, which are also the causes of interrupts.
enum interrupt {
    SOFTWARE_S = 1,
    SOFTWARE_M = 3,
    TIMER_S = 5,
    TIMER_M = 7,
    EXTERNAL_S = 9,
    EXTERNAL_M = 11,
};

#define BIT(n) (UINT64_C(1) << (n))
#define SUPERVISOR_INTERRUPTS (BIT(SOFTWARE_S) | BIT(TIMER_S) | BIT(EXTERNAL_S))
#define MACHINE_INTERRUPTS (BIT(SOFTWARE_M) | BIT(TIMER_M) | BIT(EXTERNAL_M))

enum exception {
    FETCH_MISALIGNED = 0,
    FETCH_FAULT = 1,
    ILLEGAL_INSTRUCTION = 2,
    BREAKPOINT = 3,
    LOAD_MISALIGNED = 4,
    LOAD_FAULT = 5,
    STORE_MISALIGNED = 6,
    STORE_FAULT = 7,
    CALL_FROM_USER = 8,
    CALL_FROM_SUPERVISOR = 9,
    CALL_FROM_MACHINE = 11,
    FETCH_PAGE_FAULT = 12,
    LOAD_PAGE_FAULT = 13,
    STORE_PAGE_FAULT = 15,
    PAUSED = 64, // not the guest's: the instruction is to be executed another time
};

#define CAUSE_INTERRUPT BIT(63)

#define SATP_SV39 (UINT64_C(8) << 60)
#define SATP_MODE (UINT64_C(15) << 60)
#define SATP_PPN ((UINT64_C(1) << 44) - 1)
#define SATP_ASID (UINT64_C(0xffff) << 44)

enum { SATP_ASID_SHIFT = 44, SPACE_MASK = 0xffff };

#define ENVIRONMENT_STCE BIT(63) // of menvcfg: stimecmp makes the supervisor's timer interrupts
#define ENVIRONMENT_FIOM BIT(0)
