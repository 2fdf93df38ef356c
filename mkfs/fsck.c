// fsck: checks a disk image without changing it, lists what it contains, or prints a file's
// contents. What is committed in the log is first replayed in memory. How the checks work: check.c.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "image.h"

const char program_name[] = "fsck";

enum { STATUS_CLEAN, STATUS_VIOLATIONS, STATUS_UNREADABLE };

struct options {
    bool quiet, verbose, strict, list;
    bool no_replay;
    const char *extract;
    const char *image;
};

static _Noreturn void usage(void) {
    fprintf(stderr,
            "usage: fsck [-n] [-q] [-v] [--strict] IMAGE    check it\n"
            "       fsck [-n] --list IMAGE                 print inode, type, links, size, path\n"
            "       fsck [-n] --extract PATH IMAGE         write a file's contents\n"
            "  -n        ignore the log\n"
            "  -q        print only violations\n"
            "  -v        also print where the areas are\n"
            "  --strict  treat a warning as a violation\n");
    exit(STATUS_UNREADABLE);
}

static void parse_options(struct options *options, int argc, char **argv) {
    static const struct option names[] = {
        {"strict", no_argument, NULL, 's'},
        {"list", no_argument, NULL, 'l'},
        {"extract", required_argument, NULL, 'x'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "nqv", names, NULL)) != -1;) {
        switch (option) {
        case 'n':
            options->no_replay = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 's':
            options->strict = true;
            break;
        case 'l':
            options->list = true;
            break;
        case 'x':
            options->extract = optarg;
            break;
        default:
            usage();
        }
    }
    if (optind != argc - 1)
        usage();
    options->image = argv[optind];
}

static void print_inode(const struct check *c, uint32_t number, const char *path) {
    static const char *const types[] = {[T_DIR] = "dir", [T_FILE] = "file", [T_DEVICE] = "device"};
    const struct disk_inode *disk = image_inode(c->image, number);
    const char *type = disk->type < ARRAY_SIZE(types) ? types[disk->type] : "?";
    printf("%5u %-6s %3u %10" PRIu64 " %s\n", number, type, disk->nlink, disk->size, path);
}

// Prints the entries of each directory, in the order of the directories' inode numbers.
static void print_list(const struct check *c) {
    print_inode(c, ROOT_INODE, "/");
    for (uint32_t i = ROOT_INODE; i < c->super->inode_count; i++) {
        const struct inode_facts *facts = &c->facts[i];
        for (size_t j = 0; j < facts->entries; j++) {
            const struct dirent *entry = c->entries[facts->first_entry + j];
            if (!entry_is_dots(entry) && facts_is_inode(c, entry->inum))
                print_inode(c, entry->inum, facts_path(c, i, entry));
        }
    }
}

// Returns the inode of that name in the directory, 0 if there is none.
static uint32_t find_name(const struct check *c, uint32_t directory, const char *name,
                          size_t length) {
    const struct inode_facts *facts = &c->facts[directory];
    for (size_t i = 0; i < facts->entries; i++) {
        const struct dirent *entry = c->entries[facts->first_entry + i];
        if (strnlen(entry->name, NAME_BYTES) == length && memcmp(entry->name, name, length) == 0)
            return facts_is_inode(c, entry->inum) ? entry->inum : 0;
    }
    return 0;
}

static uint32_t find_path(const struct check *c, const char *path) {
    uint32_t number = ROOT_INODE;
    for (path += strspn(path, "/"); *path != 0 && number != 0; path += strspn(path, "/")) {
        size_t length = strcspn(path, "/");
        number = find_name(c, number, path, length);
        path += length;
    }
    return number;
}

static void extract(const struct check *c, const char *path) {
    uint32_t number = find_path(c, path);
    if (number == 0 || image_inode(c->image, number)->type != T_FILE)
        fail(STATUS_VIOLATIONS, "%s: %s", path, number == 0 ? "not in the image" : "is not a file");
    const struct disk_inode *disk = image_inode(c->image, number);
    for (uint64_t at = 0; at < disk->size; at += BLOCK_SIZE) {
        uint32_t block = image_file_block(c->image, disk, at / BLOCK_SIZE);
        if (block == 0)
            fail(STATUS_VIOLATIONS, "%s: a block is missing at byte %" PRIu64, path, at);
        fwrite(image_block(c->image, block), 1, min_u64(disk->size - at, BLOCK_SIZE), stdout);
    }
}

static void print_areas(const struct superblock *s) {
    printf("log     %10u %10u blocks\n", s->log_start, s->log_blocks);
    printf("inodes  %10u %10u blocks\n", s->inode_start, s->inode_blocks);
    printf("bitmap  %10u %10u blocks\n", s->bitmap_start, s->bitmap_blocks);
    printf("data    %10u %10u blocks\n", s->data_start, s->blocks - s->data_start);
}

static void print_summary(const struct check *c, const struct options *options, bool clean) {
    printf("%s: ", options->image);
    if (clean)
        printf("clean");
    else
        printf("%u violations", c->violations);
    if (c->warnings > 0)
        printf(", %u warnings", c->warnings);
    if (c->facts != NULL)
        printf("; %u of %u inodes and %u of %u data blocks used, %u log records %s", c->inodes_used,
               c->super->inode_count, c->blocks_used, c->super->blocks - c->super->data_start,
               c->log_records, options->no_replay ? "ignored" : "replayed");
    putchar('\n');
}

static int print_report(const struct check *c, const struct options *options) {
    bool clean = c->violations == 0 && (c->warnings == 0 || !options->strict);
    findings_print(c, stdout, !options->quiet || options->strict);
    if (!options->quiet)
        print_summary(c, options, clean);
    return clean ? STATUS_CLEAN : STATUS_VIOLATIONS;
}

int main(int argc, char **argv) {
    struct options options = {0};
    parse_options(&options, argc, argv);
    struct image image;
    int error = image_open(&image, options.image);
    if (error)
        fail(STATUS_UNREADABLE, "cannot read %s: %s", options.image, strerror(-error));
    struct check check;
    int status = STATUS_CLEAN;
    bool usable = check_superblock(&check, &image);
    if (usable) {
        if (options.verbose)
            print_areas(check.super);
        check_log(&check, !options.no_replay);
        check_contents(&check);
    }
    if (usable && options.list)
        print_list(&check);
    else if (usable && options.extract != NULL)
        extract(&check, options.extract);
    else
        status = print_report(&check, &options);
    check_destroy(&check);
    image_close(&image);
    return fflush(stdout) ? STATUS_UNREADABLE : status;
}
