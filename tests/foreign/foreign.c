// A program as another tree for xv6-riscv builds it: it has its own stubs, which make system calls
// by number, and its own structures, and is linked at address 0. Shows that such programs run
// unchanged.
//
//   foreign one two      the tests
//   foreign exit N       exits with status N

typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long uint64;

struct stat {
    int dev;
    uint ino;
    short type;
    short nlink;
    uint64 size;
};

struct dirent {
    ushort inum;
    char name[14];
};

enum { TYPE_DIRECTORY = 1, TYPE_FILE = 2, TYPE_DEVICE = 3 };
enum { READ_ONLY = 0, WRITE_ONLY = 1, READ_WRITE = 2, CREATE = 0x200, TRUNCATE = 0x400 };
enum { BAD = -1 };

static long system_call(long number, long a, long b, long c) {
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a7) : "memory");
    return a0;
}

static int int_call(long number, long a, long b, long c) {
    return (int)system_call(number, a, b, c);
}

#define FORK() int_call(1, 0, 0, 0)
#define EXIT(status) system_call(2, (status), 0, 0)
#define WAIT(status) int_call(3, (long)(status), 0, 0)
#define PIPE(fds) int_call(4, (long)(fds), 0, 0)
#define READ(fd, p, n) int_call(5, (fd), (long)(p), (n))
#define KILL(pid) int_call(6, (pid), 0, 0)
#define EXEC(path, args) int_call(7, (long)(path), (long)(args), 0)
#define FSTAT(fd, s) int_call(8, (fd), (long)(s), 0)
#define CHDIR(path) int_call(9, (long)(path), 0, 0)
#define DUP(fd) int_call(10, (fd), 0, 0)
#define GETPID() int_call(11, 0, 0, 0)
#define SBRK(n) system_call(12, (n), 0, 0)
#define SLEEP(n) int_call(13, (n), 0, 0)
#define UPTIME() int_call(14, 0, 0, 0)
#define OPEN(path, flags) int_call(15, (long)(path), (flags), 0)
#define WRITE(fd, p, n) int_call(16, (fd), (long)(p), (n))
#define MKNOD(p, ma, mi) int_call(17, (long)(p), (ma), (mi))
#define UNLINK(path) int_call(18, (long)(path), 0, 0)
#define LINK(old, new) int_call(19, (long)(old), (long)(new), 0)
#define MKDIR(path) int_call(20, (long)(path), 0, 0)
#define CLOSE(fd) int_call(21, (fd), 0, 0)

static int passed, failed;
static volatile char zeroes[10000]; // so that there is a bss
static volatile int initialised = 42;
static char *own_name;

static int length(const char *s) {
    int n = 0;
    while (s[n])
        n++;
    return n;
}

