"""pin_get.py OBJ DEV: what pin_get.sh does, with the library. $BPF_RUNTIME says which runtime, $BPF_PIN_ROOT where."""

import os
import sys

import toolchain

obj, device = sys.argv[1:]
toolchain.create_map("numbers", "array", key_size=4, value_size=4, max_entries=8, pin="numbers").close()
toolchain.load(obj, pin="prog").close()
if os.fork():  # the rest happens in another process, which has nothing but the pins
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
with toolchain.get("numbers") as numbers, toolchain.get("prog") as program:
    numbers[1] = 42
    print("numbers[1] =", numbers.typed[1])
    with program.attach(device, "ingress") as link:
        print(f"{program.name} at {link.device} {link.hook}, one packet: {program(bytes(64))}")
