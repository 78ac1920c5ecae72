-- Prosody 0.12 or newer behind minimix-proxy. What differs from an ordinary Prosody is marked with "minimix".
--
-- XMPP_DOMAIN and C2S_INTERFACE may be given as environment variables (compose/ does).

local domain = ENV_XMPP_DOMAIN or "example.org"

admins = { "admin@" .. domain }

-- minimix: clients connect to the proxy. Only the proxy connects here, over loopback or a private network, without TLS:
-- over TLS 1.2 Prosody would refuse clients that support channel binding.
c2s_interfaces = { ENV_C2S_INTERFACE or "127.0.0.1" }
c2s_ports = { 15222 }
c2s_direct_tls_ports = {}
c2s_require_encryption = false
-- minimix: lets clients of the proxy use PLAIN, which reaches the proxy by TLS. With it an account keeps its rooms when no
-- device is connected.
allow_unencrypted_plain_auth = true

-- minimix: Debian's 10 kB/s are for one device. One stream carries all rooms of an account, and what its devices say there.
limits = {
  c2s = { rate = "1mb/s"; burst = "5s" };
  s2sin = { rate = "30kb/s" };
}

authentication = "internal_hashed"
storage = "internal"
archive_expires_after = "4w"
log = { info = "*console" }

modules_enabled = {
  "roster"; "saslauth"; "tls"; "dialback"; "disco"; "posix"; "private"; "blocklist"; "vcard4"; "vcard_legacy"; "version";
  "uptime"; "time"; "ping"; "pep"; "bookmarks"; "carbons"; "mam"; "offline"; "csi_simple";
  -- minimix: devices resume with it, and account streams survive a lost connection.
  "smacks";
  -- Push notifications, as without the proxy. Debian: package prosody-modules.
  "cloud_notify";
}

-- minimix: for so long a device, or an account stream, whose connection is gone can resume.
smacks_hibernation_time = 600
-- minimix: devices come back to any node, and a node that restarts lets go of many at once.
smacks_max_hibernated_sessions = 20

VirtualHost (domain)

Component ("conference." .. domain) "muc"
  modules_enabled = { "muc_mam"; "vcard_muc" }
  restrict_room_creation = "local"
  -- minimix: what a room gives to an account that comes back after a node was lost. What is said beyond this meanwhile is
  -- found in the archive only.
  muc_room_default_history_length = 100
  max_history_messages = 100
