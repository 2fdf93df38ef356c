// mkfs: makes a disk image that holds the given files. The image grows in memory, block after block
// and inode after inode, and is written when it is complete. The same arguments and files always
// give the same image.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/logformat.h"
#include "abi/stat.h"
#include "image.h"

const char program_name[] = "mkfs";

enum { DEFAULT_BLOCKS = 8192, BLOCKS_PER_INODE = 4, INODES_MIN = 64, LOG_DEFAULT = 256 };

struct volume {
    struct image image;
    struct superblock *super;
    uint32_t next_block;
    uint32_t next_inode;
    const char *adding; // the argument that is being processed, for messages
};

static _Noreturn void usage(void) {
    fprintf(stderr,
            "usage: mkfs [-s SIZE] [-i INODES] [-l LOGBLOCKS] IMAGE FILE...\n"
            "  SIZE       of the image in bytes, or a number followed by K, M or G (32M)\n"
            "  FILE       goes into the root directory; a leading _ of its name is dropped\n"
            "  FILE:NAME  goes there as NAME, which may be a path\n");
    exit(1);
}

// Returns the number that `text` stands for, which must be from `min` to `max`.
static uint64_t parse_number(const char *what, const char *text, uint64_t min, uint64_t max) {
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0 || number < min || number > max)
        fail(1, "invalid %s '%s': must be a number from %llu to %llu", what, text,
             (unsigned long long)min, (unsigned long long)max);
    return number;
}

// Returns by how many bits a unit shifts a size; 0 if it is none.
static unsigned shift_of(char unit) {
    static const char units[] = "KMG";
    const char *found = unit == '\0' ? NULL : strchr(units, unit);
    return found == NULL ? 0 : 10 * (unsigned)(found - units + 1);
}

// Returns how many blocks a size like 64M is.
static uint32_t parse_size(const char *text) {
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    unsigned shift = shift_of(*end);
    if (text[0] < '0' || text[0] > '9' || end[shift > 0] != 0 || errno != 0)
        fail(1, "invalid size '%s': must be a number, which K, M or G may follow", text);
    const unsigned long long max = (unsigned long long)UINT32_MAX * BLOCK_SIZE;
    if (number == 0 || number > max >> shift || (number << shift) % BLOCK_SIZE != 0)
        fail(1, "invalid size '%s': must be a multiple of %d, at most %llu", text, BLOCK_SIZE, max);
    return (uint32_t)((number << shift) / BLOCK_SIZE);
}

static uint32_t divide_up(uint32_t n, uint32_t unit) {
    return n / unit + (n % unit != 0);
}

static uint32_t clamp(uint32_t n, uint32_t min, uint32_t max) {
    if (n < min)
        return min;
    return n < max ? n : max;
}

// Lays out the areas, one after the other.
static struct superblock plan_areas(uint32_t blocks, uint32_t inodes, uint32_t log_blocks) {
    struct superblock super = {.magic = DISK_MAGIC, .blocks = blocks, .inode_count = inodes};
    super.log_start = 1;
    super.log_blocks = log_blocks;
    super.inode_start = super.log_start + super.log_blocks;
    super.inode_blocks = divide_up(inodes, INODES_PER_BLOCK);
    super.bitmap_start = super.inode_start + super.inode_blocks;
    super.bitmap_blocks = divide_up(blocks, BITS_PER_BLOCK);
    super.data_start = super.bitmap_start + super.bitmap_blocks;
    uint64_t needed = (uint64_t)1 + log_blocks + super.inode_blocks + super.bitmap_blocks + 1;
    if (needed > blocks)
        fail(1, "an image of %u blocks is too small: it takes %llu for log, inodes and bitmap",
             blocks, (unsigned long long)needed);
    return super;
}

static void create_volume(struct volume *v, struct superblock super) {
    if (image_create(&v->image, super.blocks))
        fail(1, "not enough memory for an image of %u blocks", super.blocks);
    v->super = image_super(&v->image);
    *v->super = super;
    v->next_block = super.data_start;
    v->next_inode = ROOT_INODE;
}

