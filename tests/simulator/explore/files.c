// Pipes, and files: the log and the cache below them.
#include "explore.h"

enum { PIECES = 3, PIECE_WORDS = 192, NUMBER_SHIFT = 32, READ_WORDS = 128, TIMES = 3 };

// ---- Pipes ----

static int ends[2];

static void open_pipe(void) {
    CHECK(pipe(ends) == 0);
}

// Odd ones write, the others read. In process 0, the end that it does not use is closed here; the
// descriptor of the other one in finish.
static void close_other_end(int number) {
    CHECK(close(ends[number % 2 == 0]) == 0);
}

static void write_pieces(int number) {
    uint64_t piece[PIECE_WORDS], next = 1;
    for (int i = 0; i < PIECES; i++) {
        for (int w = 0; w < PIECE_WORDS; w++)
            piece[w] = (uint64_t)number << NUMBER_SHIFT | next++;
        CHECK(write(ends[1], piece, sizeof piece) == sizeof piece);
    }
    CHECK(close(ends[1]) == 0);
}

// Each reader sees what a writer has written in order, but not all of it.
static void read_pieces(void) {
    uint64_t piece[PIECE_WORDS], last[PROCESSES_MAX] = {0};
    int n;
    while ((n = read(ends[0], piece, sizeof piece)) > 0) {
        CHECK(n % 8 == 0);
        for (int w = 0; w < n / 8; w++) {
            uint64_t writer = piece[w] >> NUMBER_SHIFT, at = (uint32_t)piece[w];
            CHECK(writer % 2 == 1 && writer < PROCESSES_MAX && at > last[writer]);
            last[writer] = at;
            __atomic_fetch_add(&shared->words[writer], at, __ATOMIC_RELAXED);
        }
    }
    CHECK(n == 0);
    CHECK(close(ends[0]) == 0);
}

static void use_pipe(int number) {
    if (number % 2 == 1)
        write_pieces(number);
    else
        read_pieces();
}

static void check_pieces(void) {
    uint64_t count = PIECES * PIECE_WORDS;
    for (int i = 1; i < process_count; i += 2)
        CHECK(shared->words[i] == count * (count + 1) / 2);
}

// ---- Files ----

static void name_file(char name[8], int number) {
    memcpy(name, "file00", sizeof "file00");
    name[4] = (char)('0' + round_number);
    name[5] = (char)('0' + number);
}

// Each makes a file of its own in the same directory, and returns when it is on the disk.
static void make_file(int number) {
    char name[8];
    uint64_t word = PIECES + (uint64_t)number;
    name_file(name, number);
    int fd = open(name, O_CREATE | O_RDWR);
    CHECK(fd >= 0);
    CHECK(write(fd, &word, sizeof word) == sizeof word);
    CHECK(close(fd) == 0);
}

static void check_disk(void) {
    struct memstat seen;
    CHECK(memstat(&seen, MEMSTAT_CHECK_FILES) == 0);
    CHECK(seen.violations == 0);
}

static void check_files(void) {
    for (int i = 0; i < process_count; i++) {
        char name[8];
        uint64_t word;
        name_file(name, i);
        int fd = open(name, O_RDONLY);
        CHECK(fd >= 0);
        CHECK(read(fd, &word, sizeof word) == sizeof word && word == PIECES + (uint64_t)i);
        CHECK(close(fd) == 0);
    }
    check_disk();
}

// ---- One file ----

static int common;

static void open_common(void) {
    char name[8];
    name_file(name, PROCESSES_MAX);
    common = open(name, O_CREATE | O_RDWR);
    CHECK(common >= 0);
}

// All write to one open file, each behind what is there.
static void append(int number) {
    uint64_t word = PIECES + (uint64_t)number;
    for (int i = 0; i < TIMES; i++)
        CHECK(write(common, &word, sizeof word) == sizeof word);
}

static void check_common(void) {
    char name[8];
    uint64_t words[TIMES * PROCESSES_MAX + 1];
    name_file(name, PROCESSES_MAX);
    CHECK(close(common) == 0);
    int fd = open(name, O_RDONLY);
    CHECK(read(fd, words, sizeof words) == TIMES * process_count * 8);
    CHECK(close(fd) == 0);
    for (int i = 0; i < process_count; i++) {
        int times = 0;
        for (int w = 0; w < TIMES * process_count; w++)
            times += words[w] == PIECES + (uint64_t)i;
        CHECK(times == TIMES);
    }
}

// ---- The cache ----

// All read a block that is not in the cache yet, in several pieces.
static void read_block(int number) {
    uint64_t words[READ_WORDS], sum = 0;
    int fd = open(round_number == 0 ? "data0" : "data1", O_RDONLY);
    CHECK(fd >= 0);
    for (int i = 0; i < TIMES; i++) {
        CHECK(read(fd, words, sizeof words) == sizeof words);
        for (int w = 0; w < READ_WORDS; w++)
            sum = sum * 3 + words[w];
    }
    shared->words[number] = sum;
    CHECK(close(fd) == 0);
}

static void check_blocks(void) {
    for (int i = 0; i < process_count; i++)
        CHECK(shared->words[i] == shared->words[0]);
    shared->words[0] = 0;
    read_block(0); // from the cache, when nothing else happens
    CHECK(shared->words[0] == shared->words[1]);
}

const struct scenario file_scenarios[] = {
    {.name = "pipe",
     .prepare = open_pipe,
     .arrive = close_other_end,
     .work = use_pipe,
     .finish = check_pieces,
     .is_joint = true},
    {.name = "log_commit", .work = make_file, .finish = check_files},
    {.name = "append", .prepare = open_common, .work = append, .finish = check_common},
    {.name = "cache", .work = read_block, .finish = check_blocks},
    {0},
};
