/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts files in memory. */
#include <errno.h>
#include <string.h>

#include "backends/memory/memory_host.h"

static struct weir_memory_hosts *find(const struct weir_links *links, const char *networks)
{
	struct weir_memory_host *host = weir_memory_host();

	for (size_t i = 0; i < host->n_hosts; i++)
		if (strcmp(host->hosts[i].store, links->store) == 0 &&
		    strcmp(host->hosts[i].networks, networks) == 0)
			return &host->hosts[i];
	return NULL;
}

int weir_memory_hosts_list(struct weir_links *links, struct weir_arena *arena,
			   const char ***ret_networks, size_t *ret_n, struct weir_err *err)
{
	const struct weir_memory_host *host = weir_memory_host();
	const char **list = NULL;
	size_t n = 0;

	int r = weir_memory_step("listing hosts files", err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < host->n_hosts; i++) {
		if (!host->hosts[i].text || strcmp(host->hosts[i].store, links->store) != 0)
			continue;
		const char **more = weir_arena_grow(arena, list, n, sizeof(*more));
		if (!more)
			return weir_err_set(err, ENOMEM, "no memory for hosts files");
		list = more;
		list[n++] = host->hosts[i].networks;
	}
	*ret_networks = list;
	*ret_n = n;
	return 0;
}

int weir_memory_hosts_read(struct weir_links *links, const char *networks, struct weir_arena *arena,
			   const char **ret_text, struct weir_err *err)
{
	int r = weir_memory_step("reading a hosts file", err);
	if (r < 0)
		return r;
	const struct weir_memory_hosts *file = find(links, networks);
	*ret_text = file ? weir_arena_strdup(arena, file->text) : NULL;
	return 0;
}

int weir_memory_hosts_write(struct weir_links *links, const char *networks, const char *text,
			    struct weir_err *err)
{
	struct weir_memory_host *host = weir_memory_host();
	struct weir_memory_hosts *file = find(links, networks);

	int r = weir_memory_step("writing a hosts file", err);
	if (r < 0)
		return r;
	if (!file) {
		struct weir_memory_hosts *more =
			weir_arena_grow(&host->arena, host->hosts, host->n_hosts, sizeof(*more));
		if (!more)
			return weir_err_set(err, ENOMEM, "no memory for a hosts file");
		host->hosts = more;
		file = &more[host->n_hosts++];
		*file = (struct weir_memory_hosts){
			.store = weir_arena_strdup(&host->arena, links->store),
			.networks = weir_arena_strdup(&host->arena, networks),
		};
	}
	file->text = weir_arena_strdup(&host->arena, text);
	return 0;
}
