// The probe: a puppet that the grader plays. It runs as process 1 and, at a checkpoint, stops in a
// hardware breakpoint of the grader's, who reads what it wants to know from the registers and from
// memory, and answers by writing the next command into the argument registers. It decides nothing,
// prints nothing and uses system calls 1 to 21 by number, so that it runs on every kernel that has
// xv6's. Commands that must not be interrupted by a stop are loops of its own. A race that has come
// to a round in which its processes shall be looked at brings them to the checkpoint, too.
//
// Memory: text (R X) at 0, data (R W), one page of code that can be written (R W X), then what the
// kernel adds: the stack, of which one page must do, and the heap.
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;

#define PATTERN_STEP 0x9e3779b97f4a7c15
enum { PAGE = 4096, WORDS_OF_PAGE = PAGE / 8 };
enum {
    FORK = 1,
    EXIT = 2,
    WAIT = 3,
    PIPE = 4,
    READ = 5,
    KILL = 6,
    EXEC = 7,
    FSTAT = 8,
    GETPID = 11
};
enum { SBRK = 12, SLEEP = 13, UPTIME = 14, WRITE = 16 };
enum { EAGERLY = 1 }; // second argument of sbrk where it has one

// The grader reads these names and numbers from here.
enum operation {
    OP_PAUSE = 1, // ticks
    OP_CALL = 2,  // system call number, three arguments
    OP_FILL = 3,  // address, words, seed
    OP_CHECK = 4, // address, words, seed: how many words are wrong, where the first one is
    OP_STORE = 5, // address, value, bytes
    OP_LOAD = 6,  // address, bytes
    OP_ADD = 7,   // address, value: atomically; what was there before
    OP_JUMP = 8,  // address of a function: what it returns
    OP_WAIT = 9,  // pid, status
    OP_HOARD =
        11, // first step, most, in pages: takes all pages and touches them; how many, -1: no end
    OP_FORK_STORE =
        12, // address, two values: stores the first, forks, stores the second at once in the parent
    OP_FORK_REAP = 13, // times and pipe << 16, address, words, seed: see fork_reap; what the last
                       // fork returned
    OP_FORK_MANY = 14, // descriptor of a pipe: forks until that fails, each child awaits a byte;
                       // how many there are
    OP_AWAIT = 15,     // descriptor of a pipe: reads a byte and exits if it is 0
    OP_REAP = 16,      // n: waits for n children; how many ended with anything but 0
    OP_READ_LOAD = 17, // descriptor, address, bytes: loads, reads to there, loads again; that, and
                       // what read() returned
    OP_RACE_WRITERS = 18, // address, pages, rounds, seed: words that were wrong
    OP_RACE_OWNERS = 19,  // the same
    OP_RACE_CHURN = 20,   // the same
    OP_TOUCH = 21,        // address, pages: stores a word into each
    OP_SUM = 22,          // address, pages: the sum of all words; stops in it are made at sum_page
    OP_CYCLE = 23,     // address, times, a pipe and a file, way: see cycle; how often something was
                       // wrong, -1: no fork
    OP_GO = 24,        // ends a meeting: the race goes on; nothing else is to do
    OP_FORK_LOOK = 25, // address of a word, what it is: see fork_look; what fork returned
};

struct command {
    uint64_t operation, a, b, c, d;
};

// ---- What the grader finds by name ----

uint64_t data_pages[4][WORDS_OF_PAGE] __attribute__((aligned(PAGE))) = {{1}, {2}, {3}, {4}};
const char path_program[] = "/init", path_file[] = "/probe.out";
const char text_target[PAGE] __attribute__((section(".target"), aligned(PAGE))) =
    "Tests try to write here, which is program text.";
const char *const program_arguments[] = {path_program, 0};
// A probe that gets so many ends at once.
static const char *const last_arguments[] = {path_program, path_program, path_program, 0};