static void save_volume(struct volume *v, const char *path) {
    uint8_t *bitmap = image_block(&v->image, v->super->bitmap_start);
    for (uint32_t i = 0; i < v->next_block; i++)
        bitmap[i / 8] |= (uint8_t)(1u << i % 8);
    int error = image_save(&v->image, v->next_block, path);
    if (error)
        fail(1, "cannot write %s: %s", path, strerror(-error));
    image_close(&v->image);
}

static uint32_t alloc_block(struct volume *v) {
    if (v->next_block == v->super->blocks)
        fail(1, "%s does not fit: the image has only %u blocks (option -s)", v->adding,
             v->super->blocks);
    return v->next_block++;
}

static uint32_t alloc_inode(struct volume *v, enum file_type type) {
    if (v->next_inode == v->super->inode_count)
        fail(1, "%s does not fit: the image has only %u inodes (option -i)", v->adding,
             v->super->inode_count);
    image_inode(&v->image, v->next_inode)->type = (uint16_t)type;
    return v->next_inode++;
}

// Returns entry `index` of the pointer block that *slot names, making that block if there is none.
static uint32_t *find_slot(struct volume *v, uint32_t *slot, uint64_t index) {
    if (*slot == 0)
        *slot = alloc_block(v);
    return (uint32_t *)image_block(&v->image, *slot) + index;
}

// Appends at most a block to a file that fills its last block.
static void append(struct volume *v, struct disk_inode *file, const void *data, size_t size) {
    uint64_t index = file->size / BLOCK_SIZE;
    if (index >= FILE_BLOCKS_MAX)
        fail(1, "%s does not fit: a file has at most %llu blocks", v->adding,
             (unsigned long long)FILE_BLOCKS_MAX);
    uint32_t *slot;
    if (index < DIRECT_BLOCKS) {
        slot = &file->direct[index];
    } else if ((index -= DIRECT_BLOCKS) < POINTERS_PER_BLOCK) {
        slot = find_slot(v, &file->indirect, index);
    } else {
        index -= POINTERS_PER_BLOCK;
        slot = find_slot(v, &file->double_indirect, index / POINTERS_PER_BLOCK);
        slot = find_slot(v, slot, index % POINTERS_PER_BLOCK);
    }
    *slot = alloc_block(v);
    memcpy(image_block(&v->image, *slot), data, size);
    file->size += size;
}

// Returns entry `index` of a directory.
static struct dirent *find_entry(struct volume *v, const struct disk_inode *directory,
                                 uint64_t index) {
    enum { ENTRIES_PER_BLOCK = BLOCK_SIZE / sizeof(struct dirent) };
    uint32_t block = image_file_block(&v->image, directory, index / ENTRIES_PER_BLOCK);
    return (struct dirent *)image_block(&v->image, block) + index % ENTRIES_PER_BLOCK;
}

// Returns the inode that the name is for, or 0 if there is none.
static uint32_t find_name(struct volume *v, uint32_t directory, const char *name) {
    const struct disk_inode *inode = image_inode(&v->image, directory);
    for (uint64_t i = 0; i < inode->size / sizeof(struct dirent); i++) {
        const struct dirent *entry = find_entry(v, inode, i);
        if (strncmp(entry->name, name, NAME_BYTES) == 0)
            return entry->inum;
    }
    return 0;
}

// Adds a name of at most NAME_BYTES for the inode, which counts the link unless the name is ".".
static void add_name(struct volume *v, uint32_t directory, const char *name, uint32_t number) {
    struct disk_inode *inode = image_inode(&v->image, directory);
    struct dirent entry = {.inum = (uint16_t)number};
    memcpy(entry.name, name, strlen(name));
    if (inode->size % BLOCK_SIZE == 0) {
        append(v, inode, &entry, sizeof entry);
    } else {
        inode->size += sizeof entry;
        *find_entry(v, inode, inode->size / sizeof entry - 1) = entry;
    }
    struct disk_inode *target = image_inode(&v->image, number);
    if (strcmp(name, ".") != 0 && ++target->nlink > LINKS_MAX)
        fail(1, "%s does not fit: too many directories in one", v->adding);
}

// Makes an empty directory; the caller adds its name to the parent. The root is its own parent.
static uint32_t make_directory(struct volume *v, uint32_t parent) {
    uint32_t number = alloc_inode(v, T_DIR);
    add_name(v, number, ".", number);
    add_name(v, number, "..", parent);
    return number;
}

