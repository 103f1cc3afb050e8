#define _GNU_SOURCE
#include "CProcessLauncher.h"

#ifdef __linux__

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int slipway_grow_pipe(int descriptor, int size) {
    // An unprivileged user has an allowance for all pipes together; a smaller buffer is better than none.
    for (int wanted = size; wanted > 65536; wanted /= 2) {
        if (fcntl(descriptor, F_SETPIPE_SZ, wanted) >= 0) break;
    }
    return fcntl(descriptor, F_GETPIPE_SZ);
}

ssize_t slipway_write(int descriptor, const void *bytes, size_t count) {
    sigset_t pipe, previous, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &previous);
    ssize_t written = write(descriptor, bytes, count);
    int error = errno;
    if (written < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
        // Ours: it is pending for this thread; take it away before the mask is lifted.
        struct timespec none = {0, 0};
        while (sigtimedwait(&pipe, NULL, &none) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    errno = error;
    return written;
}

static struct sockaddr_in address_of(uint32_t host, uint16_t port) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port);
    return address;
}

int slipway_connect(uint32_t host, uint16_t port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    struct sockaddr_in address = address_of(host, port);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    // Linux may connect a socket to itself when nobody listens and the port is picked as the local one.
    struct sockaddr_in local;
    socklen_t length = sizeof local;
    if (getsockname(descriptor, (struct sockaddr *)&local, &length) == 0 && local.sin_port == address.sin_port) {
        close(descriptor);
        errno = ECONNREFUSED;
        return -1;
    }
    return descriptor;
}

int slipway_socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

int slipway_port_is_free(uint16_t port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return 0;
    // Connections in TIME_WAIT do not count, listeners do.
    int on = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = address_of(INADDR_ANY, port);
    int free = bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0 && listen(descriptor, 1) == 0;
    close(descriptor);
    return free;
}

int slipway_try_lock(int descriptor) {
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR) return errno;
    }
    return 0;
}

// Of Linux 3.15; glibc has it since 2.28, musl not at all.
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

int slipway_replace(const char *file, const char *place) {
    if (syscall(SYS_renameat2, AT_FDCWD, file, AT_FDCWD, place, RENAME_EXCHANGE) == 0) return 0;
    return rename(file, place) == 0 ? 0 : errno;
}

int slipway_pipe(int ends[2], int non_blocking) {
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    if (fcntl(ends[non_blocking], F_SETFL, O_NONBLOCK) == 0) return 0;
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return error;
}

#endif
