/** What a device and others in a room may do, one stanza each; of all kinds, sensible or not. */
import { ns } from '../../support/element.ts';

/** Where and by whom something is done; `n` chooses among what there is. */
export interface Circumstances {
  readonly room: string;
  readonly n: number;
  /** The nick that the device has, or had last. */
  readonly nick: string;
  /** Bare JIDs. */
  readonly alice: string;
  readonly bob: string;
  readonly carol: string;
}

export interface Deed {
  /** How often it is done, among the others. */
  readonly weight: number;
  /** `actor`: a device of alice. */
  readonly who: 'actor' | 'bob' | 'carol';
  /** It is a join: for a device that is not in. */
  readonly isEntry?: boolean;
  /** It is for a device that is in: to services that know groupchat 1.0 it is a join else. */
  readonly isInside?: boolean;
  /** It is an IQ that is answered in any case. */
  readonly isAsked?: boolean;
  readonly xml: (where: Circumstances) => string;
}

const nicks = ['al', 'al', 'al', 'Älx', 'bob', 'al2'];

const admin = (item: string): string => `<query xmlns='${ns.mucAdmin}'>${item}</query>`;

function configure(room: string, settings: Record<string, string>): string {
  const fields = { FORM_TYPE: 'http://jabber.org/protocol/muc#roomconfig', ...settings };
  const form = Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`);
  const query = `<query xmlns='${ns.mucOwner}'><x xmlns='${ns.data}' type='submit'>${form.join('')}</x></query>`;
  return `<iq type='set' id='play-k' to='${room}'>${query}</iq>`;
}

/** Not among them: what ends the room, as ejabberd answers nothing then that tells the end of what one hears. */
export const deeds: Readonly<Record<string, Deed>> = {
  join: {
    weight: 12,
    who: 'actor',
    isEntry: true,
    xml: ({ room, n }) => `<presence id='play-j' to='${room}/${nicks[n % 6]}'><x xmlns='${ns.muc}'/></presence>`,
  },
  joinNoHistory: {
    weight: 3,
    who: 'actor',
    isEntry: true,
    xml: ({ room }) =>
      `<presence id='play-j' to='${room}/al'><x xmlns='${ns.muc}'><history maxstanzas='0'/></x></presence>`,
  },
  joinSomeHistory: {
    weight: 3,
    who: 'actor',
    isEntry: true,
    xml: ({ room, n }) =>
      `<presence id='play-j' to='${room}/al'><x xmlns='${ns.muc}'><history maxstanzas='${n}'/></x></presence>`,
  },
  joinSince: {
    weight: 2,
    who: 'actor',
    isEntry: true,
    xml: ({ room }) =>
      `<presence id='play-j' to='${room}/al'><x xmlns='${ns.muc}'><history since='2020-01-01T00:00:00Z'/></x></presence>`,
  },
  joinChars: {
    weight: 1,
    who: 'actor',
    isEntry: true,
    xml: ({ room }) =>
      `<presence id='play-j' to='${room}/al'><x xmlns='${ns.muc}'><history maxchars='0'/></x></presence>`,
  },
  joinPassword: {
    weight: 2,
    who: 'actor',
    isEntry: true,
    xml: ({ room, n }) =>
      `<presence id='play-j' to='${room}/al'><x xmlns='${ns.muc}'><password>${n % 2 ? 'right' : 'wrong'}</password></x></presence>`,
  },
  joinNoNick: {
    weight: 1,
    who: 'actor',
    isEntry: true,
    xml: ({ room }) => `<presence id='play-j' to='${room}'><x xmlns='${ns.muc}'/></presence>`,
  },
  joinShow: {
    weight: 2,
    who: 'actor',
    isEntry: true,
    xml: ({ room }) =>
      `<presence id='play-j' to='${room}/al'><x xmlns='${ns.muc}'/><show>dnd</show><status>busy</status></presence>`,
  },
  leave: {
    weight: 5,
    who: 'actor',
    xml: ({ room, n, nick }) =>
      `<presence type='unavailable' xml:lang='en' id='play-l' to='${room}/${nick}'>${n % 2 ? '<status>bye</status>' : ''}</presence>`,
  },
  say: {
    weight: 8,
    who: 'actor',
    xml: ({ room, n }) => `<message type='groupchat' id='play-${n}' to='${room}'><body>mine ${n}</body></message>`,
  },
  topic: {
    weight: 2,
    who: 'actor',
    xml: ({ room, n }) =>
      `<message type='groupchat' id='play-${n}' to='${room}'><subject>topic ${n}</subject></message>`,
  },
  noTopic: {
    weight: 1,
    who: 'actor',
    xml: ({ room, n }) => `<message type='groupchat' id='play-${n}' to='${room}'><subject/></message>`,
  },
  both: {
    weight: 1,
    who: 'actor',
    xml: ({ room, n }) =>
      `<message type='groupchat' id='play-${n}' to='${room}'><subject>s</subject><body>b</body></message>`,
  },
  typing: {
    weight: 2,
    who: 'actor',
    xml: ({ room }) =>
      `<message type='groupchat' id='play-t' to='${room}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
  },
  private: {
    weight: 4,
    who: 'actor',
    xml: ({ room, n }) =>
      `<message type='chat' id='play-${n}' to='${room}/${nicks[n % 6]}'><body>psst ${n}</body><x xmlns='${ns.mucUser}'/></message>`,
  },
  privateNormal: {
    weight: 1,
    who: 'actor',
    xml: ({ room, n }) => `<message id='play-${n}' to='${room}/bob'><body>psst ${n}</body></message>`,
  },
  groupchatToNick: {
    weight: 1,
    who: 'actor',
    xml: ({ room, n }) => `<message type='groupchat' id='play-${n}' to='${room}/bob'><body>odd</body></message>`,
  },
  normalToRoom: {
    weight: 1,
    who: 'actor',
    xml: ({ room, n }) => `<message id='play-${n}' to='${room}'><body>odd</body></message>`,
  },
  chatToRoom: {
    weight: 1,
    who: 'actor',
    xml: ({ room, n }) => `<message type='chat' id='play-${n}' to='${room}'><body>odd</body></message>`,
  },
  headline: {
    weight: 1,
    who: 'actor',
    xml: ({ room, n }) => `<message type='headline' id='play-${n}' to='${room}'><body>odd</body></message>`,
  },
  voice: {
    weight: 1,
    who: 'actor',
    xml: ({ room }) =>
      `<message id='play-v' to='${room}'><x xmlns='${ns.data}' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field><field var='muc#role' type='list-single'><value>participant</value></field></x></message>`,
  },
  invite: {
    weight: 2,
    who: 'actor',
    xml: ({ room, carol }) =>
      `<message id='play-i' to='${room}'><x xmlns='${ns.mucUser}'><invite to='${carol}'><reason>come</reason></invite></x></message>`,
  },
  decline: {
    weight: 1,
    who: 'actor',
    xml: ({ room, bob }) =>
      `<message id='play-i' to='${room}'><x xmlns='${ns.mucUser}'><decline to='${bob}'><reason>no</reason></decline></x></message>`,
  },
  direct: {
    weight: 1,
    who: 'actor',
    xml: ({ room, bob }) => `<message id='play-i' to='${bob}'><x xmlns='jabber:x:conference' jid='${room}'/></message>`,
  },
  rename: {
    weight: 5,
    who: 'actor',
    isInside: true,
    xml: ({ room, n }) => `<presence id='play-r' to='${room}/${nicks[n % 6]}'/>`,
  },
  status: {
    weight: 4,
    who: 'actor',
    isInside: true,
    xml: ({ room, n, nick }) =>
      `<presence id='play-s' to='${room}/${nick}'>${['<show>away</show>', '', '<show>dnd</show><status>x</status>', '<priority>-3</priority>'][n % 4]}</presence>`,
  },
  self: {
    weight: 3,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='get' to='${room}/al'><ping xmlns='urn:xmpp:ping'/></iq>`,
  },
  pingRoom: {
    weight: 1,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='get' to='${room}'><ping xmlns='urn:xmpp:ping'/></iq>`,
  },
  pingNobody: {
    weight: 1,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='get' to='${room}/nobody'><ping xmlns='urn:xmpp:ping'/></iq>`,
  },
  info: {
    weight: 1,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`,
  },
  items: {
    weight: 1,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='get' to='${room}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`,
  },
  infoNick: {
    weight: 1,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}' node='x-roomuser-item'/></iq>`,
  },
  register: {
    weight: 1,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='get' to='${room}'><query xmlns='jabber:iq:register'/></iq>`,
  },
  unknown: {
    weight: 1,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='set' to='${room}'><query xmlns='urn:example:unknown'/></iq>`,
  },
  config: {
    weight: 1,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='get' to='${room}'><query xmlns='${ns.mucOwner}'/></iq>`,
  },
  members: {
    weight: 2,
    who: 'actor',
    isAsked: true,
    xml: ({ room, n }) =>
      `<iq type='get' to='${room}'>${admin(`<item affiliation='${['owner', 'member', 'outcast', 'admin'][n % 4]}'/>`)}</iq>`,
  },
  kickBob: {
    weight: 2,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) =>
      `<iq type='set' to='${room}'>${admin(`<item nick='bob' role='none'><reason>go</reason></item>`)}</iq>`,
  },
  muteCarol: {
    weight: 2,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) => `<iq type='set' to='${room}'>${admin(`<item nick='carol' role='visitor'/>`)}</iq>`,
  },
  archive: {
    weight: 2,
    who: 'actor',
    isAsked: true,
    xml: ({ room }) =>
      `<iq type='set' to='${room}'><query xmlns='urn:xmpp:mam:2' queryid='q'><set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set></query></iq>`,
  },
  subscribe: { weight: 1, who: 'actor', xml: ({ room }) => `<presence type='subscribe' id='play-u' to='${room}'/>` },
  bobSays: {
    weight: 8,
    who: 'bob',
    xml: ({ room, n }) => `<message type='groupchat' id='play-b${n}' to='${room}'><body>his ${n}</body></message>`,
  },
  bobTopic: {
    weight: 2,
    who: 'bob',
    xml: ({ room, n }) =>
      `<message type='groupchat' id='play-b${n}' to='${room}'><subject>his topic ${n}</subject></message>`,
  },
  bobPrivate: {
    weight: 3,
    who: 'bob',
    xml: ({ room, n }) =>
      `<message type='chat' id='play-b${n}' to='${room}/${nicks[n % 6]}'><body>hey ${n}</body></message>`,
  },
  bobKicks: {
    weight: 3,
    who: 'bob',
    xml: ({ room, n }) =>
      `<iq type='set' id='play-k' to='${room}'>${admin(`<item nick='${nicks[n % 6]}' role='none'><reason>out</reason></item>`)}</iq>`,
  },
  bobRole: {
    weight: 3,
    who: 'bob',
    xml: ({ room, n }) =>
      `<iq type='set' id='play-k' to='${room}'>${admin(`<item nick='al' role='${['visitor', 'participant', 'moderator'][n % 3]}'/>`)}</iq>`,
  },
  bobAffil: {
    weight: 4,
    who: 'bob',
    xml: ({ room, n, alice }) =>
      `<iq type='set' id='play-k' to='${room}'>${admin(`<item jid='${alice}' affiliation='${['member', 'none', 'admin', 'outcast', 'none', 'owner'][n % 6]}'/>`)}</iq>`,
  },
  bobConfig: {
    weight: 4,
    who: 'bob',
    xml: ({ room, n }) => {
      // Not who is shown addresses: who is in is not told of it anew.
      const [name, value] = [
        ['muc#roomconfig_moderatedroom', '1'],
        ['muc#roomconfig_moderatedroom', '0'],
        ['muc#roomconfig_membersonly', '1'],
        ['muc#roomconfig_membersonly', '0'],
        ['muc#roomconfig_changesubject', '0'],
        ['muc#roomconfig_changesubject', '1'],
        ['muc#roomconfig_persistentroom', '1'],
      ][n % 7] as [string, string];
      return configure(room, { [name]: value });
    },
  },
  bobPassword: {
    weight: 2,
    who: 'bob',
    xml: ({ room, n }) =>
      configure(room, {
        'muc#roomconfig_passwordprotectedroom': `${n % 2}`,
        'muc#roomconfig_roomsecret': n % 2 ? 'right' : '',
      }),
  },
  bobRename: {
    weight: 1,
    who: 'bob',
    xml: ({ room, n }) => `<presence id='play-r' to='${room}/${n % 2 ? 'bob' : 'rob'}'/>`,
  },
  bobStatus: {
    weight: 2,
    who: 'bob',
    xml: ({ room, n }) => `<presence id='play-s' to='${room}/bob'>${n % 2 ? '<show>away</show>' : ''}</presence>`,
  },
  bobJoins: {
    weight: 2,
    who: 'bob',
    xml: ({ room }) => `<presence id='play-j' to='${room}/bob'><x xmlns='${ns.muc}'/></presence>`,
  },
  carolJoins: {
    weight: 4,
    who: 'carol',
    xml: ({ room }) => `<presence id='play-j' to='${room}/carol'><x xmlns='${ns.muc}'/></presence>`,
  },
  carolLeaves: {
    weight: 2,
    who: 'carol',
    xml: ({ room }) => `<presence type='unavailable' to='${room}/carol'/>`,
  },
  carolSays: {
    weight: 3,
    who: 'carol',
    xml: ({ room, n }) => `<message type='groupchat' id='play-c${n}' to='${room}'><body>hers ${n}</body></message>`,
  },
};
