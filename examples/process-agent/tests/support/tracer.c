/* tracer FILE PID [stop]: traces PID, with `stop` all its threads, which it holds; says in FILE how
   that went, and never asks for anything. What it traces cannot be waited for by others while it
   lives. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int stop = argc > 3, failed = 0;
    char path[64], new[4096];
    struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%s/task", argv[2]);
    DIR *tasks = opendir(path);
    while (tasks && (entry = readdir(tasks))) {
        int task = atoi(entry->d_name);
        if (task <= 0)
            continue;
        if (ptrace(PTRACE_SEIZE, task, 0, 0) || (stop && ptrace(PTRACE_INTERRUPT, task, 0, 0)))
            failed = errno;
    }
    snprintf(new, sizeof new, "%s.new", argv[1]);
    FILE *file = fopen(new, "w");
    fputs(failed ? strerror(failed) : "traced", file);
    fclose(file);
    rename(new, argv[1]);
    for (;;)
        pause();
}
