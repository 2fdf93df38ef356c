// Pipes and streams for tests: see the header.
#include "stream.h"

#include "test.h"

struct pipe pipe_make(void) {
    int fds[2];
    CHECK_EQUAL(0, pipe(fds));
    return (struct pipe){fds[0], fds[1]};
}

void pipe_close(struct pipe p) {
    CHECK_EQUAL(0, close(p.from));
    CHECK_EQUAL(0, close(p.to));
}

size_t read_pattern(int fd, size_t piece) {
    size_t total = 0;
    int n;
    while ((n = read(fd, buffer, (int)piece)) > 0) {
        CHECK((size_t)n <= piece);
        pattern_check(buffer, total, (size_t)n);
        total += (size_t)n;
    }
    CHECK_EQUAL(0, n);
    return total;
}

void write_pattern(int fd, size_t total, size_t piece) {
    for (size_t n, place = 0; place < total; place += n) {
        n = total - place < piece ? total - place : piece;
        pattern_fill(buffer, place, n);
        CHECK_EQUAL(n, write(fd, buffer, (int)n));
    }
}
