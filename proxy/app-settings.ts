/** What the rules of rooms need to know of the configuration. */
import type { Config, HostConfig } from './config.ts';
import type { Settings } from './core/state.ts';
import { carrierStanzaBytes } from './runtime/carrier-profile.ts';
import type { StreamHeader } from './xml/stanza.ts';

/** For the account of a host; `isShared`: other nodes may have sessions of it too. */
export function settingsOf(config: Config, host: HostConfig, serverHeader: StreamHeader, isShared: boolean): Settings {
  return {
    graceMs: config.leave.graceMs,
    leaveWhen: config.leave.when,
    nickPolicy: config.nick,
    presenceAbsent: config.presence.absent,
    presencePauseMs: config.presence.pauseMs,
    lingerMs: config.lingerMs,
    parksLogout: config.parking.logout,
    healMs: config.rooms.healMs,
    selfPingMs: config.rooms.selfPingMs,
    joinTimeoutMs: config.join.timeoutMs,
    iqTimeoutMs: config.iq.timeoutMs,
    historyStanzas: config.history.stanzas,
    historyAgeMs: config.history.ageMs,
    historyBytes: config.history.bytes,
    historyDefault: config.history.defaultStanzas,
    archive: config.archive,
    keepsLogs: isShared && config.history.isStored,
    carrierStanzaBytes: host.carrierStanzaBytes ?? carrierStanzaBytes(serverHeader),
    bookmarks: bookmarksOf(config),
  };
}

/** Bookmarks that nothing depends on are not read. */
function bookmarksOf({ bookmarks, leave, exclude }: Config): Settings['bookmarks'] {
  return bookmarks.autojoin || leave.when === 'auto' ? { ...bookmarks, exclude } : undefined;
}
