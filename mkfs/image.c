// The host's side of disk images: memory, files and messages. All it knows about the format is how
// to find the blocks of a file.
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void fail(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

void *memory_map(uint64_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void *memory_map_or_fail(uint64_t size) {
    void *memory = memory_map(size);
    if (memory == NULL)
        fail(2, "not enough memory");
    return memory;
}

void memory_unmap(void *memory, uint64_t size) {
    if (memory != NULL)
        munmap(memory, size);
}

int image_create(struct image *image, uint64_t blocks) {
    image->blocks = blocks;
    image->bytes = memory_map(blocks * BLOCK_SIZE);
    return image->bytes == NULL ? -ENOMEM : 0;
}

static int map_file(struct image *image, int file) {
    off_t size = lseek(file, 0, SEEK_END);
    if (size < 0)
        return -errno;
    *image = (struct image){.blocks = (uint64_t)size / BLOCK_SIZE};
    if (image->blocks == 0)
        return 0;
    void *bytes = mmap(NULL, image->blocks * BLOCK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_NORESERVE, file, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    image->bytes = bytes;
    return 0;
}

int image_open(struct image *image, const char *path) {
    int file = open(path, O_RDONLY | O_NONBLOCK);
    if (file < 0)
        return -errno;
    int error = map_file(image, file);
    close(file);
    return error;
}

void image_close(struct image *image) {
    memory_unmap(image->bytes, image->blocks * BLOCK_SIZE);
    image->bytes = NULL;
}

static int write_blocks(const struct image *image, uint64_t used, int file) {
    static const uint8_t zeros[BLOCK_SIZE];
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(file, 0666 & ~mask) || ftruncate(file, (off_t)(image->blocks * BLOCK_SIZE)))
        return -errno;
    for (uint64_t i = 0; i < used; i++) {
        const void *block = image_block(image, i);
        if (memcmp(block, zeros, BLOCK_SIZE) == 0)
            continue;
        errno = ENOSPC; // the reason for a short write
        if (pwrite(file, block, BLOCK_SIZE, (off_t)(i * BLOCK_SIZE)) != BLOCK_SIZE)
            return -errno;
    }
    return 0;
}

// Writes a new file beside `path` and, once it is complete, gives it that name.
static int write_beside(const struct image *image, uint64_t used, const char *path,
                        char *temporary) {
    int file = mkstemp(temporary);
    if (file < 0)
        return -errno;
    int error = write_blocks(image, used, file);
    if (close(file) && error == 0)
        error = -errno;
    if (error == 0 && rename(temporary, path))
        error = -errno;
    if (error)
        unlink(temporary);
    return error;
}

int image_save(const struct image *image, uint64_t used, const char *path) {
    static const char suffix[] = ".XXXXXX";
    struct stat old;
    if (stat(path, &old) == 0 && !S_ISREG(old.st_mode))
        return -EEXIST; // a directory or device must not be replaced
    char *temporary = malloc(strlen(path) + sizeof suffix);
    if (temporary == NULL)
        return -ENOMEM;
    strcat(strcpy(temporary, path), suffix);
    int error = write_beside(image, used, path, temporary);
    free(temporary);
    return error;
}

// Returns the number at `index` in the pointer block `block`; 0 if that is no block of the disk.
static uint32_t pointer_at(const struct image *image, uint32_t block, uint64_t index) {
    if (block == 0 || block >= image->blocks)
        return 0;
    return ((const uint32_t *)image_block(image, block))[index];
}

uint32_t image_file_block(const struct image *image, const struct disk_inode *inode,
                          uint64_t index) {
    uint32_t block = 0;
    if (index < DIRECT_BLOCKS) {
        block = inode->direct[index];
    } else if ((index -= DIRECT_BLOCKS) < POINTERS_PER_BLOCK) {
        block = pointer_at(image, inode->indirect, index);
    } else if ((index -= POINTERS_PER_BLOCK) < (uint64_t)POINTERS_PER_BLOCK * POINTERS_PER_BLOCK) {
        uint32_t middle = pointer_at(image, inode->double_indirect, index / POINTERS_PER_BLOCK);
        block = pointer_at(image, middle, index % POINTERS_PER_BLOCK);
    }
    return block < image->blocks ? block : 0;
}
