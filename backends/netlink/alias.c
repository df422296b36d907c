/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interface aliases: how weir's interfaces and namespaces are told from others'. */
#include "backends/netlink/alias.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *weir_alias_text(const char *store, const char *endpoint, const char *network,
			    char buf[WEIR_ALIAS_SIZE])
{
	/* names have at most WEIR_NAME_MAX bytes, a store's UUID 36: it fits */
	(void)snprintf(buf, WEIR_ALIAS_SIZE, "weir %s%s%s%s%s", store, endpoint ? " endpoint " : "",
		       endpoint ? endpoint : "", network ? " network " : "",
		       network ? network : "");
	return buf;
}

/* The next word of *text into word; false when there is none or it is too long. */
static bool next_word(const char **text, char *word, size_t size)
{
	const char *start = *text + strspn(*text, " ");
	size_t len = strcspn(start, " ");

	if (len == 0 || len >= size)
		return false;
	memcpy(word, start, len);
	word[len] = '\0';
	*text = start + len;
	return true;
}

bool weir_alias_parse(const char *text, struct weir_alias *ret)
{
	struct weir_alias alias = { 0 };
	char word[16];

	if (!next_word(&text, word, sizeof(word)) || strcmp(word, "weir") != 0)
		return false;
	if (!next_word(&text, alias.store, sizeof(alias.store)))
		return false;
	while (next_word(&text, word, sizeof(word))) {
		bool endpoint = strcmp(word, "endpoint") == 0;
		if (!endpoint && strcmp(word, "network") != 0)
			return false;
		if (!next_word(&text, endpoint ? alias.endpoint : alias.network,
			       sizeof(alias.network)))
			return false;
	}
	if (text[strspn(text, " ")] != '\0' || (!alias.endpoint[0] && !alias.network[0]))
		return false;
	*ret = alias;
	return true;
}

int weir_alias_check(const char *ifname, const char *alias, uint32_t group, const char *wanted,
		     struct weir_err *err)
{
	struct weir_alias mine, theirs;

	if (strcmp(alias, wanted) == 0 || (!alias[0] && group == WEIR_LINK_GROUP))
		return 0;
	if (!weir_alias_parse(alias, &theirs) || !weir_alias_parse(wanted, &mine))
		return weir_err_set(err, EEXIST,
				    "an interface %s that is not weir's exists already", ifname);
	if (strcmp(mine.store, theirs.store) != 0)
		return weir_err_set(err, EEXIST,
				    "interface %s belongs to another weir (store %s): use its "
				    "--state-dir; where that store is lost, `ip link del %s`",
				    ifname, theirs.store, ifname);
	return weir_err_set(err, EEXIST, "interface %s belongs to %s \"%s\"", ifname,
			    theirs.endpoint[0] ? "endpoint" : "network",
			    theirs.endpoint[0] ? theirs.endpoint : theirs.network);
}
