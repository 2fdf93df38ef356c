// Program files for tests: see the header.
#include "image.h"

#include "test.h"

// Writes to its data and its zeroes, and exits with the number in its data.
static const uint32_t code[] = {
    0x00011537, // lui a0, 0x11
    0x00052503, // lw a0, 0(a0)
    0x000115b7, // lui a1, 0x11
    0x0005a223, // sw zero, 4(a1)
    0x000125b7, // lui a1, 0x12
    0xfe05ae23, // sw zero, -4(a1)
    0x00200893, // li a7, 2
    0x00000073, // ecall: exit(a0)
};

struct image *image_make(void) {
    static struct image image;
    image = (struct image){
        .header = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                   .type = 2,
                   .machine = 243,
                   .version = 1,
                   .entry = IMAGE_START,
                   .phoff = sizeof(struct elf_header),
                   .ehsize = sizeof(struct elf_header),
                   .phentsize = sizeof(struct elf_segment),
                   .phnum = 2},
        .segments = {{.type = PT_LOAD,
                      .flags = FLAG_READ | FLAG_EXEC,
                      .offset = PAGE_BYTES,
                      .vaddr = IMAGE_START,
                      .filesz = sizeof code,
                      .memsz = sizeof code,
                      .align = PAGE_BYTES},
                     {.type = PT_LOAD,
                      .flags = FLAG_READ | FLAG_WRITE,
                      .offset = 2 * PAGE_BYTES,
                      .vaddr = IMAGE_START + PAGE_BYTES,
                      .filesz = 16,
                      .memsz = PAGE_BYTES,
                      .align = PAGE_BYTES}},
        .data = {STATUS_RAN},
    };
    memcpy(image.text, code, sizeof code);
    return &image;
}

int status_of_exec(const char *path) {
    int pid = TEST_FORK();
    if (pid == 0) {
        static char marked[PAGE_BYTES];
        memset(marked, 0x5a, sizeof marked);
        int fd = lowest_free_fd();
        char *heap = sbrk(0);
        exec(path, (char *[]){"image", "an argument", NULL});
        int error = errno;
        CHECK_BYTES(marked, 0x5a, sizeof marked);
        exit(lowest_free_fd() == fd && sbrk(0) == heap ? STATUS_REFUSED + error : STATUS_HARMED);
    }
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    return status;
}

int status_of_bytes(const void *bytes, size_t size) {
    file_make("image", bytes, size);
    int status = status_of_exec("image");
    CHECK_EQUAL(0, unlink("image"));
    return status;
}

int status_of_image(const struct image *image) {
    return status_of_bytes(image, sizeof *image);
}
