/* Writes down what a process does to files below one folder, in order: put before the C library by LD_PRELOAD.

   $POSTERN_BENCH_RECORD is the log, $POSTERN_BENCH_RECORD_ROOT the folder. A record: one byte what, 8 bytes a number,
   4 bytes length of the path, 4 bytes length of the rest, path, rest; numbers little-endian. See crash_images.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int told = -1;
static const char *root;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POSTERN_BENCH_RECORD");
    root = getenv("POSTERN_BENCH_RECORD_ROOT");
    if (path && root)
        told = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void tell(char what, const char *path, uint64_t number, const void *rest, size_t length) {
    if (told < 0 || strncmp(path, root, strlen(root)))
        return;
    uint32_t lengths[2] = {(uint32_t)strlen(path), (uint32_t)length};
    struct iovec parts[] = {{&what, 1}, {&number, 8}, {lengths, 8}, {(void *)path, lengths[0]}, {(void *)rest, length}};
    syscall(SYS_writev, told, parts, 5);
}

static const char *of_file(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static const char *at(int folder, const char *name, char *path) {
    if (name[0] == '/')
        return strncpy(path, name, PATH_MAX - 1);
    char above[PATH_MAX] = "";
    if (folder == AT_FDCWD) {
        if (!getcwd(above, sizeof above))
            above[0] = 0;
    } else
        of_file(folder, above);
    snprintf(path, PATH_MAX, "%.2000s/%.2000s", above, name);
    return path;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static int opened(int file, int flags) {
    char path[PATH_MAX] = "";
    if (file >= 0 && flags & (O_CREAT | O_TRUNC) && told >= 0)
        tell(flags & O_TRUNC ? 'O' : 'C', of_file(file, path), 0, NULL, 0);
    return file;
}

#define MODE                     \
    va_list rest;                \
    va_start(rest, flags);       \
    mode_t mode = va_arg(rest, mode_t); \
    va_end(rest);

int open(const char *name, int flags, ...) { MODE return opened((int)syscall(SYS_openat, AT_FDCWD, name, flags, mode), flags); }
int open64(const char *name, int flags, ...) { MODE return opened((int)syscall(SYS_openat, AT_FDCWD, name, flags, mode), flags); }
int openat(int folder, const char *name, int flags, ...) { MODE return opened((int)syscall(SYS_openat, folder, name, flags, mode), flags); }
int openat64(int folder, const char *name, int flags, ...) { MODE return opened((int)syscall(SYS_openat, folder, name, flags, mode), flags); }

ssize_t write(int file, const void *data, size_t size) {
    char path[PATH_MAX];
    off_t offset = 0;
    if (told >= 0 && !strncmp(of_file(file, path), root, strlen(root))) {
        struct stat now;
        offset = fcntl(file, F_GETFL) & O_APPEND && !fstat(file, &now) ? now.st_size : lseek(file, 0, SEEK_CUR);
        ssize_t done = syscall(SYS_write, file, data, size);
        if (done > 0)
            tell('W', path, (uint64_t)offset, data, (size_t)done);
        return done;
    }
    return syscall(SYS_write, file, data, size);
}

static ssize_t placed(int file, const void *data, size_t size, off_t offset) {
    char path[PATH_MAX];
    ssize_t done = syscall(SYS_pwrite64, file, data, size, offset);
    if (done > 0 && told >= 0)
        tell('W', of_file(file, path), (uint64_t)offset, data, (size_t)done);
    return done;
}
ssize_t pwrite(int file, const void *data, size_t size, off_t offset) { return placed(file, data, size, offset); }
ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset) { return placed(file, data, size, offset); }

static int cut(int file, off_t size) {
    char path[PATH_MAX];
    int failed = (int)syscall(SYS_ftruncate, file, size);
    if (!failed && told >= 0)
        tell('T', of_file(file, path), (uint64_t)size, NULL, 0);
    return failed;
}
int ftruncate(int file, off_t size) { return cut(file, size); }
int ftruncate64(int file, off64_t size) { return cut(file, size); }

static int synced(int file, long number) {
    char path[PATH_MAX];
    int failed = (int)syscall(number, file);
    if (!failed && told >= 0)
        tell('F', of_file(file, path), 0, NULL, 0);
    return failed;
}
int fsync(int file) { return synced(file, SYS_fsync); }
int fdatasync(int file) { return synced(file, SYS_fdatasync); }

static int moved(int failed, int from_folder, const char *from, int to_folder, const char *to) {
    char old[PATH_MAX] = "", new[PATH_MAX] = "";
    if (!failed && told >= 0) {
        at(from_folder, from, old);
        at(to_folder, to, new);
        tell('R', old, 0, new, strlen(new));
    }
    return failed;
}
int rename(const char *from, const char *to) {
    return moved((int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0), AT_FDCWD, from, AT_FDCWD, to);
}
int renameat(int a, const char *from, int b, const char *to) {
    return moved((int)syscall(SYS_renameat2, a, from, b, to, 0), a, from, b, to);
}

static int gone(int failed, int folder, const char *name, int flags) {
    char path[PATH_MAX] = "";
    if (!failed && told >= 0)
        tell(flags & AT_REMOVEDIR ? 'D' : 'U', at(folder, name, path), 0, NULL, 0);
    return failed;
}
int unlink(const char *name) { return gone((int)syscall(SYS_unlinkat, AT_FDCWD, name, 0), AT_FDCWD, name, 0); }
int unlinkat(int folder, const char *name, int flags) {
    return gone((int)syscall(SYS_unlinkat, folder, name, flags), folder, name, flags);
}
int rmdir(const char *name) {
    return gone((int)syscall(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR), AT_FDCWD, name, AT_REMOVEDIR);
}

static int made(int failed, int folder, const char *name) {
    char path[PATH_MAX] = "";
    if (!failed && told >= 0)
        tell('M', at(folder, name, path), 0, NULL, 0);
    return failed;
}
int mkdir(const char *name, mode_t mode) { return made((int)syscall(SYS_mkdirat, AT_FDCWD, name, mode), AT_FDCWD, name); }
int mkdirat(int folder, const char *name, mode_t mode) { return made((int)syscall(SYS_mkdirat, folder, name, mode), folder, name); }
