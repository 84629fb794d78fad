/* Lancelot in C with epoll: what the same protocol costs without an interpreter, the limit that the Python servers are
 * measured against.
 *
 *     cc -O2 -o server_epoll server_epoll.c
 *     ./server_epoll INTERFACE [--port N] [--service]
 *
 * One thread, edge-triggered. A read that fills less than the buffer has emptied the socket, so that a question costs
 * epoll_wait, recv and send and nothing else. It obeys what implementations/lancelot/protocol.py says.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    LONGEST_QUESTION = 1024, /* octets, '?' included */
    LONGEST_ANSWER = 35,
    SIZE = 4096,      /* octets that one recv asks for */
    EVENTS = 256,     /* events that one epoll_wait takes */
    BACKLOG = 1024,
    LINGER_MS = 1000, /* how long what a peer sends after the end is dropped */
    RETRY_MS = 500,   /* how long nobody is accepted when descriptors have run out */
    GRACE_MS = 5000,  /* how long answers may take after SIGTERM */
};

/* A question begins in one segment and ends in a later one: at most LONGEST_QUESTION - 1 octets of it are kept. Every
 * octet of a segment may be a question, so its answers can be much longer than it is. */
#define ROOM ((size_t)SIZE * LONGEST_ANSWER)

struct answer {
    size_t length;
    const char *text;
};

static const struct answer unknown = {19, "I do not know that."};

struct connection {
    int fd;
    bool over;                 /* a question was too long: send what is pending, then the end */
    bool discarding;           /* the end is announced */
    long long deadline;        /* when to give a discarding peer up */
    char *unfinished;          /* the beginning of a question; NULL, or LONGEST_QUESTION octets */
    size_t unfinished_length;
    char *pending;             /* answers that the peer has not taken */
    size_t pending_length, pending_sent;
    struct connection *previous, *next;
};

static struct connection everybody = {.fd = -1, .previous = &everybody, .next = &everybody};
static int poller, door = -1, bell, lifeline = -1;
static bool accepting = true, stopping;
static long long accept_at, give_up_at;
static size_t discarding;

