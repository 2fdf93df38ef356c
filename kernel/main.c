// Starts every layer, and then the first process.
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "arch/address.h"
#include "arch/hart.h"
#include "dev/console.h"
#include "dev/disk.h"
#include "dev/machine.h"
#include "dev/options.h"
#include "dev/plic.h"
#include "dev/power.h"
#include "dev/uart.h"
#include "fs/mount.h"
#include "fs/path.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "mem/frame.h"
#include "proc/exec.h"
#include "proc/foreground.h"
#include "proc/proc.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "trap/report.h"
#include "trap/trap.h"
#include "vm/addrspace.h"
#include "vm/fork.h"
#include "vm/kernelmap.h"

enum {
    TREE_BYTES_MAX = 1 << 20,
    RAM_FOR_PROCESS = 128 << 10, // boot sets aside a tenth of it: its stack above all
    STATUS_CANNOT_START = 1,
    STATUS_PANIC = 127,
};

extern char kernel_end[]; // kernel.ld

static struct machine machine;
static struct options options;

// Called when process 1 has ended: powers off.
static void end_machine(int status) {
    if (options.init == NULL)
        print("init ended with status %d: powering off\n", status);
    power_off(status < 0 ? 255 : status);
}

// After a panic: under test powers off; otherwise returns, so that the user can read the message.
static void end_after_panic(void) {
    if (options.init != NULL)
        power_off(STATUS_PANIC);
}

// Says what is wrong if init= names no program or there is too little memory. NULL: another error.
static const char *error_text(int error) {
    switch (error) {
    case -ENOENT:
        return "no such file";
    case -ENOEXEC:
        return "not a program";
    case -ENOMEM:
        return "not enough memory";
    case -EACCES:
        return "a directory or a device";
    case -ENOTDIR:
        return "not a directory";
    default:
        return NULL;
    }
}

static _Noreturn void give_up(const char *what, const char *which, int error) {
    const char *text = error_text(error);
    if (text != NULL)
        print("cannot start: %s %s: %s\n", what, which, text);
    else
        print("cannot start: %s %s: error %d\n", what, which, -error);
    power_off(STATUS_CANNOT_START);
}

// Opens the console as descriptors 0, 1 and 2, for a program that runs in place of init.
static int open_console(struct proc *self) {
    struct inode *ip;
    int error = path_lookup(self->cwd, "/console", &ip);
    if (error == -ENOENT)
        error = path_create(self->cwd, "/console", T_DEVICE, DEVICE_CONSOLE, 0, &ip);
    if (error == 0)
        inode_put(ip);
    if (error == 0)
        error = file_open(self->cwd, "/console", O_RDWR, &self->files[0]);
    if (error)
        return error;
    self->files[1] = file_get(self->files[0]);
    self->files[2] = file_get(self->files[0]);
    return 0;
}

// Process 1: does what may sleep and so needs a process, then starts its program.
static void start_first_program(void) {
    static char text[ARGUMENT_BYTES];
    struct arguments arguments = {.text = text};
    struct proc *self = current_proc();
    int error = fs_mount(&self->cwd);
    if (error)
        give_up("the file system on", "the disk", error);
    if (options.init != NULL)
        error = open_console(self);
    if (error)
        give_up("opening", "/console", error);
    for (unsigned i = 0; i < options.argument_count && error == 0; i++)
        error = arguments_add(&arguments, options.arguments[i]);
    if (error == 0)
        error = proc_exec(options.arguments[0], &arguments);
    if (error < 0)
        give_up("running", options.arguments[0], error);
    thread_enter_user();
}

static void say_hello(void) {
    unsigned n = machine.hart_count;
    unsigned long mebibytes = (machine.ram_end - machine.ram_start) >> 20;
    if (options.init == NULL)
        print("\ncow6: %u hart%s, %lu MiB of memory\n", n, n > 1 ? "s" : "", mebibytes);
}

// Returns how many processes there may be at a time.
static unsigned process_count(void) {
    uint64_t count = (machine.ram_end - machine.ram_start) / RAM_FOR_PROCESS;
    return count < PROCS_MAX ? (unsigned)count : PROCS_MAX;
}

// Initializes the layers, lowest first, except that what a lower layer needs comes before it.
static void start_layers(unsigned boot_hart, paddr_t tree) {
    // arch and lib: traps, and what a panic reports
    hart_init();
    panic_set_hooks(report_running_process, end_after_panic);

    // dev: the device tree and the command line, which lower layers need, too
    int error = machine_read(&machine, phys_to_ptr(tree), TREE_BYTES_MAX, boot_hart);
    if (error)
        panic("the device tree at 0x%lx cannot be used (error %d)", (unsigned long)tree, -error);
    options_read(&options, machine.command_line);

    // mem: the RAM above the kernel
    frame_init(round_up(ptr_to_phys(kernel_end), PAGE_SIZE), machine.ram_end);

    // vm: the final map of the kernel, with a stack for each task
    unsigned processes = process_count();
    kernelmap_init(machine.ram_start, machine.ram_end, HARTS_MAX + processes);

    // sched: time and the idle tasks
    clock_init(machine.timer_hz);
    sched_init(machine.hart_ids, machine.hart_count, trap_serve_interrupts);

    // dev: power, messages, interrupts, line editing, the disk
    power_init(machine.finisher);
    uart_init(machine.uart.address);
    plic_init(&machine);
    plic_init_hart(0);
    console_init(machine.uart.irq);
    disk_init(&machine);

    // fs: the block cache and the tables
    fs_init(machine.ram_end - machine.ram_start);

    // vm: address spaces
    addrspace_init(processes);

    // proc: the process table and job control
    proc_init(processes);
    foreground_init(options.init == NULL);
}

// The boot hart arrives here from arch/entry.S.
_Noreturn void main(unsigned boot_hart, paddr_t tree) {
    start_layers(boot_hart, tree);
    if (options.fork_eagerly)
        fork_set_eager();
    frame_start(options.frames, options.fail_frame, options.fail_all_frames); // the rest is free
    say_hello();
    for (unsigned i = 0; i < options.unknown_count; i++)
        print("the kernel's command line: unknown option \"%s\"\n", options.unknown[i]);
    for (unsigned i = 1; i < machine.hart_count; i++) {
        if (hart_start(machine.hart_ids[i], &sched_idle_task(i)->thread) != 0)
            print("hart %u does not start\n", machine.hart_ids[i]);
    }
    proc_start_first(start_first_program, end_machine);
    thread_become(&sched_idle_task(0)->thread, sched_idle);
}

// The other harts arrive here, each on the stack of its idle task.
_Noreturn void main_secondary(void) {
    hart_init();
    plic_init_hart(thread_self()->hart);
    sched_idle();
}