asm(".section .text.start, \"ax\"\n"
    ".globl _start, checkpoint\n"
    "_start: call play\n"
    "1: j 1b\n"
    ".section .text.checkpoint, \"ax\"\n"
    ".balign 16\n"
    "checkpoint: ret\n"
    // A function that returns 11, on a page that is data, too.
    ".section .code, \"awx\"\n"
    ".globl code_page\n"
    ".balign 4096\n"
    "code_page: .option push\n"
    ".option norvc\n"
    "li a0, 11\n"
    "ret\n"
    ".option pop\n"
    ".balign 4096\n"
    ".text\n");

// ---- Primitives ----

static long system_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c) {
    register uint64_t a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a7 asm("a7") = number;
    asm volatile("ecall"
                 : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a7)
                 :
                 : "memory", "a3", "a4", "a5", "a6");
    return (long)a0;
}

static long system_call0(uint64_t number) {
    return system_call(number, 0, 0, 0);
}

static uint64_t sbrk(long bytes) {
    return (uint64_t)system_call(SBRK, (uint64_t)bytes, EAGERLY, 0);
}

enum { DONE, MEETING }; // what brings a process to the checkpoint

// Shows the grader two results, the pid and why it is here, and gets the next command.
static void next_command(struct command *next, long result, long more, long why) {
    register long a2 asm("a2") = system_call0(GETPID);
    register long a0 asm("a0") = result, a1 asm("a1") = more, a3 asm("a3") = why, a4 asm("a4");
    asm volatile("call checkpoint"
                 : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "=r"(a4)
                 :
                 : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a5", "a6", "a7", "memory");
    *next = (struct command){(uint64_t)a0, (uint64_t)a1, (uint64_t)a2, (uint64_t)a3, (uint64_t)a4};
}

// The word that belongs at an address, for a seed. The grader computes the same.
static uint64_t pattern(uint64_t seed, uint64_t address) {
    return seed + address * PATTERN_STEP;
}

static void fill(uint64_t address, uint64_t words, uint64_t seed) {
    for (uint64_t end = address + 8 * words; address < end; address += 8)
        *(volatile uint64_t *)address = pattern(seed, address);
}

static long count_wrong(uint64_t address, uint64_t words, uint64_t seed, long *first) {
    long wrong = 0;
    *first = 0;
    for (uint64_t end = address + 8 * words; address < end; address += 8) {
        if (*(volatile uint64_t *)address == pattern(seed, address))
            continue;
        if (wrong++ == 0)
            *first = (long)address;
    }
    return wrong;
}

// Makes no system call. The grader stops processes at its first instruction.
__attribute__((noinline)) uint64_t sum_page(const volatile uint64_t *word) {
    uint64_t sum = 0;
    for (const volatile uint64_t *end = word + WORDS_OF_PAGE; word < end; word++)
        sum += *word;
    return sum;
}

static uint64_t sum_pages(uint64_t address, uint64_t pages) {
    uint64_t sum = 0;
    for (; pages > 0; pages--, address += PAGE)
        sum += sum_page((const volatile uint64_t *)address);
    return sum;
}

static void store(uint64_t address, uint64_t value, uint64_t bytes) {
    if (bytes == 1)
        asm volatile("sb %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
    else if (bytes == 2)
        asm volatile("sh %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
    else if (bytes == 4)
        asm volatile("sw %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
    else
        asm volatile("sd %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
}

static uint64_t load(uint64_t address, uint64_t bytes) {
    if (bytes == 1)
        return *(volatile uint8_t *)address;
    uint64_t value;
    asm volatile("ld %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static uint64_t add_atomically(uint64_t address, uint64_t value) {
    return __atomic_fetch_add((uint64_t *)address, value, __ATOMIC_SEQ_CST);
}

static long jump(uint64_t address) {
    asm volatile("fence.i" : : : "memory");
    return ((long (*)(void))address)();
}

static long wait(long *status) {
    int word = 0;
    long pid = system_call(WAIT, (uint64_t)&word, 0, 0);
    *status = word;
    return pid;
}

static long fork_store(volatile uint64_t *word, uint64_t before, uint64_t after) {
    *word = before;
    long pid = system_call0(FORK);
    if (pid > 0)
        *word = after;
    return pid;
}

// The child of a fork_look() comes here before it or its parent has made a system call. The grader
// stops it.
__attribute__((noinline)) uint64_t newborn(const volatile uint64_t *word) {
    return *word;
}

// The parent makes no system call before the word is another in its frame: the grader changes it
// from outside.
static long fork_look(const volatile uint64_t *word, uint64_t old) {
    long pid = system_call0(FORK);
    while (*word == old && pid > 0)
        continue;
    newborn(word);
    return pid;
}

// The hart has the page's translation when the kernel changes it.
static long read_load(uint64_t fd, uint64_t address, uint64_t bytes, long *got) {
    load(address, 8);
    *got = system_call(READ, fd, address, bytes);
    return (long)load(address, 8);
}

_Noreturn static void leave(long status) {
    system_call(EXIT, (uint64_t)status, 0, 0);
    for (;;)
        continue;
}

// Forks up to `times` times while that fails. Nothing is stored from the fork to the end of the
// child, so that no page is copied: there may be no memory for it. The child looks at the pattern
// and at the last word of the heap that the parent has touched; if all is well it writes a byte to
// the pipe, else it goes to the checkpoint, where nobody expects it.
static long fork_reap(uint64_t times, uint64_t pipe, uint64_t address, uint64_t words,
                      uint64_t seed) {
    register uint64_t t1 asm("t1") = address, t2 asm("t2") = address + 8 * words,
                         t3 asm("t3") = pattern(seed, address);
    register uint64_t t4 asm("t4") = 8 * PATTERN_STEP, t5 asm("t5") = times,
                         s2 asm("s2") = sbrk(0) - PAGE;
    register uint64_t s3 asm("s3") = *(volatile uint64_t *)s2, s4 asm("s4") = pipe;
    register const char *s5 asm("s5") = path_file;
    register long a0 asm("a0");
    asm volatile("1: li a7, 1; ecall\n" // fork
                 "mv t0, a0\n"
                 "addi t5, t5, -1\n"
                 "beqz a0, 2f\n"
                 "bgtz a0, 4f\n"
                 "bgtz t5, 1b\n"
                 "j 5f\n"
                 "2: ld t6, 0(t1)\n" // the child
                 "bne t6, t3, 3f\n"
                 "add t3, t3, t4\n"
                 "addi t1, t1, 8\n"
                 "bltu t1, t2, 2b\n"
                 "ld t6, 0(s2)\n"
                 "bne t6, s3, 3f\n"
                 "mv a0, s4; mv a1, s5; li a2, 1; li a7, 16; ecall\n" // write
                 "li a0, 0; li a7, 2; ecall\n"                        // exit
                 "3: li a2, 0; li a3, 0; call checkpoint\n"
                 "j 3b\n"
                 "4: li a0, 0; li a7, 3; ecall\n" // wait
                 "5: mv a0, t0"
                 : "=r"(a0), "+r"(t1), "+r"(t2), "+r"(t3), "+r"(t4), "+r"(t5), "+r"(s2), "+r"(s3),
                   "+r"(s4), "+r"(s5)
                 :
                 : "a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t6", "ra", "memory");
    return a0;
}

static long await(uint64_t fd) {
    char byte = 0;
    if (system_call(READ, fd, (uint64_t)&byte, 1) != 1 || byte == 0)
        leave(0);
    return 0;
}

// Returns in the parent, and in each child that was sent a byte other than 0.
static long fork_many(uint64_t fd) {
    for (long children = 0;; children++) {
        long pid = system_call0(FORK);
        if (pid < 0)
            return children;
        if (pid == 0)
            return await(fd);
    }
}

// ---- The same again and again ----

enum way { BY_EXIT, BY_EXEC, BY_KILL, BY_FAULT, BY_ORPHAN };

// How a child ends that has copies of its own, with a child of its own that outlives it if that is
// the way.
_Noreturn static void end_child(uint64_t way) {
    if (way == BY_EXEC)
        system_call(EXEC, (uint64_t)path_program, (uint64_t)last_arguments, 0);
    while (way == BY_KILL)
        system_call(SLEEP, 1, 0, 0);
    if (way == BY_FAULT)
        jump((uint64_t)&data_pages[3][WORDS_OF_PAGE / 2]); // zeroes are no instructions
    if (way == BY_ORPHAN && system_call0(FORK) == 0)
        system_call(SLEEP, 1, 0, 0);
    leave(way == BY_EXEC || way == BY_FAULT ? 99 : 0);
}

enum { CYCLE_PAGES = 8 }; // the last of the heap, all of which parent and child share

// A child writes to a page of its own each time: by itself, by system calls, and it gives one back.
static long write_each_way(uint64_t address, uint64_t reading, uint64_t file) {
    *(volatile uint64_t *)address = 1;
    return system_call(READ, reading, address + PAGE, 1) == 1 &&
           system_call(FSTAT, file, address + 4 * PAGE, 0) == 0 &&
           system_call(PIPE, address + 5 * PAGE, 0, 0) == 0 &&
           system_call(READ, file, address + 6 * PAGE, 1) >= 0 && sbrk(-PAGE) != ~0UL;
}

// A round: the child writes, the parent stores to the third page, wait() stores to the fourth, and
// the parent, which has all to itself then, stores to the others. So each round breaks at least six
// pages and frees as many frames.
static long cycle_once(uint64_t address, uint64_t fds, uint64_t way) {
    volatile int *status = (volatile int *)(address + 3 * PAGE);
    long wrong = system_call(WRITE, fds >> 16 & 0xffff, address, 1) != 1, pid = system_call0(FORK);
    if (pid == 0) {
        if (!write_each_way(address, fds & 0xffff, fds >> 32))
            leave(98);
        end_child(way);
    }
    if (pid < 0)
        return -1;
    *(volatile uint64_t *)(address + 2 * PAGE) = 1;
    if (way == BY_KILL)
        wrong += system_call(KILL, (uint64_t)pid, 0, 0) != 0;
    for (uint64_t ended = 0; ended < 1 + (way == BY_ORPHAN); ended++) {
        wrong += system_call(WAIT, (uint64_t)status, 0, 0) < 0;
        wrong += way != BY_KILL && way != BY_FAULT && *status != 0;
    }
    for (uint64_t page = 0; page < CYCLE_PAGES; page++)
        *(volatile uint64_t *)(address + page * PAGE + 8) = 1;
    return wrong;
}

// As often as it takes to break more pages than the machine has frames to hide.
static long cycle(uint64_t address, uint64_t times, uint64_t fds, uint64_t way) {
    long wrong = 0;
    for (; times > 0; times--) {
        long more = cycle_once(address, fds, way);
        if (more < 0)
            return -1;
        wrong += more;
    }
    return wrong;
}

// ---- All memory ----

// Grows the heap by as many pages as there are, in steps that get smaller. If there seem to be more
// than `most` pages sbrk promises without end; then everything is given back.
static long grow_to_the_limit(long step, long most) {
    long pages = 0;
    for (; step > 0; step /= 2) {
        while (pages <= most && sbrk(step * PAGE) != ~0UL)
            pages += step;
    }
    if (pages <= most)
        return pages;
    sbrk(-pages * PAGE);
    return -1;
}

static void touch(uint64_t address, long pages) {
    for (; pages > 0; pages--, address += PAGE)
        *(volatile uint64_t *)address = address;
}

static long hoard(long step, long most) {
    long pages = grow_to_the_limit(step, most);
    if (pages > 0)
        touch(sbrk(0) - (uint64_t)pages * PAGE, pages);
    return pages;
}

// ---- Races: several processes at once, without stops ----

// In rounds whose number is `meeting` modulo `period` the processes come to the checkpoint after
// the fork.
struct race {
    uint64_t address, pages, rounds, seed, period, meeting;
};

static long perform(const struct command *c, long *more);

// Does what the grader says until it says that the race goes on.
static void meet(void) {
    struct command command = {OP_PAUSE, 0, 0, 0, 0};
    long result = 0, more = 0;
    while (command.operation != OP_GO) {
        next_command(&command, result, more, MEETING);
        more = 0;
        result = perform(&command, &more);
    }
}

static void meet_in_round(const struct race *r, uint64_t round) {
    if (round % r->period == r->meeting)
        meet();
}

// Now and then all start at one tick, so that they meet even where an idle hart sleeps until its
// next tick.
static long starting_tick(uint64_t round) {
    return round % 8 == 0 ? system_call0(UPTIME) + 1 : 0;
}

static void wait_for_tick(long tick) {
    while (system_call0(UPTIME) < tick)
        continue;
}

static uint64_t *word_of(const struct race *r, uint64_t page, uint64_t index) {
    return (uint64_t *)(r->address + page * PAGE) + index;
}

// In races the grader stops processes at the first instructions of these two, which do not fault:
// who comes back from a fault would be stopped again.
__attribute__((noinline)) void write_word(volatile uint64_t *word, uint64_t value) {
    asm volatile("nop");
    *word = value;
}

// Writes one word of each page.
__attribute__((noinline)) void write_words(const struct race *r, uint64_t index, uint64_t value) {
    for (uint64_t page = 0; page < r->pages; page++)
        write_word(word_of(r, page, index), value + page);
}

// How many words are neither the pattern nor, at the index, what this process wrote.
static long count_strange(const struct race *r, uint64_t seed, uint64_t index, uint64_t value) {
    long strange = 0;
    for (uint64_t page = 0; page < r->pages; page++) {
        for (uint64_t i = 0; i < WORDS_OF_PAGE; i++) {
            uint64_t *word = word_of(r, page, i);
            uint64_t expected = i == index ? value + page : pattern(seed, (uint64_t)word);
            strange += *(volatile uint64_t *)word != expected;
        }
    }
    return strange;
}

// What a process does in a race: it writes its word of each page and looks at all words.
static long take_part(const struct race *r, uint64_t seed, uint64_t index, long tick) {
    wait_for_tick(tick);
    write_words(r, index, seed * index);
    return count_strange(r, seed, index, seed * index);
}

// Waits for n children: how many ended with anything but 0.
static long wait_all(uint64_t n) {
    long bad = 0, status;
    while (n-- > 0)
        bad += wait(&status) < 0 || status != 0;
    return bad;
}

static long race_writers(const struct race *r) {
    long wrong = 0;
    for (uint64_t round = 0; round < r->rounds; round++) {
        uint64_t seed = r->seed + round, children = 0;
        fill(r->address, r->pages * WORDS_OF_PAGE, seed);
        long tick = starting_tick(round);
        while (children < 2) {
            long pid = system_call0(FORK);
            if (pid == 0) {
                meet_in_round(r, round);
                leave(take_part(r, seed, 2 + children, tick) != 0);
            }
            if (pid < 0)
                return -1;
            children++;
        }
        meet_in_round(r, round);
        wrong += take_part(r, seed, 1, tick);
        wrong += wait_all(children);
    }
    return wrong;
}

// Parent and child are the last two owners; they write, or one of them exits, at the same moment.
static long race_owners(const struct race *r) {
    long wrong = 0;
    for (uint64_t round = 0; round < r->rounds; round++) {
        uint64_t seed = r->seed + round;
        fill(r->address, r->pages * WORDS_OF_PAGE, seed);
        long tick = starting_tick(round), pid = system_call0(FORK);
        if (pid < 0)
            return -1;
        meet_in_round(r, round);
        if (pid == 0) {
            if (round % 2 == 0)
                leave(take_part(r, seed, 2, tick) != 0);
            wait_for_tick(tick);
            leave(0);
        }
        wrong += take_part(r, seed, 1, tick);
        wrong += wait_all(1);
    }
    return wrong;
}

enum { SHARED_ROUNDS = 60, WORKERS = 3 };

// Children that exit at once, of pages that all workers still share.
static long churn_shared(long until) {
    long wrong = 0;
    for (uint64_t round = 0; round < SHARED_ROUNDS || system_call0(UPTIME) < until - 1; round++) {
        long pid = system_call0(FORK);
        if (pid == 0)
            leave(0);
        wrong += pid < 0 || wait_all(1);
    }
    return wrong;
}

// A child of the churn. It meets the others of its family if its worker, who is the first, does.
_Noreturn static void churn_child(const struct race *r, uint64_t seed, uint64_t round, int meets) {
    if (round % 4 == 0)
        leave(0);
    long grandchild = system_call0(FORK);
    if (meets)
        meet_in_round(r, round);
    long strange = take_part(r, seed, 1 + round % 8, 0);
    if (grandchild == 0)
        leave(strange != 0);
    if (grandchild > 0 && round % 4 == 1)
        strange += wait_all(1);
    leave(strange != 0);
}

// A worker of the churn: its children write and exit, and so do theirs; its own memory stays as it
// was.
static long churn(const struct race *r, uint64_t seed, long until, int meets) {
    long wrong = churn_shared(until);
    fill(r->address, r->pages * WORDS_OF_PAGE, seed);
    for (uint64_t round = 0; round < r->rounds || system_call0(UPTIME) < until; round++) {
        long pid = system_call0(FORK);
        if (pid < 0)
            return wrong + 1;
        if (pid == 0)
            churn_child(r, seed, round, meets && round < r->rounds);
        if (meets && round < r->rounds)
            meet_in_round(r, round);
        wrong += wait_all(1);
    }
    return wrong + count_strange(r, seed, WORDS_OF_PAGE, 0);
}

// Grandchildren that were left alone become children of process 1, which is this one.
static long race_churn(const struct race *r) {
    long until = system_call0(UPTIME) + 3, wrong = 0, status;
    for (uint64_t i = 0; i < WORKERS; i++) {
        long pid = system_call0(FORK);
        if (pid == 0) {
            wait_for_tick(until - 2);
            leave(churn(r, r->seed + i, until, i == 0) != 0);
        }
        if (pid < 0)
            return -1;
    }
    while (wait(&status) >= 0)
        wrong += status != 0;
    return wrong;
}

// ---- The puppet ----

static long perform(const struct command *c, long *more) {
    struct race race = {c->a, c->b, c->c & 0xffff, c->d, c->c >> 16 & 0xffff, c->c >> 32};
    switch (c->operation) {
    case OP_PAUSE:
        return system_call(SLEEP, c->a, 0, 0);
    case OP_CALL:
        return system_call(c->a, c->b, c->c, c->d);
    case OP_FILL:
        fill(c->a, c->b, c->c);
        return 0;
    case OP_CHECK:
        return count_wrong(c->a, c->b, c->c, more);
    case OP_STORE:
        store(c->a, c->b, c->c);
        return 0;
    case OP_LOAD:
        return (long)load(c->a, c->b);
    case OP_ADD:
        return (long)add_atomically(c->a, c->b);
    case OP_JUMP:
        return jump(c->a);
    case OP_WAIT:
        return wait(more);
    case OP_HOARD:
        return hoard((long)c->a, (long)c->b);
    case OP_FORK_STORE:
        return fork_store((volatile uint64_t *)c->a, c->b, c->c);
    case OP_FORK_REAP:
        return fork_reap(c->a & 0xffff, c->a >> 16, c->b, c->c, c->d);
    case OP_FORK_MANY:
        return fork_many(c->a);
    case OP_AWAIT:
        return await(c->a);
    case OP_REAP:
        return wait_all(c->a);
    case OP_READ_LOAD:
        return read_load(c->a, c->b, c->c, more);
    case OP_RACE_WRITERS:
        return race_writers(&race);
    case OP_RACE_OWNERS:
        return race_owners(&race);
    case OP_RACE_CHURN:
        return race_churn(&race);
    case OP_TOUCH:
        touch(c->a, (long)c->b);
        return 0;
    case OP_SUM:
        return (long)sum_pages(c->a, c->b);
    case OP_CYCLE:
        return cycle(c->a, c->b, c->c, c->d);
    case OP_FORK_LOOK:
        return fork_look((const volatile uint64_t *)c->a, c->b);
    default:
        return -1;
    }
}

_Noreturn void play(long arguments) {
    struct command command;
    long result = 0, more = 0;
    if (arguments == sizeof last_arguments / sizeof *last_arguments - 1)
        leave(0);
    for (;;) {
        next_command(&command, result, more, DONE);
        more = 0;
        result = perform(&command, &more);
    }
}
