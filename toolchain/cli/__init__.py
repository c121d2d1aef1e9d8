"""The commands bpf-as and bpf-load: the only code that prints or exits. Each command is a module, imported late."""
