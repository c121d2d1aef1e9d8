/*
 * trace_printk: formats a line into the machine's trace text, where the kernel would write it to trace_pipe.
 *
 * Formats are the kernel's: %% %c %s %d %i %u %x %X with l or ll, flags and width, %p and %pI4 %pi4 %pI6 %pi6
 * (a pointer to an address), at most three. Anything else is -EINVAL. A string or address that does not lie
 * where the program may read is shown empty; the kernel reads it if it can. Source: kernel/bpf/helpers.c of
 * Linux 6.12, bpf_bprintf_prepare().
 */
#include "helpers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 1024
#define MAX_WIDTH 512

struct line {
    char text[LINE_SIZE];
    uint32_t used;
};

struct spec {
    char flags[8];
    int width;
    unsigned int longs; /* how many l */
    char kind;          /* d i u x X c s p, or 4 or 6 for addresses */
};

static void put(struct line *line, const char *text, size_t size) {
    if (size > LINE_SIZE - line->used)
        size = LINE_SIZE - line->used;
    memcpy(line->text + line->used, text, size);
    line->used += (uint32_t)size;
}

static bool is_punct_or_space(char c) {
    return c == 0 || c == ' ' || (c >= '\t' && c <= '\r') || (c > ' ' && c < '0') || (c > '9' && c < 'A') ||
           (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7f);
}

/* Parses what follows a '%'; NULL where the kernel refuses it. */
static const char *parse_spec(const char *at, struct spec *spec) {
    unsigned int flags = 0;

    *spec = (struct spec){0};
    for (; *at == '0' || *at == '+' || *at == '-' || *at == ' '; at++)
        if (flags < sizeof(spec->flags) - 1)
            spec->flags[flags++] = *at;
    for (; *at >= '0' && *at <= '9'; at++)
        spec->width = spec->width >= MAX_WIDTH ? MAX_WIDTH : spec->width * 10 + (*at - '0');
    if (spec->width > MAX_WIDTH)
        spec->width = MAX_WIDTH;
    for (; *at == 'l' && spec->longs < 2; at++)
        spec->longs++;
    spec->kind = *at++;
    if (spec->longs == 0) {
        if (spec->kind == 'c')
            return at;
        if (spec->kind == 's')
            return is_punct_or_space(*at) ? at : NULL;
        if (spec->kind == 'p') {
            if (is_punct_or_space(*at))
                return at;
            if ((*at == 'i' || *at == 'I') && (at[1] == '4' || at[1] == '6')) {
                spec->kind = at[1];
                return at + 2;
            }
            return NULL;
        }
    }
    return spec->kind && strchr("diuxX", spec->kind) ? at : NULL;
}

static void put_number(struct line *line, const struct spec *spec, uint64_t value) {
    char format[24];
    char text[MAX_WIDTH + 32];
    int size;

    if (spec->longs == 0)
        value = spec->kind == 'd' || spec->kind == 'i' ? (uint64_t)(int64_t)(int32_t)value : (uint32_t)value;
    snprintf(format, sizeof(format), "%%%s*ll%c", spec->flags, spec->kind);
    size = snprintf(text, sizeof(text), format, spec->width, (long long)value);
    if (size > 0)
        put(line, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

static void put_string(struct line *line, const struct vm_state *state, uint64_t address) {
    while (line->used < LINE_SIZE && vm_may_access(state, address, 1, false) &&
           *(const char *)pointer(address)) {
        put(line, pointer(address), 1);
        address++;
    }
}

static void put_address(struct line *line, const struct vm_state *state, char kind, uint64_t address) {
    const uint8_t *bytes = pointer(address);
    char text[48];
    int size = 0;

    if (!vm_may_access(state, address, kind == '4' ? 4 : 16, false))
        return;
    if (kind == '4')
        size = snprintf(text, sizeof(text), "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
    for (unsigned int at = 0; kind == '6' && at < 16; at += 2)
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s%02x%02x", at ? ":" : "", bytes[at],
                         bytes[at + 1]);
    put(line, text, (size_t)size);
}

static void put_argument(struct line *line, const struct vm_state *state, struct spec *spec, uint64_t value) {
    const char byte = (char)value;

    switch (spec->kind) {
    case 'c':
        put(line, &byte, 1);
        break;
    case 's':
        put_string(line, state, value);
        break;
    case '4':
    case '6':
        put_address(line, state, spec->kind, value);
        break;
    case 'p':
        spec->kind = 'x';
        spec->longs = 2;
        spec->width = 16;
        memcpy(spec->flags, "0", 2);
        put_number(line, spec, value);
        break;
    default:
        put_number(line, spec, value);
    }
}

static int format_line(struct line *line, const struct vm_state *state, const char *format,
                       const uint64_t *args) {
    unsigned int taken = 0;

    for (const char *at = format; *at; at++) {
        struct spec spec;

        if (*at < ' ' && *at >= 0 && !(*at >= '\t' && *at <= '\r'))
            return -EINVAL;
        if (*at != '%' || at[1] == '%') {
            put(line, at, 1);
            at += *at == '%';
            continue;
        }
        at = parse_spec(at + 1, &spec);
        if (!at || taken == 3)
            return -EINVAL;
        put_argument(line, state, &spec, args[taken++]);
        at--;
    }
    return (int)line->used;
}

static void publish(struct vm_machine *machine, const struct line *line) {
    const bool is_ended = line->used && line->text[line->used - 1] == '\n';
    const uint32_t size = line->used + !is_ended;

    if (size > TRACE_SIZE - machine->trace_used) {
        machine->trace_dropped += size;
        return;
    }
    memcpy(machine->trace + machine->trace_used, line->text, line->used);
    machine->trace_used += size;
    machine->trace[machine->trace_used - 1] = '\n';
}

SHARED_HELPER(trace_printk) {
    const char *format = pointer(r1);
    const uint64_t args[3] = {r3, r4, r5};
    struct line line;
    int result;

    line.used = 0;
    if (!memchr(format, 0, (uint32_t)r2))
        return error(-EINVAL);
    result = format_line(&line, state, format, args);
    if (result >= 0)
        publish(state->machine, &line);
    return error(result);
}
