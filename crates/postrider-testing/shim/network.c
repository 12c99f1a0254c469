/*
 * A network that fails on request, for the real binary: loaded with LD_PRELOAD.
 *
 * It sees every call on a TCP socket, also those of libraries, which a proxy in between does not: a
 * limit of open files, and an error in the middle of a send. `disk.c` is the same for files.
 *
 * NETWORK_SHIM_SCRIPT  a file with faults, read again whenever it is replaced
 * NETWORK_SHIM_LOG     where it writes what it did
 *
 * Lines of a script:
 *
 *   OPERATION PORT NTH FAULT    the NTH matching call since the line was read fails; `3+` is the third
 *                               and all after it, `3-5` the third to the fifth
 *
 * OPERATION is socket, connect, accept, send or receive. PORT is the peer's for connections that the
 * program opened and the program's own for those that it accepted; `*` is any. Faults:
 *
 *   ECONNRESET, ECONNREFUSED, ETIMEDOUT, EMFILE, ENFILE and so on: the call fails
 *   small     the connection gets the smallest buffers, so that sends and receives are short
 *   cut       half of it is done, and then the connection is reset
 *   flip      one bit of it is the wrong one
 *   silent    nothing arrives on this connection any more
 *
 * A call that merely says that it did less would not do: epoll reports no change then, which no kernel
 * would leave out, and the program would wait forever.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FDS 65536
#define MAX_FAULTS 32

struct fault {
    char operation[16];
    char port[16];
    long first;
    long last;
    char action[32];
    long seen;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *script_path;
static const char *log_path;
static struct fault faults[MAX_FAULTS];
static int fault_count;
static struct timespec script_time;
static ino_t script_inode;
/* The port of each connection; 0 if it is none. */
static unsigned short ports[MAX_FDS];
static enum { OPEN, SILENT, CUT } states[MAX_FDS];

static int (*real_socket)(int, int, int);
static int (*real_connect)(int, const struct sockaddr *, socklen_t);
static int (*real_accept4)(int, struct sockaddr *, socklen_t *, int);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_readv)(int, const struct iovec *, int);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static int (*real_close)(int);

static void start(void) __attribute__((constructor));

static void take_lock(void) { pthread_mutex_lock(&lock); }
static void release_lock(void) { pthread_mutex_unlock(&lock); }

static void start(void) {
    if (real_socket != NULL) return;
    real_connect = dlsym(RTLD_NEXT, "connect");
    real_accept4 = dlsym(RTLD_NEXT, "accept4");
    real_send = dlsym(RTLD_NEXT, "send");
    real_recv = dlsym(RTLD_NEXT, "recv");
    real_read = dlsym(RTLD_NEXT, "read");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_readv = dlsym(RTLD_NEXT, "readv");
    real_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
    real_close = dlsym(RTLD_NEXT, "close");
    script_path = getenv("NETWORK_SHIM_SCRIPT");
    log_path = getenv("NETWORK_SHIM_LOG");
    real_socket = dlsym(RTLD_NEXT, "socket");
    /* A child that is about to run another program may close files. */
    pthread_atfork(take_lock, release_lock, release_lock);
}

static void note(const char *format, ...) {
    if (log_path == NULL) return;
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* The limit of files may be reached. */
    if (fd < 0) return;
    if (real_write(fd, line, length) < 0) abort();
    real_close(fd);
}

/* Reads the script again if it was replaced. */
static void read_script(void) {
    struct stat now;
    if (script_path == NULL || stat(script_path, &now) != 0) return;
    if (now.st_ino == script_inode && now.st_mtim.tv_sec == script_time.tv_sec
        && now.st_mtim.tv_nsec == script_time.tv_nsec)
        return;
    char text[4096];
    int fd = open(script_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t length = real_read(fd, text, sizeof text - 1);
    real_close(fd);
    text[length < 0 ? 0 : length] = 0;
    script_inode = now.st_ino;
    script_time = now.st_mtim;
    fault_count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char nth[16];
        struct fault read = {0};
        if (fault_count < MAX_FAULTS
            && sscanf(line, "%15s %15s %15s %31s", read.operation, read.port, nth, read.action) == 4) {
            const char *end = strchr(nth, '-');
            read.first = atol(nth);
            read.last = strchr(nth, '+') ? LONG_MAX : end ? atol(end + 1) : read.first;
            faults[fault_count++] = read;
        }
    }
    note("script %d", fault_count);
}

