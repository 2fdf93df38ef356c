// Rounds of bench that write and read a file of FILE_TOTAL bytes, in pieces of the argument's size.
#include "bench.h"

static const char path[] = "/bench.tmp";

static void write_pieces(int fd, int total, int piece) {
    for (int done = 0; done < total; done += piece)
        must(write(fd, buffer, piece) == piece ? 0 : -1);
}

static void read_pieces(int fd, int total, int piece) {
    for (int done = 0; done < total; done += piece)
        must(read(fd, buffer, piece) == piece ? 0 : -1);
}

static void file_make(int size) {
    int fd = must(open(path, O_CREATE | O_TRUNC | O_WRONLY));
    write_pieces(fd, size, size);
    close(fd);
}

// Fills an empty file, and closes it.
uint64_t file_write_round(const struct row *row) {
    int fd = must(open(path, O_CREATE | O_TRUNC | O_WRONLY));
    struct counters start = start_counters();
    write_pieces(fd, FILE_TOTAL, row->argument);
    close(fd);
    uint64_t count = counters_since(start);
    unlink(path);
    return count;
}

// The whole life of a file.
uint64_t file_life_round(const struct row *row) {
    struct counters start = start_counters();
    int fd = must(open(path, O_CREATE | O_WRONLY));
    write_pieces(fd, FILE_TOTAL, row->argument);
    close(fd);
    unlink(path);
    return counters_since(start);
}

// Writes as many bytes in place as a piece has.
uint64_t file_rewrite_round(const struct row *row) {
    file_make(row->argument);
    int fd = must(open(path, O_WRONLY));
    struct counters start = start_counters();
    write_pieces(fd, row->argument, row->argument);
    uint64_t count = counters_since(start);
    close(fd);
    unlink(path);
    return count;
}

// Reads what was just written.
uint64_t file_read_round(const struct row *row) {
    file_make(FILE_TOTAL);
    int fd = must(open(path, O_RDONLY));
    struct counters start = start_counters();
    read_pieces(fd, FILE_TOTAL, row->argument);
    uint64_t count = counters_since(start);
    close(fd);
    unlink(path);
    return count;
}

// The same with open and close.
uint64_t file_open_read_round(const struct row *row) {
    file_make(FILE_TOTAL);
    struct counters start = start_counters();
    int fd = must(open(path, O_RDONLY));
    read_pieces(fd, FILE_TOTAL, row->argument);
    close(fd);
    uint64_t count = counters_since(start);
    unlink(path);
    return count;
}
