/* A program whose instructions are known: what one more turn, child or call costs can be read off its machine code.
 *
 *     counted turns N      N turns of a loop of three instructions
 *     counted forks N      N children, each of 1,000,000 turns
 *     counted calls N      N system calls
 *     counted threads N    N threads, each of 1,000,000 turns
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 1000000 };

static void turn(unsigned long turns)
{
    if (turns)
        __asm__ volatile("1: nop\n\tsubs %0, %0, #1\n\tbne 1b" : "+r"(turns) : : "cc");
}

static void *turn_many(void *unused)
{
    turn(MANY);
    return unused;
}

int main(int argc, char **argv)
{
    unsigned long number = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (argc != 3)
        return 2;
    if (!strcmp(argv[1], "turns"))
        turn(number);
    else if (!strcmp(argv[1], "calls"))
        while (number--)
            syscall(SYS_getppid);
    else if (!strcmp(argv[1], "forks"))
        while (number--) {
            pid_t child = fork();
            if (child == 0) {
                turn(MANY);
                _exit(0);
            }
            if (child == -1 || waitpid(child, NULL, 0) != child)
                return 1;
        }
    else if (!strcmp(argv[1], "threads"))
        while (number--) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, turn_many, NULL) || pthread_join(thread, NULL))
                return 1;
        }
    else
        return 2;
    return 0;
}
