/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's start as PID 1 and its loop; agent.h has its language. */
#include "agent.h"

#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct mount_point {
	const char *type, *target, *options;
} mount_points[] = {
	{ "proc", "/proc", NULL },
	{ "sysfs", "/sys", NULL },
	{ "devtmpfs", "/dev", NULL },
	{ "devpts", "/dev/pts", NULL },
	{ "tmpfs", "/run", "mode=755" },
	{ "tmpfs", "/tmp", "mode=1777" },
	{ "tmpfs", "/dev/shm", "mode=1777" },
};

static void mount_all(void)
{
	umask(022);
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++) {
		const struct mount_point *point = &mount_points[i];

		mkdir(point->target, 0755);
		if (mount(point->type, point->target, point->type, 0, point->options) < 0)
			fprintf(stderr, "agent: cannot mount %s\n", point->target);
	}
	mkdir("/run/lock", 0755);
	mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL); /* as systemd leaves it */
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fprintf(stderr, "agent: lo stays down\n");
	if (fd >= 0)
		close(fd);
}

static void run_and_wait(const char *const *argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], (char **)argv);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void set_up(void)
{
	static const char *const modprobe[] = { "/sbin/modprobe", "-qa", "virtio_pci",
						"virtio_console", NULL };
	const struct rlimit files = { 65536, 65536 };

	mount_all();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setrlimit(RLIMIT_NOFILE, &files);
	if (sethostname("weir-vm", 7) < 0)
		fprintf(stderr, "agent: no host name\n");
	loopback_up();
	run_and_wait(modprobe);
}

/* Two clones of one template would draw the same random numbers and live in the template's time. */
static void hello(const struct agent_frame *frame)
{
	struct {
		struct rand_pool_info head;
		unsigned char seed[64];
	} pool = { .head = { .entropy_count = 64 * 8, .buf_size = 64 } };
	int random = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	struct utsname name;
	uint64_t ns;

	if (frame->len == sizeof(ns) + sizeof(pool.seed)) {
		memcpy(&ns, frame->data, sizeof(ns));
		memcpy(pool.seed, frame->data + sizeof(ns), sizeof(pool.seed));
		clock_settime(CLOCK_REALTIME, &(struct timespec){ (time_t)(ns / 1000000000),
								  (long)(ns % 1000000000) });
		ioctl(random, RNDADDENTROPY, &pool);
		ioctl(random, RNDRESEEDCRNG);
	}
	if (random >= 0)
		close(random);
	uname(&name);
	port_send(AGENT_READY, frame->id, name.release, strlen(name.release));
}

static void end_machine(int how)
{
	sync();
	reboot(how);
}

static void obey(const struct agent_frame *frame)
{
	switch (frame->kind) {
	case AGENT_HELLO:
		return hello(frame);
	case AGENT_EXEC:
		return process_start(frame);
	case AGENT_INPUT:
		return process_input(frame);
	case AGENT_KILL:
		return process_kill(frame);
	case AGENT_REBOOT:
		return end_machine(RB_AUTOBOOT);
	case AGENT_POWEROFF:
		return end_machine(RB_POWER_OFF);
	}
}

static int signals_fd(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void loop(void)
{
	static struct pollfd fds[AGENT_POLLS];
	struct signalfd_siginfo info;
	struct agent_frame frame;
	int children = signals_fd();

	for (;;) {
		fds[0] = port_poll();
		fds[1] = (struct pollfd){ children, POLLIN, 0 };
		if (poll(fds, 2 + process_polls(fds + 2), -1) < 0)
			continue;
		if (fds[0].revents & POLLIN) {
			while (port_read()) {
				while (port_next(&frame))
					obey(&frame);
			}
		}
		if (fds[0].revents & POLLHUP) /* the host is not connected, as between two lives */
			usleep(1000);
		process_pump();
		if (fds[1].revents) {
			while (read(children, &info, sizeof(info)) > 0)
				;
			process_reap();
		}
	}
}

int main(void)
{
	if (getpid() != 1) {
		fprintf(stderr, "agent: only as the first process of a throwaway machine\n");
		return 1;
	}
	set_up();
	for (int tries = 0; !port_open("weir.agent"); tries++) {
		if (tries == 5000) {
			fprintf(stderr, "agent: no port to the host\n");
			end_machine(RB_POWER_OFF);
		}
		usleep(1000);
	}
	loop();
}
