// Opens, creates and removes files in a directory of 100 entries and in one of 10,000: neither what
// the calls do nor, within a factor of two, how many instructions they take depends on that. The
// counts are exact in QEMU with -icount shift=0, so that is how this runs (tests/guest/runs.py).
#include "cow6.h"

enum { FEW = 100, MANY = 10000, FILES = 1800, ROUNDS = 9 };

static int failures;

static void expect(const char *what, bool condition) {
    if (condition)
        return;
    printf("%s: FAIL expected success, saw %s\n", what, strerror(errno));
    failures++;
}

// ---- Directories with that many entries ----

static const char *path_of(const char *directory, int i) {
    static char path[64];
    snprintf(path, sizeof path, "%s/%d", directory, i);
    return path;
}

static int make_file(const char *path) {
    int fd = open(path, O_CREATE | O_RDWR);
    return fd < 0 ? fd : close(fd);
}

// Makes entries that are files or, when there are enough of those, further names of the first file.
static void fill(const char *directory, int count, int files) {
    char first[64];
    bool good = mkdir(directory) == 0;
    strcpy(first, path_of(directory, 0));
    for (int i = 0; i < count && good; i++) {
        const char *path = path_of(directory, i);
        good = (i < files ? make_file(path) : link(first, path)) == 0;
    }
    expect("filling_a_directory", good);
}

// ---- What calls cost ----

static uint64_t instructions(void) {
    struct memstat stat;
    uint64_t count;
    memstat(&stat, 0);
    __asm__ volatile("rdinstret %0" : "=r"(count)::"memory");
    return count - stat.idle_instructions;
}

static const char *place; // the directory that is measured
static int size;          // how many entries it has

static void nothing(void) {}

static void open_last(void) {
    expect("open", close(open(path_of(place, size - 1), O_RDONLY)) == 0);
}

static void open_missing(void) {
    expect("open_missing", open(path_of(place, size), O_RDONLY) == -1);
}

static void create(void) {
    expect("create", make_file(path_of(place, size)) == 0);
}

static void remove_created(void) {
    expect("unlink", unlink(path_of(place, size)) == 0);
}

// Frees a low number of an inode and a block, below thousands that are in use.
static void replace_early(void) {
    expect("unlink_early", unlink(path_of(place, 10)) == 0);
    expect("create_early", make_file(path_of(place, 10)) == 0);
    expect("create_after", make_file(path_of(place, size)) == 0);
}

static const struct operation {
    const char *name;
    void (*prepare)(void); // not measured, like `undo`
    void (*run)(void);
    void (*undo)(void);
} operations[] = {
    {"open_by_name", nothing, open_last, nothing},
    {"find_no_name", nothing, open_missing, nothing},
    {"create_file", nothing, create, remove_created},
    {"remove_file", create, remove_created, nothing},
    {"replace_early_file", nothing, replace_early, remove_created},
};

static uint64_t measure(const struct operation *o, const char *directory, int entries) {
    uint64_t best = UINT64_MAX;
    place = directory;
    size = entries;
    for (int i = 0; i < ROUNDS; i++) {
        o->prepare();
        uint64_t start = instructions();
        o->run();
        uint64_t count = instructions() - start;
        o->undo();
        best = count < best ? count : best;
    }
    return best;
}

static void compare(const struct operation *o) {
    uint64_t few = measure(o, "/few", FEW), many = measure(o, "/many", MANY);
    if (many <= 2 * few) {
        printf("%s: ok (%lu instructions, %lu with many files)\n", o->name, (unsigned long)few,
               (unsigned long)many);
        return;
    }
    printf("%s: FAIL expected at most twice as many instructions among %d files as among %d, "
           "saw %lu and %lu\n",
           o->name, MANY, FEW, (unsigned long)many, (unsigned long)few);
    failures++;
}

// ---- What calls do ----

// Every third name is removed and then made again.
static void check_names(void) {
    bool good = true;
    for (int i = 1; i < MANY && good; i += 3)
        good = unlink(path_of("/many", i)) == 0;
    for (int i = 0; i < MANY && good; i++)
        good = close(open(path_of("/many", i), O_RDONLY)) == (i % 3 == 1 ? -1 : 0);
    for (int i = 1; i < MANY && good; i += 3)
        good = link("/many/0", path_of("/many", i)) == 0;
    for (int i = 0; i < MANY && good; i++)
        good = close(open(path_of("/many", i), O_RDONLY)) == 0;
    expect("names_are_removed_and_made_again", good);
    if (good)
        printf("names_are_removed_and_made_again: ok\n");
}

int main(void) {
    fill("/few", FEW, FEW);
    fill("/many", MANY, FILES);
    int passed = 0, before = failures;
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++, before = failures) {
        compare(&operations[i]);
        passed += failures == before;
    }
    check_names();
    passed += failures == before;
    printf("%d passed, %d failed\n", passed, failures);
    return failures > 0;
}
