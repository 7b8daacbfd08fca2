/* A library to be preloaded into a program. It records the program's operations on the files of one
 * folder and its standard output, in order. From the recording a test builds the possible contents of
 * a disk after a power loss at any moment.
 *
 *   RECORD_DIR   the folder          RECORD_LOG   the recording
 *
 * A record: a letter, the number of a file (4 bytes), an offset (8), a length (4), and that many bytes.
 *   N  a file with this number has this name       W  written at an offset
 *   T  truncated or extended to the offset          S  synced: earlier writes are on the disk
 *   U  unlinked                                     O  written to the standard output
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FILES 256
#define DESCRIPTORS 4096

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static char names[FILES][512];
static int known;
static int file_of[DESCRIPTORS]; /* the number of a file plus one */
static int log_fd = -2;
static char folder[512];

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void write_all(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t done = REAL(write)(log_fd, at, length);
        if (done <= 0) abort();
        at += done;
        length -= (size_t)done;
    }
}

static void write_record(char what, uint32_t file, uint64_t position, const void *bytes, uint32_t length) {
    char head[17];
    head[0] = what;
    memcpy(head + 1, &file, 4);
    memcpy(head + 5, &position, 8);
    memcpy(head + 13, &length, 4);
    write_all(head, sizeof head);
    write_all(bytes, length);
}

/* True if a recording was requested. */
static int ready(void) {
    if (log_fd == -2) {
        const char *dir = getenv("RECORD_DIR"), *log = getenv("RECORD_LOG");
        log_fd = -1;
        if (dir && log) {
            snprintf(folder, sizeof folder, "%s", dir);
            log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        }
    }
    return log_fd >= 0;
}

static int number(const char *path) {
    size_t length = strlen(folder);
    if (strncmp(path, folder, length) != 0) return -1;
    const char *name = path + length;
    while (*name == '/') name++;
    for (int i = 0; i < known; i++)
        if (strcmp(names[i], name) == 0) return i;
    if (known == FILES) abort();
    snprintf(names[known], sizeof names[known], "%s", name);
    write_record('N', (uint32_t)known, 0, name, (uint32_t)strlen(name));
    return known++;
}

static void opened(int fd, const char *path, int flags) {
    pthread_mutex_lock(&order);
    if (fd >= 0 && fd < DESCRIPTORS && ready()) {
        int file = number(path);
        file_of[fd] = file + 1;
        if (file >= 0 && (flags & O_TRUNC)) write_record('T', (uint32_t)file, 0, "", 0);
    }
    pthread_mutex_unlock(&order);
}

#define OPEN(name)                                                   \
    int name(const char *path, int flags, ...) {                     \
        va_list rest;                                                \
        va_start(rest, flags);                                       \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                \
        int fd = REAL(name)(path, flags, mode);                      \
        opened(fd, path, flags);                                     \
        return fd;                                                   \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS) file_of[fd] = 0;
    return REAL(close)(fd);
}

static int file(int fd) {
    return ready() && fd >= 0 && fd < DESCRIPTORS ? file_of[fd] - 1 : -1;
}

#define PWRITE(name, offset)                                                  \
    ssize_t name(int fd, const void *bytes, size_t length, offset position) {    \
        pthread_mutex_lock(&order);                                           \
        ssize_t done = REAL(name)(fd, bytes, length, position);                  \
        if (done > 0 && file(fd) >= 0)                                        \
            write_record('W', (uint32_t)file(fd), (uint64_t)position, bytes, (uint32_t)done); \
        pthread_mutex_unlock(&order);                                         \
        return done;                                                          \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length) {
    if (fd == log_fd) return REAL(write)(fd, bytes, length);
    pthread_mutex_lock(&order);
    off_t position = file(fd) >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = REAL(write)(fd, bytes, length);
    if (done > 0 && file(fd) >= 0)
        write_record('W', (uint32_t)file(fd), (uint64_t)position, bytes, (uint32_t)done);
    else if (done > 0 && fd == 1 && ready())
        write_record('O', 0, 0, bytes, (uint32_t)done);
    pthread_mutex_unlock(&order);
    return done;
}

#define TRUNCATE(name, offset)                                                \
    int name(int fd, offset length) {                                         \
        pthread_mutex_lock(&order);                                           \
        int failed = REAL(name)(fd, length);                                  \
        if (!failed && file(fd) >= 0)                                         \
            write_record('T', (uint32_t)file(fd), (uint64_t)length, "", 0);           \
        pthread_mutex_unlock(&order);                                         \
        return failed;                                                        \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                            \
    int name(int fd) {                                                        \
        pthread_mutex_lock(&order);                                           \
        int failed = REAL(name)(fd);                                          \
        if (!failed && file(fd) >= 0) write_record('S', (uint32_t)file(fd), 0, "", 0); \
        pthread_mutex_unlock(&order);                                         \
        return failed;                                                        \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    pthread_mutex_lock(&order);
    int failed = REAL(unlink)(path);
    if (!failed && ready()) {
        int gone = number(path);
        if (gone >= 0) write_record('U', (uint32_t)gone, 0, "", 0);
    }
    pthread_mutex_unlock(&order);
    return failed;
}
