#if defined(__linux__)

#define _GNU_SOURCE
#include "CRouterIO.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

int slipway_io_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int descriptor, uint64_t tag, bool writes) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (writes ? EPOLLOUT : 0);
    event.data.u64 = tag;
    return result(epoll_ctl(epoll, operation, descriptor, &event));
}

int slipway_io_epoll_add(int epoll, int descriptor, uint64_t tag, bool writes) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, tag, writes);
}

int slipway_io_epoll_change(int epoll, int descriptor, uint64_t tag, bool writes) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, tag, writes);
}

int slipway_io_epoll_add_listener(int epoll, int descriptor, uint64_t tag) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.u64 = tag;
    return result(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event));
}

int slipway_io_epoll_remove(int epoll, int descriptor) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    return result(epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event));
}

int slipway_io_epoll_wait(int epoll, struct slipway_io_event *events, int timeout) {
    struct epoll_event raw[SLIPWAY_MAX_EVENTS];
    int count = epoll_wait(epoll, raw, SLIPWAY_MAX_EVENTS, timeout);
    if (count < 0) return -errno;
    for (int index = 0; index < count; index++) {
        uint32_t bits = raw[index].events;
        events[index].tag = raw[index].data.u64;
        events[index].flags = ((bits & EPOLLIN) ? SLIPWAY_READABLE : 0) | ((bits & EPOLLOUT) ? SLIPWAY_WRITABLE : 0)
            | ((bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ? SLIPWAY_HANG_UP : 0)
            | ((bits & (EPOLLHUP | EPOLLERR)) ? SLIPWAY_BROKEN : 0);
    }
    return count;
}

int slipway_io_eventfd_create(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

void slipway_io_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    // Full is as good as signalled.
    ssize_t written = write(descriptor, &one, sizeof one);
    (void)written;
}

void slipway_io_eventfd_clear(int descriptor) {
    uint64_t value;
    ssize_t got = read(descriptor, &value, sizeof value);
    (void)got;
}

int slipway_io_accept(int listener, void *address, uint32_t *length) {
    return result(accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int slipway_io_socket(int family) { return result(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

int slipway_io_connect(int descriptor, const void *address, uint32_t length) {
    return connect(descriptor, address, length) < 0 ? errno : 0;
}

int slipway_io_socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
    return error;
}

int slipway_io_no_delay(int descriptor) {
    int on = 1;
    return result(setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

void slipway_io_shut_down_output(int descriptor) { shutdown(descriptor, SHUT_WR); }

// The C library makes its recv and send points where a thread can be cancelled, which costs more than the call into the
// kernel itself. No thread is cancelled here.

ssize_t slipway_io_receive(int descriptor, void *bytes, size_t count) {
    ssize_t got;
    do {
        got = syscall(SYS_recvfrom, descriptor, bytes, count, 0, NULL, NULL);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t slipway_io_send(int descriptor, const void *bytes, size_t count) {
    ssize_t sent;
    do {
        sent = syscall(SYS_sendto, descriptor, bytes, count, MSG_NOSIGNAL, NULL, 0);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int slipway_io_unconfirmed(int descriptor) {
    int count = 0;
    return ioctl(descriptor, SIOCOUTQ, &count) < 0 ? -errno : count;
}

int slipway_io_is_quiet(int descriptor) {
    char byte;
    ssize_t got = recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

ssize_t slipway_io_send_pieces(int descriptor, const struct slipway_io_piece *pieces, int count) {
    struct iovec vectors[16];
    if (count > 16) count = 16;
    for (int index = 0; index < count; index++) {
        vectors[index].iov_base = (void *)pieces[index].bytes;
        vectors[index].iov_len = pieces[index].count;
    }
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = vectors;
    message.msg_iovlen = (size_t)count;
    ssize_t sent;
    do {
        sent = sendmsg(descriptor, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

#endif
