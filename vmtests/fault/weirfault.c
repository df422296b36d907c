/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults on demand, preloaded into weir (LD_PRELOAD): the Nth call of some kinds fails or is the last.
 *
 *	WEIR_FAULT      kinds, with commas: netlink, xtables, reply, store, files, bpf; any is all of them
 *	WEIR_FAULT_AT   N, from 1; 0 only counts
 *	WEIR_FAULT_DO   fail:ERRNO (by name: fail:ENOMEM), kill (before the call), kill-after,
 *			slow:MS (before every call), meddle (before the call)
 *	WEIR_FAULT_LOG  a file: every counted call, a line each
 *	WEIR_FAULT_HIDE what this kernel is not to have, with commas: parts of paths, nfnetlink and fsopen
 *	WEIR_FAULT_MEDDLE  a command for the shell, run where meddle says so, else before every commit of rules,
 *			whose number is $1
 *
 * How it works: each wrapper says which kind its call is of. netlink is what is sent on netlink
 * sockets, xtables what changes legacy iptables. reply is what is read from either: failing, the answer has been taken from the socket and is
 * lost, so that the caller does not know what the kernel did. store is every write below the state
 * folder. files is what changes the file system or the namespaces elsewhere, sysctls included. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>

#include <linux/bpf.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind { NONE, NETLINK, XTABLES, REPLY, STORE, FILES, BPF, NUM_KINDS };
enum action { COUNT, FAIL, KILL, KILL_AFTER, SLOW, MEDDLE };

static const char *const kind_names[NUM_KINDS] = { "none",  "netlink", "xtables", "reply",
						   "store", "files",   "bpf" };

static struct {
	bool kinds[NUM_KINDS];
	enum action action;
	int error;
	unsigned long at, counted;
	int log_fd;
	unsigned slow_ms;
	const char *state_dir, *hide, *meddle;
	unsigned meddled;
} plan = { .log_fd = -1 };

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int errno_by_name(const char *name)
{
	for (int e = 1; e < 134; e++) {
		const char *known = strerrorname_np(e);

		if (known && strcmp(known, name) == 0)
			return e;
	}
	return EIO;
}

static void plan_action(const char *text)
{
	if (strncmp(text, "fail:", 5) == 0) {
		plan.action = FAIL;
		plan.error = errno_by_name(text + 5);
	} else if (strncmp(text, "slow:", 5) == 0) {
		plan.action = SLOW;
		plan.slow_ms = (unsigned)strtoul(text + 5, NULL, 10);
	} else if (strcmp(text, "kill") == 0) {
		plan.action = KILL;
	} else if (strcmp(text, "kill-after") == 0) {
		plan.action = KILL_AFTER;
	} else if (strcmp(text, "meddle") == 0) {
		plan.action = MEDDLE;
	}
}

__attribute__((constructor)) static void plan_read(void)
{
	const char *kinds = getenv("WEIR_FAULT"), *at = getenv("WEIR_FAULT_AT");
	const char *what = getenv("WEIR_FAULT_DO"), *log = getenv("WEIR_FAULT_LOG");

	for (int k = NETLINK; kinds && k < NUM_KINDS; k++)
		plan.kinds[k] = strstr(kinds, kind_names[k]) || strstr(kinds, "any");
	plan.at = at ? strtoul(at, NULL, 10) : 0;
	plan_action(what ? what : "");
	plan.state_dir = getenv("WEIR_STATE_DIR");
	if (!plan.state_dir)
		plan.state_dir = "/var/lib/weir";
	plan.hide = getenv("WEIR_FAULT_HIDE");
	plan.meddle = getenv("WEIR_FAULT_MEDDLE");
	unsetenv("LD_PRELOAD"); /* what weir starts is left alone */
	if (log)
		plan.log_fd = (int)syscall(SYS_openat, AT_FDCWD, log,
					   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void die(void)
{
	raise(SIGKILL);
}

static void log_call(enum kind kind, const char *call, const char *where)
{
	char line[PATH_MAX + 64];
	int n = snprintf(line, sizeof(line), "%lu %s %s %s\n", plan.counted, kind_names[kind], call,
			 where);

	if (plan.log_fd >= 0)
		(void)!syscall(SYS_write, plan.log_fd, line, (size_t)n);
}

/* Counts a call of a kind that is asked for; true when it is the one. */
static bool strikes(enum kind kind, const char *call, const char *where)
{
	if (kind == NONE || !plan.kinds[kind])
		return false;
	plan.counted++;
	log_call(kind, call, where ? where : "");
	if (plan.action == SLOW)
		(void)usleep(plan.slow_ms * 1000);
	return plan.counted == plan.at;
}

/* Somebody else is faster. */
static void meddle(void)
{
	char command[1024];

	if (!plan.meddle)
		return;
	snprintf(command, sizeof(command), "set -- %u; %s", ++plan.meddled, plan.meddle);
	(void)!system(command);
}

/* Before the call: true when it must fail, with errno set. */
static bool before(bool struck)
{
	if (struck && plan.action == MEDDLE)
		meddle();
	if (struck && plan.action == KILL)
		die();
	if (struck && plan.action == FAIL)
		errno = plan.error;
	return struck && plan.action == FAIL;
}

static void after(bool struck)
{
	if (struck && plan.action == KILL_AFTER)
		die();
}

static enum kind kind_of_path(const char *path)
{
	size_t len = strlen(plan.state_dir);

	if (strncmp(path, "/dev/", 5) == 0)
		return NONE;
	return strncmp(path, plan.state_dir, len) == 0 ? STORE : FILES;
}

/* Regular files only: pipes and terminals are the user's, sockets have their own wrappers. */
static enum kind kind_of_fd(int fd, char path[PATH_MAX])
{
	char link[64];
	struct stat st;
	ssize_t n;

	path[0] = '\0';
	if (fd == plan.log_fd || fd <= STDERR_FILENO || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return NONE;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n < 0)
		return NONE;
	path[n] = '\0';
	return kind_of_path(path);
}

static enum kind kind_of_socket(int fd, enum kind kind)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
		return NONE;
	return domain == AF_NETLINK ? kind : NONE;
}

/* For the log: whom a netlink socket talks to. */
static const char *netlink_family(int fd)
{
	int protocol = -1;
	socklen_t len = sizeof(protocol);

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) != 0)
		return "";
	if (protocol == NETLINK_ROUTE)
		return "route";
	return protocol == NETLINK_NETFILTER ? "netfilter" : "netlink";
}

