// The names of control and status registers.
#include "debug/csr_names.h"
#include "cpu/csr_numbers.h"

const struct csr_name csr_names[] = {
    {CSR_SSTATUS, "sstatus"},
    {CSR_SIE, "sie"},
    {CSR_STVEC, "stvec"},
    {CSR_SCOUNTEREN, "scounteren"},
    {CSR_SENVCFG, "senvcfg"},
    {CSR_SSCRATCH, "sscratch"},
    {CSR_SEPC, "sepc"},
    {CSR_SCAUSE, "scause"},
    {CSR_STVAL, "stval"},
    {CSR_SIP, "sip"},
    {CSR_STIMECMP, "stimecmp"},
    {CSR_SATP, "satp"},
    {CSR_MSTATUS, "mstatus"},
    {CSR_MISA, "misa"},
    {CSR_MEDELEG, "medeleg"},
    {CSR_MIDELEG, "mideleg"},
    {CSR_MIE, "mie"},
    {CSR_MTVEC, "mtvec"},
    {CSR_MCOUNTEREN, "mcounteren"},
    {CSR_MENVCFG, "menvcfg"},
    {CSR_MSCRATCH, "mscratch"},
    {CSR_MEPC, "mepc"},
    {CSR_MCAUSE, "mcause"},
    {CSR_MTVAL, "mtval"},
    {CSR_MIP, "mip"},
    {CSR_MCYCLE, "mcycle"},
    {CSR_MINSTRET, "minstret"},
    {CSR_CYCLE, "cycle"},
    {CSR_TIME, "time"},
    {CSR_INSTRET, "instret"},
    {CSR_MVENDORID, "mvendorid"},
    {CSR_MARCHID, "marchid"},
    {CSR_MIMPID, "mimpid"},
    {CSR_MHARTID, "mhartid"},
};

const size_t csr_name_count = sizeof csr_names / sizeof csr_names[0];

const char *csr_name_find(unsigned number) {
    for (size_t i = 0; i < csr_name_count; i++) {
        if (csr_names[i].number == number)
            return csr_names[i].name;
    }
    return NULL;
}
