// A panic prints what is known and stops the machine.
#include "lib/panic.h"
#include "arch/address.h"
#include "arch/hart.h"
#include "lib/print.h"

enum { BACKTRACE_MAX = 20 };

// Sorted by address. The build makes the table from the linked kernel (tools/symbols.py). An extra
// entry marks the end.
struct symbol {
    uint64_t address;
    const char *name;
};

extern const struct symbol kernel_symbols[];
extern const uint64_t kernel_symbol_count;

// Locks: [I] set at boot, [a] atomic.
static void (*describe_hook)(void); // [I]
static void (*end_hook)(void);      // [I]
static int panicking;               // [a]

void panic_set_hooks(void (*describe)(void), void (*end)(void)) {
    describe_hook = describe;
    end_hook = end;
}

bool panic_has_begun(void) {
    return __atomic_load_n(&panicking, __ATOMIC_RELAXED) != 0;
}

static void print_address(uint64_t pc) {
    const struct symbol *found = NULL;
    for (uint64_t i = 0; i < kernel_symbol_count && kernel_symbols[i].address <= pc; i++)
        found = &kernel_symbols[i];
    if (found != NULL && pc < kernel_symbols[kernel_symbol_count].address)
        print("  0x%lx %s+0x%lx\n", (unsigned long)pc, found->name,
              (unsigned long)(pc - found->address));
    else
        print("  0x%lx\n", (unsigned long)pc);
}

static bool is_in_stack(uint64_t p) {
    return p % 8 == 0 && p >= STACK_AREA &&
           (p - STACK_AREA) % STACK_SLOT >= STACK_SLOT - STACK_SIZE;
}

// Stack frames are as the compiler lays them out with -fno-omit-frame-pointer: the caller's frame
// pointer is at fp - 16, the return address at fp - 8. A leaf function saves no return address, and
// has the caller's frame pointer at fp - 8.
static void print_backtrace(uint64_t pc, uint64_t fp) {
    print("called from:\n");
    print_address(pc);
    for (int depth = 0; depth < BACKTRACE_MAX && is_in_stack(fp - 16) && is_in_stack(fp - 8);
         depth++) {
        const uint64_t *frame = (const uint64_t *)fp;
        if (is_in_stack(frame[-1])) {
            fp = frame[-1];
            continue;
        }
        pc = frame[-1] - 1; // inside the call: it may be the last instruction of its function
        if (pc < KERNEL_START)
            break;
        print_address(pc);
        if (frame[-2] <= fp)
            break;
        fp = frame[-2];
    }
}

static _Noreturn void stop(void) {
    for (;;)
        __asm__ volatile("" ::: "memory");
}

_Noreturn void panic_at(uint64_t pc, uint64_t fp, const char *format, va_list arguments) {
    if (__atomic_exchange_n(&panicking, 1, __ATOMIC_SEQ_CST) != 0)
        stop(); // another hart is reporting a panic, or this one panicked during its report
    thread_self()->ranks_held = 0;
    print_to(firmware_write); // not through the driver, whose lock may be held
    print("\npanic: hart %u: ", thread_self()->hart);
    print_list(format, arguments);
    print("\n");
    if (describe_hook != NULL)
        describe_hook();
    print_backtrace(pc, fp);
    if (end_hook != NULL)
        end_hook();
    print("halted (Ctrl-A X leaves QEMU)\n");
    stop();
}

_Noreturn void panic(const char *format, ...) {
    va_list list;
    va_start(list, format);
    panic_at((uint64_t)__builtin_return_address(0) - 1,
             ((uint64_t *)__builtin_frame_address(0))[-2], format, list);
}
