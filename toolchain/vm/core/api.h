/*
 * The C core as its callers see it: programs are made from code, then run on packets.
 *
 * Read by the C compiler and by cffi alike: declarations only, no includes, no guards. core.h includes it.
 * Threads: a program is read-only once made and may run in any number of threads; a machine belongs to one
 * thread at a time. Results: enum vm_status, 0 for success. Nothing here prints, and no run allocates.
 */

/* Why something did not work. Those from VM_FAULT_FIRST on end a run; only the checked interpreter gives
 * them. */
enum vm_status {
    VM_OK,
    VM_NO_MEMORY,
    VM_BAD_PACKET,  /* shorter than an Ethernet header, or larger than the machine */
    VM_BAD_CONTEXT, /* a context given by the caller that the kernel's test run refuses too */
    VM_BAD_INSN,    /* load: no instruction has this encoding */
    VM_BAD_JUMP,    /* load: a jump or call leaves the program */
    VM_BAD_MAP,     /* load: no map has this index, or the address lies outside of its value */
    VM_UNSUPPORTED_INSN,
    VM_UNSUPPORTED_HELPER,
    VM_UNSUPPORTED_FIELD,
    VM_FAULT_FIRST,
    VM_FAULT_INSN = 10, /* an instruction that is none, or that this core does not have */
    VM_FAULT_END,       /* execution ran past the last instruction */
    VM_FAULT_JUMP,
    VM_FAULT_LOAD,
    VM_FAULT_STORE,
    VM_FAULT_ALIGN,         /* an atomic operation on an address that is no multiple of its size */
    VM_FAULT_FRAMES,        /* more than eight nested calls */
    VM_FAULT_HELPER,        /* a helper that does not exist here */
    VM_FAULT_ARGUMENT,      /* a helper's argument points where it may not */
    VM_FAULT_FRAME_POINTER, /* an instruction writes r10 */
    VM_FAULT_BUDGET         /* the instruction budget is spent */
};

#define VM_CTX_SIZE 192      /* bytes of struct __sk_buff; struct xdp_md is smaller */
#define VM_MAX_PACKET 262144 /* the longest record that capture tools write */
#define VM_PROG_SOCKET_FILTER 1
#define VM_PROG_SCHED_CLS 3
#define VM_PROG_SCHED_ACT 4
#define VM_PROG_XDP 6
#define VM_PROG_CGROUP_SKB 8

/* Gives what `id` names in a map that holds programs or maps, opened for this process, or NULL if there is no
 * such thing any more. It must live until vm_machine_forget or vm_machine_destroy. */
typedef void *(*vm_resolve_fn)(void *resolver, uint64_t holder, uint32_t id);

struct vm_map;
struct vm_prog;
struct vm_machine;

/* A load or store of the context. Units: slot in words of 8 bytes, offset and size in bytes of the
 * user-visible context. */
struct vm_ctx_access {
    uint32_t slot;
    uint32_t offset;
    uint32_t size;
    uint32_t is_write;
};

/* What a program is made from. All pointers are borrowed for the call, but the maps must outlive the program.
 */
struct vm_source {
    const uint8_t *code;  /* slot_count * 8 bytes, host byte order */
    uint32_t slot_count;  /* 1 .. 1000000 */
    uint32_t prog_type;   /* one of VM_PROG_* */
    struct vm_map **maps; /* what map indexes in the code mean */
    uint32_t map_count;
    uint32_t id; /* what vm_run.fault_prog says when it faults */
    uint32_t
        is_checked; /* 1: unverified code for the checked interpreter, 0: verified code for the plain one */
    const struct vm_ctx_access *accesses; /* plain only */
    uint32_t access_count;
    const uint8_t
        *dead_slots;       /* plain only: slot_count flags, nonzero where the verifier never came; or NULL */
    uint64_t ctx_readable; /* checked only: bit N allows loads of the Nth 4 bytes of the context */
    uint64_t ctx_writable; /* checked only: the same for stores */
};

