// exec: arguments, what stays and what goes, and files that are no good programs, built here byte
// by byte (ELF-64 as the System V ABI and its RISC-V supplement describe it).
#define TEST_FAMILY "exec"
#include "test.h"

#include "support.h"

enum {
    STATUS_REFUSED = 200, // plus errno: of a child whose exec failed, and which is unharmed
    STATUS_HARMED = 199,  // exec failed and changed something
    STATUS_RAN = 42,      // of the program in the images
    PT_LOAD = 1,
    FLAG_EXEC = 1,
    FLAG_WRITE = 2,
    FLAG_READ = 4,
    IMAGE_START = 0x10000,
};

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

// A program file of three pages: headers; text; data.
struct image {
    struct elf_header header;
    struct elf_segment segments[4];
    uint8_t gap[PAGE - sizeof(struct elf_header) - 4 * sizeof(struct elf_segment)];
    uint32_t text[PAGE / 4];
    uint32_t data[PAGE / 4];
};

// Writes to its data and its zeroes, and exits with the number that is in its data.
static const uint32_t code[] = {
    0x00011537, // lui a0, 0x11
    0x00052503, // lw a0, 0(a0)
    0x000115b7, // lui a1, 0x11
    0x0005a223, // sw zero, 4(a1)
    0x000125b7, // lui a1, 0x12
    0xfe05ae23, // sw zero, -4(a1)
    0x00200893, // li a7, 2
    0x00000073, // ecall: exit(a0)
};

static struct image *image_make(void) {
    static struct image image;
    image = (struct image){
        .header = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                   .type = 2,
                   .machine = 243,
                   .version = 1,
                   .entry = IMAGE_START,
                   .phoff = sizeof(struct elf_header),
                   .ehsize = sizeof(struct elf_header),
                   .phentsize = sizeof(struct elf_segment),
                   .phnum = 2},
        .segments = {{.type = PT_LOAD,
                      .flags = FLAG_READ | FLAG_EXEC,
                      .offset = PAGE,
                      .vaddr = IMAGE_START,
                      .filesz = sizeof code,
                      .memsz = sizeof code,
                      .align = PAGE},
                     {.type = PT_LOAD,
                      .flags = FLAG_READ | FLAG_WRITE,
                      .offset = 2 * PAGE,
                      .vaddr = IMAGE_START + PAGE,
                      .filesz = 16,
                      .memsz = PAGE,
                      .align = PAGE}},
        .data = {STATUS_RAN},
    };
    memcpy(image.text, code, sizeof code);
    return &image;
}

// Executes the path in a child; returns its status: the new program's, or one of those above.
static int status_of_exec(const char *path) {
    int pid = TEST_FORK();
    if (pid == 0) {
        static char marked[PAGE];
        memset(marked, 0x5a, sizeof marked);
        int fd = lowest_free_fd();
        char *heap = sbrk(0);
        exec(path, (char *[]){"image", "an argument", NULL});
        int error = errno;
        CHECK_BYTES(marked, 0x5a, sizeof marked);
        exit(lowest_free_fd() == fd && sbrk(0) == heap ? STATUS_REFUSED + error : STATUS_HARMED);
    }
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    return status;
}

static int status_of_bytes(const void *bytes, size_t size) {
    file_make("image", bytes, size);
    int status = status_of_exec("image");
    CHECK_EQUAL(0, unlink("image"));
    return status;
}

static int status_of_image(const struct image *image) {
    return status_of_bytes(image, sizeof *image);
}

// For images of which a kernel may think this or that: whatever they do, or if they are refused, no
// harm is done.
static void check_no_harm(const struct image *image) {
    CHECK(status_of_image(image) != STATUS_HARMED);
}

// Ends the test unless the arguments (without a last NULL) reach the program.
static void check_arguments(char **arguments, int count) {
    char *bytes = buffer;
    CHECK(arguments[count] == NULL);
    struct helper helper = helper_start(arguments);
    int seen;
    read_fully(helper.from, &seen, sizeof seen);
    CHECK_EQUAL(count, seen);
    for (int i = 0; i < count; i++) {
        size_t size = strlen(arguments[i]) + 1;
        read_fully(helper.from, bytes, size);
        CHECK_STRING(arguments[i], bytes);
    }
    CHECK_EQUAL(0, read(helper.from, bytes, 1));
    helper_finish(&helper, 0);
}