/* For the log: of rtnetlink also which message, by its number (linux/rtnetlink.h). */
static const char *message_name(int fd, const void *data)
{
	static _Thread_local char name[32];
	const struct nlmsghdr *first = data;
	const char *family = netlink_family(fd);

	if (strcmp(family, "route") != 0)
		return family;
	snprintf(name, sizeof(name), "%s %u", family, first->nlmsg_type);
	return name;
}

static enum kind kind_of_message(int fd, const void *data)
{
	const struct nlmsghdr *first = data;
	enum kind kind = kind_of_socket(fd, NETLINK);

	/* elsewhere that is the number of RTM_NEWLINK */
	if (kind == NETLINK && plan.action != MEDDLE && first->nlmsg_type == NFNL_MSG_BATCH_BEGIN &&
	    strcmp(netlink_family(fd), "netfilter") == 0)
		meddle();
	return kind;
}

/* The two numbers are those of IPv6 as well. */
static enum kind kind_of_option(int level, int option, enum kind kind)
{
	if (level != IPPROTO_IP && level != IPPROTO_IPV6)
		return NONE;
	return option == IPT_SO_SET_REPLACE || option == IPT_SO_SET_ADD_COUNTERS ? kind : NONE;
}

static bool is_hidden(const char *path)
{
	char list[256], *rest = NULL;

	snprintf(list, sizeof(list), "%s", plan.hide ? plan.hide : "");
	for (char *part = strtok_r(list, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
		if (strstr(path, part))
			return true;
	return false;
}

/* A wrapper of a call that is lost when it fails. */
#define WRAP(type, name, params, args, kind, where)        \
	type name params                                   \
	{                                                  \
		bool struck = strikes(kind, #name, where); \
		type result;                               \
		int error;                                 \
                                                           \
		if (before(struck))                        \
			return (type)-1;                   \
		result = REAL(name) args;                  \
		error = errno;                             \
		after(struck);                             \
		errno = error;                             \
		return result;                             \
	}

/* A wrapper of a call on a file descriptor. */
#define WRAP_FD(type, name, params, args)                 \
	type name params                                  \
	{                                                 \
		char path[PATH_MAX];                      \
		enum kind kind = kind_of_fd(fd, path);    \
		bool struck = strikes(kind, #name, path); \
		type result;                              \
                                                          \
		if (before(struck))                       \
			return (type)-1;                  \
		result = REAL(name) args;                 \
		after(struck);                            \
		return result;                            \
	}

/* A wrapper of a call that takes an answer; failing, the answer is taken and dropped. A peek takes
 * nothing and is not counted. */
#define WRAP_REPLY(name, params, args)                                                \
	ssize_t name params                                                           \
	{                                                                             \
		enum kind kind = flags & MSG_PEEK ? NONE : kind_of_socket(fd, REPLY); \
		bool struck = strikes(kind, #name, netlink_family(fd));               \
		bool failing = struck && plan.action == FAIL;                         \
		ssize_t result;                                                       \
                                                                                      \
		if (struck && plan.action == KILL)                                    \
			die();                                                        \
		result = REAL(name) args;                                             \
		after(struck);                                                        \
		if (failing)                                                          \
			errno = plan.error;                                           \
		return failing ? -1 : result;                                         \
	}

/* bpf(2), which has no other name in libc, and fsopen(2); all else goes on as it is. */
long syscall(long number, ...)
{
	long a[6], result;
	va_list args;
	bool struck;

	va_start(args, number);
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
		a[i] = va_arg(args, long);
	va_end(args);
	struck = number == SYS_bpf && strikes(BPF, "bpf", a[0] == BPF_PROG_LOAD ? "load" : "map");
	if (before(struck))
		return -1;
	if (number == SYS_fsopen && is_hidden("fsopen")) {
		errno = ENOSYS;
		return -1;
	}
	result = REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	after(struck);
	return result;
}

WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags),
     kind_of_message(fd, msg->msg_iov[0].iov_base), message_name(fd, msg->msg_iov[0].iov_base))
WRAP(ssize_t, sendto,
     (int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len),
     (fd, buf, n, flags, addr, len), kind_of_message(fd, buf), message_name(fd, buf))
WRAP(ssize_t, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags),
     kind_of_socket(fd, NETLINK), netlink_family(fd))
WRAP_REPLY(recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
WRAP_REPLY(recvfrom,
	   (int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len),
	   (fd, buf, n, flags, addr, len))
WRAP_REPLY(recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags))

WRAP_FD(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP_FD(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t at), (fd, buf, n, at))
WRAP_FD(ssize_t, pwrite64, (int fd, const void *buf, size_t n, off64_t at), (fd, buf, n, at))
WRAP_FD(int, fsync, (int fd), (fd))
WRAP_FD(int, fdatasync, (int fd), (fd))
WRAP_FD(int, ftruncate, (int fd, off_t len), (fd, len))
WRAP_FD(int, ftruncate64, (int fd, off64_t len), (fd, len))

WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), kind_of_path(path), path)
WRAP(int, rmdir, (const char *path), (path), kind_of_path(path), path)
WRAP(int, unlink, (const char *path), (path), kind_of_path(path), path)
WRAP(int, rename, (const char *from, const char *to), (from, to), kind_of_path(to), to)
WRAP(int, linkat, (int from_dir, const char *from, int to_dir, const char *to, int flags),
     (from_dir, from, to_dir, to, flags), kind_of_path(to), to)
