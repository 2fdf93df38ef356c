// Rounds in which independent streams of the same work run at once, each in a process of its own.
// On as many harts as there are streams, they should take the time of one; a single stream should
// take the same time on any number of harts.
#include "scale.h"

enum {
    FORKS = 100,
    GROWTHS = 8,
    GROWTH_PAGES = 256,
    TRIPS = 400,
    READS = 20,
    FILE_BYTES = 64 * KIB,
    PIECE_BYTES = 8 * KIB,
    DISK_BYTES = 3 * MIB, // more than the block cache has with 32 MiB of memory
};

// ---- Starting all at once ----

static int ready[2], gate[2]; // pipes

// In a stream that is ready: waits until all are.
static void wait_for_start(void) {
    must(write(ready[1], buffer, 1));
    must(read(gate[0], buffer, 1)); // returns when the gate's writing end is closed
}

static uint64_t streams_round(int count, void (*stream)(int number)) {
    must(pipe(ready));
    must(pipe(gate));
    for (int i = 0; i < count; i++) {
        if (must(fork()) == 0) {
            close(gate[1]);
            stream(i);
            exit(0);
        }
    }
    for (int i = 0; i < count; i++)
        must(read(ready[0], buffer, 1));
    work_begin();
    close(gate[1]);
    for (int i = 0; i < count; i++)
        wait_child(0);
    uint64_t instructions = work_end();
    close(gate[0]);
    close(ready[0]);
    close(ready[1]);
    return instructions;
}

// ---- fork, exit and wait ----

static void fork_stream(int number) {
    (void)number;
    fork_once();
    wait_for_start();
    for (int i = 0; i < FORKS; i++)
        fork_once();
}

uint64_t fork_streams_round(int size) {
    return streams_round(size, fork_stream);
}

unsigned fork_streams_units(int size) {
    return (unsigned)size * FORKS;
}

// ---- Page faults ----

static void fault_once(void) {
    heap_write(GROWTH_PAGES);
    sbrk(-GROWTH_PAGES * PAGE_BYTES);
}

static void fault_stream(int number) {
    (void)number;
    fault_once();
    wait_for_start();
    for (int i = 0; i < GROWTHS; i++)
        fault_once();
}

uint64_t fault_streams_round(int size) {
    return streams_round(size, fault_stream);
}

unsigned fault_streams_units(int size) {
    return (unsigned)size * GROWTHS * GROWTH_PAGES;
}

// ---- Pipe round trips ----

static void pipe_stream(int number) {
    (void)number;
    int to_peer[2], from_peer[2];
    must(pipe(to_peer));
    must(pipe(from_peer));
    if (must(fork()) == 0)
        pass_bytes(to_peer, from_peer);
    for (int i = -1; i < TRIPS; i++) {
        must(write(to_peer[1], buffer, 1));
        must(read(from_peer[0], buffer, 1));
        if (i < 0)
            wait_for_start();
    }
    close(to_peer[1]);
    wait_child(0);
}

uint64_t pipe_streams_round(int size) {
    return streams_round(size, pipe_stream);
}

unsigned pipe_streams_units(int size) {
    return (unsigned)size * TRIPS;
}

// ---- Reading files ----

static const char *path_of(int number) {
    static char path[] = "/scale.0";
    path[sizeof path - 2] = (char)('0' + number);
    return path;
}

static void make_file(const char *path, int size) {
    int fd = must(open(path, O_CREATE | O_TRUNC | O_WRONLY));
    for (int done = 0; done < size; done += (int)sizeof buffer)
        must(write(fd, buffer, sizeof buffer) == sizeof buffer ? 0 : -1);
    close(fd);
}

static void read_file(const char *path) {
    int fd = must(open(path, O_RDONLY));
    while (must(read(fd, buffer, PIECE_BYTES)) > 0)
        continue;
    close(fd);
}

static void read_stream(int number) {
    make_file(path_of(number), FILE_BYTES);
    read_file(path_of(number));
    wait_for_start();
    for (int i = 0; i < READS; i++)
        read_file(path_of(number));
}

uint64_t read_streams_round(int size) {
    uint64_t instructions = streams_round(size, read_stream);
    for (int i = 0; i < size; i++)
        must(unlink(path_of(i)));
    return instructions;
}

unsigned read_streams_units(int size) {
    return (unsigned)size * READS * (FILE_BYTES / KIB);
}

// Nothing of the file is left in the cache when it is read.
static void disk_stream(int number) {
    make_file(path_of(number), DISK_BYTES);
    wait_for_start();
    read_file(path_of(number));
}

uint64_t disk_streams_round(int size) {
    uint64_t instructions = streams_round(size, disk_stream);
    for (int i = 0; i < size; i++)
        must(unlink(path_of(i)));
    return instructions;
}

unsigned disk_streams_units(int size) {
    return (unsigned)size * (DISK_BYTES / KIB);
}
