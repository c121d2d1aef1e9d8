"""The control flow graph: reachability, where pruning is tried, loops, and which registers are still read.

    reachability   a depth-first walk; every slot but the second of a wide load must be reached
    prune points   targets of jumps, conditional jumps themselves, what follows a call: where states are stored and
    compared jump points    the subset at which a path may arrive by other than falling through: where history is
    recorded loops          strongly connected components (Tarjan); a state in one is not final until all of it is
    explored live registers backward data flow: live_before = use | (live_after & ~def), iterated to its least fixpoint

All walks keep their own stacks, so deep programs cannot exhaust Python's; each is linear but for the data flow, which
repeats at most as often as registers can be added.

Source: kernel/bpf/verifier.c check_cfg (6.12), compute_live_registers and compute_scc (6.18).
"""

from __future__ import annotations

from collections.abc import Callable

from toolchain.verifier.env import Env
from toolchain.verifier.insns import (
    ALU,
    ALU64,
    CMPXCHG,
    FETCH,
    JMP,
    JMP32,
    LD,
    LDX,
    LOAD_ACQ,
    MODE_IMM,
    OP_CALL,
    OP_END,
    OP_EXIT,
    OP_JA,
    OP_JCOND,
    OP_MOV,
    OP_NEG,
    ST,
    STORE_REL,
    WIDE,
    Code,
)

CALLER_SAVED = 0b111111
ALL_REGS = 0xFFFF

_DISCOVERED, _FALL_DONE, _BRANCH_DONE, _EXPLORED = 1, 2, 3, 4


def check_cfg(env: Env) -> None:
    """Walk the graph; mark prune and jump points; refuse unreachable slots."""
    code = env.code
    count = len(code)
    env.prune_points = bytearray(count + 1)
    env.jump_points = bytearray(count + 1)
    seen = bytearray(count)
    seen[0] = _DISCOVERED
    stack = [0]
    while stack:
        index = stack[-1]
        target = _next_edge(env, index, seen)
        if target < 0:
            seen[index] = _EXPLORED
            stack.pop()
        elif seen[target] == 0:
            seen[target] = _DISCOVERED
            stack.append(target)
    index = 0
    while index < count:
        if seen[index] != _EXPLORED:
            env.refuse(f"unreachable insn {index}")
        if code[index].code == WIDE:
            index += 1
            if seen[index]:
                env.refuse(f"jump into the middle of ldimm64 insn {index - 1}")
        index += 1


def _next_edge(env: Env, index: int, seen: bytearray) -> int:
    """The next edge out of ``index`` that was not followed yet, -1 when there is none; marks points on the way."""
    insn = env.code[index]
    progress = seen[index]
    is_jump = insn.cls in (JMP, JMP32)
    if is_jump and insn.op == OP_EXIT:
        return -1
    if progress == _DISCOVERED:
        seen[index] = _FALL_DONE
        if is_jump and insn.op == OP_JA:
            if insn.is_reg:
                env.unsupported(f"indirect jumps (insn {index})")
            target = index + insn.jump_offset + 1
            env.prune_points[target] = env.jump_points[target] = 1
            seen[index] = _BRANCH_DONE
            return _checked(env, index, target)
        if is_jump and insn.op != OP_CALL:
            env.prune_points[index] = 1
        return _checked(env, index, index + (2 if insn.code == WIDE else 1))
    if progress == _FALL_DONE:
        seen[index] = _BRANCH_DONE
        return _second_edge(env, index, insn, is_jump)
    return -1


def _second_edge(env: Env, index: int, insn: Code, is_jump: bool) -> int:
    """The branch edge of a conditional jump, or the edge into a called function."""
    if insn.is_func_address or (is_jump and insn.op == OP_CALL):
        after = index + (2 if insn.is_func_address else 1)
        env.prune_points[after] = env.jump_points[after] = 1
        if not (insn.is_func_address or insn.src == 1):
            return -1
        env.prune_points[index] = 1
        target = index + insn.imm + 1
    elif is_jump:
        target = index + insn.off + 1
    else:
        return -1
    _checked(env, index, target)
    env.prune_points[target] = env.jump_points[target] = 1
    return target


def _checked(env: Env, index: int, target: int) -> int:
    if not 0 <= target < len(env.code):
        env.refuse(f"jump out of range from insn {index} to {target}")
    return target


def successors(insn: Code, index: int) -> tuple[int, ...]:
    """Where control may go inside the same function. Calls fall through."""
    if insn.cls in (JMP, JMP32):
        if insn.op == OP_EXIT:
            return ()
        if insn.op == OP_JA:
            return (index + insn.jump_offset + 1,)
        if insn.op != OP_CALL:
            return (index + 1, index + insn.off + 1)
    return (index + (2 if insn.code == WIDE else 1),)


