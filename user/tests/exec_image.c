// exec of files that are good programs, strange ones, bad ones, and none at all.
#define TEST_FAMILY "exec"
#include "test.h"

#include "image.h"
#include "support.h"

// For images that a kernel may accept or refuse: neither may do any harm.
static void check_no_harm(const struct image *image) {
    CHECK(status_of_image(image) != STATUS_HARMED);
}

TEST(exec_refuses_non_files) {
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, mknod("device", DEVICE_CONSOLE, 0));
    file_make_empty("empty");
    char longer[PATH_BYTES + 100];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    CHECK_EQUAL(STATUS_REFUSED + ENOENT, status_of_exec("missing"));
    CHECK_EQUAL(STATUS_REFUSED + ENOENT, status_of_exec("missing/program"));
    CHECK_EQUAL(STATUS_REFUSED + ENOENT, status_of_exec(""));
    CHECK_EQUAL(STATUS_REFUSED + ENOTDIR, status_of_exec("empty/program"));
    CHECK_EQUAL(STATUS_REFUSED + ENAMETOOLONG, status_of_exec(longer));
    CHECK_EQUAL(STATUS_REFUSED + EACCES, status_of_exec("directory"));
    CHECK_EQUAL(STATUS_REFUSED + EACCES, status_of_exec("/"));
    CHECK_EQUAL(STATUS_REFUSED + EACCES, status_of_exec("device"));
}

TEST(exec_refuses_non_programs) {
    static const char text[] = "#!/sh\necho no program\n";
    static char zeroes[2 * PAGE_BYTES];
    CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_bytes("", 0));
    CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_bytes("x", 1));
    CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_bytes(text, sizeof text));
    CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_bytes(zeroes, sizeof zeroes));
}

TEST(exec_runs_a_small_image) {
    struct image *image = image_make();
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(STATUS_RAN, status_of_image(image));
    image->segments[0].flags |= FLAG_WRITE;
    CHECK_EQUAL(STATUS_RAN, status_of_image(image));
    image->segments[2] = (struct elf_segment){.type = 0x70000003, .offset = 1u << 30, .filesz = 70};
    image->segments[3] = (struct elf_segment){.type = PT_LOAD, .vaddr = IMAGE_START};
    image->header.phnum = 4;
    CHECK_EQUAL(STATUS_RAN, status_of_image(image));
}

TEST(exec_leaves_the_file_unchanged) {
    struct image *image = image_make();
    file_make("image", image, sizeof *image);
    CHECK_EQUAL(STATUS_RAN, status_of_exec("image"));
    static struct image seen;
    int fd = open("image", O_RDONLY);
    read_fully(fd, &seen, sizeof seen);
    CHECK(memcmp(&seen, image, sizeof seen) == 0);
}

// One segment with everything, at an offset in the file that does not fit its address: linkers of
// xv6 make those.
TEST(exec_runs_a_segment_at_any_offset) {
    static const size_t shifts[] = {2, 0xb0, 1000, PAGE_BYTES - 8};
    char *shifted = buffer;
    for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
        struct image *image = image_make();
        image->header.phnum = 1;
        image->segments[0].offset += shifts[i];
        image->segments[0].flags = FLAG_READ | FLAG_WRITE | FLAG_EXEC;
        image->segments[0].filesz = 2 * PAGE_BYTES;
        image->segments[0].memsz = 3 * PAGE_BYTES;
        memcpy(shifted, image, PAGE_BYTES);
        memcpy(shifted + PAGE_BYTES + shifts[i], image->text, 2 * PAGE_BYTES);
        CHECK_EQUAL(STATUS_RAN, status_of_bytes(shifted, 3 * PAGE_BYTES + shifts[i]));
    }
}

TEST(exec_runs_an_image_at_zero) {
    // li a0, 42; li a7, 2; ecall
    static const uint32_t at_zero[] = {0x02a00513, 0x00200893, 0x00000073};
    struct image *image = image_make();
    image->header.phnum = 1;
    image->header.entry = 0;
    image->segments[0].vaddr = 0;
    memcpy(image->text, at_zero, sizeof at_zero);
    CHECK_EQUAL(STATUS_RAN, status_of_image(image));
}

#define CHECK_HEADER_REFUSED(field, value) \
    do { \
        struct image *image_ = image_make(); \
        image_->field = (value); \
        CHECK_EQUAL(STATUS_REFUSED + ENOEXEC, status_of_image(image_)); \
    } while (0)