/* Copies the fault of this call; returns whether there is one. */
static int fault_of(const char *operation, unsigned short port, char *action) {
    int is_found = 0;
    pthread_mutex_lock(&lock);
    read_script();
    for (int i = 0; i < fault_count; i++) {
        struct fault *fault = &faults[i];
        if (strcmp(fault->operation, operation) != 0) continue;
        if (strcmp(fault->port, "*") != 0 && atoi(fault->port) != port) continue;
        fault->seen++;
        if (fault->seen >= fault->first && fault->seen <= fault->last) {
            strcpy(action, fault->action);
            is_found = 1;
        }
    }
    if (is_found) note("%s %d %s", operation, port, action);
    pthread_mutex_unlock(&lock);
    return is_found;
}

static int error_of(const char *action) {
    static const struct { const char *name; int number; } ERRORS[] = {
        {"ECONNRESET", ECONNRESET}, {"ECONNREFUSED", ECONNREFUSED}, {"ETIMEDOUT", ETIMEDOUT},
        {"ECONNABORTED", ECONNABORTED}, {"EHOSTUNREACH", EHOSTUNREACH}, {"EPIPE", EPIPE},
        {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOBUFS", ENOBUFS}, {"ENOMEM", ENOMEM},
    };
    for (size_t i = 0; i < sizeof ERRORS / sizeof ERRORS[0]; i++)
        if (strcmp(action, ERRORS[i].name) == 0) return ERRORS[i].number;
    return 0;
}

static unsigned short port_of(int fd) { return fd >= 0 && fd < MAX_FDS ? ports[fd] : 0; }

static void remember(int fd, unsigned short port) {
    if (fd < 0 || fd >= MAX_FDS) return;
    ports[fd] = port;
    states[fd] = OPEN;
}

static unsigned short port_in(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) return ntohs(((const struct sockaddr_in *)address)->sin_port);
    if (address->sa_family == AF_INET6) return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return 0;
}

int socket(int domain, int type, int protocol) {
    start();
    char action[32];
    if ((domain == AF_INET || domain == AF_INET6) && fault_of("socket", 0, action)) {
        errno = error_of(action);
        return -1;
    }
    return real_socket(domain, type, protocol);
}

static void shrink(int fd) {
    int bytes = 1;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    start();
    char action[32];
    unsigned short port = port_in(address);
    remember(fd, port);
    if (port != 0 && fault_of("connect", port, action)) {
        if (strcmp(action, "small") == 0) {
            shrink(fd);
            return real_connect(fd, address, length);
        }
        errno = error_of(action);
        return -1;
    }
    return real_connect(fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    start();
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    unsigned short port = 0;
    if (getsockname(fd, (struct sockaddr *)&own, &own_length) == 0)
        port = port_in((struct sockaddr *)&own);
    char action[32];
    int is_faulty = port != 0 && fault_of("accept", port, action);
    if (is_faulty && strcmp(action, "small") != 0) {
        errno = error_of(action);
        return -1;
    }
    int accepted = real_accept4(fd, address, length, flags);
    if (accepted >= 0) remember(accepted, port);
    if (accepted >= 0 && is_faulty) shrink(accepted);
    return accepted;
}

int accept(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, 0);
}

int close(int fd) {
    start();
    remember(fd, 0);
    return real_close(fd);
}

