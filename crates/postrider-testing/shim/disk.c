/*
 * A disk that fails on request, for the real binary: loaded with LD_PRELOAD.
 *
 * It stands between the program and the C library, because that is the only place that sees every
 * access: those of SQLite and those of the program itself (the mark, the secrets, the folder). A VFS
 * of SQLite would see the former only.
 *
 * DISK_SHIM_FOLDER  the folder whose files it is about
 * DISK_SHIM_SCRIPT  a file with faults, read again whenever it is replaced
 * DISK_SHIM_LOG     where it writes what it did
 * DISK_SHIM_ERRORS  set if the power never fails: then nothing is remembered for that. For programs of
 *                   several processes, each of which counts accesses on its own
 *
 * Lines of a script:
 *
 *   OPERATION FILE NTH FAULT    the NTH matching access since the line was read fails; `3+` is the
 *                               third and all after it
 *   clock SECONDS               added to the wall clock
 *
 * OPERATION is open, read, write, sync or truncate; FILE is the end of a name, a part of a path that
 * ends with a slash, or `*`. Faults:
 *
 *   EIO, ENOSPC   the access fails
 *   short         half of it is done, and reported as such
 *   torn          half of it is done, and reported as all of it
 *   flip          one bit of it is the wrong one
 *   cut:SEED      the power fails
 *
 * When the power fails, a random part of what was not synced is lost: sectors of 512 bytes that
 * were written, growth and truncation of files, and the last of the creations, renames and removals
 * in the folder. A file's new content does not need its name to be durable, and the reverse, as
 * POSIX allows. Then the process is killed.
 *
 * A sync that succeeds only notes that: nothing here survives a real power failure, or has to.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512
#define MAX_FDS 65536
#define MAX_FILES 16384
#define MAX_FAULTS 32
#define MAX_CHANGES 4096
#define PATH_BYTES 1024

/* A sector as it is on the disk, while the program sees a newer one. */
struct sector {
    off_t number;
    struct sector *next;
    unsigned char bytes[SECTOR];
};

#define BUCKETS 4096

struct file {
    dev_t device;
    ino_t inode;
    char path[PATH_BYTES];
    off_t durable_size;
    struct sector *dirty[BUCKETS];
};

/* A change of the folder that is not durable yet. */
struct change {
    enum { CREATED, RENAMED, REMOVED } kind;
    char path[PATH_BYTES];
    char to[PATH_BYTES];
    /* Another name of the file that was replaced or removed; empty if there was none. */
    char saved[PATH_BYTES];
};

struct fault {
    char operation[16];
    char file[64];
    long nth;
    int and_later;
    char action[32];
    long seen;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_BYTES];