TEST(exec_refuses_wrong_headers) {
    CHECK_HEADER_REFUSED(header.ident[0], 0x7e);
    CHECK_HEADER_REFUSED(header.ident[3], 'f');
    CHECK_HEADER_REFUSED(header.ident[4], 1);
    CHECK_HEADER_REFUSED(header.ident[5], 2);
    CHECK_HEADER_REFUSED(header.machine, 62);
    CHECK_HEADER_REFUSED(header.phentsize, 32);
    CHECK_HEADER_REFUSED(header.phnum, 65535);
    CHECK_HEADER_REFUSED(header.phoff, sizeof(struct image));
    CHECK_HEADER_REFUSED(header.phoff, sizeof(struct image) - 10);
    CHECK_HEADER_REFUSED(header.phoff, 1ull << 40);
    CHECK_HEADER_REFUSED(header.phoff, (uint64_t)-8);
    CHECK_HEADER_REFUSED(header.phoff, 1ull << 63);
}

TEST(exec_refuses_wrong_segments) {
    CHECK_HEADER_REFUSED(segments[1].filesz, 2 * PAGE_BYTES);
    CHECK_HEADER_REFUSED(segments[1].filesz, (uint64_t)-1);
    CHECK_HEADER_REFUSED(segments[1].memsz, (uint64_t)-1);
    CHECK_HEADER_REFUSED(segments[1].memsz, (uint64_t) - (IMAGE_START + PAGE_BYTES));
    CHECK_HEADER_REFUSED(segments[1].memsz, (uint64_t) - (IMAGE_START + PAGE_BYTES) + 1);
    CHECK_HEADER_REFUSED(segments[1].vaddr, (uint64_t)-PAGE_BYTES);
    CHECK_HEADER_REFUSED(segments[1].vaddr, 0xffffffc080200000);
    CHECK_HEADER_REFUSED(segments[1].vaddr, 0x4000000000);
    CHECK_HEADER_REFUSED(segments[1].vaddr, 0x8000000000);
    CHECK_HEADER_REFUSED(segments[1].vaddr, 1ull << 63);
}

TEST(exec_survives_strange_segments) {
    static const uint64_t values[] = {
        0,          1,          PAGE_BYTES - 1,     PAGE_BYTES + 1, 1u << 20,
        1ull << 32, 1ull << 37, 0x3fffff0000,       0x3fffffffff,   1ull << 38,
        1ull << 39, 1ull << 47, 0x7fffffffffffffff, 1ull << 63,     (uint64_t)-16};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        for (int field = 0; field < 6; field++) {
            struct image *image = image_make();
            struct elf_segment *segment = &image->segments[1];
            uint64_t *fields[] = {&segment->offset, &segment->vaddr, &segment->filesz,
                                  &segment->memsz,  &segment->align, &image->header.entry};
            *fields[field] = values[i];
            check_no_harm(image);
        }
    }
}

TEST(exec_survives_overlapping_segments) {
    struct image *image = image_make();
    image->segments[1].vaddr = IMAGE_START;
    check_no_harm(image);
    image->segments[1].vaddr = IMAGE_START + 2 * PAGE_BYTES;
    image->segments[0].memsz = 3 * PAGE_BYTES;
    check_no_harm(image);
    image = image_make();
    image->segments[1].vaddr = IMAGE_START - PAGE_BYTES; // not in order
    image->segments[1].memsz = 4 * PAGE_BYTES;
    check_no_harm(image);
}

TEST(exec_survives_any_bad_header_byte) {
    uint32_t seed = 5;
    for (size_t at = 0; at < sizeof(struct elf_header) + 2 * sizeof(struct elf_segment); at++) {
        struct image *image = image_make();
        ((uint8_t *)image)[at] ^= (uint8_t)(random_next(&seed) | 1);
        check_no_harm(image);
    }
}

TEST(exec_survives_truncated_images) {
    static const size_t sizes[] = {1,
                                   4,
                                   16,
                                   63,
                                   64,
                                   100,
                                   119,
                                   120,
                                   64 + 2 * 56,
                                   1000,
                                   PAGE_BYTES - 1,
                                   PAGE_BYTES,
                                   PAGE_BYTES + 1,
                                   PAGE_BYTES + 20,
                                   5000,
                                   2 * PAGE_BYTES,
                                   2 * PAGE_BYTES + 1};
    struct image *image = image_make();
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        int status = status_of_bytes(image, sizes[i]);
        CHECK(status == TEST_STATUS_KILLED || status == STATUS_REFUSED + ENOEXEC);
    }
}

TEST(exec_with_bad_entry_point_crashes) {
    static const uint64_t entries[] = {0, IMAGE_START + PAGE_BYTES, IMAGE_START + 8 * PAGE_BYTES,
                                       0xffffffc080200000};
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        struct image *image = image_make();
        image->header.entry = entries[i];
        int status = status_of_image(image);
        CHECK(status == TEST_STATUS_KILLED || status == STATUS_REFUSED + ENOEXEC);
    }
}

TEST(exec_survives_bss_larger_than_memory) {
    struct image *image = image_make();
    image->segments[1].memsz = test_frames_free() * PAGE_BYTES + (64 << 20);
    check_no_harm(image);
}