static ssize_t send_joined(int fd, const void *bytes, size_t length, int flags) {
    char action[32];
    if (length == 0 || !fault_of("send", port_of(fd), action))
        return real_send(fd, bytes, length, flags);
    if (strcmp(action, "flip") == 0) {
        unsigned char *changed = malloc(length);
        memcpy(changed, bytes, length);
        changed[length / 2] ^= 0x10;
        ssize_t count = real_send(fd, changed, length, flags);
        free(changed);
        return count;
    }
    if (strcmp(action, "cut") == 0) {
        real_send(fd, bytes, length / 2, flags);
        shutdown(fd, SHUT_RDWR);
        errno = ECONNRESET;
        return -1;
    }
    shutdown(fd, SHUT_RDWR);
    errno = error_of(action);
    return -1;
}

static ssize_t send_parts(int fd, const struct iovec *parts, int count, int flags) {
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    unsigned char *joined = malloc(length + 1);
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        memcpy(joined + at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    ssize_t sent = send_joined(fd, joined, length, flags);
    int error = errno;
    free(joined);
    errno = error;
    return sent;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    start();
    return port_of(fd) == 0 ? real_send(fd, bytes, length, flags) : send_joined(fd, bytes, length, flags);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    start();
    return port_of(fd) == 0 ? real_write(fd, bytes, length) : send_joined(fd, bytes, length, MSG_NOSIGNAL);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    start();
    return port_of(fd) == 0 ? real_writev(fd, parts, count) : send_parts(fd, parts, count, MSG_NOSIGNAL);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    start();
    if (port_of(fd) == 0 || message->msg_controllen > 0) return real_sendmsg(fd, message, flags);
    return send_parts(fd, message->msg_iov, (int)message->msg_iovlen, flags | MSG_NOSIGNAL);
}

static ssize_t receive(int fd, void *bytes, size_t length, int flags) {
    char action[32];
    if (length == 0 || (flags & MSG_PEEK)) return real_recv(fd, bytes, length, flags);
    if (states[fd] == CUT) {
        errno = ECONNRESET;
        return -1;
    }
    if (states[fd] == SILENT) {
        /* Read, so that no more readiness follows. */
        ssize_t lost = real_recv(fd, bytes, length, flags);
        if (lost > 0) errno = EAGAIN;
        return lost > 0 ? -1 : lost;
    }
    /* Calls that find nothing do not count. */
    ssize_t count = real_recv(fd, bytes, length, flags | MSG_PEEK);
    if (count <= 0 || !fault_of("receive", port_of(fd), action))
        return real_recv(fd, bytes, length, flags);
    if (strcmp(action, "flip") == 0) {
        count = real_recv(fd, bytes, length, flags);
        if (count > 0) ((unsigned char *)bytes)[count / 2] ^= 0x10;
        return count;
    }
    if (strcmp(action, "silent") == 0) {
        states[fd] = SILENT;
        return receive(fd, bytes, length, flags);
    }
    if (strcmp(action, "cut") == 0 && count > 1) {
        count = real_recv(fd, bytes, count / 2, flags);
        states[fd] = CUT;
        shutdown(fd, SHUT_RDWR);
        return count;
    }
    shutdown(fd, SHUT_RDWR);
    errno = strcmp(action, "cut") == 0 ? ECONNRESET : error_of(action);
    return -1;
}

ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    start();
    return port_of(fd) == 0 ? real_recv(fd, bytes, length, flags) : receive(fd, bytes, length, flags);
}

ssize_t read(int fd, void *bytes, size_t length) {
    start();
    return port_of(fd) == 0 ? real_read(fd, bytes, length) : receive(fd, bytes, length, 0);
}

ssize_t readv(int fd, const struct iovec *parts, int count) {
    start();
    if (port_of(fd) == 0 || count < 1) return real_readv(fd, parts, count);
    /* Into the first part only, which is a short read. */
    return receive(fd, parts[0].iov_base, parts[0].iov_len, 0);
}
