// Does one thing that a program must not do, to show how the kernel reports it.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "crash";

// A pointer that the compiler knows nothing about, so that it keeps the faulty access.
static volatile char *pointer_to(uintptr_t address) {
    __asm__("" : "+r"(address));
    return (volatile char *)address;
}

static void jump_to(uintptr_t address) {
    ((void (*)(void))(uintptr_t)pointer_to(address))();
}

static void read_null(void) {
    *pointer_to(0);
}

static void write_null(void) {
    *pointer_to(8) = 1;
}

static void write_text(void) {
    *pointer_to((uintptr_t)write_text) = 0;
}

static void write_constant(void) {
    *pointer_to((uintptr_t) "a constant") = 0;
}

static void read_kernel(void) {
    *pointer_to(0xffffffc080200000);
}

static void read_nowhere(void) {
    *pointer_to((uintptr_t)1 << 60);
}

static void write_past_heap(void) {
    *pointer_to((uintptr_t)sbrk(0) + PAGE_BYTES) = 1;
}

static void overflow_stack(void) {
    void (*volatile again)(void) = overflow_stack;
    volatile char frame[1024];
    frame[0] = 0;
    again();
    frame[1] = frame[0]; // keeps the frame alive, so that this is no tail call
}

static void jump_to_null(void) {
    jump_to(0);
}

static void jump_to_data(void) {
    static int data[] = {0x8082, 0x8082}; // ret, but in a page without execute permission
    jump_to((uintptr_t)data);
}

static void illegal_instruction(void) {
    __asm__ volatile("unimp");
}

static void privileged_instruction(void) {
    __asm__ volatile("sret");
}

static void breakpoint(void) {
    __asm__ volatile("ebreak");
}

static void misaligned_atomic(void) {
    static long words[2];
    uintptr_t address = (uintptr_t)words + 1;
    __asm__ volatile("amoadd.d zero, zero, (%0)" : : "r"(address) : "memory");
}

// No fault: on RISC-V the quotient has all bits set.
static void divide_by_zero(void) {
    long quotient;
    __asm__("div %0, %1, zero" : "=r"(quotient) : "r"(7L));
    printf("7 / 0 = %ld, which is not a fault on RISC-V\n", quotient);
}

// A forked child writes until memory runs out: only the child is killed.
static void use_all_memory(void) {
    struct memstat m;
    if (memstat(&m, 0) < 0)
        return;
    size_t bytes = m.frames_free / 2 * PAGE_BYTES;
    char *heap = bytes < INT32_MAX ? sbrk((int)bytes) : (char *)-1;
    if (heap == (char *)-1)
        return;
    memset(heap, 1, bytes);
    int pid = fork();
    for (size_t i = 0; pid == 0 && i < bytes; i += PAGE_BYTES)
        heap[i] = 2;
    int status = 0;
    if (pid > 0 && wait(&status) == pid)
        printf("the child that copied too much %s, the parent continues\n",
               status == -1 ? "was killed" : "ended");
}

static const struct {
    const char *name;
    void (*crash)(void);
    const char *what;
} crashes[] = {
    {"null", read_null, "read through a null pointer"},
    {"nullwrite", write_null, "write through a null pointer"},
    {"text", write_text, "write to the program's code"},
    {"constant", write_constant, "write to a string constant"},
    {"kernel", read_kernel, "read the kernel's memory"},
    {"nowhere", read_nowhere, "read an address that cannot exist"},
    {"heap", write_past_heap, "write past the end of the heap"},
    {"stack", overflow_stack, "call itself forever"},
    {"jump", jump_to_null, "jump through a null pointer"},
    {"data", jump_to_data, "run data as code"},
    {"ill", illegal_instruction, "run an illegal instruction"},
    {"priv", privileged_instruction, "run a privileged instruction"},
    {"break", breakpoint, "run a breakpoint without a debugger"},
    {"align", misaligned_atomic, "do an atomic access at an address that is not aligned"},
    {"div", divide_by_zero, "divide by zero"},
    {"memory", use_all_memory, "copy more pages than there are"},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(crashes); i++) {
        if (strcmp(argv[1], crashes[i].name) != 0)
            continue;
        crashes[i].crash();
        return 0;
    }
    fprintf(2, "usage: crash what\n");
    for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
        fprintf(2, "    %-10s %s\n", crashes[i].name, crashes[i].what);
    return 2;
}
