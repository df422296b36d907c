/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces as descriptors: open, identify, enter, make, remove.
 *
 * How it works: a thread enters a namespace by setns() and must be back before anybody else looks.
 * Hence no enter and leave pair but weir_netns_run(), which holds both. A new namespace is made by
 * unshare() in the calling thread, prepared, bound to its file, left again. Its file comes first:
 * O_EXCL decides between two makers before anything costly is done. */
#include "backends/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h */
#endif

/* The sticky bit means nothing where only root writes, and `ip netns` does not set it. */
enum { MADE_BY_WEIR = 01755 };

#define CURRENT "/proc/thread-self/ns/net"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* opened for reading only: nothing to lose */
}
#define CLEAN_FD __attribute__((cleanup(close_fd)))

static int open_at_path(const char *path, int *ret_fd, struct weir_err *err)
{
	/* O_PATH first: opening a pipe or a device for good can block or act */
	CLEAN_FD int place = open(path, O_PATH | O_CLOEXEC);
	struct statfs fs;
	char again[32];
	long pid;

	if (place < 0 && errno == ENOENT && sscanf(path, "/proc/%ld/ns/net", &pid) == 1)
		return weir_err_set(err, ENOENT, "there is no process %ld", pid);
	if (place < 0)
		return weir_err_errno(err, errno, "opening namespace %s", path);
	if (fstatfs(place, &fs) < 0)
		return weir_err_errno(err, errno, "opening namespace %s", path);
	if (fs.f_type != NSFS_MAGIC)
		return weir_err_set(err, EINVAL, "%s is not a network namespace", path);
	(void)snprintf(again, sizeof(again), "/proc/self/fd/%d", place); /* fits */
	int fd = open(again, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return weir_err_errno(err, errno, "opening namespace %s", path);
	*ret_fd = fd;
	return 0;
}

int weir_netns_open(const char *path, int *ret_fd, struct weir_err *err)
{
	int fd = -1;
	int r = open_at_path(path, &fd, err);

	if (r < 0)
		return r;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		(void)close(fd);
		return weir_err_set(err, EINVAL, "%s is a namespace, but not of networks", path);
	}
	*ret_fd = fd;
	return 0;
}

