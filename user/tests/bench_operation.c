// The operations that bench counts, and what they need.
#include "bench.h"

char buffer[FILE_TOTAL];
int to_peer[2], from_peer[2];

void fork_idler(void) {
    must(pipe(to_peer));
    if (must(fork()) == 0) {
        close(to_peer[1]);
        read(to_peer[0], buffer, 1);
        exit(0);
    }
    close(to_peer[0]);
}

void end_idler(void) {
    close(to_peer[1]);
    wait_child(0);
}

char *map_take(int flags) {
    char *start = mmap(NULL, MAP_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (start == MAP_FAILED)
        must(-1);
    return start;
}

void op_getpid(void) {
    getpid();
}

void op_dup_close(void) {
    close(dup(1));
}

void op_fork_exec(void) {
    char *arguments[] = {"true", NULL};
    if (must(fork()) == 0) {
        exec("/true", arguments);
        exit(1);
    }
    wait_child(0);
}

void op_vfork(void) {
    if (must(vfork()) == 0)
        exit(0);
    wait_child(0);
}

void op_vfork_exec(void) {
    char *arguments[] = {"true", NULL};
    if (must(vfork()) == 0) {
        exec("/true", arguments);
        exit(1);
    }
    wait_child(0);
}

void op_mmap(void) {
    char *start = map_take(MAP_PRIVATE | MAP_ANONYMOUS);
    pages_write(start, MAP_PAGES);
    must(munmap(start, MAP_PAGES * PAGE_BYTES));
}

void op_sbrk(void) {
    pages_write(heap_take(SBRK_PAGES * PAGE_BYTES), SBRK_PAGES);
    sbrk(-SBRK_PAGES * PAGE_BYTES);
}

void op_sbrk_page(void) {
    pages_write(heap_take(PAGE_BYTES), 1);
    sbrk(-PAGE_BYTES);
}

void op_pipe_same(void) {
    write(to_peer[1], buffer, 1);
    read(to_peer[0], buffer, 1);
}

void op_pipe_round_trip(void) {
    write(to_peer[1], buffer, 1);
    read(from_peer[0], buffer, 1);
}

void op_open_close(void) {
    close(open("/README", O_RDONLY));
}

void op_create_unlink(void) {
    int fd = open("/bench.tmp", O_CREATE | O_WRONLY);
    write(fd, buffer, 1);
    close(fd);
    unlink("/bench.tmp");
}
