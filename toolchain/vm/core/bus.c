/*
 * A mapped file that is cut short while it is in use: the end of a command, with words.
 *
 * The kernel answers an access behind a file's new end, and one to a hole that a full file system cannot
 * fill, with SIGBUS. Nothing can be given back to the code that met it, and a map whose lock is held then is
 * mended by the next one to take it, as after kill -9. So the process says what happened and ends; only
 * write(2) and _exit(2) are called, which a handler may (POSIX, XSH 2.4.3).
 */
#include "core.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE "a mapped file was cut short, or its file system is full"
#define HINT "see which with 'bpf-load pin fsck'"
#define EXIT_FAILED 1

static const char as_text[] = "bpf-load: error: " MESSAGE "\n  hint: " HINT "\n";
static const char as_json[] = "{\"schema\": \"bpf-load.error/1\", \"error\": \"" MESSAGE
                              "\", \"code\": \"pin\", \"where\": null, \"hint\": \"" HINT "\"}\n";

static void end_with_text(int number) {
    ssize_t done = write(STDERR_FILENO, as_text, sizeof(as_text) - 1);

    (void)number;
    (void)done;
    _exit(EXIT_FAILED);
}

static void end_with_json(int number) {
    ssize_t done = write(STDOUT_FILENO, as_json, sizeof(as_json) - 1);

    (void)number;
    (void)done;
    _exit(EXIT_FAILED);
}

int vm_end_on_bus_error(uint32_t is_json) {
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = is_json ? end_with_json : end_with_text;
    return sigaction(SIGBUS, &action, NULL) != 0 ? -errno : 0;
}
