"""The program of the pause image: process 1 of every pod, a static ELF file of about 300 bytes, without a compiler.

Here lives: the assembly source of each architecture, its machine code and the ELF file around it (elf). Not here: the
image archive (bundle.images).
"""
