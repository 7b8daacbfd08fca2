/* Preloaded into a program, it writes down everything that the program does to the files of one
 * folder, and what it says on its standard output, in the order in which that happened. From this a
 * test makes what a disk may hold after a power cut at any moment.
 *
 *   RECORD_DIR   the folder          RECORD_LOG   where to write it down
 *
 * A record: a letter, the number of a file (4 bytes), a place (8), a length (4), and so many bytes.
 *   N  a file with this number has this name       W  written at a place
 *   T  cut or grown to a length (its place)         S  synced: what came before is on the disk
 *   U  unlinked                                     O  said on the standard output
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
static int file_of[DESCRIPTORS]; /* the number of a file, and one */
static int book = -2;
static char folder[512];

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void put(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t done = REAL(write)(book, at, length);
        if (done <= 0) abort();
        at += done;
        length -= (size_t)done;
    }
}

static void note(char what, uint32_t file, uint64_t place, const void *bytes, uint32_t length) {
    char head[17];
    head[0] = what;
    memcpy(head + 1, &file, 4);
    memcpy(head + 5, &place, 8);
    memcpy(head + 13, &length, 4);
    put(head, sizeof head);
    put(bytes, length);
}

/* Whether anything is to be written down. */
static int ready(void) {
    if (book == -2) {
        const char *dir = getenv("RECORD_DIR"), *log = getenv("RECORD_LOG");
        book = -1;
        if (dir && log) {
            snprintf(folder, sizeof folder, "%s", dir);
            book = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        }
    }
    return book >= 0;
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
    note('N', (uint32_t)known, 0, name, (uint32_t)strlen(name));
    return known++;
}

static void opened(int fd, const char *path, int flags) {
    pthread_mutex_lock(&order);
    if (fd >= 0 && fd < DESCRIPTORS && ready()) {
        int file = number(path);
        file_of[fd] = file + 1;
        if (file >= 0 && (flags & O_TRUNC)) note('T', (uint32_t)file, 0, "", 0);
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
    ssize_t name(int fd, const void *bytes, size_t length, offset place) {    \
        pthread_mutex_lock(&order);                                           \
        ssize_t done = REAL(name)(fd, bytes, length, place);                  \
        if (done > 0 && file(fd) >= 0)                                        \
            note('W', (uint32_t)file(fd), (uint64_t)place, bytes, (uint32_t)done); \
        pthread_mutex_unlock(&order);                                         \
        return done;                                                          \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length) {
    if (fd == book) return REAL(write)(fd, bytes, length);
    pthread_mutex_lock(&order);
    off_t place = file(fd) >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = REAL(write)(fd, bytes, length);
    if (done > 0 && file(fd) >= 0)
        note('W', (uint32_t)file(fd), (uint64_t)place, bytes, (uint32_t)done);
    else if (done > 0 && fd == 1 && ready())
        note('O', 0, 0, bytes, (uint32_t)done);
    pthread_mutex_unlock(&order);
    return done;
}

#define TRUNCATE(name, offset)                                                \
    int name(int fd, offset length) {                                         \
        pthread_mutex_lock(&order);                                           \
        int failed = REAL(name)(fd, length);                                  \
        if (!failed && file(fd) >= 0)                                         \
            note('T', (uint32_t)file(fd), (uint64_t)length, "", 0);           \
        pthread_mutex_unlock(&order);                                         \
        return failed;                                                        \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                            \
    int name(int fd) {                                                        \
        pthread_mutex_lock(&order);                                           \
        int failed = REAL(name)(fd);                                          \
        if (!failed && file(fd) >= 0) note('S', (uint32_t)file(fd), 0, "", 0); \
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
        if (gone >= 0) note('U', (uint32_t)gone, 0, "", 0);
    }
    pthread_mutex_unlock(&order);
    return failed;
}
