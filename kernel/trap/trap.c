// Decodes the cause of a trap and calls one handler.
#include "trap/trap.h"
#include "arch/csr.h"
#include "arch/hart.h"
#include "dev/plic.h"
#include "lib/panic.h"
#include "proc/proc.h"
#include "sched/schedule.h"
#include "sched/sleep.h"
#include "sched/stop.h"
#include "sys/syscall.h"
#include "trap/report.h"
#include "vm/fault.h"

void trap_serve_interrupts(void) {
    assert(may_sleep());
    unsigned interrupt;
    while ((interrupt = hart_take_interrupt()) != 0) {
        switch (interrupt) {
        case INTERRUPT_EXTERNAL:
            plic_serve(thread_self()->hart);
            break;
        case INTERRUPT_SOFTWARE:
            sched_halt_if_stopped();
            break;
        case INTERRUPT_TIMER:
            sleep_interrupt();
            break;
        }
    }
}

// Counts how many times in a row the same page fault recurs although vm_fault reported success.
static void note_fault(vaddr_t va) {
    struct last_fault *last = &current_proc()->last_fault;
    vaddr_t pc = thread_self()->user.pc;
    bool same = last->pc == pc && last->address == va;
    *last = (struct last_fault){pc, va, same ? last->repeats + 1 : 0};
}

static enum access access_of(uint64_t cause) {
    switch (cause) {
    case CAUSE_LOAD_PAGE_FAULT:
        return ACCESS_READ;
    case CAUSE_STORE_PAGE_FAULT:
        return ACCESS_WRITE;
    default:
        return ACCESS_EXEC;
    }
}

static void handle_page_fault(uint64_t cause, vaddr_t va) {
    enum access access = access_of(cause);
    note_fault(va);
    int error = vm_fault(current_proc()->as, va, access);
    if (error) {
        report_bad_access(va, access, error);
        proc_exit(-1);
    }
}

static void handle_call(void) {
    thread_self()->user.pc += 4;
    current_proc()->last_fault.repeats = 0;
    syscall_dispatch();
}

// Out of line, so that system calls save no registers for it.
static __attribute__((noinline)) void handle_exception(uint64_t cause, uint64_t value) {
    switch (cause) {
    case CAUSE_FETCH_PAGE_FAULT:
    case CAUSE_LOAD_PAGE_FAULT:
    case CAUSE_STORE_PAGE_FAULT:
        handle_page_fault(cause, value);
        break;
    default:
        report_bad_instruction(cause, value);
        proc_exit(-1);
    }
}

static void handle_interrupts(void) {
    trap_serve_interrupts();
    while (panic_has_begun())
        hart_wait();
    task_yield();
}

void trap_from_user(void) {
    uint64_t cause = csr_read(scause);
    if (cause == CAUSE_USER_ECALL)
        handle_call();
    else if (cause & CAUSE_INTERRUPT)
        handle_interrupts();
    else
        handle_exception(cause, csr_read(stval));
    if (task_is_killed())
        proc_exit(-1);
    assert(thread_self()->ranks_held == 0); // all locks that were taken have been dropped
}

_Noreturn void trap_from_kernel(const struct registers *r) {
    report_kernel_fault(r, csr_read(scause), csr_read(stval));
}
