/**
 * The hardest cases of letting an account join a room once, and the scenarios that show each of them: file below
 * test/scenarios/ without `.test.ts`, to beginnings of titles. field.test.ts sees that there are such scenarios.
 */
export interface HardCase {
  readonly what: string;
  readonly shownBy: Readonly<Record<string, readonly string[]>>;
}

/** In the order of their numbers, from 1. */
export const hardCases: readonly HardCase[] = [
  {
    what: 'two sessions join in the same round trip',
    shownBy: { 'join-race': ['J6 joins sent in one round trip', 'J6 of joins that race'] },
  },
  {
    what: 'the cut between what is replayed and what is live',
    shownBy: { 'join-answer': ['J2 what is said while a session joins'], 'join-steps': ['J2 what is said before'] },
  },
  {
    what: 'the order of a replay, and the codes in it',
    shownBy: {
      'join-answer': ['J2 a session gets what the room would give it', 'J3 a session that asks for another nick'],
      'join-rooms': ['J8 a room that shows addresses', 'J10 the join that creates a room has 201'],
    },
  },
  {
    what: 'a subject that never was',
    shownBy: {
      'join-answer': ['J2 the subject always ends the answer'],
      'library-rooms': ['M1 libraries log in with PLAIN'],
    },
  },
  { what: 'a join of a session that has joined', shownBy: { 'join-answer': ['J5 a session that joins again'] } },
  {
    what: 'presence to an occupant without the muc child',
    shownBy: {
      iq: ['L8 a session that has not joined'],
      nick: ['L6 a status update'],
      abuse: ['M9 a contact that plays a room', 'a service that says'],
    },
  },
  {
    what: 'two sessions wish for different nicks',
    shownBy: {
      'join-answer': ['J3'],
      'other-nick': ['J3', 'J5'],
      'join-race': ['J6 joins that race with different nicks'],
      bookmarks: ['B4 another nick', 'B4 devices that write'],
    },
  },
  {
    what: 'renames that race, and conflicts',
    shownBy: { nick: ['L7 a new nick taken', 'L7 a nick that is taken', 'L7 two devices rename at once'] },
  },
  {
    what: 'the meanings of leaving',
    shownBy: {
      'leave-session': ['L1 one of two devices leaves', 'L2 a rejoin within the grace', 'L2 when the grace is over'],
      'leave-gone': ['L3'],
      hide: ['L2'],
      'self-ping': ['L2 a client that doubts'],
      presence: ['L6 a page reload'],
      'resume-expiry': ['L3'],
      farewell: ['L3'],
    },
  },
  {
    what: 'a bookmark and a leave in either order, by different devices',
    shownBy: { bookmarks: ['B3 a bookmark is', 'B3 a device that switches autojoin off and leaves'] },
  },
  {
    what: 'a kick, a ban and the end of a room for all sessions',
    shownBy: {
      removal: ['L5'],
      'resume-rooms': ['L5 a kick while the session hibernates', 'L5 a room that is destroyed'],
      'direct-device': ['L5 a kick of a nick'],
    },
  },
  {
    what: 'errors that destroy what clients have stored',
    shownBy: {
      'join-refused': ['J7'],
      'join-silence': ['J7 silence', 'J7 an error of the network'],
      'room-presences': ['J7 a refusal names the nick'],
    },
  },
  {
    what: 'a place that is lost without a word',
    shownBy: {
      healing: ['L5', 'C2'],
      forgotten: ['L5', 'L8 a room that has forgotten the account'],
      'healing-steps': ['L5 a service that ends'],
      'lost-messages': ['M4 a message that is lost'],
    },
  },
  {
    what: 'a self-ping is per session',
    shownBy: { 'self-ping': ['L8'], 'healing-steps': ['L8 a device'] },
  },
  {
    what: 'requests of the room’s side while nobody is there',
    shownBy: { iq: ['M4 with no session joined', 'M4 a request of an occupant', 'M4 the session that was asked goes'] },
  },
  {
    what: 'requests to the room that depend on being an occupant',
    shownBy: {
      'owners-configuration': ['J10'],
      'owners-people': ['M4', 'L4'],
      'owners-place': ['M4', 'M7'],
      acts: ['M4'],
      captcha: ['J8'],
      'log-retraction': ['M7 of a message that a moderator'],
      iq: ['M4 two sessions ask'],
    },
  },
  {
    what: 'queries of the archive, and what refers to its ids',
    shownBy: { iq: ['M5'], archive: ['M5', 'J12'], 'join-history': ["J4 ids, the room's marks"] },
  },
  {
    what: "one's own reflection",
    shownBy: { groupchat: ['M2 all joined sessions', 'M2 an error to a message'] },
  },
  { what: "clients' bounces", shownBy: { iq: ['M10'], isolation: ['M9a error stanzas'] } },
  { what: 'private messages and carbons', shownBy: { private: ['M3'] } },
  {
    what: 'the arithmetic of stream management',
    shownBy: {
      'resume-ends': ['S9 every <r/> is answered', 'S9 what has not reached the server', 'S9 a count that takes in'],
      'resume-cut': ['S9'],
      'resume-killed': ['S9'],
      'resume-wrap': ['S9 counters wrap'],
    },
  },
  {
    what: 'inactive clients, and resumption',
    shownBy: { inactive: ['S10'], 'resume-ends': ['S10 a client is active again'] },
  },
  {
    what: 'the hand-over of a carrier',
    shownBy: {
      handover: ['L9', 'L5 the stream of a carrier'],
      'handover-order': ['M1', 'L9'],
      'stream-sasl': ['S7 a client that comes back while its old connection'],
      'direct-device': ['L9'],
      'claimed-nick': ['L9'],
      parking: ['L3 the next session takes', 'L3 a session that has not joined'],
      'parking-refused': ['L3', 'L9'],
      'parking-nodes': ['C1'],
    },
  },
  {
    what: 'two nodes that believe to be home of one account',
    shownBy: {
      'nodes-redis': ['C2', 'C3'],
      'nodes-program': ['C5', 'C2 SIGKILL of the home'],
      nodes: ['C2 the home dies', 'C3'],
    },
  },
  {
    what: 'side channels of authentication',
    shownBy: {
      'stream-sasl': ['S5 the mechanisms', 'S5 the channel binding flag', 'S5 plain-only', 'S5a'],
      'input-password': ['X4'],
    },
  },
];
