/* Writes down where a process connects and sends to: put before the C library by LD_PRELOAD, for event loops and gRPC
   connect in C, where no hook of Python's sees them.

   $POSTERN_TEST_DESTINATIONS is the log. Its lines: "process PID ARGUMENTS" at the start of a program, and
   "PID CALL ADDRESS PORT" for each call with an address of IPv4 or IPv6; a call of the kernel's without the library is
   not seen. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static int told = -1;

static void line(const char *text, int length) {
    if (told >= 0)
        syscall(SYS_write, told, text, length);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POSTERN_TEST_DESTINATIONS");
    char words[1000], text[1100];
    if (path)
        told = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, words, sizeof words - 1);
    if (file >= 0)
        close(file);
    for (ssize_t at = 0; at < size; at++)
        if (words[at] == 0 || words[at] == '\n')
            words[at] = ' ';
    words[size < 0 ? 0 : size] = 0;
    line(text, snprintf(text, sizeof text, "process %d %s\n", getpid(), words));
}

static void tell(const char *call, const struct sockaddr *to) {
    char address[INET6_ADDRSTRLEN], text[200];
    if (!to)
        return;
    if (to->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)to;
        inet_ntop(AF_INET, &four->sin_addr, address, sizeof address);
        line(text, snprintf(text, sizeof text, "%d %s %s %d\n", getpid(), call, address, ntohs(four->sin_port)));
    } else if (to->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)to;
        inet_ntop(AF_INET6, &six->sin6_addr, address, sizeof address);
        line(text, snprintf(text, sizeof text, "%d %s %s %d\n", getpid(), call, address, ntohs(six->sin6_port)));
    }
}

int connect(int file, const struct sockaddr *to, socklen_t size) {
    tell("connect", to);
    return REAL(connect)(file, to, size);
}

ssize_t sendto(int file, const void *content, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
    tell("sendto", to);
    return REAL(sendto)(file, content, length, flags, to, size);
}

ssize_t sendmsg(int file, const struct msghdr *message, int flags) {
    tell("sendmsg", message->msg_name);
    return REAL(sendmsg)(file, message, flags);
}

int sendmmsg(int file, struct mmsghdr *messages, unsigned int count, int flags) {
    for (unsigned int at = 0; at < count; at++)
        tell("sendmmsg", messages[at].msg_hdr.msg_name);
    return REAL(sendmmsg)(file, messages, count, flags);
}
