// pause for arm64 Linux: process 1 of a pod. Waits, reaps orphans, ends on SIGTERM or SIGINT.
//
// Signals are blocked and taken with rt_sigtimedwait: a blocked signal is queued even for process 1 of a PID namespace,
// where one with the default action would be dropped. So no handlers are needed.
	.globl _start
_start:
	mov	x8, #135		// rt_sigprocmask(SIG_BLOCK, &mask, NULL, 8)
	mov	x0, #0
	adr	x1, mask
	mov	x2, #0
	mov	x3, #8
	svc	#0
wait:
	mov	x8, #137		// rt_sigtimedwait(&mask, NULL, NULL, 8)
	adr	x0, mask
	mov	x1, #0
	mov	x2, #0
	mov	x3, #8
	svc	#0
	cmp	w0, #17			// SIGCHLD
	b.eq	reap
	cmp	w0, #15			// SIGTERM
	b.eq	exit
	cmp	w0, #2			// SIGINT
	b.eq	exit
	b	wait			// interrupted: SIGSTOP and SIGCONT, ptrace
reap:
	mov	x8, #260		// wait4(-1, NULL, WNOHANG, NULL)
	mov	x0, #-1
	mov	x1, #0
	mov	x2, #1
	mov	x3, #0
	svc	#0
	cmp	w0, #0
	b.gt	reap			// one SIGCHLD may stand for many children
	b	wait
exit:
	mov	x8, #94			// exit_group(0)
	mov	x0, #0
	svc	#0
	.balign	8
mask:
	.quad	(1 << 1) | (1 << 14) | (1 << 16)
