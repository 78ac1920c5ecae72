/** Bookmarks as devices keep them: in PEP (XEP-0402) where the server has it, else in private storage (XEP-0048, XEP-0049). */
import { type Element, escapeXml, ns } from '../../support/element.ts';
import type { Client, Scene } from './scenario.ts';
import { until } from './witness.ts';

const PUBSUB = 'http://jabber.org/protocol/pubsub';
const NODE = 'urn:xmpp:bookmarks:1';

export interface Mark {
  room: string;
  autojoin?: boolean;
  nick?: string;
  password?: string;
}

/** How a device writes bookmarks. */
export interface Bookmarking {
  /** Writes a bookmark, in place of an earlier one of the room. */
  put(device: Client, mark: Mark): Promise<void>;
  /** What the server has, as text. */
  read(device: Client): Promise<string>;
  /** Takes a room's bookmark back. */
  retract(device: Client, room: string): Promise<void>;
}

/** In the way that the server knows; `isOld`: in private storage whatever else it knows. */
export function bookmarking({ server }: Pick<Scene, 'server'>, isOld = !server.features.pep): Bookmarking {
  return isOld ? inPrivateStorage() : inPep();
}

function inPep(): Bookmarking {
  let isMade = false;
  return {
    put: async (device, mark) => {
      if (!isMade) await makeNode(device);
      isMade = true;
      const item = `<item id='${escapeXml(mark.room)}'>${conference(mark, `xmlns='${NODE}'`)}</item>`;
      await device.iq(
        `<iq type='set'><pubsub xmlns='${PUBSUB}'><publish node='${NODE}'>${item}</publish></pubsub></iq>`,
      );
    },
    read: async (device) => {
      const query = `<pubsub xmlns='${PUBSUB}'><items node='${NODE}'/></pubsub>`;
      return textOf(await device.iq(`<iq type='get'>${query}</iq>`));
    },
    retract: async (device, room) => {
      const item = `<item id='${escapeXml(room)}'/>`;
      await device.iq(
        `<iq type='set'><pubsub xmlns='${PUBSUB}'><retract node='${NODE}' notify='true'>${item}</retract></pubsub></iq>`,
      );
    },
  };
}

/** Both servers keep one item in a node unless told; ejabberd refuses the options of XEP-0402 with a publication. */
async function makeNode(device: Client): Promise<void> {
  const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`;
  const type = field('FORM_TYPE', `${PUBSUB}#node_config`);
  const fields =
    type +
    field('pubsub#persist_items', 'true') +
    field('pubsub#max_items', '255') +
    field('pubsub#access_model', 'whitelist') +
    field('pubsub#send_last_published_item', 'never');
  const form = `<x xmlns='${ns.data}' type='submit'>${fields}</x>`;
  await device.iq(
    `<iq type='set'><pubsub xmlns='${PUBSUB}'><create node='${NODE}'/><configure>${form}</configure></pubsub></iq>`,
  );
}

function inPrivateStorage(): Bookmarking {
  const marks = new Map<string, Mark>();
  const store = async (device: Client): Promise<void> => {
    const all = [...marks.values()].map((mark) => conference(mark, `jid='${escapeXml(mark.room)}'`)).join('');
    await device.iq(
      `<iq type='set'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>${all}</storage></query></iq>`,
    );
  };
  return {
    put: (device, mark) => {
      marks.set(mark.room, mark);
      return store(device);
    },
    read: async (device) => {
      const query = `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>`;
      return textOf(await device.iq(`<iq type='get'>${query}</iq>`));
    },
    retract: (device, room) => {
      marks.delete(room);
      return store(device);
    },
  };
}

function textOf(answer: Element): string {
  return answer.elements.map((one) => one.print()).join('\n');
}

function conference({ autojoin = true, nick, password }: Mark, attributes: string): string {
  const secret = password === undefined ? '' : `<password>${escapeXml(password)}</password>`;
  const name = nick === undefined ? '' : `<nick>${escapeXml(nick)}</nick>`;
  return `<conference ${attributes} autojoin='${autojoin}'>${name}${secret}</conference>`;
}

/** The device is told of changes, where it would not be by itself. */
export async function followBookmarks(device: Client): Promise<void> {
  const subscribe = `<subscribe node='${NODE}' jid='${device.jid}'/>`;
  await device.iq(`<iq type='set'><pubsub xmlns='${PUBSUB}'>${subscribe}</pubsub></iq>`);
}

/** Waits until the account has read its bookmarks: what changes from here on is a change. */
export function untilRead({ proxy }: Pick<Scene, 'proxy'>): Promise<void> {
  return until('the bookmarks have been read', async () => {
    const metrics = await proxy.app.metrics.render();
    return /^minimix_bookmark_readings_total\{result="(pep|private)"\} [1-9]/m.test(metrics);
  });
}
