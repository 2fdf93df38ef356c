// The names of functions come from the symbol table of the program's file.
#include "trap/report.h"
#include <stdarg.h>

#include "abi/errno.h"
#include "arch/address.h"
#include "arch/csr.h"
#include "lib/format.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "proc/elf.h"
#include "proc/proc.h"
#include "vm/addrspace.h"
#include "vm/backing_file.h"

static const char *cause_name(uint64_t cause) {
    static const char *const names[CAUSES] = {
        [CAUSE_FETCH_MISALIGNED] = "misaligned jump",
        [CAUSE_FETCH_ACCESS_FAULT] = "access fault on a jump",
        [CAUSE_ILLEGAL_INSTRUCTION] = "illegal instruction",
        [CAUSE_BREAKPOINT] = "breakpoint instruction",
        [CAUSE_LOAD_MISALIGNED] = "misaligned load",
        [CAUSE_LOAD_ACCESS_FAULT] = "access fault on a load",
        [CAUSE_STORE_MISALIGNED] = "misaligned store",
        [CAUSE_STORE_ACCESS_FAULT] = "access fault on a store",
        [CAUSE_FETCH_PAGE_FAULT] = "page fault on a jump",
        [CAUSE_LOAD_PAGE_FAULT] = "page fault on a load",
        [CAUSE_STORE_PAGE_FAULT] = "page fault on a store",
    };
    return cause < CAUSES && names[cause] != NULL ? names[cause] : "trap of an unknown kind";
}

// Bytes of a symbol's name that are shown, and of a symbol table that are searched.
enum { SYMBOL_NAME_BYTES = 40, SYMBOL_TABLE_BYTES_MAX = 1 << 18 };

static bool read(struct inode *ip, uint64_t offset, void *to, size_t n) {
    return inode_read(ip, offset, to, n) == (int64_t)n;
}

static bool read_section(struct inode *ip, const struct elf_header *h, unsigned i,
                         struct elf_section *s) {
    return i < h->section_count && read(ip, h->section_offset + i * sizeof *s, s, sizeof *s);
}

// Finds the symbol table and the section with its names.
static bool find_sections(struct inode *ip, struct elf_section *symbols,
                          struct elf_section *names) {
    struct elf_header h;
    if (!read(ip, 0, &h, sizeof h) || elf_check_header(&h) != 0)
        return false;
    for (unsigned i = 0; i < h.section_count && read_section(ip, &h, i, symbols); i++) {
        if (symbols->type == ELF_SYMBOL_TABLE)
            return read_section(ip, &h, symbols->link, names);
    }
    return false;
}

// Looks up the function of the running program that contains pc in the symbol table of the
// program's file. Stores its name and the offset of pc in it; returns false if there is none. May
// sleep.
static bool find_symbol(const struct proc *p, vaddr_t pc, char name[SYMBOL_NAME_BYTES],
                        uint64_t *offset) {
    const struct region *r = addrspace_find(p->as, pc);
    struct elf_section symbols, names;
    struct elf_symbol s = {0};
    if (r == NULL || r->backing != &backing_file)
        return false;
    struct inode *ip = r->object;
    inode_lock_shared(ip);
    bool more = find_sections(ip, &symbols, &names), found = false;
    for (uint64_t at = 0; more && !found && at < symbols.size && at < SYMBOL_TABLE_BYTES_MAX;
         at += sizeof s) {
        more = read(ip, symbols.offset + at, &s, sizeof s);
        found = more && (s.info & 15) == ELF_FUNCTION && pc - s.value < s.size;
    }
    int64_t n = found ? inode_read(ip, names.offset + s.name, name, SYMBOL_NAME_BYTES - 1) : 0;
    inode_unlock(ip);
    name[n > 0 ? n : 0] = '\0';
    *offset = pc - s.value;
    return name[0] != '\0';
}

// Prints which process is killed, where (its pc, and the function if the file names it), and why.
static void report(const char *what) {
    char name[SYMBOL_NAME_BYTES], where[SYMBOL_NAME_BYTES + 32] = "";
    uint64_t offset;
    const struct proc *p = current_proc();
    vaddr_t pc = p->task.thread.user.pc;
    if (find_symbol(p, pc, name, &offset))
        format(where, sizeof where, " (%s+0x%lx)", name, (unsigned long)offset);
    print("%s (pid %d): killed at pc 0x%lx%s: %s\n", p->name, p->pid, (unsigned long)pc, where,
          what);
}

// Stores the reason why an access inside region r failed.
static void explain_inside(char *text, size_t size, const struct region *r, enum access access,
                           int error) {
    if (error == -ENOMEM)
        format(text, size, "out of memory: no free frame for the %s", r->name);
    else if (error != -EFAULT)
        format(text, size, "%s the %s (error %d)", error == -EIO ? "disk error at" : "cannot get",
               r->name, -error);
    else if (region_allows(r, access))
        format(text, size, "the file of the %s ends before it", r->name);
    else
        format(text, size, "the %s allows only %s%s%s", r->name,
               r->protection & PROT_READ ? "r" : "-", r->protection & PROT_WRITE ? "w" : "-",
               r->protection & PROT_EXEC ? "x" : "-");
}

