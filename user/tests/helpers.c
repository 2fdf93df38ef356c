// The helper programs: what usertests does when it is executed under a name that starts with "+".
// They communicate through fd 0 and 1.
#include "support.h"
#include "test.h"

enum { EMPTY_WORDS = 12 * PAGE_BYTES / 8 };

static uint64_t empty[EMPTY_WORDS];
static volatile int changed = 5; // in the data segment, by the file

static int parse(const char *text) {
    int number = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (*text - '0');
    return number;
}

// Exits with the status in its argument.
static int helper_exit(int argc, char **argv) {
    return argc == 2 ? parse(argv[1]) : 1;
}

// Writes the number of arguments and all their bytes.
static int helper_arguments(int argc, char **argv) {
    if (argv[argc] != NULL)
        return 1;
    write_fully(1, &argc, sizeof argc);
    for (int i = 0; i < argc; i++)
        write_fully(1, argv[i], strlen(argv[i]) + 1);
    return 0;
}

// Executes itself as many times as its argument says.
static int helper_again(int argc, char **argv) {
    int left = argc == 2 ? parse(argv[1]) : -1;
    if (left <= 0)
        return left;
    char number[16];
    snprintf(number, sizeof number, "%d", left - 1);
    exec(USERTESTS, (char *[]){argv[0], number, NULL});
    return 1;
}

// Says that it runs, waits for a byte, reads all of its text and writes a sum of it.
static int helper_text_sum(int argc, char **argv) {
    (void)argc, (void)argv;
    char byte = 0;
    write_fully(1, &byte, 1);
    read_fully(0, &byte, 1);
    uint64_t sum = text_sum();
    write_fully(1, &sum, sizeof sum);
    return 0;
}

// Writes what pagemap reports about its text, then waits for the end of its input.
static int helper_text_pages(int argc, char **argv) {
    (void)argc, (void)argv;
    if (text_sum() == 0)
        return 1;
    struct pageinfo pages[TEXT_PAGES];
    CHECK_EQUAL(TEXT_PAGES, pagemap(getpid(), TEXT_START, pages, TEXT_PAGES));
    write_fully(1, pages, sizeof pages);
    char byte;
    return read(0, &byte, 1);
}

// Exits with 0 if all memory is zero that should be at the start, else with another status; then
// overwrites it.
static int helper_empty(int argc, char **argv) {
    (void)argc, (void)argv;
    for (size_t i = 0; i < EMPTY_WORDS; i++) {
        if (empty[i] != 0)
            return 1;
    }
    char *heap = sbrk(PAGE_BYTES);
    for (int i = 0; i < PAGE_BYTES; i++) {
        if (heap[i] != 0)
            return 2;
    }
    memset(empty, 1, sizeof empty);
    memset(heap, 1, PAGE_BYTES);
    if (changed != 5)
        return 3;
    changed = 6;
    return 0;
}

// Writes for each file descriptor whether it is open, then the inode of the current directory.
static int helper_inheritance(int argc, char **argv) {
    (void)argc, (void)argv;
    bool opened[OPEN_MAX];
    for (int fd = 0; fd < OPEN_MAX; fd++) {
        int copy = dup(fd);
        opened[fd] = copy >= 0;
        close(copy);
    }
    int inode = (int)file_stat(".").ino;
    write_fully(1, opened, sizeof opened);
    write_fully(1, &inode, sizeof inode);
    return 0;
}

// Reads as many bytes from its input as its argument says.
static int helper_take(int argc, char **argv) {
    char bytes[100];
    read_fully(0, bytes, argc == 2 ? (size_t)parse(argv[1]) : 0);
    return 0;
}

// Writes its pid.
static int helper_pid(int argc, char **argv) {
    (void)argc, (void)argv;
    pid_t pid = getpid();
    write_fully(1, &pid, sizeof pid);
    return 0;
}

// Stores a byte at a place of a file, through a mapping that ends with the program.
static int helper_store(int argc, char **argv) {
    if (argc != 3)
        return 1;
    int place = parse(argv[2]);
    char *start =
        map_file(open(argv[1], O_RDWR), 0, (size_t)place + 1, PROT_READ | PROT_WRITE, MAP_SHARED);
    start[place] = 's';
    return 0;
}

uint64_t text_sum(void) {
    uint64_t sum = 0;
    for (uintptr_t page = TEXT_START; page < TEXT_START + TEXT_PAGES * PAGE_BYTES;
         page += PAGE_BYTES) {
        for (const uint64_t *word = (uint64_t *)page; word < (uint64_t *)(page + PAGE_BYTES);
             word++)
            sum = sum * 31 + *word;
    }
    return sum;
}

int helper_main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*main)(int argc, char **argv);
    } helpers[] = {
        {"+exit", helper_exit},
        {"+arguments", helper_arguments},
        {"+again", helper_again},
        {"+text_sum", helper_text_sum},
        {"+text_pages", helper_text_pages},
        {"+empty", helper_empty},
        {"+inheritance", helper_inheritance},
        {"+take", helper_take},
        {"+pid", helper_pid},
        {"+store", helper_store},
    };
    for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
        if (strcmp(argv[0], helpers[i].name) == 0)
            return helpers[i].main(argc, argv);
    }
    return 1;
}