TEST(exec_passes_arguments) {
    char *arguments[ARGS_MAX] = {"+arguments"};
    check_arguments(arguments, 1);
    arguments[1] = "";
    check_arguments(arguments, 2);
    for (int i = 1; i < ARGS_MAX - 1; i++)
        arguments[i] = i % 3 == 0 ? "" : "an argument of some length, \x01\x7f\xff";
    check_arguments(arguments, ARGS_MAX - 1);
}

TEST(exec_passes_long_arguments) {
    static char longest[3501];
    memset(longest, 'x', sizeof longest - 1);
    check_arguments((char *[]){"+arguments", longest, NULL}, 2);
    check_arguments((char *[]){"+arguments", longest, longest + 3400, "z", NULL}, 4);
}

TEST(exec_without_arguments) {
    CHECK_EQUAL(STATUS_NO_ARGUMENTS, helper_run((char *[]){NULL}));
}

TEST(exec_refuses_too_many_arguments) {
    char *arguments[ARGS_MAX + 9];
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        arguments[i] = "x";
    CHECK_FAILS(exec(USERTESTS, arguments), E2BIG);
    arguments[ARGS_MAX] = NULL;
    CHECK_FAILS(exec(USERTESTS, arguments), E2BIG);
}

TEST(exec_refuses_too_long_arguments) {
    static char text[2 * PAGE];
    memset(text, 'x', sizeof text - 1);
    CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", text, NULL}), E2BIG);
    CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", text + PAGE - 1, NULL}), E2BIG);
    CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", text + 5000, text + 5000, NULL}), E2BIG);
    char *many[ARGS_MAX] = {NULL};
    for (int i = 0; i < ARGS_MAX - 1; i++)
        many[i] = text + sizeof text - 140;
    CHECK_FAILS(exec(USERTESTS, many), E2BIG);
}

TEST(exec_keeps_files_and_directory) {
    struct {
        bool opened[OPEN_MAX];
        int inode;
    } seen;
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, chdir("directory"));
    int inode = (int)file_stat(".").ino;
    int fds[2];
    CHECK_EQUAL(0, pipe(fds));
    CHECK_EQUAL(0, close(fds[0]));
    CHECK_EQUAL(0, close(2));
    struct helper helper = helper_start((char *[]){"+inheritance", NULL});
    read_fully(helper.from, seen.opened, sizeof seen.opened);
    read_fully(helper.from, &seen.inode, sizeof seen.inode);
    CHECK_EQUAL(inode, seen.inode);
    for (int fd = 0; fd < OPEN_MAX; fd++) {
        int copy = dup(fd);
        bool opened = copy >= 0 && fd != helper.to && fd != helper.from;
        close(copy);
        if (fd != 2 && fd != 3 && fd != helper.to && fd != helper.from)
            CHECK_EQUAL(opened, seen.opened[fd]);
    }
    helper_finish(&helper, 0);
}

TEST(exec_keeps_file_offsets) {
    file_make_pattern("file", 1000);
    int fd = open("file", O_RDONLY);
    char byte;
    read_fully(fd, &byte, 1);
    CHECK_EQUAL(0, close(0));
    CHECK_EQUAL(0, dup(fd));
    CHECK_EQUAL(0, helper_run((char *[]){"+take", "10", NULL}));
    read_fully(fd, &byte, 1);
    CHECK_EQUAL(pattern_byte(11), (uint8_t)byte);
}

TEST(exec_keeps_the_pid) {
    struct helper helper = helper_start((char *[]){"+pid", NULL});
    pid_t seen;
    read_fully(helper.from, &seen, sizeof seen);
    CHECK_EQUAL(helper.pid, seen);
    helper_finish(&helper, 0);
}

TEST(exec_gives_fresh_memory) {
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(0, helper_run((char *[]){"+empty", NULL}));
}