/* Which instruction stands in the way. value: helper id, map index or context offset, by status. */
struct vm_problem {
    uint32_t slot;
    uint32_t value;
};

/*
 * Decodes a program. In a checked program whatever cannot be executed becomes an instruction that faults when
 * it is reached, the result is VM_OK and *problem names the first helper that is not modelled (value 0:
 * none); in a plain one it is an error.
 */
enum vm_status vm_prog_create(const struct vm_source *source, struct vm_prog **prog,
                              struct vm_problem *problem);
void vm_prog_destroy(struct vm_prog *prog);

/* Whether the core has a helper of this id. */
int vm_has_helper(uint32_t id);

/* Scratch space of a thread: packet buffer, stack, trace text, random state. seed 0 gives unpredictable
 * random numbers. */
enum vm_status vm_machine_create(uint64_t seed, struct vm_machine **machine);
void vm_machine_destroy(struct vm_machine *machine);

/*
 * Tail calls and inner maps: whenever a run meets an id for the first time in a holder, it asks `resolve`;
 * without one, every slot is empty. `holder` is the address of the struct vm_map. The answers are kept, for
 * ids are never given twice; `count` is how many there are, and `forget` drops them (not during a run).
 */
void vm_machine_set_resolver(struct vm_machine *machine, vm_resolve_fn resolve, void *resolver);
uint32_t vm_machine_target_count(const struct vm_machine *machine);
void vm_machine_forget(struct vm_machine *machine);

/* What trace_printk wrote since the last vm_trace_clear, without terminator; *dropped counts bytes that did
 * not fit. */
const uint8_t *vm_trace_text(const struct vm_machine *machine, uint32_t *size, uint64_t *dropped);
void vm_trace_clear(struct vm_machine *machine);

/* One run: what goes in, then what comes out. Buffers are the caller's. */
struct vm_run {
    const uint8_t *data; /* the packet, from its Ethernet header on */
    uint32_t data_size;
    uint32_t has_ctx; /* ctx holds what the caller wants in struct __sk_buff or xdp_md, as BPF_PROG_TEST_RUN
                         takes it */
    uint8_t ctx[192]; /* in and out */
    uint8_t *out;     /* gets the packet afterwards; may be NULL */
    uint32_t out_capacity;
    uint32_t out_size; /* the packet's size afterwards, even where it did not fit */
    uint32_t retval;
    uint32_t status; /* enum vm_status */
    uint32_t fault_slot;
    uint32_t fault_prog;       /* id of the program that slot is of, as its vm_source gave it */
    uint32_t redirect_ifindex; /* target of the last redirect, 0 if there was none */
    uint64_t redirect_flags;
    uint64_t fault_address;
    uint64_t insn_count;  /* checked only: instructions executed */
    uint64_t duration_ns; /* of one repetition, on average */
};

/*
 * Runs a program on each of `count` packets. budget: instructions that one run may execute in the checked
 * interpreter; the plain one has none. Returns VM_OK when every run's own status is VM_OK, else the first one
 * that is not; the others are done all the same.
 */
enum vm_status vm_run_batch(struct vm_machine *machine, const struct vm_prog *prog, struct vm_run *runs,
                            uint32_t count, uint64_t budget);

/*
 * Runs the machine's last program `repeat` (at least 1) times more on its last packet, each time on what the
 * time before left, as the kernel's test run does. *run is that packet's, whose status was VM_OK.
 */
enum vm_status vm_run_again(struct vm_machine *machine, struct vm_run *run, uint32_t repeat, uint64_t budget);

/*
 * Ends the process with exit status 1 and an error, on stderr or as JSON on stdout, where a mapped file turns
 * out shorter than it was (SIGBUS). For commands: a library leaves its process's signals alone. 0 or -errno.
 */
int vm_end_on_bus_error(uint32_t is_json);