static const char *script_path;
static const char *log_path;
static int errors_only;
static struct file *open_files[MAX_FDS];
static unsigned char is_folder[MAX_FDS];
static struct file *files[MAX_FILES];
static int file_count;
static struct change changes[MAX_CHANGES];
static int change_count;
static int saved_count;
static struct fault faults[MAX_FAULTS];
static int fault_count;
static struct timespec script_time;
static ino_t script_inode;
static volatile long clock_offset;
static uint64_t random_state;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fallocate)(int, off_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static void start(void) __attribute__((constructor));

static void take_lock(void) { pthread_mutex_lock(&lock); }
static void release_lock(void) { pthread_mutex_unlock(&lock); }

/* Some programs write their title over the environment. */
static const char *copy_of(const char *name) {
    const char *value = getenv(name);
    return value == NULL ? NULL : strdup(value);
}

static void start(void) {
    if (real_open != NULL) return;
    real_close = dlsym(RTLD_NEXT, "close");
    real_read = dlsym(RTLD_NEXT, "read");
    real_pread = dlsym(RTLD_NEXT, "pread64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
    real_fallocate = dlsym(RTLD_NEXT, "posix_fallocate64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    const char *named = getenv("DISK_SHIM_FOLDER");
    if (named != NULL) snprintf(folder, sizeof folder, "%s", named);
    script_path = copy_of("DISK_SHIM_SCRIPT");
    log_path = copy_of("DISK_SHIM_LOG");
    errors_only = getenv("DISK_SHIM_ERRORS") != NULL;
    real_open = dlsym(RTLD_NEXT, "open64");
    /* A child that is about to run another program may close files. */
    pthread_atfork(take_lock, release_lock, release_lock);
}

static void note(const char *format, ...) {
    if (log_path == NULL) return;
    char line[2 * PATH_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 2) length = sizeof line - 2;
    line[length] = '\n';
    int fd = real_open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    if (real_write(fd, line, length + 1) < 0) abort();
    real_close(fd);
}

static uint64_t next_random(void) {
    /* splitmix64 */
    uint64_t z = (random_state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* Reads the script again if it was replaced. */
static void read_script(void) {
    struct stat now;
    if (script_path == NULL || stat(script_path, &now) != 0) return;
    if (now.st_ino == script_inode && now.st_mtim.tv_sec == script_time.tv_sec
        && now.st_mtim.tv_nsec == script_time.tv_nsec)
        return;
    script_inode = now.st_ino;
    script_time = now.st_mtim;
    char text[8192];
    int fd = real_open(script_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t length = real_read(fd, text, sizeof text - 1);
    real_close(fd);
    text[length < 0 ? 0 : length] = 0;
    fault_count = 0;
    long offset = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char nth[16];
        struct fault read = {0};
        if (sscanf(line, "clock %ld", &offset) == 1) continue;
        if (fault_count < MAX_FAULTS
            && sscanf(line, "%15s %63s %15s %31s", read.operation, read.file, nth, read.action) == 4) {
            read.nth = atol(nth);
            read.and_later = strchr(nth, '+') != NULL;
            faults[fault_count++] = read;
        }
    }
    clock_offset = offset;
    note("script %d", fault_count);
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static int is_about(const char *file, const char *path) {
    size_t length = strlen(file);
    if (strcmp(file, "*") == 0) return 1;
    return length > 0 && file[length - 1] == '/' ? strstr(path, file) != NULL : ends_with(path, file);
}

/* The fault of this access, or NULL. */
static const char *fault_of(const char *operation, const char *path) {
    read_script();
    const char *found = NULL;
    for (int i = 0; i < fault_count; i++) {
        struct fault *fault = &faults[i];
        if (strcmp(fault->operation, operation) != 0) continue;
        if (!is_about(fault->file, path)) continue;
        fault->seen++;
        if (fault->seen == fault->nth || (fault->and_later && fault->seen > fault->nth))
            found = fault->action;
    }
    if (found != NULL) note("%s %s %s", operation, path, found);
    return found;
}

static int error_of(const char *fault) {
    if (fault == NULL) return 0;
    if (strcmp(fault, "EIO") == 0) return EIO;
    if (strcmp(fault, "ENOSPC") == 0) return ENOSPC;
    return 0;
}

/* Whether the path is a file of the folder whose content matters after a power failure. */
static int is_tracked(const char *path) {
    size_t length = strlen(folder);
    return length > 0 && strncmp(path, folder, length) == 0 && path[length] == '/'
        && !ends_with(path, "-shm") && !ends_with(path, "/lock");
}

static struct file *file_of(int fd) { return fd >= 0 && fd < MAX_FDS ? open_files[fd] : NULL; }

static off_t size_of(int fd) {
    struct stat now;
    return fstat(fd, &now) == 0 ? now.st_size : 0;
}

/* Remembers what is on the disk before sectors are overwritten for the first time since a sync. */
static void keep(struct file *file, int fd, off_t from, off_t to) {
    if (errors_only) return;
    int reader = -1;
    for (off_t number = from / SECTOR; number * SECTOR < to; number++) {
        struct sector **bucket = &file->dirty[number % BUCKETS];
        struct sector *known = *bucket;
        while (known != NULL && known->number != number) known = known->next;
        if (known != NULL) continue;
        struct sector *kept = calloc(1, sizeof *kept);
        kept->number = number;
        kept->next = *bucket;
        *bucket = kept;
        if (number * SECTOR >= file->durable_size) continue;
        /* The program's descriptor may not be readable. */
        if (reader < 0) {
            char own[64];
            snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
            reader = real_open(own, O_RDONLY | O_CLOEXEC);
        }
        if (real_pread(reader, kept->bytes, SECTOR, number * SECTOR) < 0) abort();
    }
    if (reader >= 0) real_close(reader);
}

static void forget_dirty(struct file *file) {
    for (int i = 0; i < BUCKETS; i++) {
        struct sector *sector = file->dirty[i];
        while (sector != NULL) {
            struct sector *next = sector->next;
            free(sector);
            sector = next;
        }
        file->dirty[i] = NULL;
    }
}

static struct file *register_file(int fd, const char *path) {
    struct stat now;
    if (fstat(fd, &now) != 0 || !S_ISREG(now.st_mode)) return NULL;
    for (int i = 0; i < file_count; i++)
        if (files[i]->inode == now.st_ino && files[i]->device == now.st_dev) {
            snprintf(files[i]->path, PATH_BYTES, "%s", path);
            return files[i];
        }
    if (file_count == MAX_FILES) abort();
    struct file *file = calloc(1, sizeof *file);
    file->inode = now.st_ino;
    file->device = now.st_dev;
    file->durable_size = now.st_size;
    snprintf(file->path, PATH_BYTES, "%s", path);
    files[file_count++] = file;
    return file;
}

static struct change *add_change(int kind, const char *path) {
    if (change_count == MAX_CHANGES) abort();
    struct change *change = &changes[change_count++];
    memset(change, 0, sizeof *change);
    change->kind = kind;
    snprintf(change->path, PATH_BYTES, "%s", path);
    return change;
}

/* Keeps a file that is about to be replaced or removed under another name, outside the folder. */
static void save(struct change *change, const char *path) {
    snprintf(change->saved, PATH_BYTES, "%.*s.shim-%d-%d", (int)strlen(folder), folder,
             (int)getpid(), saved_count++);
    if (link(path, change->saved) != 0) change->saved[0] = 0;
}

static void undo(const struct change *change) {
    switch (change->kind) {
    case CREATED: real_unlink(change->path); break;
    case RENAMED:
        real_rename(change->to, change->path);
        if (change->saved[0]) real_rename(change->saved, change->to);
        break;
    case REMOVED:
        if (change->saved[0]) real_rename(change->saved, change->path);
        break;
    }
}

static void forget_changes(int count) {
    for (int i = 0; i < count; i++)
        if (changes[i].saved[0]) real_unlink(changes[i].saved);
    change_count = 0;
}

/* Loses a random part of what is not durable in the file. */
static long lose(struct file *file, unsigned percent) {
    int fd = real_open(file->path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return 0;
    struct stat now;
    if (fstat(fd, &now) != 0 || now.st_ino != file->inode) {
        real_close(fd);
        return 0;
    }
    long lost = 0;
    off_t size = now.st_size;
    if (size > file->durable_size && next_random() % 100 < percent) {
        off_t sectors = (size - file->durable_size) / SECTOR + 1;
        size = file->durable_size + (off_t)(next_random() % sectors) * SECTOR;
        lost++;
    } else if (size < file->durable_size && next_random() % 100 < percent) {
        size = file->durable_size;
        lost++;
    }
    if (real_ftruncate(fd, size) != 0) abort();
    for (int i = 0; i < BUCKETS; i++)
        for (struct sector *sector = file->dirty[i]; sector; sector = sector->next) {
            off_t offset = sector->number * SECTOR;
            int is_restored = offset >= now.st_size;
            if (offset >= size || (!is_restored && next_random() % 100 >= percent)) continue;
            size_t length = size - offset < SECTOR ? size - offset : SECTOR;
            if (real_pwrite(fd, sector->bytes, length, offset) < 0) abort();
            lost++;
        }
    real_close(fd);
    return lost;
}

static void cut_power(const char *fault) {
    static const unsigned PERCENTAGES[] = {0, 5, 50, 95, 100};
    random_state = strtoull(fault + strlen("cut:"), NULL, 10);
    unsigned percent = PERCENTAGES[next_random() % 5];
    long lost = 0;
    for (int i = 0; i < file_count; i++) lost += lose(files[i], percent);
    int kept = change_count == 0 ? 0 : (int)(next_random() % (change_count + 1));
    for (int i = change_count - 1; i >= kept; i--) undo(&changes[i]);
    int undone = change_count - kept;
    forget_changes(kept);
    note("lost %ld sectors and sizes, %d changes of the folder", lost, undone);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static const char *check(const char *operation, const char *path) {
    const char *fault = fault_of(operation, path);
    if (fault != NULL && strncmp(fault, "cut:", 4) == 0) cut_power(fault);
    return fault;
}

/* Programs of several processes often work in their folder, and name its files relative to that. */
static const char *absolute(const char *path, char *buffer) {
    char current[PATH_BYTES / 2];
    if (!errors_only || path[0] == '/' || getcwd(current, sizeof current) == NULL) return path;
    snprintf(buffer, PATH_BYTES, "%s/%.500s", current, path);
    return buffer;
}

static int open_file(const char *named, int flags, mode_t mode) {
    start();
    char buffer[PATH_BYTES];
    const char *path = absolute(named, buffer);
    int is_own = is_tracked(path);
    if (!is_own && (folder[0] == 0 || strcmp(path, folder) != 0))
        return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    if (!is_own) {
        int fd = real_open(path, flags, mode);
        if (fd >= 0 && fd < MAX_FDS) is_folder[fd] = 1;
        pthread_mutex_unlock(&lock);
        return fd;
    }
    int error = error_of(check("open", path));
    int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    int fd = -1;
    if (error == 0) {
        /* Truncated below, so that the old content is kept. */
        fd = real_open(path, flags & ~O_TRUNC, mode);
        error = errno;
    }
    if (fd >= 0 && fd < MAX_FDS) {
        struct file *file = open_files[fd] = register_file(fd, path);
        if (is_new && file != NULL) {
            /* The inode may have been that of a removed file. */
            forget_dirty(file);
            file->durable_size = 0;
            if (!errors_only) add_change(CREATED, path);
        }
        if ((flags & O_TRUNC) && file != NULL) {
            keep(file, fd, 0, size_of(fd));
            if (real_ftruncate(fd, 0) != 0) abort();
        }
    }
    pthread_mutex_unlock(&lock);
    if (fd < 0) errno = error;
    return fd;
}

#define MODE_OF(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode = va_arg(arguments, mode_t); \
        va_end(arguments); \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_file(path, flags, mode);
}

int close(int fd) {
    start();
    if (fd >= 0 && fd < MAX_FDS && (open_files[fd] != NULL || is_folder[fd])) {
        pthread_mutex_lock(&lock);
        open_files[fd] = NULL;
        is_folder[fd] = 0;
        pthread_mutex_unlock(&lock);
    }
    return real_close(fd);
}

static void flip_bit(void *bytes, size_t length) {
    if (length > 0) ((unsigned char *)bytes)[length / 2] ^= 0x10;
}

/* The offset is -1 for the current position. */
static ssize_t read_file(int fd, void *bytes, size_t length, off_t offset) {
    start();
    struct file *file = file_of(fd);
    const char *fault = NULL;
    if (file != NULL) {
        pthread_mutex_lock(&lock);
        fault = check("read", file->path);
        pthread_mutex_unlock(&lock);
    }
    if (error_of(fault) != 0) {
        errno = error_of(fault);
        return -1;
    }
    if (fault != NULL && strcmp(fault, "short") == 0) length /= 2;
    ssize_t count =
        offset < 0 ? real_read(fd, bytes, length) : real_pread(fd, bytes, length, offset);
    if (fault != NULL && strcmp(fault, "flip") == 0 && count > 0) flip_bit(bytes, count);
    return count;
}

ssize_t read(int fd, void *bytes, size_t length) { return read_file(fd, bytes, length, -1); }
ssize_t pread(int fd, void *bytes, size_t length, off_t at) { return read_file(fd, bytes, length, at); }
ssize_t pread64(int fd, void *bytes, size_t length, off_t at) { return read_file(fd, bytes, length, at); }

/* `is_at` is 0 for the current position, which then moves. */
static ssize_t write_file(int fd, const void *bytes, size_t length, off_t offset, int is_at) {
    start();
    struct file *file = file_of(fd);
    if (file == NULL)
        return is_at ? real_pwrite(fd, bytes, length, offset) : real_write(fd, bytes, length);
    pthread_mutex_lock(&lock);
    const char *fault = check("write", file->path);
    ssize_t count = -1;
    int error = error_of(fault);
    if (error == 0) {
        if (!is_at) {
            int is_appending = fcntl(fd, F_GETFL) & O_APPEND;
            offset = is_appending ? size_of(fd) : lseek(fd, 0, SEEK_CUR);
        }
        int is_half = fault != NULL && (strcmp(fault, "short") == 0 || strcmp(fault, "torn") == 0);
        size_t written = is_half ? length / 2 : length;
        void *changed = NULL;
        if (fault != NULL && strcmp(fault, "flip") == 0) {
            changed = malloc(length);
            memcpy(changed, bytes, length);
            flip_bit(changed, length);
        }
        keep(file, fd, offset, offset + (off_t)written);
        const void *source = changed != NULL ? changed : bytes;
        count = is_at ? real_pwrite(fd, source, written, offset) : real_write(fd, source, written);
        error = errno;
        free(changed);
        if (is_half && count >= 0 && strcmp(fault, "torn") == 0) {
            count = (ssize_t)length;
            if (!is_at) lseek(fd, offset + (off_t)length, SEEK_SET);
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return count;
}

ssize_t write(int fd, const void *bytes, size_t length) { return write_file(fd, bytes, length, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return write_file(fd, bytes, length, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return write_file(fd, bytes, length, at, 1); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) {
    start();
    struct file *file = file_of(fd);
    int error = 0;
    if (file != NULL) {
        pthread_mutex_lock(&lock);
        error = error_of(check("write", file->path));
        off_t length = 0;
        for (int i = 0; i < count; i++) length += (off_t)parts[i].iov_len;
        if (error == 0) keep(file, fd, at, at + length);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return error == 0 ? real_pwritev(fd, parts, count, at) : -1;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    return pwritev64(fd, parts, count, at);
}

int posix_fallocate64(int fd, off_t from, off_t length) {
    start();
    struct file *file = file_of(fd);
    int error = 0;
    if (file != NULL) {
        pthread_mutex_lock(&lock);
        error = error_of(check("write", file->path));
        pthread_mutex_unlock(&lock);
    }
    return error == 0 ? real_fallocate(fd, from, length) : error;
}

int posix_fallocate(int fd, off_t from, off_t length) { return posix_fallocate64(fd, from, length); }

static int sync_file(int fd) {
    start();
    struct file *file = file_of(fd);
    int is_own_folder = fd >= 0 && fd < MAX_FDS && is_folder[fd];
    if (file == NULL && !is_own_folder) return 0;
    pthread_mutex_lock(&lock);
    const char *path = file != NULL ? file->path : folder;
    int error = error_of(check("sync", path));
    if (error == 0) {
        note("synced %s", path);
        if (file != NULL) {
            forget_dirty(file);
            file->durable_size = size_of(fd);
        } else {
            forget_changes(change_count);
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return error == 0 ? 0 : -1;
}

int fsync(int fd) { return sync_file(fd); }
int fdatasync(int fd) { return sync_file(fd); }

static int truncate_file(int fd, off_t size) {
    start();
    struct file *file = file_of(fd);
    if (file == NULL) return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    int result = -1, error = error_of(check("truncate", file->path));
    if (error == 0) {
        off_t now = size_of(fd);
        if (size < now) keep(file, fd, size, now);
        result = real_ftruncate(fd, size);
        error = errno;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int ftruncate(int fd, off_t size) { return truncate_file(fd, size); }
int ftruncate64(int fd, off_t size) { return truncate_file(fd, size); }

int rename(const char *from, const char *to) {
    start();
    if (errors_only || !is_tracked(from) || !is_tracked(to)) return real_rename(from, to);
    pthread_mutex_lock(&lock);
    struct change *change = add_change(RENAMED, from);
    snprintf(change->to, PATH_BYTES, "%s", to);
    save(change, to);
    int result = real_rename(from, to), error = errno;
    if (result == 0) {
        for (int i = 0; i < file_count; i++)
            if (strcmp(files[i]->path, from) == 0) snprintf(files[i]->path, PATH_BYTES, "%s", to);
    } else {
        if (change->saved[0]) real_unlink(change->saved);
        change_count--;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int unlink(const char *path) {
    start();
    if (errors_only || !is_tracked(path) || access(path, F_OK) != 0) return real_unlink(path);
    pthread_mutex_lock(&lock);
    save(add_change(REMOVED, path), path);
    int result = real_unlink(path), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    start();
    int result = real_clock_gettime(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && script_path != NULL) {
        pthread_mutex_lock(&lock);
        read_script();
        pthread_mutex_unlock(&lock);
        now->tv_sec += clock_offset;
    }
    return result;
}