def postorder(env: Env) -> list[int]:
    """All reachable slots, each after its successors as far as loops allow."""
    order: list[int] = []
    seen = bytearray(len(env.code))
    for subprog in env.subprogs:
        stack = [subprog.start]
        seen[subprog.start] = 1
        while stack:
            top = stack[-1]
            if seen[top] == 2:
                order.append(top)
                stack.pop()
                continue
            seen[top] = 2
            for target in successors(env.code[top], top):
                if not seen[target]:
                    seen[target] = 1
                    stack.append(target)
    return order


def compute_loops(env: Env) -> None:
    """``env.scc``: a number above 0 for each slot on a cycle, equal for slots of one component."""
    code = env.code
    count = len(code)
    env.scc = [0] * count
    if not any(target <= index for index in range(count) for target in _jump_targets(code[index], index)):
        return
    low = [0] * count
    order = [0] * count
    on_stack = bytearray(count)
    component: list[int] = []
    clock = 0
    number = 0
    for root in range(count):
        if order[root] or not env.reached[root]:
            continue
        work: list[tuple[int, int]] = [(root, 0)]
        while work:
            node, position = work.pop()
            if position == 0:
                clock += 1
                order[node] = low[node] = clock
                component.append(node)
                on_stack[node] = 1
            targets = successors(code[node], node)
            if position > 0:
                low[node] = min(low[node], low[targets[position - 1]])
            descended = False
            for place in range(position, len(targets)):
                target = targets[place]
                if not order[target]:
                    work.append((node, place + 1))
                    work.append((target, 0))
                    descended = True
                    break
                if on_stack[target]:
                    low[node] = min(low[node], order[target])
            if descended or low[node] != order[node]:
                continue
            is_loop = component[-1] != node or node in targets
            number += is_loop
            while True:
                member = component.pop()
                on_stack[member] = 0
                # What left the stack must not lower its callers' marks.
                low[member] = count + 1
                if is_loop:
                    env.scc[member] = number
                if member == node:
                    break


def _jump_targets(insn: Code, index: int) -> tuple[int, ...]:
    if insn.cls in (JMP, JMP32) and insn.op not in (OP_CALL, OP_EXIT):
        return (index + insn.jump_offset + 1,)
    return ()


def compute_live_registers(env: Env, argument_count: Callable[[int], int]) -> None:
    """``env.live_before``: for each slot a mask of the registers that some path from there reads before writing.

    ``argument_count`` gives the number of arguments of a helper, -1 where it is not known to this program type.
    """
    code = env.code
    count = len(code)
    uses = [0] * count
    keeps = [0] * count
    order = postorder(env)
    for index in order:
        use, define = _use_and_define(code[index], argument_count)
        uses[index] = use
        keeps[index] = ~define
        env.reached[index] = 1
    live = [0] * (count + 1)
    changed = True
    while changed:
        changed = False
        for index in order:
            after = 0
            for target in successors(code[index], index):
                after |= live[target]
            before = after & keeps[index] | uses[index]
            if before != live[index]:
                live[index] = before
                changed = True
    env.live_before = live


def _use_and_define(insn: Code, argument_count: Callable[[int], int]) -> tuple[int, int]:
    dst, src = 1 << insn.dst, 1 << insn.src
    cls = insn.cls
    if cls in (ALU, ALU64):
        if insn.op in (OP_END, OP_NEG):
            return dst, dst
        operand = src if insn.is_reg else 0
        return (operand, dst) if insn.op == OP_MOV else (operand | dst, dst)
    if cls == LDX:
        return src, dst
    if cls == ST:
        return dst, 0
    if cls in (JMP, JMP32):
        if insn.op == OP_EXIT:
            return 1, 0
        if insn.op == OP_CALL:
            arguments = argument_count(insn.imm) if insn.is_helper_call else -1
            return (0b111110 if arguments < 0 else (1 << arguments + 1) - 2), CALLER_SAVED
        if insn.op in (OP_JA, OP_JCOND):
            return 0, 0
        return (dst | src if insn.is_reg else dst), 0
    if cls == LD:
        return (0, dst) if insn.mode == MODE_IMM else (ALL_REGS, 0)
    if insn.mode != 0xC0:
        return dst | src, 0
    if insn.imm == CMPXCHG:
        return 1 | dst | src, 1
    if insn.imm == LOAD_ACQ:
        return src, dst
    if insn.imm == STORE_REL:
        return dst | src, 0
    return dst | src, (src if insn.imm & FETCH else 0)
