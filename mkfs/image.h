// A disk image in the host's memory, and where things are in it. Changes stay in memory until
// image_save: a file is mapped copy-on-write, and a new image starts as zeros that cost nothing
// until they are written.
#pragma once

#include "abi/diskformat.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "disk and host are little-endian");

struct image {
    uint8_t *bytes;
    uint64_t blocks; // whole blocks
};

// Makes an image of zeros. Errors: -ENOMEM.
int image_create(struct image *image, uint64_t blocks);

// Maps the file's whole blocks. Errors: the host's.
int image_open(struct image *image, const char *path);

// Writes the first `used` blocks, the rest being zeros, to a new file that then replaces `path`.
// Blocks of zeros become holes. Errors: the host's; the file at `path` is then as it was.
int image_save(const struct image *image, uint64_t used, const char *path);

void image_close(struct image *image);

// Returns the disk block that holds the given block of a file; 0 if none, or if a pointer on the
// way leaves the disk.
uint32_t image_file_block(const struct image *image, const struct disk_inode *inode,
                          uint64_t index);

// ---- Memory ----

// Returns zeroed memory, of which only what is touched costs anything, or NULL if there is none.
void *memory_map(uint64_t size);

// As memory_map, but ends the program if there is none.
void *memory_map_or_fail(uint64_t size);

void memory_unmap(void *memory, uint64_t size);

static inline uint64_t min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

// ---- Messages ----

// Prints "program: message" and ends the program with this status.
_Noreturn void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern const char program_name[]; // each program's own

// ---- Where things are in an image ----

static inline void *image_block(const struct image *image, uint64_t number) {
    return image->bytes + number * BLOCK_SIZE;
}

static inline struct superblock *image_super(const struct image *image) {
    return (struct superblock *)image->bytes;
}

static inline struct disk_inode *image_inode(const struct image *image, uint32_t number) {
    return (struct disk_inode *)image_block(image, image_super(image)->inode_start) + number;
}

static inline bool image_is_marked(const struct image *image, uint64_t block) {
    const uint8_t *bitmap = image_block(image, image_super(image)->bitmap_start);
    return bitmap[block / 8] >> block % 8 & 1;
}
