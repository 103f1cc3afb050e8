#define _GNU_SOURCE
#include "CRouterIO.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

static int make_ours(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    return result(fcntl(descriptor, F_SETFD, FD_CLOEXEC));
}

int slipway_io_listen(const void *address, uint32_t length, int backlog) {
    int descriptor = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM, 0);
    if (descriptor < 0) return -errno;
    int on = 1;
    int error = make_ours(descriptor);
    if (error == 0
        && (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
            || bind(descriptor, address, length) < 0 || listen(descriptor, backlog) < 0)) {
        error = -errno;
    }
    if (error < 0) {
        close(descriptor);
        return error;
    }
    return descriptor;
}

int slipway_io_adopt_listener(int descriptor, int backlog) {
    int value = 0;
    socklen_t length = sizeof value;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &value, &length) < 0) return -errno;
    if (value != SOCK_STREAM) return -EINVAL;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) < 0) return -errno;
    if (value == 0) return -EINVAL;
    int error = make_ours(descriptor);
    // A socket that listens goes on listening; this sets how many connections may wait.
    return error < 0 ? error : result(listen(descriptor, backlog));
}

int slipway_io_duplicate(int descriptor) { return result(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)); }

int slipway_io_local_address(int descriptor, void *address, uint32_t *length) {
    return result(getsockname(descriptor, address, length));
}

void slipway_io_close(int descriptor) { close(descriptor); }

int64_t slipway_io_descriptor_limit(int64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    if (limit.rlim_cur != RLIM_INFINITY && (int64_t)limit.rlim_cur < wanted) {
        rlim_t old = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || (int64_t)limit.rlim_max > wanted
            ? (rlim_t)wanted : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = old;
    }
    return limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}