TEST(exec_many_times) {
    CHECK_EQUAL(0, helper_run((char *[]){"+again", "100", NULL}));
}

TEST(exec_by_many_at_once) {
    for (int i = 0; i < 8; i++) {
        IN_CHILD {
            for (int k = 0; k < 4; k++)
                CHECK_EQUAL(0, helper_run((char *[]){"+empty", NULL}));
        }
    }
    CHECK_CHILDREN(8);
}

TEST(exec_refuses_what_is_no_file) {
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, mknod("device", DEVICE_CONSOLE, 0));
    file_make_empty("empty");
    char longer[PATH_BYTES + 100];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    CHECK_EQUAL(STATUS_REFUSED + ENOENT, status_of_exec("missing"));
    CHECK_EQUAL(STATUS_REFUSED + ENOENT, status_of_exec("missing/program"));
    CHECK_EQUAL(STATUS_REFUSED + ENOENT, status_of_exec(""));
    CHECK_EQUAL(STATUS_REFUSED + ENOTDIR, status_of_exec("empty/program"));
    CHECK_EQUAL(STATUS_REFUSED + ENAMETOOLONG, status_of_exec(longer));
    CHECK_EQUAL(STATUS_REFUSED + EACCES, status_of_exec("directory"));
    CHECK_EQUAL(STATUS_REFUSED + EACCES, status_of_exec("/"));
    CHECK_EQUAL(STATUS_REFUSED + EACCES, status_of_exec("device"));
}

TEST(exec_refuses_other_contents) {
    static const char text[] = "#!/sh\necho no program\n";
    static char zeroes[2 * PAGE];
    CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_bytes("", 0));
    CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_bytes("x", 1));
    CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_bytes(text, sizeof text));
    CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_bytes(zeroes, sizeof zeroes));
}

TEST(exec_runs_a_small_image) {
    struct image *image = image_make();
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(STATUS_RAN, status_of_image(image));
    image->segments[0].flags |= FLAG_WRITE;
    CHECK_EQUAL(STATUS_RAN, status_of_image(image));
    image->segments[2] = (struct elf_segment){.type = 0x70000003, .offset = 1u << 30, .filesz = 70};
    image->segments[3] = (struct elf_segment){.type = PT_LOAD, .vaddr = IMAGE_START};
    image->header.phnum = 4;
    CHECK_EQUAL(STATUS_RAN, status_of_image(image));
}

TEST(exec_keeps_data_of_the_file) {
    struct image *image = image_make();
    file_make("image", image, sizeof *image);
    CHECK_EQUAL(STATUS_RAN, status_of_exec("image"));
    static struct image seen;
    int fd = open("image", O_RDONLY);
    read_fully(fd, &seen, sizeof seen);
    CHECK(memcmp(&seen, image, sizeof seen) == 0);
}

// One segment with everything, at an offset in the file that does not fit its address: xv6's
// linkers make those.
TEST(exec_runs_a_segment_at_any_offset) {
    static const size_t shifts[] = {2, 0xb0, 1000, PAGE - 8};
    char *shifted = buffer;
    for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
        struct image *image = image_make();
        image->header.phnum = 1;
        image->segments[0].offset += shifts[i];
        image->segments[0].flags = FLAG_READ | FLAG_WRITE | FLAG_EXEC;
        image->segments[0].filesz = 2 * PAGE;
        image->segments[0].memsz = 3 * PAGE;
        memcpy(shifted, image, PAGE);
        memcpy(shifted + PAGE + shifts[i], image->text, 2 * PAGE);
        CHECK_EQUAL(STATUS_RAN, status_of_bytes(shifted, 3 * PAGE + shifts[i]));
    }
}

TEST(exec_runs_an_image_at_zero) {
    static const uint32_t at_zero[] = {0x02a00513, 0x00200893,
                                       0x00000073}; // li a0, 42; li a7, 2; ecall
    struct image *image = image_make();
    image->header.phnum = 1;
    image->header.entry = 0;
    image->segments[0].vaddr = 0;
    memcpy(image->text, at_zero, sizeof at_zero);
    CHECK_EQUAL(STATUS_RAN, status_of_image(image));
}