static void die(const char *what)
{
    fprintf(stderr, "server_epoll: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long long now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static void watch(int operation, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};
    if (epoll_ctl(poller, operation, fd, &event) == -1)
        die("epoll_ctl");
}

static void watch_questions(int operation, struct connection *connection)
{
    watch(operation, connection->fd, EPOLLIN | EPOLLRDHUP | EPOLLET, connection);
}

static void accept_again(void)
{
    if (!accepting && door != -1)
        watch(EPOLL_CTL_ADD, door, EPOLLIN, &door);
    accepting = true;
}

static void drop(struct connection *connection)
{
    close(connection->fd);
    connection->previous->next = connection->next;
    connection->next->previous = connection->previous;
    if (connection->discarding)
        discarding--;
    free(connection->unfinished);
    free(connection->pending);
    free(connection);
    accept_again();
}

static struct answer answer_to(const char *question, size_t length)
{
    static const struct answer name = {35, "My name is Sir Lancelot of Camelot."};
    static const struct answer quest = {23, "To seek the Holy Grail."};
    static const struct answer color = {5, "Blue."};

    switch (length) {
    case 18:
        if (!memcmp(question, "What is your name?", 18))
            return name;
        break;
    case 19:
        if (!memcmp(question, "What is your quest?", 19))
            return quest;
        break;
    case 28:
        if (!memcmp(question, "What is your favorite color?", 28))
            return color;
        break;
    }
    return unknown;
}

/* Write the answers to all questions of one segment behind one another; returns their length. */
static size_t answer_all(struct connection *connection, const char *octets, size_t length, char *answers)
{
    const char *end = octets + length, *mark;
    size_t size = 0;

    while (octets < end && (mark = memchr(octets, '?', (size_t)(end - octets)))) {
        size_t rest = (size_t)(mark + 1 - octets), whole = connection->unfinished_length + rest;
        struct answer answer;
        if (whole > LONGEST_QUESTION) {
            connection->over = true;
            return size;
        }
        if (connection->unfinished_length) {
            memcpy(connection->unfinished + connection->unfinished_length, octets, rest);
            answer = answer_to(connection->unfinished, whole);
            connection->unfinished_length = 0;
        } else {
            answer = answer_to(octets, whole);
        }
        memcpy(answers + size, answer.text, answer.length);
        size += answer.length;
        octets = mark + 1;
    }
    length = (size_t)(end - octets);
    if (length == 0)
        return size;
    if (connection->unfinished_length + length >= LONGEST_QUESTION ||
        (!connection->unfinished && !(connection->unfinished = malloc(LONGEST_QUESTION)))) {
        connection->over = true;
        return size;
    }
    memcpy(connection->unfinished + connection->unfinished_length, octets, length);
    connection->unfinished_length += length;
    return size;
}

/* Announce the end to a peer that broke the limit. Closing at once would reset the connection, and answers with it. */
static void finish(struct connection *connection)
{
    if (shutdown(connection->fd, SHUT_WR) == -1) {
        drop(connection);
        return;
    }
    connection->discarding = true;
    connection->deadline = now_ms() + LINGER_MS;
    discarding++;
    watch(EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
}

/* Send; what the peer does not take is kept, and nothing is read from it until it does. Returns whether to read on. */
static bool answer(struct connection *connection, const char *answers, size_t length)
{
    ssize_t sent = length ? send(connection->fd, answers, length, MSG_NOSIGNAL) : 0;

    if (sent == -1) {
        if (errno != EAGAIN) {
            drop(connection);
            return false;
        }
        sent = 0;
    }
    if ((size_t)sent == length) {
        if (!connection->over)
            return true;
        finish(connection);
        return false;
    }
    length -= (size_t)sent;
    connection->pending = malloc(length);
    if (!connection->pending) {
        drop(connection);
        return false;
    }
    memcpy(connection->pending, answers + sent, length);
    connection->pending_length = length;
    connection->pending_sent = 0;
    watch(EPOLL_CTL_MOD, connection->fd, EPOLLOUT, connection);
    return false;
}

static void flush(struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->pending + connection->pending_sent,
                        connection->pending_length - connection->pending_sent, MSG_NOSIGNAL);
    if (sent == -1) {
        if (errno != EAGAIN)
            drop(connection);
        return;
    }
    connection->pending_sent += (size_t)sent;
    if (connection->pending_sent < connection->pending_length)
        return;
    free(connection->pending);
    connection->pending = NULL;
    if (connection->over)
        finish(connection);
    else
        watch_questions(EPOLL_CTL_MOD, connection);
}

static void converse(struct connection *connection, uint32_t events)
{
    static char octets[SIZE], answers[ROOM];
    ssize_t got = recv(connection->fd, octets, SIZE, 0);

    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop(connection);
        return;
    }
    if (connection->discarding)
        return;
    if (!answer(connection, answers, answer_all(connection, octets, (size_t)got, answers)))
        return;
    if (got == SIZE || events != EPOLLIN) /* there may be more, or the end: have it reported anew */
        watch_questions(EPOLL_CTL_MOD, connection);
}

static void accept_all(void)
{
    for (;;) {
        int fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct connection *connection;
        if (fd == -1) {
            if (errno == EAGAIN)
                return;
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                epoll_ctl(poller, EPOLL_CTL_DEL, door, NULL);
                accepting = false;
                accept_at = now_ms() + RETRY_MS;
                return;
            }
            continue;
        }
        connection = calloc(1, sizeof *connection);
        if (!connection) {
            close(fd);
            return;
        }
        connection->fd = fd;
        connection->previous = &everybody;
        connection->next = everybody.next;
        everybody.next->previous = connection;
        everybody.next = connection;
        watch_questions(EPOLL_CTL_ADD, connection);
    }
}

/* Take in who waits, and have every connection end after what has come from it by now. */
static void stop(void)
{
    if (stopping)
        return;
    stopping = true;
    give_up_at = now_ms() + GRACE_MS;
    accept_all();
    close(door);
    door = -1;
    for (struct connection *each = everybody.next; each != &everybody; each = each->next)
        shutdown(each->fd, SHUT_RD);
}

/* A signal came, or something through standard input where that is the lifeline: its end asks to stop, too. */
static void hear(void)
{
    struct signalfd_siginfo came;
    char octets[256];
    bool asked = false;

    while (read(bell, &came, sizeof came) == sizeof came)
        asked = true;
    if (lifeline != -1 && read(lifeline, octets, sizeof octets) == 0) {
        epoll_ctl(poller, EPOLL_CTL_DEL, lifeline, NULL);
        lifeline = -1;
        asked = true;
    }
    if (asked)
        stop();
}

