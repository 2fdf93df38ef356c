// Instructions that kill a process, and registers, which traps must not change.
#define TEST_FAMILY "process"
#include "test.h"

#include "support.h"

// Ends the test unless a process is killed when it does this.
static void check_crash(void (*crash)(void)) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        crash();
        exit(0);
    }
    CHECK_CHILD(TEST_STATUS_KILLED);
}

#define CRASH(name, code) \
    static void name(void) { \
        __asm__ volatile(code ::: "memory", "t0"); \
    }

CRASH(crash_null_load, "lb t0, 0(zero)")
CRASH(crash_null_store, "sb zero, 0(zero)")
CRASH(crash_null_jump, "jalr t0, 0(zero)")
CRASH(crash_zero_instruction, ".2byte 0")
CRASH(crash_illegal_instruction, ".4byte 0xffffffff")
CRASH(crash_read_supervisor_register, "csrr t0, sstatus")
CRASH(crash_write_supervisor_register, "csrw satp, zero")
CRASH(crash_read_machine_register, "csrr t0, mstatus")
CRASH(crash_write_counter, "csrw cycle, zero")
CRASH(crash_supervisor_return, "sret")
CRASH(crash_flush, "sfence.vma")
CRASH(crash_breakpoint, "ebreak")
CRASH(crash_floating_point, ".4byte 0xf2050053") // fmv.d.x ft0, a0

TEST(crashes_kill) {
    check_crash(crash_null_load);
    check_crash(crash_null_store);
    check_crash(crash_null_jump);
    check_crash(crash_zero_instruction);
    check_crash(crash_illegal_instruction);
    check_crash(crash_breakpoint);
}

TEST(privileged_instructions_kill) {
    check_crash(crash_read_supervisor_register);
    check_crash(crash_write_supervisor_register);
    check_crash(crash_read_machine_register);
    check_crash(crash_write_counter);
    check_crash(crash_supervisor_return);
    check_crash(crash_flush);
}

// The kernel does not save floating-point registers, so programs must not have any.
TEST(floating_point_kills) {
    check_crash(crash_floating_point);
}

TEST(counters_can_be_read) {
    uint64_t cycle, time, instret, later;
    __asm__ volatile("rdcycle %0; rdtime %1; rdinstret %2"
                     : "=r"(cycle), "=r"(time), "=r"(instret));
    delay(1000);
    __asm__ volatile("rdinstret %0" : "=r"(later));
    CHECK(later > instret + 1000);
}

TEST(wfi_instruction_does_no_harm) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        __asm__ volatile("wfi");
        exit(0);
    }
    int status;
    CHECK_EQUAL(pid, wait(&status));
    CHECK(status == 0 || status == TEST_STATUS_KILLED);
}

#define SAVED_REGISTERS(X) \
    X(s2) \
    X(s3) \
    X(s4) X(s5) X(s6) X(s7) X(s8) X(s9) X(s10) X(s11) X(t1) X(t2) X(t3) X(t4) X(t5) X(t6) X(ra)
#define SET(name) \
    "addi " #name ", %1, 1\n slli " #name ", " #name ", 17\n xor " #name ", " #name ", %1\n"
#define ADD(name) "add %0, %0, " #name "\n"
#define CLOBBER(name) , #name

// Gives every register a value, counts down, makes a system call, and returns the sum of the
// registers.
static uint64_t registers_sum(uint64_t seed, uint64_t delay_rounds) {
    register uint64_t sum __asm__("s1") = 0;
    register uint64_t base __asm__("a3") = seed;
    register uint64_t left __asm__("a4") = delay_rounds;
    __asm__ volatile(SAVED_REGISTERS(SET) "1: addi %2, %2, -1\n"
                                          "bgtz %2, 1b\n"
                                          "li a7, 11\n" // getpid
                                          "ecall\n" SAVED_REGISTERS(ADD)
                     : "+r"(sum), "+r"(base), "+r"(left)
                     :
                     : "memory", "a0", "a1", "a7" SAVED_REGISTERS(CLOBBER));
    return sum;
}

TEST(registers_survive_traps) {
    enum { CHILDREN = 12, REGISTERS = 17 };
    for (uint64_t child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            uint64_t seed = child * 0x123456789abc;
            for (uint64_t rounds = 1; rounds < 3000000; rounds *= 4)
                CHECK(registers_sum(seed, rounds) == REGISTERS * (((seed + 1) << 17) ^ seed));
        }
    }
    CHECK_CHILDREN(CHILDREN);
}

TEST(wild_registers_do_no_harm) {
    uint64_t result;
    __asm__ volatile("mv s2, sp\n mv s3, tp\n mv s4, gp\n"
                     "li sp, -1\n li tp, -64\n li gp, -4096\n"
                     "li s5, 2000000\n 1: addi s5, s5, -1\n bnez s5, 1b\n"
                     "li a7, 11\n ecall\n mv %0, a0\n"
                     "mv sp, s2\n mv tp, s3\n mv gp, s4\n"
                     : "=r"(result)
                     :
                     : "memory", "a0", "a1", "a7", "s2", "s3", "s4", "s5");
    CHECK_EQUAL(getpid(), result);
}

TEST(wild_stack_pointer_kills) {
    IN_CHILD {
        pid_t pid = TEST_FORK();
        if (pid == 0)
            __asm__ volatile("li sp, -4096\n sd zero, 0(sp)" ::: "memory");
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
    CHECK_CHILD(0);
}
