/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store's tables, and every question that is put to them.
 *
 * How it works: rows are found by index only; names are keys, since nothing is ever renamed. What must
 * be unique is a UNIQUE constraint: names, host ports (one row per port of a range), host interface
 * names, addresses and MACs in a network, subnet bases. A subnet stands as base and last address, so
 * that an overlap is one look at its neighbour.
 *
 * host_port has no foreign key: removing an endpoint would otherwise want an index by endpoint, a third
 * tree to write for every port. Whoever removes a mapping releases its ports. */
#include "core/store_db.h"

#include <assert.h>

const char *const weir_store_migrations[] = {
	"CREATE TABLE meta("
	"  id INTEGER PRIMARY KEY CHECK(id = 1), uuid TEXT NOT NULL, dev INT NOT NULL, ino INT NOT "
	"NULL,"
	"  boot TEXT NOT NULL, backend TEXT NOT NULL, counter INT NOT NULL, generation INT NOT "
	"NULL);"
	"CREATE TABLE pool("
	"  seq INTEGER PRIMARY KEY, addr BLOB NOT NULL, len INT NOT NULL, size INT NOT NULL);"
	"CREATE TABLE sysctl("
	"  key TEXT PRIMARY KEY, was INT NOT NULL, made INT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE ifname("
	"  name TEXT PRIMARY KEY, network TEXT NOT NULL, endpoint TEXT) WITHOUT ROWID;"
	"CREATE TABLE network("
	"  name TEXT PRIMARY KEY, mode INT NOT NULL, ifname TEXT NOT NULL, gateway_endpoint TEXT,"
	"  gateway4 BLOB, gateway6 BLOB, nat INT NOT NULL, nat4 BLOB, nat6 BLOB, mtu INT NOT NULL,"
	"  mac BLOB, internal INT NOT NULL, isolate INT NOT NULL, host_deny INT NOT NULL,"
	"  filter_bridged INT NOT NULL, declared INT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE network_item("
	"  network TEXT REFERENCES network ON DELETE CASCADE, kind INT, seq INT, a, b,"
	"  PRIMARY KEY(network, kind, seq)) WITHOUT ROWID;"
	"CREATE TABLE subnet("
	"  base BLOB PRIMARY KEY, len INT NOT NULL, last BLOB NOT NULL,"
	"  network TEXT NOT NULL REFERENCES network ON DELETE CASCADE, seq INT NOT NULL,"
	"  gateway BLOB, cursor BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX subnet_network ON subnet(network, seq);"
	"CREATE TABLE freed("
	"  base BLOB REFERENCES subnet ON DELETE CASCADE, seq INT, addr BLOB NOT NULL,"
	"  PRIMARY KEY(base, seq), UNIQUE(base, addr)) WITHOUT ROWID;"
	"CREATE TABLE endpoint("
	"  name TEXT PRIMARY KEY, netns INT NOT NULL, netns_path TEXT, dev INT NOT NULL,"
	"  ino INT NOT NULL, boot TEXT NOT NULL, forward INT NOT NULL, declared INT NOT NULL)"
	"  WITHOUT ROWID;"
	"CREATE TABLE endpoint_item("
	"  endpoint TEXT REFERENCES endpoint ON DELETE CASCADE, kind INT, seq INT, a, b, len INT,"
	"  PRIMARY KEY(endpoint, kind, seq)) WITHOUT ROWID;"
	"CREATE TABLE attachment("
	"  endpoint TEXT REFERENCES endpoint ON DELETE CASCADE, network TEXT REFERENCES network,"
	"  ipv4 BLOB, ipv6 BLOB, mac BLOB, ifname TEXT NOT NULL, host_ifname TEXT NOT NULL,"
	"  priority INT NOT NULL, mtu INT NOT NULL, position INT NOT NULL,"
	"  PRIMARY KEY(endpoint, network),"
	"  UNIQUE(network, ipv4), UNIQUE(network, ipv6), UNIQUE(network, mac)) WITHOUT ROWID;"
	"CREATE TABLE mapping("
	"  endpoint TEXT REFERENCES endpoint ON DELETE CASCADE, addr BLOB, proto INT, lo INT,"
	"  hi INT NOT NULL, to_lo INT NOT NULL, to_hi INT NOT NULL, network TEXT,"
	"  PRIMARY KEY(endpoint, addr, proto, lo)) WITHOUT ROWID;"
	"CREATE TABLE host_port("
	"  addr BLOB, proto INT, port INT, endpoint TEXT NOT NULL,"
	"  PRIMARY KEY(addr, proto, port)) WITHOUT ROWID;",

	/* A policy's lists are rows in the order of writing (enum weir_policy_item). */
	"ALTER TABLE network ADD COLUMN egress INT NOT NULL DEFAULT 0;"
	"ALTER TABLE network ADD COLUMN ingress INT NOT NULL DEFAULT 0;"
	"ALTER TABLE network ADD COLUMN filtered INT NOT NULL DEFAULT 0;"
	"CREATE INDEX network_default ON network(name) WHERE egress <> 0 OR ingress <> 0;"
	"CREATE TABLE policy("
	"  name TEXT PRIMARY KEY, action INT NOT NULL, gate INT NOT NULL, log INT NOT NULL,"
	"  priority INT NOT NULL, declared INT NOT NULL, file TEXT NOT NULL, line INT NOT NULL,"
	"  col INT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE policy_item("
	"  policy TEXT REFERENCES policy ON DELETE CASCADE, seq INT, kind INT NOT NULL, a, b INT,"
	"  c INT, PRIMARY KEY(policy, seq)) WITHOUT ROWID;"
	"CREATE INDEX policy_names ON policy_item(kind, a);",
	/* the VLANs on a parent: kind is WEIR_ITEM_PARENT */
	"CREATE UNIQUE INDEX vlan ON network_item(a, b) WHERE kind = 2 AND b <> 0;",

	"ALTER TABLE network ADD COLUMN no_spoof_guard INT NOT NULL DEFAULT 0;",

	"ALTER TABLE endpoint ADD COLUMN rate_to INT NOT NULL DEFAULT 0;"
	"ALTER TABLE endpoint ADD COLUMN rate_from INT NOT NULL DEFAULT 0;",

	"ALTER TABLE network ADD COLUMN strict INT NOT NULL DEFAULT 0;"
	"ALTER TABLE mapping ADD COLUMN strict INT NOT NULL DEFAULT 0;",

	"ALTER TABLE attachment ADD COLUMN isolated INT NOT NULL DEFAULT 0;"
	"ALTER TABLE attachment ADD COLUMN locked INT NOT NULL DEFAULT 0;",

	"ALTER TABLE network ADD COLUMN nat_random INT NOT NULL DEFAULT 0;",

	"ALTER TABLE endpoint ADD COLUMN cookie INT NOT NULL DEFAULT 0;",
};

