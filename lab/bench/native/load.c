/* The load generator's twin in C: what the closed loop costs a client without an interpreter, the limit that
 * lab/bench/load is measured against. It does the same work: quotas fixed beforehand, one segment outstanding on each
 * connection, every answer compared octet for octet, a latency recorded for each segment.
 *
 *     cc -O2 -o load load.c
 *     ./load HOST PORT CONNECTIONS QUESTIONS DEPTH QUESTION ANSWER [QUESTION ANSWER]…
 *
 * HOST is an IPv4 address. Prints one line of JSON: answered, seconds, cpu_seconds. Exit code 1: a connection was lost or an
 * answer was wrong; 2: usage.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 1024 };

struct turn {
    char *question, *answer;
    size_t question_length, answer_length;
};

struct connection {
    int fd;
    long left, turn;
    size_t received;
    uint64_t then;
};

static struct turn *turns;
static long turn_count, depth;
static char *buffer;
static uint64_t *latencies;
static size_t latency_count;

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_on(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        die("memory");
    return memory;
}

static long common(long a, long b) { return b ? common(b, a % b) : a; }

/* The segments that a connection sends in turn, until they begin anew. */
static void make_turns(char **pairs, long exchanges)
{
    long next = 0;

    turn_count = exchanges / common(exchanges, depth);
    turns = allocate((size_t)turn_count, sizeof *turns);
    for (long t = 0; t < turn_count; t++) {
        size_t questions = 1, answers = 1;
        for (long i = 0; i < depth; i++) {
            questions += strlen(pairs[2 * ((next + i) % exchanges)]);
            answers += strlen(pairs[2 * ((next + i) % exchanges) + 1]);
        }
        turns[t].question = allocate(questions, 1);
        turns[t].answer = allocate(answers, 1);
        for (long i = 0; i < depth; i++, next++) {
            strcat(turns[t].question, pairs[2 * (next % exchanges)]);
            strcat(turns[t].answer, pairs[2 * (next % exchanges) + 1]);
        }
        turns[t].question_length = questions - 1;
        turns[t].answer_length = answers - 1;
    }
}

static void ask(struct connection *connection)
{
    struct turn *turn = &turns[connection->turn];
    ssize_t sent = send(connection->fd, turn->question, turn->question_length, MSG_NOSIGNAL);
    if (sent != (ssize_t)turn->question_length)
        die("a question could not be sent at once");
}

/* Returns whether the connection has had all its answers. */
static int hear(struct connection *connection)
{
    struct turn *turn = &turns[connection->turn];
    ssize_t got = recv(connection->fd, buffer, turn->answer_length - connection->received + 1, 0);
    uint64_t now;

    if (got == -1 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        die("a connection was lost");
    if ((size_t)got > turn->answer_length - connection->received ||
        memcmp(buffer, turn->answer + connection->received, (size_t)got)) {
        errno = EPROTO;
        die("a wrong answer");
    }
    connection->received += (size_t)got;
    if (connection->received < turn->answer_length)
        return 0;
    now = now_on(CLOCK_MONOTONIC);
    latencies[latency_count++] = now - connection->then;
    connection->then = now;
    connection->received = 0;
    connection->turn = connection->turn + 1 == turn_count ? 0 : connection->turn + 1;
    if (--connection->left == 0)
        return 1;
    ask(connection);
    return 0;
}

static int open_to(const struct sockaddr_in *address)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == -1 ||
        (connect(fd, (const struct sockaddr *)address, sizeof *address) == -1 && errno != EINPROGRESS))
        die("connect");
    return fd;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    static struct epoll_event events[EVENTS];
    struct connection *connections;
    struct rlimit files;
    size_t longest = 0;
    uint64_t began, used;
    long count, questions, segments, open, answered;
    int poller;

    if (argc < 8 || argc % 2 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1 ||
        (count = atol(argv[3])) < 1 || (questions = atol(argv[4])) < 1 || (depth = atol(argv[5])) < 1) {
        fputs("usage: load HOST PORT CONNECTIONS QUESTIONS DEPTH QUESTION ANSWER [QUESTION ANSWER]...\n", stderr);
        return 2;
    }
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    make_turns(argv + 6, (argc - 6) / 2);
    for (long i = 0; i < turn_count; i++)
        if (turns[i].answer_length > longest)
            longest = turns[i].answer_length;
    buffer = allocate(longest + 1, 1);
    segments = (questions + depth - 1) / depth;
    if (count > segments)
        count = segments;
    latencies = allocate((size_t)segments, sizeof *latencies);
    connections = allocate((size_t)count, sizeof *connections);

    began = now_on(CLOCK_MONOTONIC);
    used = now_on(CLOCK_PROCESS_CPUTIME_ID);
    poller = epoll_create1(EPOLL_CLOEXEC);
    for (long i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &connections[i]};
        connections[i].fd = open_to(&address);
        connections[i].left = segments / count + (i < segments % count);
        connections[i].then = 0;
        if (epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event) == -1)
            die("epoll_ctl");
    }
    for (open = count, answered = 0; open;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection->then) { /* connected, or not to be had: then send fails */
                connection->then = began;
                ask(connection);
            } else if (hear(connection)) {
                close(connection->fd);
                open--;
            }
        }
    }
    answered = segments * depth;
    printf("{\"answered\": %ld, \"seconds\": %.9f, \"cpu_seconds\": %.9f}\n", answered,
           (double)(now_on(CLOCK_MONOTONIC) - began) / 1e9,
           (double)(now_on(CLOCK_PROCESS_CPUTIME_ID) - used) / 1e9);
    return 0;
}
