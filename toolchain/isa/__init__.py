"""The instruction set: instructions, opcodes, helpers, map and program types. Tables; one row is one fact, sourced."""