/* Returns how long epoll_wait may wait, in milliseconds; -1 without end. */
static int see_to_deadlines(void)
{
    long long now, first = -1;

    if (accepting && !stopping && !discarding)
        return -1;
    now = now_ms();
    if (!accepting && now >= accept_at)
        accept_again();
    if (!accepting)
        first = accept_at;
    if (stopping && (first == -1 || give_up_at < first))
        first = give_up_at;
    for (struct connection *each = everybody.next, *next; discarding && each != &everybody; each = next) {
        next = each->next;
        if (!each->discarding)
            continue;
        if (now >= each->deadline)
            drop(each);
        else if (first == -1 || each->deadline < first)
            first = each->deadline;
    }
    return first == -1 ? -1 : first > now ? (int)(first - now) : 0;
}

static void serve(void)
{
    struct epoll_event events[EVENTS];

    while (!stopping || (everybody.next != &everybody && now_ms() < give_up_at)) {
        int ready = epoll_wait(poller, events, EVENTS, see_to_deadlines());
        if (ready == -1 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].data.ptr == &door) {
                if (door != -1)
                    accept_all();
            } else if (events[i].data.ptr == &bell) {
                hear();
            } else if (connection->pending) {
                flush(connection);
            } else {
                converse(connection, events[i].events);
            }
        }
    }
}

static void listen_on(const char *interface, const char *port, bool service)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[NI_MAXHOST], shown_port[NI_MAXSERV];
    int on = 1, error;

    error = getaddrinfo(*interface ? interface : "0.0.0.0", port, &hints, &found);
    if (error) {
        fprintf(stderr, "server_epoll: %s: no such interface or name (%s)\n", interface, gai_strerror(error));
        exit(1);
    }
    door = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (door == -1 || setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
        setsockopt(door, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == -1 || /* accepted sockets inherit it */
        bind(door, found->ai_addr, found->ai_addrlen) == -1 || listen(door, BACKLOG) == -1)
        die(interface);
    freeaddrinfo(found);
    if (getsockname(door, (struct sockaddr *)&address, &length) == -1 ||
        getnameinfo((struct sockaddr *)&address, length, host, sizeof host, shown_port, sizeof shown_port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        die(interface);
    if (service)
        printf("{\"ready\": {\"plain\": %s}}\n", shown_port);
    else
        printf(strchr(host, ':') ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, shown_port);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'}, {"service", no_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *port = "1060";
    char *end;
    sigset_t asked;
    bool service = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        if (option == 'h') {
            puts("usage: server_epoll INTERFACE [--port N] [--service]\n\nServe Lancelot with one edge-triggered event loop in C. Port 0 "
                 "lets the kernel choose (default: 1060).\nIt prints `listening on HOST:PORT`, and stops at SIGTERM or "
                 "SIGINT when all that has come is answered.\n"
                 "With --service it says so in JSON, and stops at the end of its standard input, too.");
            return 0;
        }
        if (option == '?')
            return 2;
        if (option == 's') {
            service = true;
            continue;
        }
        port = optarg;
        if (strtoul(port, &end, 10) > 65535 || *end || *port < '0' || *port > '9') {
            fprintf(stderr, "server_epoll: '%s' is no TCP port (0 to 65535)\n", port);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fputs("server_epoll: one INTERFACE expected (--help tells more)\n", stderr);
        return 2;
    }
    sigemptyset(&asked);
    sigaddset(&asked, SIGTERM);
    sigaddset(&asked, SIGINT);
    if (sigprocmask(SIG_BLOCK, &asked, NULL) == -1 || signal(SIGHUP, SIG_IGN) == SIG_ERR)
        die("signals");
    bell = signalfd(-1, &asked, SFD_NONBLOCK | SFD_CLOEXEC);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (bell == -1 || poller == -1)
        die("epoll");
    watch(EPOLL_CTL_ADD, bell, EPOLLIN, &bell);
    if (service) {
        lifeline = STDIN_FILENO;
        if (fcntl(lifeline, F_SETFL, O_NONBLOCK) == -1)
            die("standard input");
        watch(EPOLL_CTL_ADD, lifeline, EPOLLIN, &bell);
    }
    listen_on(argv[optind], port, service);
    watch(EPOLL_CTL_ADD, door, EPOLLIN, &door);
    serve();
    return 0;
}
