# pause for x86-64 Linux: process 1 of a pod. Waits, reaps orphans, ends on SIGTERM or SIGINT.
#
# Signals are blocked and taken with rt_sigtimedwait: a blocked signal is queued even for process 1 of a PID namespace,
# where one with the default action would be dropped. So no handlers are needed.
	.intel_syntax noprefix
	.globl _start
_start:
	mov	eax, 14			# rt_sigprocmask(SIG_BLOCK, &mask, NULL, 8)
	xor	edi, edi
	lea	rsi, [rip + mask]
	xor	edx, edx
	mov	r10d, 8
	syscall
wait:
	mov	eax, 128		# rt_sigtimedwait(&mask, NULL, NULL, 8)
	lea	rdi, [rip + mask]
	xor	esi, esi
	xor	edx, edx
	mov	r10d, 8
	syscall
	cmp	eax, 17			# SIGCHLD
	je	reap
	cmp	eax, 15			# SIGTERM
	je	exit
	cmp	eax, 2			# SIGINT
	je	exit
	jmp	wait			# interrupted: SIGSTOP and SIGCONT, ptrace
reap:
	mov	eax, 61			# wait4(-1, NULL, WNOHANG, NULL)
	mov	rdi, -1
	xor	esi, esi
	mov	edx, 1
	xor	r10d, r10d
	syscall
	test	eax, eax
	jg	reap			# one SIGCHLD may stand for many children
	jmp	wait
exit:
	mov	eax, 231		# exit_group(0)
	xor	edi, edi
	syscall
	.balign	8
mask:
	.quad	(1 << 1) | (1 << 14) | (1 << 16)