// Copies the next part of a path to `name` and returns what follows it, without leading slashes.
static const char *next_name(struct volume *v, const char *path, char name[NAME_BYTES + 1]) {
    size_t length = strcspn(path, "/");
    if (length > NAME_BYTES)
        fail(1, "%s: name too long: '%.*s' has %zu bytes, %d are possible", v->adding, (int)length,
             path, length, NAME_BYTES);
    memcpy(name, path, length);
    name[length] = 0;
    if (length == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        fail(1, "%s: '%s' cannot be the name of a file", v->adding, name);
    return path + length + strspn(path + length, "/");
}

// Returns the directory of that name in `parent`, made if there is none.
static uint32_t enter_directory(struct volume *v, uint32_t parent, const char *name) {
    uint32_t number = find_name(v, parent, name);
    if (number == 0) {
        number = make_directory(v, parent);
        add_name(v, parent, name, number);
    } else if (image_inode(&v->image, number)->type != T_DIR) {
        fail(1, "%s: '%s' is a file already, not a directory", v->adding, name);
    }
    return number;
}

// Makes an empty file for the path in the image and returns it.
static struct disk_inode *make_file(struct volume *v, const char *path) {
    char name[NAME_BYTES + 1];
    uint32_t directory = ROOT_INODE;
    path = next_name(v, path + strspn(path, "/"), name);
    while (*path != 0) {
        directory = enter_directory(v, directory, name);
        path = next_name(v, path, name);
    }
    if (find_name(v, directory, name) != 0)
        fail(1, "%s: duplicate name '%s'", v->adding, name);
    uint32_t number = alloc_inode(v, T_FILE);
    add_name(v, directory, name, number);
    return image_inode(&v->image, number);
}

// Copies a file of the host into the image.
static void copy_file(struct volume *v, const char *host_path, const char *path) {
    FILE *from = fopen(host_path, "rb");
    if (from == NULL)
        fail(1, "cannot read %s: %s", host_path, strerror(errno));
    struct disk_inode *file = make_file(v, path);
    uint8_t data[BLOCK_SIZE];
    size_t n;
    while ((n = fread(data, 1, sizeof data, from)) > 0)
        append(v, file, data, n);
    if (ferror(from))
        fail(1, "cannot read %s: %s", host_path, strerror(errno));
    fclose(from);
}

// Adds the file that the argument FILE or FILE:NAME asks for.
static void add_argument(struct volume *v, const char *argument) {
    v->adding = argument;
    const char *colon = strrchr(argument, ':');
    if (colon == NULL) {
        const char *slash = strrchr(argument, '/');
        const char *base = slash == NULL ? argument : slash + 1;
        copy_file(v, argument, base[0] == '_' ? base + 1 : base);
        return;
    }
    size_t length = (size_t)(colon - argument);
    char *host_path = calloc(length + 1, 1);
    if (host_path == NULL)
        fail(1, "not enough memory");
    memcpy(host_path, argument, length);
    copy_file(v, host_path, colon + 1);
    free(host_path);
}

int main(int argc, char **argv) {
    uint32_t blocks = DEFAULT_BLOCKS, inodes = 0, log_blocks = 0;
    for (int option; (option = getopt(argc, argv, "s:i:l:")) != -1;) {
        if (option == 's')
            blocks = parse_size(optarg);
        else if (option == 'i')
            inodes = (uint32_t)parse_number("number of inodes", optarg, 2, INODES_MAX);
        else if (option == 'l')
            log_blocks = (uint32_t)parse_number("number of log blocks", optarg, LOG_BLOCKS_MIN,
                                                UINT32_MAX / 2);
        else
            usage();
    }
    if (optind == argc)
        usage();
    if (inodes == 0)
        inodes = clamp(blocks / BLOCKS_PER_INODE, INODES_MIN, INODES_MAX);
    if (log_blocks == 0)
        log_blocks = clamp(blocks / 8, LOG_BLOCKS_MIN, LOG_DEFAULT);
    struct volume volume = {.adding = "the root directory"};
    create_volume(&volume, plan_areas(blocks, inodes, log_blocks));
    make_directory(&volume, ROOT_INODE);
    for (int i = optind + 1; i < argc; i++)
        add_argument(&volume, argv[i]);
    save_volume(&volume, argv[optind]);
    return 0;
}