#define CHECK_HEADER_REFUSED(field, value) \
    do { \
        struct image *image_ = image_make(); \
        image_->field = (value); \
        CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_image(image_)); \
    } while (0)

TEST(exec_refuses_wrong_headers) {
    CHECK_HEADER_REFUSED(header.ident[0], 0x7e);
    CHECK_HEADER_REFUSED(header.ident[3], 'f');
    CHECK_HEADER_REFUSED(header.ident[4], 1);
    CHECK_HEADER_REFUSED(header.ident[5], 2);
    CHECK_HEADER_REFUSED(header.machine, 62);
    CHECK_HEADER_REFUSED(header.phentsize, 32);
    CHECK_HEADER_REFUSED(header.phnum, 65535);
    CHECK_HEADER_REFUSED(header.phoff, sizeof(struct image));
    CHECK_HEADER_REFUSED(header.phoff, sizeof(struct image) - 10);
    CHECK_HEADER_REFUSED(header.phoff, 1ull << 40);
    CHECK_HEADER_REFUSED(header.phoff, (uint64_t)-8);
    CHECK_HEADER_REFUSED(header.phoff, 1ull << 63);
}

TEST(exec_refuses_wrong_segments) {
    CHECK_HEADER_REFUSED(segments[1].filesz, 2 * PAGE);
    CHECK_HEADER_REFUSED(segments[1].filesz, (uint64_t)-1);
    CHECK_HEADER_REFUSED(segments[1].memsz, (uint64_t)-1);
    CHECK_HEADER_REFUSED(segments[1].memsz, (uint64_t) - (IMAGE_START + PAGE));
    CHECK_HEADER_REFUSED(segments[1].memsz, (uint64_t) - (IMAGE_START + PAGE) + 1);
    CHECK_HEADER_REFUSED(segments[1].vaddr, (uint64_t)-PAGE);
    CHECK_HEADER_REFUSED(segments[1].vaddr, 0xffffffc080200000);
    CHECK_HEADER_REFUSED(segments[1].vaddr, 0x4000000000);
    CHECK_HEADER_REFUSED(segments[1].vaddr, 0x8000000000);
    CHECK_HEADER_REFUSED(segments[1].vaddr, 1ull << 63);
}

TEST(exec_survives_strange_segments) {
    static const uint64_t values[] = {
        0,          1,          PAGE - 1,           PAGE + 1,     1u << 20,
        1ull << 32, 1ull << 37, 0x3fffff0000,       0x3fffffffff, 1ull << 38,
        1ull << 39, 1ull << 47, 0x7fffffffffffffff, 1ull << 63,   (uint64_t)-16};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        for (int field = 0; field < 6; field++) {
            struct image *image = image_make();
            struct elf_segment *segment = &image->segments[1];
            uint64_t *fields[] = {&segment->offset, &segment->vaddr, &segment->filesz,
                                  &segment->memsz,  &segment->align, &image->header.entry};
            *fields[field] = values[i];
            check_no_harm(image);
        }
    }
}

TEST(exec_survives_overlapping_segments) {
    struct image *image = image_make();
    image->segments[1].vaddr = IMAGE_START;
    check_no_harm(image);
    image->segments[1].vaddr = IMAGE_START + 2 * PAGE;
    image->segments[0].memsz = 3 * PAGE;
    check_no_harm(image);
    image = image_make();
    image->segments[1].vaddr = IMAGE_START - PAGE; // not in order
    image->segments[1].memsz = 4 * PAGE;
    check_no_harm(image);
}

TEST(exec_survives_all_header_bytes) {
    uint32_t seed = 5;
    for (size_t at = 0; at < sizeof(struct elf_header) + 2 * sizeof(struct elf_segment); at++) {
        struct image *image = image_make();
        ((uint8_t *)image)[at] ^= (uint8_t)(random_next(&seed) | 1);
        check_no_harm(image);
    }
}

