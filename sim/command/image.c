// Files.
#include "command/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int image = -1;
static const char *image_name;

bool file_read(const char *name, struct machine_file *file) {
    struct stat status;
    int fd = open(name, O_RDONLY);
    if (fd < 0)
        return false;
    if (fstat(fd, &status) < 0 || (!S_ISREG(status.st_mode) && (errno = EISDIR))) {
        close(fd);
        return false;
    }
    file->size = status.st_size;
    file->bytes = "";
    if (file->size > 0)
        file->bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    return file->bytes != MAP_FAILED;
}

bool image_open(const char *name) {
    image_name = name;
    image = open(name, O_RDWR);
    return image >= 0;
}

void image_write(uint64_t start, const void *bytes, size_t count) {
    const char *from = bytes;
    while (count > 0) {
        ssize_t written = pwrite(image, from, count, start);
        if (written <= 0) {
            fprintf(stderr, "sim: %s: %s\n", image_name, strerror(errno));
            exit(1);
        }
        from += written;
        start += written;
        count -= written;
    }
}
