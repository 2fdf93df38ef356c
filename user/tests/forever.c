// Work that never ends.
#include "forever.h"

#include "support.h"
#include "test.h"

void run_forever(void) {
    for (;;)
        __asm__ volatile("");
}

void sleep_forever(void) {
    sleep(INT32_MAX);
}

void wait_forever(void) {
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    IN_CHILD {
        close(end[1]);
        char byte;
        read(end[0], &byte, 1);
    }
    wait(NULL);
}

void read_pipe_forever(void) {
    int fds[2];
    char byte;
    CHECK_EQUAL(0, pipe(fds));
    read(fds[0], &byte, 1);
}

void write_pipe_forever(void) {
    static const char bytes[PAGE_BYTES];
    int fds[2];
    CHECK_EQUAL(0, pipe(fds));
    for (;;)
        write(fds[1], bytes, sizeof bytes);
}

void read_console_forever(void) {
    CHECK_EQUAL(0, mknod("console", DEVICE_CONSOLE, 0));
    int fd = open("console", O_RDONLY);
    char byte;
    for (;;)
        read(fd, &byte, 1);
}

void getkey_forever(void) {
    for (;;)
        getkey(-1);
}