TEST(exec_survives_truncated_images) {
    static const size_t sizes[] = {1,        4,         16,          63,       64,          100,
                                   119,      120,       64 + 2 * 56, 1000,     PAGE - 1,    PAGE,
                                   PAGE + 1, PAGE + 20, 5000,        2 * PAGE, 2 * PAGE + 1};
    struct image *image = image_make();
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        int status = status_of_bytes(image, sizes[i]);
        CHECK(status == TEST_STATUS_KILLED || status == STATUS_REFUSED + ENOEXEC);
    }
}

TEST(exec_with_entry_nowhere_crashes) {
    static const uint64_t entries[] = {0, IMAGE_START + PAGE, IMAGE_START + 8 * PAGE,
                                       0xffffffc080200000};
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        struct image *image = image_make();
        image->header.entry = entries[i];
        int status = status_of_image(image);
        CHECK(status == TEST_STATUS_KILLED || status == STATUS_REFUSED + ENOEXEC);
    }
}

TEST(exec_survives_more_zeroes_than_memory) {
    struct image *image = image_make();
    image->segments[1].memsz = test_frames_free() * PAGE + (64 << 20);
    check_no_harm(image);
}

// Everything is promised away but a few pages: exec works, fails, or the new program cannot go on.
TEST(exec_without_memory) {
    for (int pages = 0; pages < 24; pages += 2) {
        IN_CHILD {
            memory_promise_all();
            sbrk(-pages * PAGE);
            CHECK_EQUAL(0, close(0));
            exec(USERTESTS, (char *[]){"+exit", "0", NULL});
            CHECK_EQUAL(ENOMEM, errno);
        }
        int status;
        CHECK(wait(&status) > 0);
        CHECK(status == 0 || status == TEST_STATUS_KILLED);
    }
}

// Copies usertests to the name.
static void copy_usertests(const char *name) {
    int from = open(USERTESTS, O_RDONLY), to = open(name, O_CREATE | O_TRUNC | O_WRONLY), n;
    CHECK(from >= 0 && to >= 0);
    while ((n = read(from, buffer, sizeof buffer)) > 0)
        write_fully(to, buffer, (size_t)n);
    CHECK_EQUAL(0, n);
    CHECK_EQUAL(0, close(from));
    CHECK_EQUAL(0, close(to));
}

// Starts the copy, which says that it runs and waits for a byte before it reads its text.
static struct helper copy_start(const char *name) {
    char byte;
    struct helper helper = program_start(name, (char *[]){"+text_sum", NULL});
    read_fully(helper.from, &byte, 1);
    return helper;
}

TEST(program_outlives_its_name) {
    copy_usertests("copy");
    struct helper helper = copy_start("copy");
    CHECK_EQUAL(0, unlink("copy"));
    file_make_pattern("other", 64 * PAGE);
    write_fully(helper.to, "", 1);
    uint64_t sum;
    read_fully(helper.from, &sum, sizeof sum);
    CHECK(sum == text_sum());
    helper_finish(&helper, 0);
}

TEST(program_is_overwritten_while_it_runs) {
    copy_usertests("copy");
    struct helper helper = copy_start("copy");
    int fd = open("copy", O_WRONLY | O_TRUNC);
    if (fd >= 0)
        close(fd);
    file_make_pattern("other", 64 * PAGE);
    write(helper.to, "", 1);
    CHECK_EQUAL(0, close(helper.to));
    CHECK_EQUAL(0, close(helper.from));
    CHECK_EQUAL(helper.pid, wait(NULL));
}

TEST(exec_of_a_name_that_comes_and_goes) {
    struct image *image = image_make();
    file_make("good", image, sizeof *image);
    IN_CHILD {
        for (int i = 0; i < 40; i++) {
            CHECK_EQUAL(0, link("good", "now"));
            CHECK_EQUAL(0, unlink("now"));
        }
    }
    IN_CHILD {
        for (int i = 0; i < 40; i++) {
            int status = status_of_exec("now");
            CHECK(status == STATUS_RAN || status == STATUS_REFUSED + ENOENT);
        }
    }
    CHECK_CHILDREN(2);
}
