/** What of a session may wait for its client, or for its server. */

/** What may wait unacknowledged for one client: a phone that sleeps must not cost memory without end (X3). */
export const LIMITS = { stanzas: 5000, bytes: 2 * 1024 * 1024 };
/**
 * The same for one that is there and whose every stanza is kept: more than what the proxy and the kernel hold for it on its way, so
 * that a slow client is slowed down as any other, and not ended.
 */
export const OWN_LIMITS = { stanzas: 5000, bytes: 8 * 1024 * 1024 };
/** With so much that is not acknowledged a client that is there is a slow one: an answer comes behind all that is on its way. */
export const OWED = { stanzas: 2500, bytes: 4 * 1024 * 1024 };

/** Of this the queue of a session that hibernates is made at most, before rooms are left to their logs. */
export const ASLEEP = { stanzas: 500, bytes: 256 * 1024 };