const int weir_store_version = sizeof(weir_store_migrations) / sizeof(weir_store_migrations[0]);

const char *const weir_store_sql[] = {
	[WEIR_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[WEIR_SQL_COMMIT] = "COMMIT",
	[WEIR_SQL_META] = "SELECT uuid, dev, ino, boot, backend, counter, generation FROM meta",
	[WEIR_SQL_SET_META] = "INSERT OR REPLACE INTO meta VALUES(1, ?, ?, ?, ?, ?, ?, ?)",
	[WEIR_SQL_POOLS] = "SELECT addr, len, size FROM pool ORDER BY seq",
	[WEIR_SQL_CLEAR_POOLS] = "DELETE FROM pool",
	[WEIR_SQL_ADD_POOL] = "INSERT INTO pool VALUES(?, ?, ?, ?)",
	[WEIR_SQL_SYSCTLS] = "SELECT key, was, made FROM sysctl ORDER BY key",
	[WEIR_SQL_PUT_SYSCTL] = "INSERT INTO sysctl VALUES(?, ?, ?)"
				" ON CONFLICT(key) DO UPDATE SET made = excluded.made",
	[WEIR_SQL_REMOVE_SYSCTL] = "DELETE FROM sysctl WHERE key = ?",

	[WEIR_SQL_NETWORKS] = "SELECT name FROM network ORDER BY name",
	[WEIR_SQL_NETWORK] =
		"SELECT mode, ifname, gateway_endpoint, gateway4, gateway6, nat, "
		"nat4, nat6, mtu, mac,"
		" internal, isolate, host_deny, filter_bridged, declared, egress, "
		"ingress, filtered, no_spoof_guard, strict, nat_random FROM network WHERE name = ?",
	[WEIR_SQL_ADD_NETWORK] =
		"INSERT INTO network VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
		"?10, ?11, ?12, ?13, ?14,"
		" ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) ON CONFLICT(name) DO NOTHING",
	[WEIR_SQL_CHANGE_NETWORK] =
		"UPDATE network SET mode = ?2, ifname = ?3, gateway_endpoint = ?4, gateway4 = ?5,"
		" gateway6 = ?6, nat = ?7, nat4 = ?8, nat6 = ?9, mtu = ?10, mac = ?11, internal = "
		"?12,"
		" isolate = ?13, host_deny = ?14, filter_bridged = ?15, declared = ?16,"
		" egress = ?17, ingress = ?18, filtered = ?19, no_spoof_guard = ?20, strict = ?21,"
		" nat_random = ?22"
		" WHERE name = ?1",
	[WEIR_SQL_REMOVE_NETWORK] = "DELETE FROM network WHERE name = ?",
	[WEIR_SQL_NETWORK_ITEMS] =
		"SELECT kind, a, b FROM network_item WHERE network = ? ORDER BY kind, seq",
	[WEIR_SQL_ADD_NETWORK_ITEM] = "INSERT INTO network_item VALUES(?, ?, ?, ?, ?)",
	[WEIR_SQL_CLEAR_NETWORK_ITEMS] = "DELETE FROM network_item WHERE network = ?",
	[WEIR_SQL_SUBNETS] = "SELECT base, len, gateway FROM subnet WHERE network = ? ORDER BY seq",
	[WEIR_SQL_PUT_SUBNET] = "INSERT INTO subnet VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?1) ON "
				"CONFLICT(base) DO UPDATE SET"
				" len = excluded.len, last = excluded.last, seq = excluded.seq,"
				" gateway = excluded.gateway, cursor = excluded.cursor",
	[WEIR_SQL_MARK_SUBNETS] = "UPDATE subnet SET seq = -1 WHERE network = ?",
	[WEIR_SQL_SWEEP_SUBNETS] = "DELETE FROM subnet WHERE network = ? AND seq = -1",
	[WEIR_SQL_VLAN_OWNER] = "SELECT network FROM network_item"
				" WHERE kind = 2 AND b <> 0 AND a = ? AND b = ?",
	/* Stored subnets are disjoint: when any overlaps, the one with the highest base does. */
	[WEIR_SQL_OVERLAP] = "SELECT network, base, len, last FROM subnet"
			     " WHERE base <= ?2 AND network IS NOT ?3 ORDER BY base DESC LIMIT 1",
	[WEIR_SQL_ATTACHED] = "SELECT endpoint FROM attachment WHERE network = ?",
	[WEIR_SQL_COUNT_ATTACHED] = "SELECT count(*) FROM attachment WHERE network = ?",

	[WEIR_SQL_IFNAME] = "SELECT network, endpoint FROM ifname WHERE name = ?",
	[WEIR_SQL_TAKE_IFNAME] = "INSERT INTO ifname VALUES(?, ?, ?)",
	[WEIR_SQL_RELEASE_IFNAME] = "DELETE FROM ifname WHERE name = ?",

	[WEIR_SQL_ENDPOINTS] = "SELECT name FROM endpoint ORDER BY name",
	[WEIR_SQL_ENDPOINT] = "SELECT netns, netns_path, dev, ino, boot, forward, declared,"
			      " rate_to, rate_from, cookie FROM endpoint WHERE name = ?",
	[WEIR_SQL_IS_DECLARED] = "SELECT declared FROM endpoint WHERE name = ?",
	[WEIR_SQL_ADD_ENDPOINT] = "INSERT INTO endpoint VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
				  " ?10, ?11)"
				  " ON CONFLICT(name) DO NOTHING",
	[WEIR_SQL_CHANGE_ENDPOINT] =
		"UPDATE endpoint SET netns = ?2, netns_path = ?3, dev = ?4, ino = ?5, boot = ?6,"
		" forward = ?7, declared = ?8, rate_to = ?9, rate_from = ?10, cookie = ?11"
		" WHERE name = ?1",
	[WEIR_SQL_REMOVE_ENDPOINT] = "DELETE FROM endpoint WHERE name = ?",
	[WEIR_SQL_SET_NETNS] =
		"UPDATE endpoint SET dev = ?2, ino = ?3, boot = ?4, cookie = ?5 WHERE name = ?1",
	[WEIR_SQL_NETNS_OWNER] =
		"SELECT name FROM endpoint WHERE dev = ?1 AND ino = ?2 AND boot = ?3 AND name <> ?4"
		" AND (cookie = ?5 OR cookie = 0 OR ?5 = 0)",
	[WEIR_SQL_ENDPOINT_ITEMS] =
		"SELECT kind, a, b, len FROM endpoint_item WHERE endpoint = ? ORDER BY kind, seq",
	[WEIR_SQL_ADD_ENDPOINT_ITEM] = "INSERT INTO endpoint_item VALUES(?, ?, ?, ?, ?, ?)",
	[WEIR_SQL_CLEAR_ENDPOINT_ITEMS] = "DELETE FROM endpoint_item WHERE endpoint = ?",
	[WEIR_SQL_ATTACHMENTS] =
		"SELECT network, ipv4, ipv6, mac, ifname, host_ifname, priority, mtu,"
		" isolated, locked"
		" FROM attachment WHERE endpoint = ? ORDER BY position",
	[WEIR_SQL_ADD_ATTACHMENT] = "INSERT INTO attachment VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
				    " ?)",
	[WEIR_SQL_REMOVE_ATTACHMENT] = "DELETE FROM attachment WHERE endpoint = ? AND network = ?",
	[WEIR_SQL_OWNER_IPV4] = "SELECT endpoint FROM attachment WHERE network = ? AND ipv4 = ?",
	[WEIR_SQL_OWNER_IPV6] = "SELECT endpoint FROM attachment WHERE network = ? AND ipv6 = ?",
	[WEIR_SQL_OWNER_MAC] = "SELECT endpoint FROM attachment WHERE network = ? AND mac = ?",

	[WEIR_SQL_MAPPINGS] =
		"SELECT addr, proto, lo, hi, to_lo, to_hi, network, strict FROM mapping"
		" WHERE endpoint = ? ORDER BY addr, proto, lo",
	[WEIR_SQL_MAPPING] =
		"SELECT addr, proto, lo, hi, to_lo, to_hi, network, strict FROM mapping"
		" WHERE endpoint = ?1 AND addr = ?2 AND proto = ?3 AND lo = (SELECT max(lo)"
		"  FROM mapping WHERE endpoint = ?1 AND addr = ?2 AND proto = ?3 AND lo <= ?4)"
		" AND hi >= ?5 AND to_lo - lo = ?6 - ?4 AND (?8 IS NULL OR network IS ?8)",
	[WEIR_SQL_FIND_MAPPING] =
		"SELECT addr, proto, lo, hi, to_lo, to_hi, network, strict FROM mapping"
		" WHERE endpoint = ?1 AND addr = ?2 AND proto = ?3 AND lo BETWEEN ?4 AND ?5"
		" AND to_lo = ?6 AND to_hi = ?7 AND (?8 IS NULL OR network IS ?8) ORDER BY lo "
		"LIMIT 1",
	[WEIR_SQL_ADD_MAPPING] = "INSERT INTO mapping VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[WEIR_SQL_ADD_MANY_MAPPINGS] =
		"INSERT INTO mapping SELECT ?, addr, proto, lo, hi, to_lo, to_hi, network, strict"
		" FROM published WHERE port = lo",
	[WEIR_SQL_REMOVE_MAPPING] =
		"DELETE FROM mapping WHERE endpoint = ? AND addr = ? AND proto = ? AND lo = ?",
	[WEIR_SQL_TAKE_PORT] = "INSERT INTO host_port VALUES(?, ?, ?, ?)",
	[WEIR_SQL_TAKE_MANY_PORTS] =
		"INSERT INTO host_port SELECT addr, proto, port, ? FROM published",
	[WEIR_SQL_RELEASE_PORTS] =
		"DELETE FROM host_port WHERE addr = ? AND proto = ? AND port BETWEEN ? AND ?",
	[WEIR_SQL_PORT_OWNER] =
		"SELECT endpoint FROM host_port WHERE addr = ? AND proto = ? AND port = ?",

	[WEIR_SQL_CURSOR] = "SELECT cursor FROM subnet WHERE base = ? AND network = ?",
	[WEIR_SQL_SET_CURSOR] = "UPDATE subnet SET cursor = ?2 WHERE base = ?1",
	[WEIR_SQL_HELD_IPV4] =
		"SELECT EXISTS(SELECT 1 FROM attachment WHERE network = ?1 AND ipv4 = ?2)"
		" OR EXISTS(SELECT 1 FROM freed WHERE base = ?3 AND addr = ?2)",
	[WEIR_SQL_HELD_IPV6] =
		"SELECT EXISTS(SELECT 1 FROM attachment WHERE network = ?1 AND ipv6 = ?2)"
		" OR EXISTS(SELECT 1 FROM freed WHERE base = ?3 AND addr = ?2)",
	[WEIR_SQL_COUNT_IPV4] =
		"SELECT count(*) FROM attachment WHERE network = ? AND ipv4 BETWEEN ? AND ?",
	[WEIR_SQL_COUNT_IPV6] =
		"SELECT count(*) FROM attachment WHERE network = ? AND ipv6 BETWEEN ? AND ?",
	/* ?1 an address of network ?2; it comes back after all that were freed before it. */
	[WEIR_SQL_FREE] =
		"INSERT OR REPLACE INTO freed SELECT base,"
		" 1 + ifnull((SELECT max(seq) FROM freed WHERE freed.base = subnet.base), 0), ?1"
		" FROM subnet WHERE base = (SELECT max(base) FROM subnet WHERE base <= ?1)"
		" AND last >= ?1 AND network = ?2",
	[WEIR_SQL_OLDEST_FREED] = "SELECT seq, addr FROM freed WHERE base = ? ORDER BY seq LIMIT 1",
	[WEIR_SQL_FORGET_FREED] = "DELETE FROM freed WHERE base = ? AND seq = ?",

	[WEIR_SQL_HAS_POLICIES] =
		"SELECT EXISTS(SELECT 1 FROM policy)"
		" OR EXISTS(SELECT 1 FROM network WHERE egress <> 0 OR ingress <> 0)",
	[WEIR_SQL_POLICIES] = "SELECT name, action, gate, log, priority, declared, file, line, col"
			      " FROM policy ORDER BY name",
	[WEIR_SQL_PUT_POLICY] = "INSERT INTO policy VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[WEIR_SQL_REMOVE_POLICY] = "DELETE FROM policy WHERE name = ?",
	[WEIR_SQL_POLICY_ITEMS] =
		"SELECT kind, a, b, c FROM policy_item WHERE policy = ? ORDER BY seq",
	[WEIR_SQL_ADD_POLICY_ITEM] = "INSERT INTO policy_item VALUES(?, ?, ?, ?, ?, ?)",
	[WEIR_SQL_POLICY_NAMING] = "SELECT policy FROM policy_item WHERE kind = ? AND a = ?"
				   " ORDER BY policy LIMIT 1",
	[WEIR_SQL_SET_FILTERED] = "UPDATE network SET filtered = ?2 WHERE name = ?1",
};
static_assert(sizeof(weir_store_sql) / sizeof(weir_store_sql[0]) == WEIR_NUM_SQL, "one text each");
