/*
 * ptrace(2) for user-mode Linux on processors that it does not know; loaded with LD_PRELOAD.
 *
 * User-mode Linux 6.1 has room for the registers of AVX-512 and hands back what it was given. Where processors have more, as
 * with AMX, the host's kernel takes the whole set or nothing (EFAULT), and the guest's first process dies. This asks for the
 * whole set and hands on the begin; what was handed back gets the rest again, in its initial state. Guests cannot use it:
 * nobody has asked the kernel for it (arch_prctl(2), ARCH_REQ_XCOMP_PERM).
 *
 * Layout: Intel's manual, volume 1, section 13.4. One thread traces, so there is one buffer.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

/* XSTATE_BV, at byte 512: which parts are not in their initial state; 17 and 18 are AMX. */
#define XSTATE_BV 64
#define AMX (3ULL << 17)

static uint64_t set[4096];

static long call(long request, long pid, void *addr, void *data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

static long get_whole(long pid, void *addr, struct iovec *whole)
{
	*whole = (struct iovec){ set, sizeof(set) };
	return call(PTRACE_GETREGSET, pid, addr, whole);
}

static long get(long pid, void *addr, struct iovec *part)
{
	struct iovec whole;
	long failed = get_whole(pid, addr, &whole);

	if (failed)
		return failed;
	if (part->iov_len > whole.iov_len)
		part->iov_len = whole.iov_len;
	memcpy(part->iov_base, set, part->iov_len);
	return 0;
}

static long put(long pid, void *addr, struct iovec *part)
{
	struct iovec whole;
	long failed = get_whole(pid, addr, &whole);

	if (failed)
		return failed;
	if (part->iov_len >= whole.iov_len)
		return call(PTRACE_SETREGSET, pid, addr, part);
	memset(set, 0, whole.iov_len);
	memcpy(set, part->iov_base, part->iov_len);
	set[XSTATE_BV] &= ~AMX;
	return call(PTRACE_SETREGSET, pid, addr, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	__builtin_va_list arguments;
	long pid, word, result;
	void *addr, *data;

	__builtin_va_start(arguments, request);
	pid = __builtin_va_arg(arguments, int);
	addr = __builtin_va_arg(arguments, void *);
	data = __builtin_va_arg(arguments, void *);
	__builtin_va_end(arguments);

	if ((long)addr == NT_X86_XSTATE && request == PTRACE_GETREGSET)
		return get(pid, addr, data);
	if ((long)addr == NT_X86_XSTATE && request == PTRACE_SETREGSET)
		return put(pid, addr, data);
	/* As in the C library: the system call stores the word, the function returns it. */
	if (request < PTRACE_PEEKTEXT || request > PTRACE_PEEKUSER)
		return call(request, pid, addr, data);
	result = call(request, pid, addr, &word);
	return result < 0 ? result : word;
}