int weir_netns_open_current(int *ret_fd, struct weir_err *err)
{
	int fd = open(CURRENT, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return weir_err_errno(err, errno, "opening " CURRENT);
	*ret_fd = fd;
	return 0;
}

static int read_boot_id(char boot[37], struct weir_err *err)
{
	static char known[37]; /* no process lives longer than its boot */

	if (!known[0]) {
		CLEAN_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
		char text[37] = "";

		if (fd < 0)
			return weir_err_errno(err, errno, "reading the boot id");
		ssize_t n = read(fd, text, 36);
		if (n != 36)
			return weir_err_errno(err, n < 0 ? errno : EIO, "reading the boot id");
		memcpy(known, text, sizeof(known));
	}
	memcpy(boot, known, sizeof(known));
	return 0;
}

int weir_netns_identify(int fd, struct weir_netns_id *ret, struct weir_err *err)
{
	struct weir_netns_id id = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return weir_err_errno(err, errno, "looking at a namespace");
	id.dev = st.st_dev;
	id.ino = st.st_ino;
	int r = read_boot_id(id.boot, err);
	if (r < 0)
		return r;
	*ret = id;
	return 0;
}

uint64_t weir_netns_cookie(int socket_fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (getsockopt(socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
		return 0; /* this kernel has none */
	return cookie;
}

bool weir_netns_id_is_set(const struct weir_netns_id *id)
{
	return id->ino != 0;
}

static bool away; /* the thread is in another namespace than it came from */

/* Nothing that is done in the wrong namespace can be right, so a passing failure is outlived. */
enum { TRIES_BACK = 8 };

static int go_back(int home, int r, struct weir_err *err)
{
	away = false;
	for (int i = 0; i < TRIES_BACK; i++)
		if (setns(home, CLONE_NEWNET) == 0)
			return r;
	int e = errno;
	return weir_err_set(err, ENOTRECOVERABLE, "cannot return to the host's namespace: %s",
			    strerror(e));
}

int weir_netns_run(int fd, weir_netns_work work, void *ctx, struct weir_err *err)
{
	CLEAN_FD int home = -1;
	int r = weir_netns_open_current(&home, err);

	if (r < 0)
		return r;
	if (setns(fd, CLONE_NEWNET) < 0)
		return weir_err_errno(err, errno, "entering a network namespace");
	away = true;
	return go_back(home, work(ctx, err), err);
}

/* fsopen(2) and its kin, which older C libraries have no names for. */
static int mount_proc(void)
{
	CLEAN_FD int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
}

int weir_netns_proc(void)
{
	enum { NOT_TRIED = -2 };
	static int own = NOT_TRIED;

	if (away && own == NOT_TRIED)
		own = mount_proc(); /* where it is not allowed, the host's does */
	return away ? own : -1;
}

int weir_netns_enter(int fd, struct weir_err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return weir_err_errno(err, errno, "unsharing the mounts");
	if (setns(fd, CLONE_NEWNET) < 0)
		return weir_err_errno(err, errno, "entering a network namespace");
	/* What is mounted from here on stays here; what others mount still arrives. */
	if (mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0)
		return weir_err_errno(err, errno, "making the mounts private");
	return 0;
}

/* Is /run/netns the root of a mount? Then its mount is not that of /run. */
static bool folder_is_mounted(void)
{
	struct statx here, above;

	return statx(AT_FDCWD, WEIR_NETNS_DIR, 0, STATX_MNT_ID, &here) == 0 &&
	       statx(AT_FDCWD, "/run", 0, STATX_MNT_ID, &above) == 0 &&
	       here.stx_mnt_id != above.stx_mnt_id;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	bool empty = dir != NULL;

	for (struct dirent *item; empty && (item = readdir(dir));)
		empty = strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
	if (dir)
		(void)closedir(dir);
	return empty;
}

static int share_folder(struct weir_err *err)
{
	if (mount(WEIR_NETNS_DIR, WEIR_NETNS_DIR, "none", MS_BIND | MS_REC, NULL) < 0)
		return weir_err_errno(err, errno, "making " WEIR_NETNS_DIR " a mount point");
	if (mount("", WEIR_NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	int e = errno;
	(void)umount2(WEIR_NETNS_DIR, 0); /* undoing: as far as it goes */
	return weir_err_errno(err, e, "making " WEIR_NETNS_DIR " a shared mount");
}

/* What of the folder this call made, for undoing it. */
struct folder {
	bool made, mounted;
};

static void folder_undo(const struct folder *folder)
{
	if (folder->mounted)
		(void)umount2(WEIR_NETNS_DIR, 0); /* undoing: as far as it goes */
	if (folder->made)
		(void)rmdir(WEIR_NETNS_DIR); /* stays when another namespace came meanwhile */
}

static int folder_make(struct folder *folder, struct weir_err *err)
{
	if (mkdir("/run", 0755) < 0 && errno != EEXIST)
		return weir_err_errno(err, errno, "making /run");
	folder->made = mkdir(WEIR_NETNS_DIR, MADE_BY_WEIR) == 0;
	if (!folder->made && errno != EEXIST)
		return weir_err_errno(err, errno, "making " WEIR_NETNS_DIR);
	if (folder_is_mounted())
		return 0;
	int r = share_folder(err);
	if (r < 0)
		folder_undo(folder);
	else
		folder->mounted = true;
	return r;
}

bool weir_netns_is_remnant(const char *path)
{
	struct statfs fs;
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != 0)
		return false;
	return statfs(path, &fs) == 0 &&
	       fs.f_type != NSFS_MAGIC; /* those look regular and empty too */
}

static int file_make(const char *path, struct weir_err *err)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);

	if (fd >= 0) {
		(void)close(fd); /* empty */
		return 0;
	}
	if (errno != EEXIST)
		return weir_err_errno(err, errno, "making %s", path);
	if (!weir_netns_is_remnant(path))
		return weir_err_set(err, EEXIST, "something that is not weir's is at %s", path);
	return 0; /* a maker was killed between its file and its mount: taken over */
}

struct making {
	const char *path;
	weir_netns_work prepare;
	void *ctx;
	int fd;
};

static int make_inside(struct making *making, struct weir_err *err)
{
	int r = making->prepare(making->ctx, err);

	if (r < 0)
		return r;
	r = weir_netns_open_current(&making->fd, err);
	if (r < 0)
		return r;
	if (mount(CURRENT, making->path, "none", MS_BIND, NULL) == 0)
		return 0;
	r = weir_err_errno(err, errno, "binding a namespace to %s", making->path);
	(void)close(making->fd);
	making->fd = -1;
	return r;
}

static int make_and_return(struct making *making, struct weir_err *err)
{
	CLEAN_FD int home = -1;
	int r = weir_netns_open_current(&home, err);

	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNET) < 0)
		return weir_err_errno(err, errno, "making a network namespace");
	away = true;
	return go_back(home, make_inside(making, err), err);
}

int weir_netns_create(const char *path, weir_netns_work prepare, void *ctx, int *ret_fd,
		      struct weir_err *err)
{
	struct making making = { .path = path, .prepare = prepare, .ctx = ctx, .fd = -1 };
	struct folder folder = { 0 };
	int r = folder_make(&folder, err);

	if (r < 0)
		return r;
	r = file_make(path, err);
	if (r == 0) {
		r = make_and_return(&making, err);
		if (r < 0) {
			if (making.fd >= 0) { /* bound, but the way back failed */
				(void)umount2(path, MNT_DETACH);
				(void)close(making.fd);
			}
			(void)unlink(path);
		}
	}
	if (r < 0) {
		folder_undo(&folder);
		return r;
	}
	*ret_fd = making.fd;
	return 0;
}

/* Only one that weir has made, and only when it is empty. */
static int folder_remove(struct weir_err *err)
{
	struct stat st;

	if (stat(WEIR_NETNS_DIR, &st) < 0 || (st.st_mode & 07777) != MADE_BY_WEIR ||
	    !is_empty(WEIR_NETNS_DIR))
		return 0;
	/* A copy of itself lies on top of it; EINVAL: not yet, or not any more. EBUSY: another namespace has come
	 * meanwhile, and would go too if it were only detached. */
	if (umount2(WEIR_NETNS_DIR, 0) < 0 && errno != EINVAL && errno != EBUSY)
		return weir_err_errno(err, errno, "unmounting " WEIR_NETNS_DIR);
	if (rmdir(WEIR_NETNS_DIR) < 0 && errno != ENOTEMPTY && errno != EBUSY && errno != ENOENT)
		return weir_err_errno(err, errno, "removing " WEIR_NETNS_DIR);
	return 0;
}

int weir_netns_delete(const char *path, struct weir_err *err)
{
	/* EINVAL: not a mount point, a remnant */
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return weir_err_errno(err, errno, "unmounting %s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return weir_err_errno(err, errno, "removing %s", path);
	return folder_remove(err);
}