// Stores the reason why an access to va, which is in no region, failed.
static void explain_outside(char *text, size_t size, struct addrspace *as, vaddr_t va) {
    const struct region *above = addrspace_find(as, va + PAGE_SIZE);
    if (va >= USER_END)
        format(text, size, "not a user address");
    else if (va < PAGE_SIZE)
        format(text, size, "a null pointer, no region");
    else if (above != NULL && above->start > va)
        format(text, size, "no region, but just below the %s%s", above->name,
               strcmp(above->name, "stack") == 0 ? ": stack overflow" : "");
    else
        format(text, size, "no region");
}

void report_bad_access(vaddr_t va, enum access access, int error) {
    static const char *const verbs[] = {
        [ACCESS_READ] = "load from", [ACCESS_WRITE] = "store to", [ACCESS_EXEC] = "jump to"};
    char why[80], what[140];
    struct addrspace *as = current_proc()->as;
    const struct region *r = addrspace_find(as, va);
    if (r != NULL)
        explain_inside(why, sizeof why, r, access, error);
    else
        explain_outside(why, sizeof why, as, va);
    format(what, sizeof what, "%s 0x%lx: %s", verbs[access], (unsigned long)va, why);
    report(what);
}

// The messages for exceptions other than page faults; the number in them is stval. Plain loads and
// stores may be misaligned, because the firmware then performs them byte by byte; a misaligned
// atomic access is reported as a load or as a store.
static const char *const descriptions[CAUSES] = {
    [CAUSE_FETCH_MISALIGNED] = "jump to 0x%lx: misaligned, no instruction can begin there",
    [CAUSE_FETCH_ACCESS_FAULT] = "jump to 0x%lx: access fault, there is no memory to execute",
    [CAUSE_ILLEGAL_INSTRUCTION] = "illegal instruction 0x%lx",
    [CAUSE_BREAKPOINT] = "breakpoint instruction, but no debugger is attached (0x%lx)",
    [CAUSE_LOAD_MISALIGNED] =
        "access to 0x%lx: misaligned, the address is not a multiple of the access's size",
    [CAUSE_LOAD_ACCESS_FAULT] =
        "load from 0x%lx: access fault, there is neither memory nor a device",
    [CAUSE_STORE_MISALIGNED] =
        "access to 0x%lx: misaligned, the address is not a multiple of the access's size",
    [CAUSE_STORE_ACCESS_FAULT] =
        "store to 0x%lx: access fault, there is neither memory nor a device",
};

void report_bad_instruction(uint64_t cause, uint64_t value) {
    char what[120];
    if (cause < CAUSES && descriptions[cause] != NULL)
        format(what, sizeof what, descriptions[cause], (unsigned long)value);
    else
        format(what, sizeof what, "exception %lu, which the kernel does not know (0x%lx)",
               (unsigned long)cause, (unsigned long)value);
    report(what);
}

void report_running_process(void) {
    const struct proc *p = proc_running();
    if (p == NULL)
        print("no process is running on this hart\n");
    else
        print("running: %s (pid %d), user pc 0x%lx\n", p->name, p->pid,
              (unsigned long)p->task.thread.user.pc);
}

// Panics with a message on behalf of the code that trapped.
static _Noreturn void panic_with(const struct registers *r, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    panic_at(r->pc, r->s0, format, arguments);
}

static bool is_below_stack(uint64_t va) {
    return va >= STACK_AREA && (va - STACK_AREA) % STACK_SLOT < STACK_SLOT - STACK_SIZE;
}

_Noreturn void report_kernel_fault(const struct registers *r, uint64_t cause, uint64_t value) {
    static const char names[] = "pc ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 "
                                "s6 s7 s8 s9 s10s11t3 t4 t5 t6 ";
    const uint64_t *values = &r->pc;
    print("\n");
    for (int row = 0; row < 32; row += 4) {
        char text[128];
        size_t n = 0;
        for (int i = row; i < row + 4; i++)
            n += format(text + n, sizeof text - n, "%s%c%c%c 0x%016lx", i == row ? "" : "  ",
                        names[3 * i], names[3 * i + 1], names[3 * i + 2], (unsigned long)values[i]);
        print("%s\n", text);
    }
    panic_with(r, "%s: cause %lu, address 0x%lx, pc 0x%lx%s", cause_name(cause),
               (unsigned long)cause, (unsigned long)value, (unsigned long)r->pc,
               is_below_stack(value) ? ": kernel stack overflow" : "");
}
