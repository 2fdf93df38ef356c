#include "fs_work.h"

int change_page(struct inode *ip, uint64_t offset, uint32_t seed) {
    struct frame *page;
    int error = inode_page_shared(ip, offset, &page);
    if (error)
        return error;
    fill(frame_ptr(page), BLOCK_SIZE, seed);
    if (log_begin() == 0) {
        inode_write_page(ip, offset, page);
        log_end();
    }
    frame_put(page);
    return 0;
}

static void random_name(char *name, const char *directory) {
    if (host_random(4) == 0)
        sprintf(name, "%s/d%u/n%u", directory, host_random(2), host_random(WORK_NAMES));
    else
        sprintf(name, "%s/n%u", directory, host_random(WORK_NAMES));
}

static void random_directory_name(char *name, const char *directory) {
    sprintf(name, "%s/d%u", directory, host_random(2));
}

static void change_random_page(const char *path) {
    struct inode *ip;
    if (path_lookup(root, path, &ip) != 0)
        return;
    if (ip->disk.type == T_FILE && ip->disk.size > 0) {
        uint64_t offset = host_random((uint32_t)ip->disk.size) / BLOCK_SIZE * BLOCK_SIZE;
        change_page(ip, offset, host_random(1000));
    }
    inode_put(ip);
}

// Writes somewhere into the file, often at its end.
static void write_somewhere(const char *path) {
    static char data[65536], skipped[65536];
    struct file *f;
    if (file_open(root, path, O_RDWR, &f) != 0)
        return;
    fill(data, sizeof data, host_random(1000));
    if (host_random(2) == 0)
        read_bytes(f, skipped, host_random(20000));
    else
        while (read_bytes(f, skipped, sizeof skipped) > 0 && host_random(8) != 0)
            ;
    write_bytes(f, data, host_random(3) == 0 ? host_random(65536) : host_random(6000));
    file_put(f);
}

void random_operation(const char *directory) {
    char name[40], other[40];
    random_name(name, directory);
    random_name(other, directory);
    switch (host_random(13)) {
    case 0:
        random_directory_name(name, directory);
        make(name, T_DIR);
        break;
    case 1:
        path_link(root, name, other);
        break;
    case 2:
    case 3:
        path_unlink(root, name);
        break;
    case 4:
        random_directory_name(name, directory);
        path_unlink(root, name);
        break;
    case 5:
    case 6:
    case 7:
        make(name, T_FILE);
        break;
    case 8:
        open_and_close(name, O_TRUNC);
        break;
    case 9:
        change_random_page(name);
        break;
    default:
        write_somewhere(name);
    }
}

static uint64_t number_from_environment(const char *name, uint64_t usual) {
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : usual;
}

uint64_t first_seed(void) {
    return number_from_environment("SEED", 1);
}

uint64_t last_seed(uint64_t usual_rounds) {
    return first_seed() + number_from_environment("ROUNDS", usual_rounds) - 1;
}