static int same(const char *a, const char *b) {
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static void put(const char *s) {
    WRITE(1, s, length(s));
}

static void put_number(long n) {
    char text[24];
    int i = sizeof text;
    uint64 rest = n < 0 ? -(uint64)n : (uint64)n;
    text[--i] = 0;
    do
        text[--i] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (n < 0)
        text[--i] = '-';
    put(text + i);
}

static void check(const char *name, long expected, long saw) {
    put(name);
    if (expected == saw) {
        passed++;
        put(": ok\n");
        return;
    }
    failed++;
    put(": FAIL expected ");
    put_number(expected);
    put(", saw ");
    put_number(saw);
    put("\n");
}

static void test_arguments(int argc, char **argv) {
    check("argc", 3, argc);
    check("argv", 1, same(argv[1], "one") && same(argv[2], "two"));
    check("argv_end", 1, argv[3] == 0);
    check("data", 42, initialised);
    check("bss", 0, zeroes[0] | zeroes[9999]);
}

static void test_files(void) {
    struct stat st;
    char byte[4] = {0};
    int fd = OPEN("foreign.tmp", CREATE | READ_WRITE);
    check("create", 1, fd > 2);
    check("write", 3, WRITE(fd, "abc", 3));
    check("fstat", 0, FSTAT(fd, &st));
    check("stat_type", TYPE_FILE, st.type);
    check("stat_size", 3, (long)st.size);
    check("stat_nlink", 1, st.nlink);
    check("stat_dev", 1, st.dev);
    check("close", 0, CLOSE(fd));
    check("close_twice", BAD, CLOSE(fd));
    fd = OPEN("foreign.tmp", READ_ONLY);
    check("read", 3, READ(fd, byte, 4));
    check("read_end", 0, READ(fd, byte, 4));
    check("read_bytes", 1, same(byte, "abc"));
    check("write_to_read_only", BAD, WRITE(fd, "x", 1));
    CLOSE(fd);
    CLOSE(OPEN("foreign.tmp", WRITE_ONLY | TRUNCATE));
    fd = OPEN("foreign.tmp", READ_ONLY);
    check("truncated", 0, READ(fd, byte, 4));
    CLOSE(fd);
    check("link", 0, LINK("foreign.tmp", "foreign.two"));
    check("unlink", 0, UNLINK("foreign.tmp"));
    check("unlink_twice", BAD, UNLINK("foreign.tmp"));
    check("open_unlinked", BAD, OPEN("foreign.tmp", READ_ONLY));
    check("unlink_link", 0, UNLINK("foreign.two"));
    fd = OPEN("README", READ_ONLY);
    check("readme", 1, fd > 2);
    CLOSE(fd);
}

static void test_directories(void) {
    struct stat st;
    struct dirent entry;
    check("mkdir", 0, MKDIR("foreign.dir"));
    check("mkdir_twice", BAD, MKDIR("foreign.dir"));
    check("chdir", 0, CHDIR("foreign.dir"));
    int fd = OPEN(".", READ_ONLY);
    check("directory_entry", 16, READ(fd, &entry, sizeof entry));
    check("dot", 1, same(entry.name, "."));
    FSTAT(fd, &st);
    check("dot_inode", st.ino, entry.inum);
    check("directory_type", TYPE_DIRECTORY, st.type);
    CLOSE(fd);
    check("open_directory_to_write", BAD, OPEN(".", READ_WRITE));
    CHDIR("..");
    check("unlink_directory", 0, UNLINK("foreign.dir"));
    check("mknod", 0, MKNOD("foreign.dev", 1, 0));
    fd = OPEN("foreign.dev", READ_WRITE);
    FSTAT(fd, &st);
    check("device_type", TYPE_DEVICE, st.type);
    CLOSE(fd);
    UNLINK("foreign.dev");
}

static void test_processes(void) {
    int status = 99, fds[2];
    char byte = 0;
    int child = FORK();
    if (child == 0) {
        initialised = 1;
        EXIT(5);
    }
    check("wait", child, WAIT(&status));
    check("wait_status", 5, status);
    check("fork_copies", 42, initialised);
    check("wait_no_child", BAD, WAIT(0));
    child = FORK();
    while (child == 0)
        SLEEP(1);
    check("kill", 0, KILL(child));
    WAIT(&status);
    check("killed_status", -1, status);
    check("kill_unknown_pid", BAD, KILL(99999));
    check("pipe", 0, PIPE(fds));
    check("pipe_write", 1, WRITE(fds[1], "x", 1));
    check("pipe_read", 1, READ(fds[0], &byte, 1));
    CLOSE(fds[1]);
    check("pipe_end", 0, READ(fds[0], &byte, 1));
    int copy = DUP(fds[0]);
    check("dup", fds[1], copy);
    CLOSE(copy);
    CLOSE(fds[0]);
    child = FORK();
    if (child == 0) {
        char *args[] = {own_name, "exit", "9", 0};
        EXEC(own_name, args);
        EXIT(1);
    }
    WAIT(&status);
    check("exec", 9, status);
    check("exec_missing", BAD, EXEC("foreign.none", 0));
    check("getpid", 1, GETPID() >= 1);
}

// The stack is one page with a hole below it; the heap begins where the stack ends, and is empty.
static void test_stack(void) {
    volatile char local = 0;
    char *end = (char *)SBRK(0);
    int status = 0;
    check("heap_starts_at_a_page", 0, (long)end % 4096);
    check("stack_ends_at_the_heap", 1, (char *)&local < end && (char *)&local >= end - 4096);
    *(volatile char *)(end - 1) = *(volatile char *)(end - 1);
    int child = FORK();
    if (child == 0)
        EXIT(*(volatile char *)(end - 4097) & 1);
    WAIT(&status);
    check("hole_below_the_stack", -1, status);
    child = FORK();
    if (child == 0)
        EXIT(*(volatile char *)end & 1);
    WAIT(&status);
    check("hole_above_the_stack", -1, status);
}

static void test_memory(void) {
    long old = SBRK(10000);
    check("sbrk", 1, old > 0);
    check("sbrk_zero", 0, ((char *)old)[9999]);
    ((char *)old)[9999] = 7;
    check("sbrk_grown", old + 10000, SBRK(0));
    check("sbrk_shrink", old + 10000, SBRK(-10000));
    check("sbrk_back", old, SBRK(0));
    check("sbrk_huge", BAD, SBRK(1L << 30));
    check("bad_pointer", BAD, WRITE(1, (char *)0xffffffffffff0000, 10));
    check("bad_path", BAD, OPEN((char *)0x80000000, READ_ONLY));
    check("unknown_call", BAD, system_call(999, 0, 0, 0));
}

int main(int argc, char **argv) {
    own_name = argv[0];
    if (argc == 3 && same(argv[1], "exit"))
        EXIT(argv[2][0] - '0');
    int start = UPTIME();
    test_arguments(argc, argv);
    test_files();
    test_directories();
    test_processes();
    test_stack();
    test_memory();
    SLEEP(2);
    check("sleep_tenths", 1, UPTIME() - start >= 2);
    if (failed == 0)
        put("ALL FOREIGN TESTS PASSED\n");
    put_number(passed);
    put(" passed, ");
    put_number(failed);
    put(" failed\n");
    EXIT(failed != 0);
    return 0;
}
