// Paths and directories.

#include "files.h"

#include "cow6.h"

int stat(const char *path, struct stat *stat) {
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    int result = fstat(fd, stat);
    close(fd);
    return result;
}

const char *path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

int path_join(char *out, size_t size, const char *directory, const char *name) {
    const char *slash = directory[0] == '\0' || directory[strlen(directory) - 1] == '/' ? "" : "/";
    if (strlen(directory) + strlen(slash) + strlen(name) + 1 > size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(out, size, "%s%s%s", directory, slash, name);
    return 0;
}

bool is_program(const char *directory, const char *name) {
    char path[PATH_BYTES];
    char magic[4];
    struct stat s;
    int fd = path_join(path, sizeof path, directory, name) < 0 ? -1 : open(path, O_RDONLY);
    if (fd < 0)
        return false;
    bool is_elf = fstat(fd, &s) == 0 && s.type == T_FILE &&
                  read(fd, magic, sizeof magic) == sizeof magic &&
                  memcmp(magic, "\177ELF", sizeof magic) == 0;
    close(fd);
    return is_elf;
}

int path_for_copy(char *out, size_t size, const char *target, const char *source) {
    struct stat s;
    bool into_directory = stat(target, &s) == 0 && s.type == T_DIR;
    return path_join(out, size, into_directory ? target : "",
                     into_directory ? path_base(source) : target);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(a, b);
}

int file_read(int fd, char **contents) {
    size_t size = 0, end = 0;
    char *buffer = NULL;
    for (int n = 1; n > 0; end += (size_t)n) {
        if (end == size) {
            size = size == 0 ? PAGE_BYTES : 2 * size;
            char *larger = size > INT32_MAX ? NULL : realloc(buffer, size);
            if (larger == NULL)
                goto free_buffer;
            buffer = larger;
        }
        n = read(fd, buffer + end, (int)(size - end));
        if (n < 0)
            goto free_buffer;
    }
    *contents = buffer;
    return (int)end;

free_buffer:
    free(buffer);
    return -1;
}

static bool is_listed(const struct dirent *e) {
    return e->inum != 0 && strncmp(e->name, ".", NAME_BYTES) != 0 &&
           strncmp(e->name, "..", NAME_BYTES) != 0;
}

char **directory_names(int fd, size_t *count) {
    char *contents;
    int size = file_read(fd, &contents);
    if (size < 0)
        return NULL;
    const struct dirent *entries = (const struct dirent *)contents;
    size_t n = (size_t)size / sizeof *entries;
    char **names = malloc(n * (sizeof *names + NAME_BYTES + 1));
    if (names != NULL) {
        char *text = (char *)(names + n);
        *count = 0;
        for (size_t i = 0; i < n; i++) {
            if (!is_listed(&entries[i]))
                continue;
            names[(*count)++] = string_copy(text, entries[i].name, NAME_BYTES + 1);
            text += NAME_BYTES + 1;
        }
        pointers_sort((void **)names, *count, compare_names);
    }
    free(contents);
    return names;
}

int fd_move(int from, int to) {
    if (from == to)
        return 0;
    close(to);
    int result = dup(from);
    close(from);
    return result < 0 ? -1 : 0;
}
