/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces as descriptors: open, identify, enter, make, remove. No other file enters one.
 *
 * Made namespaces are bind mounts under WEIR_NETNS_DIR, as `ip netns` makes and finds them: a folder
 * that is a shared mount point of its own, so that removals reach mount namespaces copied from this
 * one (and so that `ip netns add`, finding it so, does not mount it over what is there). When weir
 * made the folder, its sticky bit says so, and it goes with the last namespace in it. */
#ifndef WEIR_BACKENDS_NETNS_H
#define WEIR_BACKENDS_NETNS_H

#include "core/model.h"

#define WEIR_NETNS_DIR "/run/netns"

/* Something to do inside a namespace; 0 or -errno with err set. */
typedef int (*weir_netns_work)(void *ctx, struct weir_err *err);

/* A descriptor (CLOEXEC) of the network namespace at path. -ENOENT: nothing there; -EINVAL: it is
 * there but is no network namespace (devices and pipes are never opened). */
int weir_netns_open(const char *path, int *ret_fd, struct weir_err *err);
/* The calling thread's namespace. */
int weir_netns_open_current(int *ret_fd, struct weir_err *err);

/* dev, ino and this boot of the namespace behind fd. Its cookie a socket that was opened inside tells;
 * 0: not on this kernel. */
int weir_netns_identify(int fd, struct weir_netns_id *ret, struct weir_err *err);
uint64_t weir_netns_cookie(int socket_fd);
bool weir_netns_id_is_set(const struct weir_netns_id *id);

/* Runs work inside fd and comes back, whatever work returns. Should the way back be barred (it
 * cannot, short of lost privileges), the result is -ENOTRECOVERABLE and the thread must not go on. */
int weir_netns_run(int fd, weir_netns_work work, void *ctx, struct weir_err *err);

/* Inside of weir_netns_run() and weir_netns_create(): a /proc of this process's own (5.8), or -1. What all
 * namespaces have shown below one /proc/sys/net lies in one chain of the kernel's, and passing 1,000
 * of them takes 2 ms, against 0.2 ms for this. */
int weir_netns_proc(void);

/* Enters fd for good, with the process's own copy of the mounts: for a command that takes its place. */
int weir_netns_enter(int fd, struct weir_err *err);

/* Makes a namespace, runs prepare inside it and then binds it to path, a file of WEIR_NETNS_DIR: so
 * what others can see is always prepared. A file that nothing is mounted on is a remnant and is
 * taken. On failure nothing stays. -EEXIST: a namespace is there. */
int weir_netns_create(const char *path, weir_netns_work prepare, void *ctx, int *ret_fd,
		      struct weir_err *err);
/* An empty file that nothing is mounted on: what a killed maker leaves. */
bool weir_netns_is_remnant(const char *path);
/* Unmounts and unlinks path; 0 when it is not there. */
int weir_netns_delete(const char *path, struct weir_err *err);

/* Becomes a process of the endpoint (backends/netns_become.c): its namespace, /sys as seen from there,
 * and the files of /etc/netns/<name>/ in place of those in /etc, as ip-netns(8) has it.
 * -ENOENT, -ESTALE: the namespace is gone, or is another one now. */
int weir_netns_become(const struct weir_endpoint *ep, struct weir_err *err);

#endif