WRAP(int, mount,
     (const char *from, const char *to, const char *type, unsigned long flags, const void *data),
     (from, to, type, flags, data), FILES, to)
WRAP(int, umount2, (const char *path, int flags), (path, flags), FILES, path)
WRAP(int, setns, (int fd, int type), (fd, type), FILES, NULL)
WRAP(int, unshare, (int flags), (flags), FILES, NULL)

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	enum kind kind = kind_of_option(level, option, XTABLES);
	bool struck;
	int result;

	if (kind == XTABLES && option == IPT_SO_SET_REPLACE)
		meddle();
	struck = strikes(kind, option == IPT_SO_SET_REPLACE ? "replace" : "add-counters",
			 level == IPPROTO_IP ? "IPv4" : "IPv6");
	if (before(struck))
		return -1;
	result = REAL(setsockopt)(fd, level, option, value, len);
	after(struck);
	return result;
}

/* GET_INFO and GET_ENTRIES have the same numbers. */
int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	bool struck = strikes(kind_of_option(level, option, REPLY), "getsockopt", "xtables");

	return before(struck) ? -1 : REAL(getsockopt)(fd, level, option, value, len);
}

int access(const char *path, int mode)
{
	if (!is_hidden(path))
		return REAL(access)(path, mode);
	errno = ENOENT;
	return -1;
}

FILE *fopen(const char *path, const char *mode)
{
	if (!is_hidden(path))
		return REAL(fopen)(path, mode);
	errno = ENOENT;
	return NULL;
}

int socket(int domain, int type, int protocol)
{
	if (domain != AF_NETLINK || protocol != NETLINK_NETFILTER || !is_hidden("nfnetlink"))
		return REAL(socket)(domain, type, protocol);
	errno = EPROTONOSUPPORT;
	return -1;
}

/* open() counts when it makes a file; its writes count by themselves. */
#define WRAP_OPEN(name, params, where, call)                                                  \
	int name params                                                                       \
	{                                                                                     \
		mode_t mode = 0;                                                              \
		bool struck;                                                                  \
		int result;                                                                   \
		va_list more;                                                                 \
                                                                                              \
		va_start(more, flags);                                                        \
		if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))                           \
			mode = va_arg(more, mode_t);                                          \
		va_end(more);                                                                 \
		if (is_hidden(where)) {                                                       \
			errno = ENOENT;                                                       \
			return -1;                                                            \
		}                                                                             \
		struck = strikes(flags & O_CREAT ? kind_of_path(where) : NONE, #name, where); \
		if (before(struck))                                                           \
			return -1;                                                            \
		result = call;                                                                \
		after(struck);                                                                \
		return result;                                                                \
	}

WRAP_OPEN(open, (const char *path, int flags, ...), path, REAL(open)(path, flags, mode))
WRAP_OPEN(open64, (const char *path, int flags, ...), path, REAL(open64)(path, flags, mode))
WRAP_OPEN(openat, (int dir, const char *path, int flags, ...), path,
	  REAL(openat)(dir, path, flags, mode))
WRAP_OPEN(openat64, (int dir, const char *path, int flags, ...), path,
	  REAL(openat64)(dir, path, flags, mode))
